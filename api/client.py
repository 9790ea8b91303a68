"""Sohoa's Python client: typed, synchronous, over HTTP (import it as `sohoa.client`).

    from sohoa.client import Client

    with Client("https://sohoa.example.vn", api_key) as sohoa:
        record = sohoa.sign("decision.pdf", key="leader", profiles=["P1"], symbol="QĐ-UBND",
                            from_book=True, decided_on=date(2026, 1, 5), wait_s=30)
        sohoa.download(record, "decision-signed.pdf")

Each `sign` carries an Idempotency-Key, so it is sent again safely after a broken connection;
give your own key (the case's number) and it is safe across restarts of your program too.
Errors are in `api.client_errors`, values in `api.client_values`; all are exported here.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from api.client_errors import (
    Busy,
    ClientError,
    Conflict,
    DamagedDownload,
    Invalid,
    Missing,
    NoAnswer,
    NotAllowed,
    Refused,
    StillWorking,
)
from api.client_files import Files, Progress, require_digest
from api.client_register import Result, ResultRegister
from api.client_stacks import CoverSheets, Stacks
from api.client_transport import Transport
from api.client_values import Blob, Event, Level, Record, Resource, Verification
from api.client_verifications import Verifiable, Verifications
from api.client_workflows import Batches, Digitizations, Sequences, pages, plain

__all__ = [
    "Blob",
    "Busy",
    "Client",
    "ClientError",
    "Conflict",
    "DamagedDownload",
    "Event",
    "Invalid",
    "Missing",
    "NoAnswer",
    "NotAllowed",
    "Record",
    "Refused",
    "Resource",
    "Result",
    "StillWorking",
    "Verification",
]

Document = str | os.PathLike[str] | bytes | Blob
"""A file by its path, its bytes, or a blob that was uploaded before."""

_PDF = "application/pdf"
_AT_ONCE_BYTES = 8 << 20  # larger documents are uploaded in parts first
_LONGEST_WAIT_S = 60.0  # the service waits no longer in one request


class Client:
    """One service, with one credential. A context manager; safe for threads.

    `api_key` None: no credential, or that of `certificate`. `signed` sends signatures made with
    the key instead of the key itself (RFC 9421). `timeout_s` bounds each read and write,
    `patience_s` all tries of one request together. `language`: "vi" or "en", of error messages.
    `verify` and `certificate` are httpx's `verify` and `cert`.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        signed: bool = False,
        timeout_s: float = 30.0,
        patience_s: float = 60.0,
        language: str = "vi",
        verify: Any = True,  # noqa: ANN401 - as httpx takes it
        certificate: Any = None,  # noqa: ANN401 - likewise
    ) -> None:
        self._transport = Transport(
            base_url,
            api_key,
            signed=signed,
            timeout_s=timeout_s,
            patience_s=patience_s,
            language=language,
            verify=verify,
            certificate=certificate,
        )
        self._files = Files(self._transport)
        self.batches = Batches(self._transport)
        self.sequences = Sequences(self._transport)
        self.digitizations = Digitizations(self._transport)
        self.stacks = Stacks(self._transport)
        self.cover_sheets = CoverSheets(self._transport)
        self.register = ResultRegister(self._transport, self._files)
        self.verifications = Verifications(self._transport)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- signatures ----------------------------------------------------------------------

    def sign(
        self,
        document: Document,
        *,
        key: str,
        profiles: Sequence[str] = (),
        level: Level = "B-LTA",
        number: int | None = None,
        symbol: str | None = None,
        from_book: bool = False,
        decided_on: date | None = None,
        reason: str | None = None,
        location: str | None = None,
        expected_agency: str | None = None,
        copy_form: str | None = None,
        supersedes: str | None = None,
        field_name: str | None = None,
        result_reference: str | None = None,
        proof_code: bool | None = None,
        holder: str | None = None,
        valid_until: date | None = None,
        idempotency_key: str | None = None,
        wait_s: float = 30.0,
    ) -> Record:
        """Have `document` signed; the published record.

        The entries of the order are those of ``POST /v1/signatures``. With `wait_s` 0 the record
        comes as it is accepted; `wait` goes on from there. Raises `Refused`, also when signing
        failed for good, `StillWorking` when it is not published within `wait_s`, `NoAnswer`.
        """
        order = plain(
            {
                "key": key,
                "profiles": list(profiles),
                "level": level,
                "number": number,
                "symbol": symbol,
                "from_book": from_book,
                "decided_on": decided_on,
                "reason": reason,
                "location": location,
                "expected_agency": expected_agency,
                "copy_form": copy_form,
                "supersedes": supersedes,
                "field_name": field_name,
                "result_reference": result_reference,
                "proof_code": proof_code,
                "holder": holder,
                "valid_until": valid_until,
            }
        )
        headers = {"Idempotency-Key": idempotency_key or secrets.token_hex(16)}
        waited_s = min(wait_s, _LONGEST_WAIT_S)
        if waited_s >= 1:
            headers["Prefer"] = f"wait={int(waited_s)}"
        began = time.monotonic()
        if not isinstance(document, Blob | bytes):
            path = Path(document)
            document = path.read_bytes() if path.stat().st_size <= _AT_ONCE_BYTES else path
        if isinstance(document, Path) or (
            isinstance(document, bytes) and len(document) > _AT_ONCE_BYTES
        ):
            document = self.upload(document)
        if isinstance(document, Blob):
            response = self._transport.ask(
                "POST",
                "/v1/signatures",
                json={"document": {"sha256": document.sha256}, "order": order},
                headers=headers,
                wait_s=waited_s,
            )
        else:
            response = self._transport.ask(
                "POST",
                "/v1/signatures",
                params={name: _query(value) for name, value in order.items()},
                content=document,
                headers={**headers, "Content-Type": _PDF},
                wait_s=waited_s,
            )
        record = Record.read(response.json())
        left_s = wait_s - (time.monotonic() - began)
        return record if wait_s <= 0 else self.wait(record, timeout_s=max(left_s, 0.0))

    def record(self, record_id: str) -> Record:
        """A record by its id. Raises `Missing`."""
        return Record.read(self._transport.ask("GET", f"/v1/signatures/{record_id}").json())

    def records(self, *, state: str | None = None) -> Iterator[Record]:
        """All records of the agency, newest first, page by page."""
        params = {} if state is None else {"state": state}
        for raw in pages(self._transport, "/v1/signatures", params):
            yield Record.read(raw)

    def wait(self, record: Record, *, timeout_s: float = 60.0) -> Record:
        """Wait until the record is published. Raises `StillWorking`; `Refused` when it failed."""
        deadline = time.monotonic() + timeout_s
        pause_s = 0.05
        while not record.is_settled:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise StillWorking(
                    f"Hồ sơ {record.id} chưa xong sau {timeout_s:g} s; hãy gọi wait() lần nữa. / "
                    "The record is not finished yet; call wait() again.",
                    record,
                )
            time.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, 1.0)
            record = self.record(record.id)
        if not record.is_published:
            error = record.error or {
                "kind": record.state,
                "message": f"the record is {record.state}",
            }
            raise Conflict(409, {"code": error["kind"], "detail": error["message"]}, None)
        return record

    def cancel(self, record: Record) -> Record:
        """Cancel a record that no worker has begun with. Raises `Conflict`."""
        response = self._transport.ask(
            "DELETE", f"/v1/signatures/{record.id}", headers={"If-Match": f'"{record.version}"'}
        )
        return Record.read(response.json())

    # --- files ---------------------------------------------------------------------------

    def upload(
        self,
        source: str | os.PathLike[str] | bytes,
        *,
        media_type: str = _PDF,
        progress: Progress | None = None,
    ) -> Blob:
        """Store a file for later requests, going on after every break; what is there is not sent.

        Raises `Refused` (quota, rights) and `NoAnswer`.
        """
        return self._files.upload(source, media_type, progress)

    def download(
        self, record: Record, target: str | os.PathLike[str], *, file: str = "result"
    ) -> Path:
        """Store the signed file (or its ``report``, ``evidence``) as `target`, whole or not at all.

        It goes on after a broken connection, and its digest is checked against the record's.
        Raises `Refused`, `NoAnswer`, `DamagedDownload`.
        """
        sha256 = record.raw.get(f"{file}_sha256")
        return self._files.download(f"/v1/signatures/{record.id}/{file}", sha256, Path(target))

    def read(self, record: Record, *, file: str = "result") -> bytes:
        """The signed file (or its ``report``, ``evidence``) in memory; as `download`."""
        content = self._transport.ask("GET", f"/v1/signatures/{record.id}/{file}").content
        require_digest(hashlib.sha256(content).hexdigest(), record.raw.get(f"{file}_sha256"))
        return content

    def fetch(self, sha256: str, target: str | os.PathLike[str]) -> Path:
        """Store a blob of the agency as `target`; as `download`."""
        return self._files.download(f"/v1/blobs/{sha256}", sha256, Path(target))

    # --- verification, audit, keys -------------------------------------------------------

    def verify(
        self,
        document: Verifiable,
        **options: Any,  # noqa: ANN401 - of `Verifications.verify`
    ) -> Verification:
        """Verify the signatures of a PDF; nothing is stored, and files need no credential.

        Reports, receipts, kept evidence and whole lists: `verifications`.
        """
        return self.verifications.verify(document, **options)

    def verify_printout(self, photo: str | os.PathLike[str] | bytes) -> Mapping[str, Any]:
        """What the code in a photograph or scan of a printout is worth; needs no credential.

        The entries are those of docs/printout.md; what counts is ``verdict``.
        """
        data = photo if isinstance(photo, bytes) else Path(photo).read_bytes()
        headers = {"Content-Type": "application/octet-stream"}
        response = self._transport.ask("POST", "/v1/proofs", content=data, headers=headers)
        answer: Mapping[str, Any] = response.json()
        return answer

    def keys(self) -> list[Mapping[str, Any]]:
        """The signing keys that this client may use."""
        return list(pages(self._transport, "/v1/keys", {}))

    def audit(self, *, after: int = 0) -> Iterator[Mapping[str, Any]]:
        """Entries of the audit log in their order. For auditors and administrators."""
        return pages(self._transport, "/v1/audit", {"after": after})

    def export_audit(self, target: str | os.PathLike[str]) -> Path:
        """Store the whole chain as `target`, for ``sohoa audit verify``."""
        return self._files.download("/v1/audit/export", None, Path(target))


def _query(value: Any) -> Any:  # noqa: ANN401 - an entry of an order
    """An entry as it stands in a query."""
    return str(value).lower() if isinstance(value, bool) else value
