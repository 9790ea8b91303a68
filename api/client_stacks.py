"""The Python client at the scanning station: cover sheets, and stacks of scanned paper."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from api.client_values import Blob, Resource
from api.client_workflows import Ways, pages

if TYPE_CHECKING:
    from api.client_transport import Transport

Side = Literal["single", "front", "back"]


class Stacks(Ways):
    """Stacks of scanned paper (``/v1/stacks``). `wait` ends when the stack is split."""

    _path = "/v1/stacks"
    _settled = frozenset({"arranged", "done"})
    _failed = frozenset({"cancelled"})

    def open(
        self,
        *,
        station: str,
        officer: str,
        idempotency_key: str | None = None,
        **entries: Any,  # noqa: ANN401 - further entries of the form, as profile or urgent
    ) -> Resource:
        """Open a stack; the same key and order give the same one."""
        body = {"station": station, "officer": officer, **entries}
        return self._post(self._path, body, idempotency_key)

    def add(
        self,
        stack: Resource,
        scan: Blob,
        name: str,
        position: int,
        *,
        side: Side = "single",
        purpose: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """Add an uploaded scan at a position (from 0); the scan. Repeating it adds nothing.

        Raises `Conflict` when another file has the position, or the stack is closed.
        """
        body = {"sha256": scan.sha256, "name": name, "position": position, "side": side}
        if purpose is not None:
            body["purpose"] = dict(purpose)
        answer: Mapping[str, Any] = self._transport.ask(
            "POST",
            f"{self._path}/{stack.id}/scans",
            json=body,
            # the position makes it safe to repeat; this says so to the transport
            headers={"Idempotency-Key": f"{stack.id}-{position}"},
        ).json()
        return answer

    def close(self, stack: Resource) -> Resource:
        """No more paper comes. May be repeated."""
        return self._post(f"{self._path}/{stack.id}/close", None, None)

    def prioritise(self, stack: Resource, *, urgent: bool = True) -> Resource:
        """Put a stack before the others, or back among them."""
        return self._post(f"{self._path}/{stack.id}/priority", {"urgent": urgent}, None)

    def scans(self, stack: Resource) -> Iterator[Mapping[str, Any]]:
        """The files of a stack in their order."""
        return pages(self._transport, f"{self._path}/{stack.id}/scans", {})

    def pages(self, stack: Resource) -> Iterator[Mapping[str, Any]]:
        """The pages that were found in them."""
        return pages(self._transport, f"{self._path}/{stack.id}/pages", {})

    def picture(self, stack: Resource, page_id: str) -> bytes:
        """The picture of a page (WebP). Raises `Conflict` until it is read."""
        path = f"{self._path}/{stack.id}/pages/{page_id}/picture"
        return self._transport.ask("GET", path).content

    def arrangement(self, stack: Resource) -> Mapping[str, Any]:
        """Which page is in which paper. Raises `Conflict` until the stack is split."""
        path = f"{self._path}/{stack.id}/arrangement"
        found: Mapping[str, Any] = self._transport.ask("GET", path).json()
        return found

    def edit(
        self,
        stack: Resource,
        kind: str,
        **entries: Any,  # noqa: ANN401 - of the edit, as page and turns
    ) -> Resource:
        """Change how the pages lie. Raises `Conflict` when the stack was changed meanwhile."""
        return self._change(stack, "edits", {"kind": kind, **entries})

    def undo(self, stack: Resource) -> Resource:
        """Go back to the arrangement before."""
        return self._change(stack, "undo", None)

    def redo(self, stack: Resource) -> Resource:
        """Do again what was undone last."""
        return self._change(stack, "redo", None)

    def _change(self, stack: Resource, what: str, body: Mapping[str, Any] | None) -> Resource:
        headers = {"If-Match": f'"{stack.version}"'}
        path = f"{self._path}/{stack.id}/{what}"
        return Resource.read(self._transport.ask("POST", path, json=body, headers=headers).json())


class CoverSheets:
    """Signed cover sheets (``/v1/cover-sheets``)."""

    _path = "/v1/cover-sheets"

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def issue(
        self,
        dossier_code: str,
        station: str,
        components: Sequence[tuple[str, str, int]],
        *,
        idempotency_key: str | None = None,
        **entries: Any,  # noqa: ANN401 - further entries of the form, as valid_hours
    ) -> Mapping[str, Any]:
        """Make a sheet for components (code, name, pages) in their order; the sheet."""
        body = {
            "dossier_code": dossier_code,
            "station": station,
            "components": [
                {"code": code, "name": name, "pages": count} for code, name, count in components
            ],
            **entries,
        }
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        sheet: Mapping[str, Any] = self._transport.ask(
            "POST", self._path, json=body, headers=headers
        ).json()
        return sheet

    def get(self, serial: str) -> Mapping[str, Any]:
        """What a sheet says, and which stack it split. Raises `Missing`."""
        sheet: Mapping[str, Any] = self._transport.ask("GET", f"{self._path}/{serial}").json()
        return sheet

    def list(self, dossier_code: str | None = None) -> Iterator[Mapping[str, Any]]:
        """The agency's sheets, newest first."""
        params = {} if dossier_code is None else {"dossier": dossier_code}
        return pages(self._transport, self._path, params)

    def pdf(self, sheet: Mapping[str, Any]) -> bytes:
        """The page to print."""
        return self._transport.ask("GET", sheet["links"]["sheet"]).content


def content_key(order: Mapping[str, Any], scans: Sequence[tuple[str, str]]) -> str:
    """An Idempotency-Key that follows from what is put: order, names and digests of the files."""
    told = repr((sorted(order.items()), list(scans)))
    return hashlib.sha256(told.encode("utf-8", "backslashreplace")).hexdigest()
