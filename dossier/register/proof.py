"""The proof that travels with a record: its entries, their paths, and a signed checkpoint.

    {"type": "sohoa register proof 1",
     "entries": [{"index": 7, "at": "<time>", "entry": "{…}", "path": ["<hex>", …]}, …],
     "checkpoint": {"note": "…", "certificates": ["PEM", …], "timestamp_token": "<base64>"}}

Beside ``decision.pdf`` it is the file ``decision.pdf.register.json``. Nothing but the proof and
the trusted roots (or the register's key) is needed to check it. It says what was entered up to
the checkpoint; what happened later is told by a newer one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from cryptography import x509

from dossier.audit.chain import moment_of, moment_text
from dossier.errors import RegisterBroken, StateConflict
from dossier.model import JSON
from dossier.register import merkle, nodes
from dossier.register.checkpoint import Checkpoint, ProvedCheckpoint, SignedCheckpoint
from dossier.register.checkpoints import Checkpoints
from dossier.register.entry import Entry, Event, MalformedEntry, Status, status_of
from dossier.register.log import Register, not_issued
from dossier.register.merkle import ProofWrong
from dossier.register.notes import NoteInvalid, NoteKey

SUFFIX = ".register.json"
"""Put behind the document's whole name."""

_TYPE = "sohoa register proof 1"
_MOST_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class ProvedResult:
    """What a proof proves: these entries were in the log when the checkpoint was signed."""

    entries: tuple[Entry, ...]
    signed: ProvedCheckpoint

    @property
    def code(self) -> str:
        """The result code."""
        return self.entries[0].told.code

    @property
    def document_sha256(self) -> str:
        """The document as it was published, or renewed, last."""
        held = [e.told for e in self.entries if e.told.event in (Event.ISSUED, Event.RENEWED)]
        return held[-1].document_sha256

    @property
    def status(self) -> Status:
        """What the result was worth at that time."""
        return status_of(self.entries)

    @property
    def at(self) -> datetime | None:
        """When the checkpoint was timestamped."""
        return self.signed.at

    def holds(self, sha256: str) -> bool:
        """Whether a document with this digest is the one that was published, or renewed."""
        return any(
            entry.told.document_sha256 == sha256
            for entry in self.entries
            if entry.told.event in (Event.ISSUED, Event.RENEWED)
        )


def prove(register: Register, code: str) -> dict[str, JSON]:
    """The proof of the result with this code, under the newest checkpoint.

    Raises `NotFound`, `StateConflict` while no checkpoint covers it, `StoreError`.
    """
    with register.database.read() as connection:
        entries = register.of_code(code, connection)
        if not entries:
            raise not_issued()
        signed = Checkpoints(register.database).newest(connection)
        size = 0 if signed is None else signed.checkpoint.size
        if signed is None or entries[0].index >= size:
            raise StateConflict(
                "Kết quả vừa được ghi sổ, chưa có điểm niêm phong nào bao phủ; hãy thử lại sau ít "
                "phút. / The result was entered just now and no checkpoint covers it yet; try "
                "again in a few minutes."
            )
        shown = [
            {
                "index": entry.index,
                "at": moment_text(entry.at),
                "entry": entry.text,
                "path": [one.hex() for one in nodes.inclusion(connection, entry.index, size)],
            }
            for entry in entries
            if entry.index < size
        ]
    return {"type": _TYPE, "entries": shown, "checkpoint": signed.to_json()}


def check_proof(
    proof: JSON,
    anchors: Collection[x509.Certificate],
    *,
    candidates: Iterable[x509.Certificate] = (),
    keys: Collection[NoteKey] = (),
) -> ProvedResult:
    """What `proof` proves. Raises `RegisterBroken`; asks no network.

    The checkpoint has to be signed by one of `keys`, or else by a certificate with a path to one
    of `anchors`.
    """
    try:
        if proof["type"] != _TYPE:
            _refuse("it is of another type")
        signed = SignedCheckpoint.read(proof["checkpoint"]).proved(
            anchors, candidates=candidates, keys=keys
        )
        rows = proof["entries"]
        if not isinstance(rows, list) or not 0 < len(rows) <= _MOST_ENTRIES:
            _refuse("it has no entries, or too many")
        entries = tuple(_included(row, signed.checkpoint) for row in rows)
    except (NoteInvalid, MalformedEntry, ProofWrong) as error:
        _refuse(str(error), error)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        _refuse(f"it cannot be read: {error!r}", error)
    _require_one_result(entries)
    return ProvedResult(entries, signed)


def _included(row: JSON, checkpoint: Checkpoint) -> Entry:
    if type(row["index"]) is not int:
        raise ProofWrong("an index is no number")
    entry = Entry.read(row["index"], moment_of(row["at"]), row["entry"])
    path = [bytes.fromhex(one) for one in row["path"]]
    merkle.require_inclusion(entry.leaf_hash, entry.index, checkpoint.size, path, checkpoint.root)
    return entry


def _require_one_result(entries: tuple[Entry, ...]) -> None:
    if len({entry.told.code for entry in entries}) != 1:
        _refuse("its entries are of several results")
    if [entry.told.event for entry in entries].count(Event.ISSUED) != 1:
        _refuse("it does not say once that the result was issued")
    indices = [entry.index for entry in entries]
    if indices != sorted(set(indices)) or entries[0].told.event is not Event.ISSUED:
        _refuse("its entries are not in their order")


def _refuse(why: str, cause: Exception | None = None) -> NoReturn:
    raise RegisterBroken(
        f"Bằng chứng đăng ký không đúng; hãy xin lại từ nơi cấp. / The proof of registration does "
        f"not hold: {why}.",
        findings=(why,),
    ) from cause
