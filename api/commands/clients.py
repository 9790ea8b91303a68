"""`sohoa clients`: systems that call the service, such as an agency's case handling."""

from api.commands.principals import principal_commands

app = principal_commands("client", "hệ thống kết nối", "client systems")
