"""What the Python client raises.

ClientError
├── NoAnswer               the service cannot be reached, or broke off; `.last` is the cause
├── StillWorking           not finished within the time that was given; `.resource` goes on
├── DamagedDownload        the bytes do not have the digest that the service names
└── Refused                the service answered with a problem document (RFC 9457)
    ├── NotAllowed         401, 403
    ├── Missing            404: there is no such thing for this client
    ├── Conflict           409, 412, 428: it is in another state, or was changed meanwhile
    ├── Invalid            400, 413, 415, 416, 422: the request; `.errors` names entries
    └── Busy               429, 503, 507: nothing was done, later it may be
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.errors import APIError


class ClientError(APIError):
    """Root of all errors that the client raises."""


class NoAnswer(ClientError):
    """The service did not answer, however often it was asked. `last` is the last failure.

    Whether a request took effect is not known; sent again with the same idempotency key it
    takes effect once.
    """

    def __init__(self, message: str, last: Exception) -> None:
        super().__init__(message)
        self.last = last


class StillWorking(ClientError):
    """It was accepted and goes on. `resource` is what it was when it was last asked for."""

    def __init__(self, message: str, resource: Any) -> None:  # noqa: ANN401 - a record, a batch, …
        super().__init__(message)
        self.resource = resource


class DamagedDownload(ClientError):
    """The bytes that came do not have the digest that the service names."""


class Refused(ClientError):
    """The service refused; the whole problem document is `problem`."""

    def __init__(
        self, status: int, problem: Mapping[str, Any], retry_after_s: float | None
    ) -> None:
        self.status = status
        self.problem = problem
        self.retry_after_s = retry_after_s
        super().__init__(f"{status} {self.code or self.title}: {self.detail}")

    @property
    def code(self) -> str:
        """What happened, for programs: ``number-taken``; empty when no document came."""
        return str(self.problem.get("code", ""))

    @property
    def title(self) -> str:
        """What happened, in the language that was asked for."""
        return str(self.problem.get("title", ""))

    @property
    def detail(self) -> str:
        """What to do about it."""
        return str(self.problem.get("detail", ""))

    @property
    def request_id(self) -> str:
        """What the service's logs and audit know this request by."""
        return str(self.problem.get("instance", ""))

    @property
    def errors(self) -> tuple[tuple[str, str], ...]:
        """Entries that are wrong: (field, message)."""
        entries = self.problem.get("errors", ())
        return tuple((str(one["field"]), str(one["message"])) for one in entries)


class NotAllowed(Refused):
    """401 or 403."""


class Missing(Refused):
    """404."""


class Conflict(Refused):
    """409, 412 or 428."""


class Invalid(Refused):
    """400, 413, 415, 416 or 422."""


class Busy(Refused):
    """429, 503 or 507: nothing was done."""


_CLASSES: Mapping[int, type[Refused]] = {
    **dict.fromkeys((401, 403), NotAllowed),
    404: Missing,
    **dict.fromkeys((409, 412, 428), Conflict),
    **dict.fromkeys((400, 413, 415, 416, 422), Invalid),
    **dict.fromkeys((429, 503, 507), Busy),
}


def refusal(status: int, problem: Mapping[str, Any], retry_after_s: float | None) -> Refused:
    """The error that an answer of 400 and above becomes."""
    return _CLASSES.get(status, Refused)(status, problem, retry_after_s)
