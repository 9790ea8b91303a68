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
├── PreconditionRequired   a change was asked for without saying which version (If-Match)
└── RangeNotSatisfiable    the asked range begins behind the end of the file
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


class PreconditionRequired(APIError):
    """A change needs If-Match with the entity tag that was read (RFC 6585 clause 3)."""


class RangeNotSatisfiable(APIError):
    """The range begins behind the end of the file (RFC 9110 clause 15.5.17)."""

    def __init__(self, message: str, *, size_bytes: int) -> None:
        super().__init__(message)
        self.size_bytes = size_bytes
