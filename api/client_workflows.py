"""The longer ways of the Python client: batches, clerical sequences, digitizations."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from api.client_errors import Conflict, StillWorking
from api.client_values import Blob, Resource

if TYPE_CHECKING:
    from api.client_transport import Transport

_SLOWEST_POLL_S = 2.0


def pages(
    transport: Transport, path: str, params: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """All entries of a list, a page at a time as they are asked for."""
    query = {"limit": 200, **params}
    while True:
        page = transport.ask("GET", path, params=query).json()
        yield from page["items"]
        if page["next"] is None:
            return
        query["after"] = page["next"]


class _Ways:
    """What the three have in common: ask for one, wait for its end, cancel it."""

    _path: str
    _settled: frozenset[str]
    _failed: frozenset[str]

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, resource_id: str) -> Resource:
        """One by its id. Raises `Missing`."""
        return Resource.read(self._transport.ask("GET", f"{self._path}/{resource_id}").json())

    def list(self) -> Iterator[Resource]:
        """All of the agency's, newest first."""
        return (Resource.read(raw) for raw in pages(self._transport, self._path, {}))

    def cancel(self, resource: Resource) -> Resource:
        """Cancel what is not finished. Raises `Conflict` when it was changed meanwhile."""
        response = self._transport.ask(
            "DELETE",
            f"{self._path}/{resource.id}",
            headers={"If-Match": f'"{resource.version}"'},
        )
        return Resource.read(response.json())

    def wait(
        self,
        resource: Resource,
        *,
        timeout_s: float = 300.0,
        until: Callable[[Resource], bool] | None = None,
    ) -> Resource:
        """Ask until it is finished, or `until` holds; the resource then.

        Raises `Conflict` when it failed, `StillWorking` when the time is up.
        """
        deadline = time.monotonic() + timeout_s
        pause_s = 0.1
        while True:
            if resource.state in self._failed:
                error = resource.raw.get("error") or {}
                raise Conflict(
                    409,
                    {
                        "code": error.get("kind", resource.state),
                        "detail": error.get("message", f"{resource.id} is {resource.state}"),
                    },
                    None,
                )
            if resource.state in self._settled if until is None else until(resource):
                return resource
            if time.monotonic() + pause_s > deadline:
                raise StillWorking(
                    f"{resource.id} chưa xong sau {timeout_s:g} s; hãy gọi wait() lần nữa. / It is "
                    "not finished yet; call wait() again.",
                    resource,
                )
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _SLOWEST_POLL_S)
            resource = self.get(resource.id)

    def _post(
        self, path: str, body: Mapping[str, Any] | None, idempotency_key: str | None
    ) -> Resource:
        response = self._transport.ask(
            "POST",
            path,
            json=body,
            headers={"Idempotency-Key": idempotency_key or secrets.token_hex(16)},
        )
        return Resource.read(response.json())


class Digitizations(_Ways):
    """Scans that become one searchable record (``/v1/digitizations``)."""

    _path = "/v1/digitizations"
    _settled = frozenset({"done"})
    _failed = frozenset({"failed", "cancelled"})

    def create(
        self,
        scans: Sequence[Blob],
        *,
        title: str,
        dossier_code: str,
        component_code: str,
        station: str,
        officer: str,
        idempotency_key: str | None = None,
        **entries: Any,  # noqa: ANN401 - further entries of the form, as mode or languages
    ) -> Resource:
        """Order the digitization of uploaded `scans`, in page order."""
        body = {
            "scans": [scan.sha256 for scan in scans],
            "title": title,
            "dossier_code": dossier_code,
            "component_code": component_code,
            "station": station,
            "officer": officer,
            **entries,
        }
        return self._post(self._path, body, idempotency_key)
