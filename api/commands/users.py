"""`sohoa users`: persons."""

from api.commands.principals import principal_commands

app = principal_commands("user", "người dùng", "users")
