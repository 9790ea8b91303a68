"""Verification in the Python client: answers, reports, receipts, kept evidence, whole lists."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from api.client_events import events_of
from api.client_values import Blob, Event, Record, Resource, Verification
from api.client_workflows import Ways, pages, plain

if TYPE_CHECKING:
    import httpx

    from api.client_transport import Transport

Verifiable = str | os.PathLike[str] | bytes | Blob | Record
"""A file by its path, its bytes, a blob that was uploaded before, or a published record."""

_PATH = "/v1/verifications"
_TYPES = {"json": "application/json", "xml": "application/xml", "pdf": "application/pdf"}


class Verifications:
    """What signed documents are worth (``/v1/verifications``). Options, everywhere the same:

    `at`: judge as of then (aware); `expected_agency`: who should have signed; `reference`: the
    document's name in reports. Blobs, records, receipts and keeping need a credential.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.batches = BulkVerifications(transport)

    def verify(
        self,
        document: Verifiable,
        *,
        keep: bool = False,
        **options: Any,  # noqa: ANN401 - at, expected_agency, reference
    ) -> Verification:
        """The answer. With `keep` the service keeps it, and `Verification.kept_id` names it."""
        response = self._ask(document, "json", keep=keep, **options)
        kept_id = response.headers.get("location", "").rpartition("/")[2] or None
        return Verification.read(response.json(), kept_id)

    def report(
        self,
        document: Verifiable,
        form: Literal["xml", "pdf"],
        **options: Any,  # noqa: ANN401 - as `verify`
    ) -> bytes:
        """The answer as ETSI TS 119 102-2 XML, or as a PDF for people."""
        return self._ask(document, form, **options).content

    def receipt(
        self,
        document: Verifiable,
        *,
        key: str | None = None,
        **options: Any,  # noqa: ANN401 - as `verify`
    ) -> bytes:
        """A PDF report sealed with `key`; None: with the service's own key."""
        return self._ask(document, "pdf", receipt=True, receipt_key=key, **options).content

    def kept(self, *, sha256: str | None = None) -> Iterator[Mapping[str, Any]]:
        """What was kept, newest first; of one document if its digest is given."""
        return pages(self._transport, "/v1/kept-verifications", plain({"sha256": sha256}))

    def again(self, kept_id: str) -> Verification:
        """The very answer that was kept. Raises `Conflict` when it was deleted."""
        raw = self._transport.ask("GET", f"{_PATH}/{kept_id}/report").json()
        return Verification.read(raw, kept_id)

    def delete(self, kept_id: str) -> None:
        """Delete kept evidence; the audit log keeps that it was."""
        shown = self._transport.ask("GET", f"{_PATH}/{kept_id}").json()
        headers = {"If-Match": f'"{shown["version"]}"'}
        self._transport.ask("DELETE", f"{_PATH}/{kept_id}", headers=headers)

    def _ask(
        self,
        document: Verifiable,
        form: str,
        *,
        at: datetime | None = None,
        **options: Any,  # noqa: ANN401 - parameters of the query
    ) -> httpx.Response:
        said = plain({"at": at.isoformat() if at else None, **options})
        params = {name: str(v).lower() if v is True else v for name, v in said.items()}
        # nothing is changed by verifying, so it may be sent again; what is kept twice harms nobody
        headers = {"Accept": _TYPES[form], "Idempotency-Key": secrets.token_hex(16)}
        if isinstance(document, Blob):
            body = {"sha256": document.sha256}
            return self._transport.ask("POST", _PATH, params=params, json=body, headers=headers)
        if isinstance(document, Record):
            body = {"record_id": document.id}
            return self._transport.ask("POST", _PATH, params=params, json=body, headers=headers)
        content = document if isinstance(document, bytes) else Path(document).read_bytes()
        headers["Content-Type"] = _TYPES["pdf"]
        return self._transport.ask("POST", _PATH, params=params, content=content, headers=headers)


class BulkVerifications(Ways):
    """Whole lists of uploaded documents (``/v1/verification-batches``)."""

    _path = "/v1/verification-batches"
    _settled = frozenset({"done"})
    _failed = frozenset({"failed", "cancelled"})

    def create(
        self,
        documents: Iterable[Blob | tuple[Blob, str]],
        *,
        title: str = "",
        at: datetime | None = None,
        expected_agency: str | None = None,
        idempotency_key: str | None = None,
    ) -> Resource:
        """Have a list verified: blobs, or blobs with the caller's own names for them."""
        items = [
            {"sha256": one.sha256}
            if isinstance(one, Blob)
            else {"sha256": one[0].sha256, "reference": one[1]}
            for one in documents
        ]
        options = {"title": title, "at": at and at.isoformat(), "expected_agency": expected_agency}
        return self._post(self._path, {"items": items, **plain(options)}, idempotency_key)

    def items(
        self, bulk: Resource, *, indication: str | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Each document with its result, in the order of the list."""
        params = plain({"indication": indication})
        return pages(self._transport, f"{self._path}/{bulk.id}/items", params)

    def events(self, bulk: Resource) -> Iterator[Event]:
        """Progress as it happens, until the list is done; goes on after a broken connection."""
        return events_of(self._transport, f"{self._path}/{bulk.id}/events")

    def report(self, bulk: Resource, position: int) -> Verification:
        """The whole answer on one document of the list."""
        path = f"{self._path}/{bulk.id}/items/{position}/report"
        return Verification.read(self._transport.ask("GET", path).json(), None)
