"""Errors of the `api` package.

APIError
├── SettingsError          the settings file or an environment variable is wrong
├── NotInitialised         no data folder yet: run `sohoa init`
├── ProductionRefused      production settings meet something that is for tests only
├── InputUnusable          a file named on the command line cannot be used
├── PublishError           finished files cannot be put where they should go
├── MalformedRequest       a header, a query or a body is not what its form demands
├── UnsupportedMediaType   the route takes no body of this Content-Type
├── BodyTooLarge           the body is larger than the route or the client may send
├── BodyTooSlow            the client did not send its body in time
├── SigningFailed          a signature was accepted and could not be made; its record says why
├── PreconditionRequired   a change was asked for without saying which version (If-Match)
├── RangeNotSatisfiable    the asked range begins behind the end of the file
├── Unauthenticated        no credential, or none that is accepted; says nothing more
├── RateLimited            too many requests, or too many failures from one address
└── ProviderUnavailable    the identity provider's keys cannot be fetched just now
"""

from __future__ import annotations


class APIError(Exception):
    """Root of all errors that leave `api`."""


class SettingsError(APIError):
    """The settings file or an environment variable is wrong; the message names the entry."""


class NotInitialised(APIError):
    """There is no data folder yet."""


class ProductionRefused(APIError):
    """Production settings meet a software token, a test anchor or an embedded authority (S11)."""


class InputUnusable(APIError):
    """A file named on the command line cannot be read or used."""


class PublishError(APIError):
    """Finished files cannot be put where they should go: disk full, no permission."""


class MalformedRequest(APIError):
    """A header, a query parameter or a body is not what its form demands. `field` names it."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnsupportedMediaType(APIError):
    """The route takes no body of this Content-Type; the message names those that it takes."""


class BodyTooLarge(APIError):
    """The body is larger than the route, or this client, may send; nothing was kept of it."""


class BodyTooSlow(APIError):
    """The client did not send its body in time (RFC 9110 clause 15.5.9)."""


class SigningFailed(APIError):
    """A signature was accepted and could not be made; `record_id` names what says why."""

    def __init__(self, message: str, *, record_id: str) -> None:
        super().__init__(message)
        self.record_id = record_id


class PreconditionRequired(APIError):
    """A change needs If-Match with the entity tag that was read (RFC 6585 clause 3)."""


class RangeNotSatisfiable(APIError):
    """The range begins behind the end of the file (RFC 9110 clause 15.5.17)."""

    def __init__(self, message: str, *, size_bytes: int) -> None:
        super().__init__(message)
        self.size_bytes = size_bytes


class Unauthenticated(APIError):
    """No credential came, or none that is accepted (401).

    `challenge` is the value of WWW-Authenticate. The message is the same for every credential
    that is unknown, wrong, expired or revoked.
    """

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message
            or "Cần thông tin xác thực hợp lệ: khóa API, mã OIDC, chứng thư máy khách hoặc yêu cầu "
            "có chữ ký. / Valid credentials are needed: an API key, an OIDC token, a client "
            "certificate or a signed request."
        )
        self.challenge = 'Bearer realm="sohoa"'


class RateLimited(APIError):
    """Too many requests (429). `retry_after_s` says when the next one has a chance."""

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(
            f"Quá nhiều yêu cầu; thử lại sau {retry_after_s} giây. / Too many requests; try again "
            f"in {retry_after_s} seconds."
        )
        self.retry_after_s = retry_after_s


class ProviderUnavailable(APIError):
    """The identity provider's keys cannot be fetched, so its tokens cannot be checked (503)."""

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(
            "Chưa kiểm tra được mã truy cập vì nhà cung cấp định danh không trả lời; hãy thử lại "
            "sau. / The token cannot be checked because the identity provider does not answer; "
            "try again later."
        )
        self.retry_after_s = retry_after_s
