"""The longer ways of the Python client: batches, clerical sequences, digitizations."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from api.client_errors import Conflict, StillWorking
from api.client_events import events_of
from api.client_files import require_digest
from api.client_values import Blob, Event, Record, Resource

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


class Ways:
    """What they have in common: ask for one, wait for its end, cancel it."""

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


class Digitizations(Ways):
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


class Batches(Ways):
    """Many documents as one frozen list (``/v1/signature-batches``)."""

    _path = "/v1/signature-batches"
    _settled = frozenset({"done"})
    _failed = frozenset({"cancelled"})

    def create(
        self,
        documents: Iterable[Blob | tuple[Blob, str] | Mapping[str, Any]],
        *,
        key: str,
        policy: Literal["each", "all"] = "each",
        title: str = "",
        idempotency_key: str | None = None,
        **order: Any,  # noqa: ANN401 - further entries of the order, as level or profiles
    ) -> Resource:
        """Freeze a list of uploaded documents.

        A document is a `Blob`, a blob with the caller's own name for it, or a mapping with
        ``source_sha256``, ``reference`` and ``overrides``. `order` takes the entries of `sign`.
        """
        lines = [{"order": {"key": key, **plain(order)}, "policy": policy, "title": title}]
        lines.extend(_listed(document) for document in documents)
        body = b"\n".join(json.dumps(line, ensure_ascii=False).encode() for line in lines)
        response = self._transport.ask(
            "POST",
            self._path,
            content=body,
            headers={
                "Content-Type": "application/x-ndjson",
                "Idempotency-Key": idempotency_key or secrets.token_hex(16),
            },
        )
        return Resource.read(response.json())

    def approve(self, batch: Resource) -> Resource:
        """Approve the list, as it was read. Raises `Conflict` when it was changed meanwhile."""
        return self._move(batch, "approve")

    def release(self, batch: Resource) -> Resource:
        """Let it be signed; another person than approved it, where the agency asks for two."""
        return self._move(batch, "release")

    def pause(self, batch: Resource) -> Resource:
        """Hand no more documents to the workers."""
        return self._move(batch, "pause")

    def resume(self, batch: Resource) -> Resource:
        """Go on where it was paused."""
        return self._move(batch, "resume")

    def items(self, batch: Resource, *, state: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Each document with its state and result, in the order of the list."""
        params = {} if state is None else {"state": state}
        return pages(self._transport, f"{self._path}/{batch.id}/items", params)

    def events(self, batch: Resource) -> Iterator[Event]:
        """Progress as it happens, until the batch has ended; goes on after a broken connection.

        The data of an event is the whole batch as ``GET`` shows it.
        """
        return events_of(self._transport, f"{self._path}/{batch.id}/events")

    def sheet(self, batch: Resource) -> bytes:
        """The signed result sheet (PDF) of a finished batch, checked against its digest."""
        content = self._transport.ask("GET", f"{self._path}/{batch.id}/sheet").content
        require_digest(hashlib.sha256(content).hexdigest(), batch.raw["sheet_sha256"])
        return content

    def _move(self, batch: Resource, step: str) -> Resource:
        response = self._transport.ask(
            "POST",
            f"{self._path}/{batch.id}/{step}",
            headers={"If-Match": f'"{batch.version}"'},
        )
        return Resource.read(response.json())


class Sequences(Ways):
    """The clerical sequence of one document: leader, number and date, seal (``/v1/sequences``)."""

    _path = "/v1/sequences"
    _settled = frozenset({"issued"})
    _failed = frozenset({"cancelled"})

    def create(
        self,
        document: Blob,
        *,
        leader_key: str,
        agency_key: str,
        symbol: str,
        idempotency_key: str | None = None,
        **entries: Any,  # noqa: ANN401 - further entries of the form, as type_code or level
    ) -> Resource:
        """Begin a sequence with an uploaded draft."""
        body = {
            "document": {"sha256": document.sha256},
            "leader_key": leader_key,
            "agency_key": agency_key,
            "symbol": symbol,
            **plain(entries),
        }
        return self._post(self._path, body, idempotency_key)

    def sign(self, sequence: Resource, **options: Any) -> Resource:  # noqa: ANN401 - of _step
        """The authorised person signs. Options: `idempotency_key`, `wait_s`."""
        return self._step(sequence, "leader-signature", None, **options)

    def number(
        self,
        sequence: Resource,
        decided_on: date,
        number: int | None = None,
        **options: Any,  # noqa: ANN401 - of _step
    ) -> Resource:
        """The clerk gives date and number; None: the book's next one."""
        body = plain({"decided_on": decided_on, "number": number})
        return self._step(sequence, "number", body, **options)

    def seal(self, sequence: Resource, **options: Any) -> Resource:  # noqa: ANN401 - of _step
        """The agency's seal: the document is issued."""
        return self._step(sequence, "seal", None, **options)

    def issue(
        self,
        sequence: Resource,
        decided_on: date,
        number: int | None = None,
        **options: Any,  # noqa: ANN401 - of _step
    ) -> Resource:
        """Number, date and seal in one go, where the agency lets one clerk do both."""
        body = plain({"decided_on": decided_on, "number": number})
        return self._step(sequence, "issue", body, **options)

    def documents(self, sequence: Resource) -> Iterator[Record]:
        """The records of the sequence: the document, its annexes and copies."""
        for raw in pages(self._transport, f"{self._path}/{sequence.id}/documents", {}):
            yield Record.read(raw)

    def annex(
        self, sequence: Resource, document: Blob, *, idempotency_key: str | None = None
    ) -> Record:
        """Have an annex signed with number and symbol of the issued document."""
        return self._attach(sequence, "annexes", {}, document, idempotency_key)

    def copy(
        self,
        sequence: Resource,
        document: Blob,
        form: Literal["SY", "TRS", "SL"],
        *,
        idempotency_key: str | None = None,
        **entries: Any,  # noqa: ANN401 - key, copying_agency
    ) -> Record:
        """Have an electronic copy of the issued document signed."""
        body = {"form": form, **entries}
        return self._attach(sequence, "copies", body, document, idempotency_key)

    def _step(
        self,
        sequence: Resource,
        step: str,
        body: Mapping[str, Any] | None,
        *,
        idempotency_key: str | None = None,
        wait_s: float = 30.0,
    ) -> Resource:
        """One step, and its end. Raises `Conflict` out of order, `NotAllowed` for the wrong
        person, `StillWorking` when it is not done within `wait_s`.
        """
        headers = {
            "Idempotency-Key": idempotency_key or secrets.token_hex(16),
            "If-Match": f'"{sequence.version}"',
            "Prefer": f"wait={int(wait_s)}",
        }
        response = self._transport.ask(
            "POST", f"{self._path}/{sequence.id}/{step}", json=body, headers=headers, wait_s=wait_s
        )
        taken = Resource.read(response.json())
        return self.wait(taken, timeout_s=wait_s, until=lambda one: one["step_running"] is None)

    def _attach(
        self,
        sequence: Resource,
        kind: str,
        body: Mapping[str, Any],
        document: Blob,
        idempotency_key: str | None,
    ) -> Record:
        response = self._transport.ask(
            "POST",
            f"{self._path}/{sequence.id}/{kind}",
            json={"document": {"sha256": document.sha256}, **body},
            headers={"Idempotency-Key": idempotency_key or secrets.token_hex(16)},
        )
        return Record.read(response.json())


def plain(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of a form as JSON: dates as text, without those that say nothing."""
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in entries.items()
        if value not in (None, (), [], False)
    }


def _listed(document: Blob | tuple[Blob, str] | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(document, Blob):
        return {"source_sha256": document.sha256}
    if isinstance(document, tuple):
        return {"source_sha256": document[0].sha256, "reference": document[1]}
    return dict(document)
