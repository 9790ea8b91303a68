"""The Python client's way to the register of issued results."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from api.client_values import JSON, Record

if TYPE_CHECKING:
    from api.client_files import Files
    from api.client_transport import Transport

Status = Literal["in-force", "superseded", "annulled"]
Comparison = Literal["same", "source", "differs"]
Document = str | os.PathLike[str] | bytes


@dataclass(frozen=True, slots=True)
class Result:
    """An issued result as the public sees it; what is masked is None in `raw`.

    `comparison` is what the file that was asked about is to it. `statement` is a signed note that
    may be shown until it runs out.
    """

    code: str
    status: Status
    superseded_by: str | None
    comparison: Comparison | None
    statement: str | None
    raw: JSON = field(repr=False)

    @property
    def is_in_force(self) -> bool:
        """Whether the result holds now."""
        return self.status == "in-force"

    @classmethod
    def read(cls, raw: JSON) -> Self:
        """The result in an answer."""
        return cls(
            raw["code"],
            raw["status"],
            raw["superseded_by"],
            raw["comparison"],
            raw["statement"],
            raw,
        )


class ResultRegister:
    """The register. What it says of results, its checkpoints and proofs need no credential."""

    def __init__(self, transport: Transport, files: Files) -> None:
        self._transport = transport
        self._files = files

    def result(self, code: str, document: Document | None = None) -> Result:
        """What the result with this code is worth; with `document`, whether that is it.

        The document stays here: its digest alone is sent. Raises `Missing`, `Invalid`.
        """
        params = {} if document is None else {"sha256": _digest(document)}
        return Result.read(self._ask(f"/v1/records/{code}", params))

    def find(self, document: Document) -> Result | None:
        """The result whose published document `document` is; None when it is none."""
        found = self._ask("/v1/records", {"sha256": _digest(document)})["record"]
        return None if found is None else Result.read(found)

    def proof(self, code: str) -> Mapping[str, Any]:
        """The proof of registration, which ``sohoa register check`` checks offline.

        Raises `Conflict` while no checkpoint covers the result.
        """
        return self._ask(f"/v1/records/{code}/proof", {})

    def save_proof(self, record: Record, document: str | os.PathLike[str]) -> Path:
        """Store the proof beside `document`, as ``<document>.register.json``. Raises `Conflict`."""
        path = Path(f"{os.fspath(document)}.register.json")
        return self._files.download(f"/v1/signatures/{record.id}/register", None, path)

    def checkpoint(self, size: int | None = None) -> Mapping[str, Any]:
        """The newest checkpoint, or the one over `size` entries: keep it. Raises `Missing`."""
        return self._ask("/v1/register/checkpoint", {} if size is None else {"size": size})

    def entries(self, start: int = 0) -> Iterator[Mapping[str, Any]]:
        """Index, time and digest of every entry from `start`, page by page."""
        following: int | None = start
        while following is not None:
            page = self._ask("/v1/register/entries", {"start": following, "limit": 1000})
            yield from page["items"]
            following = page["next"]

    def inclusion(self, index: int, size: int) -> Mapping[str, Any]:
        """The path from entry `index` to the root of the tree of `size` (RFC 9162)."""
        return self._ask("/v1/register/proof/inclusion", {"index": index, "size": size})

    def consistency(self, old: int, new: int) -> Mapping[str, Any]:
        """The proof that the tree of `new` begins with that of `old` (RFC 9162)."""
        return self._ask("/v1/register/proof/consistency", {"old": old, "new": new})

    def export(self, target: str | os.PathLike[str]) -> Path:
        """Store a copy as `target`, for ``sohoa register audit``. For auditors."""
        return self._files.download("/v1/register/export", None, Path(target))

    def annul(self, record: Record, reason: str) -> Record:
        """Withdraw a published record; the public is told why. Raises `Conflict`, `NotAllowed`."""
        return self._end(record, "annulment", {"reason": reason})

    def supersede(self, record: Record, by: Record, reason: str | None = None) -> Record:
        """Let the published record `by`, with a number of its own, take this one's place."""
        told = {"by": by.id} if reason is None else {"by": by.id, "reason": reason}
        return self._end(record, "supersession", told)

    def _end(self, record: Record, act: str, told: Mapping[str, Any]) -> Record:
        response = self._transport.ask(
            "POST",
            f"/v1/signatures/{record.id}/ending/{act}",
            json=dict(told),
            headers={"If-Match": f'"{record.version}"'},
        )
        return Record.read(response.json())

    def _ask(self, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._transport.ask("GET", path, params=dict(params)).json()
        return found


def _digest(document: Document) -> str:
    if isinstance(document, bytes):
        return hashlib.sha256(document).hexdigest()
    with Path(document).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
