"""Verifies an export of an audit chain: offline, streaming, naming the place of every fault.

Threats, and what finds them:

 1 an entry edited                     its digest; its link, if the digest was edited with it
 2 an entry deleted, moved, doubled    numbers without gap; links
 3 everything after it computed anew   the sealed head: link, signature, timestamp
 4 a head forged, left out, re-signed  signature, path to the roots; `previous`; the key that the
                                       chain announced, or the one that the auditor knows
 5 the end cut off                     the last line; heads kept elsewhere; the other chain
 6 an entry dated back or ahead        the times of the entries and heads around it

One fault gives one finding: the walk goes on from what the export itself says stood there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dossier.audit.chain import (
    FIRST,
    AuditEntry,
    MalformedEntry,
    digest_of,
    genesis,
    moment_of,
    next_link,
)
from dossier.audit.export import EXPORT_TYPE
from dossier.audit.findings import AuditReport, Fault, Finding
from dossier.audit.head import PURPOSE, Head
from dossier.errors import ChainBroken
from signer.errors import StatementInvalid
from signer.statement import StatementProof, verify_statement

TOLERANCE = timedelta(minutes=5)
"""How far clocks may disagree: the bound of `signer.clock.ClockGate`."""
STEP = timedelta(seconds=5)
"""How far an entry's time may lie before its predecessor's: one clock gives both."""
LATE = timedelta(minutes=10)
"""How long a timestamp may come after its statement: authorities are slow at times."""
MAX_LINE = 4 * 1024 * 1024
"""Bytes of a line; longer ones are not read."""
MAX_FINDINGS = 1000


@dataclass(frozen=True, slots=True)
class Facts:
    """What one export says about heads, for the comparison with the other chain's."""

    report: AuditReport
    heads: Mapping[int, str]  # entry → SHA-256 of the statement
    witnessed: tuple[AuditEntry, ...]  # `audit.head`: the other chain's heads, as seen from here
    intents: tuple[AuditEntry, ...]  # uses of the audit key for heads
    excused: frozenset[str]  # statements that were signed in vain, as the chain itself says


def verify_export(
    lines: Iterable[bytes],
    anchors: Collection[x509.Certificate],
    *,
    candidates: Iterable[x509.Certificate] = (),
    keys_sha256: Collection[str] = (),
    kept: Iterable[Head] = (),
) -> Facts:
    """Walk through an export; what is wrong with it stands in `Facts.report`.

    `anchors` are the roots that heads must lead to. `keys_sha256` pins the certificates of the
    audit key, which else are those that the chain itself names. `kept` are heads of this chain
    that the auditor kept elsewhere. Raises `ChainBroken` only when one of those is not genuine.
    """
    known = tuple(candidates)
    kept = tuple(kept)
    for head in kept:
        try:
            head.parsed()
            verify_statement(head.statement.encode(), head.signed, anchors, candidates=known)
        except (StatementInvalid, ValueError) as error:
            raise ChainBroken(
                "Điểm niêm phong giữ riêng không đúng nên không so được; hãy lấy lại bản đã giữ. / "
                f"The head that was kept is not genuine itself, so nothing can be told by it: "
                f"{error}"
            ) from error
    walk = _Walk(anchors, known, keys_sha256, kept)
    for number, line in enumerate(lines, 1):
        walk.line(number, line)
    return walk.finish()


def compare(one: Facts, other: Facts) -> list[Finding]:
    """Where the two chains of an installation contradict each other about their heads.

    An event later than the other export is no contradiction: it was made after that.
    """
    return [*_unknown_heads(one, other), *_unknown_heads(other, one)]


def _unknown_heads(told: Facts, teller: Facts) -> Iterator[Finding]:
    """Heads of `told` that `teller` knows of and that are not there."""
    report = told.report
    until = report.exported_at
    for entry in teller.witnessed:
        seq, digest = entry.details.get("seq"), entry.details.get("statement_sha256")
        if entry.details.get("chain") != report.chain or type(seq) is not int:
            continue
        if told.heads.get(seq) == digest or (until is not None and entry.at > until):
            continue
        fault = Fault.TRUNCATED if seq > report.entries else Fault.REWRITTEN
        detail = f"{entry.chain} {entry.seq} saw another head there"
        yield Finding(fault, report.chain, seq, detail)
    # the key agent says for whom it signed; a head that nobody has was cut off, or crashed
    statements = {*told.heads.values(), *teller.heads.values(), *told.excused, *teller.excused}
    for entry in teller.intents:
        digest = entry.details.get("document_sha256")
        if digest is None or digest in statements or (until is not None and entry.at > until):
            continue
        detail = f"the head that was signed at {entry.chain} {entry.seq} is gone"
        yield Finding(Fault.TRUNCATED, report.chain, report.entries, detail)


class _Walk:
    """The state between two lines. One object an export."""

    def __init__(
        self,
        anchors: Collection[x509.Certificate],
        candidates: tuple[x509.Certificate, ...],
        keys_sha256: Collection[str],
        kept: Iterable[Head],
    ) -> None:
        self._anchors = anchors
        self._candidates = list(candidates)
        self._pinned = keys_sha256
        self._kept = {head.seq: head.parsed()["link"] for head in kept}
        self._line = 0
        self._header: dict[str, Any] | None = None
        self._chain = "?"
        self._exported_at: datetime | None = None
        self._told_end: tuple[object, ...] | None = None
        self._seq = FIRST - 1
        self._link: bytes | None = None  # None: what stood before is not known
        self._disclosed = 0
        self._previous_at: datetime | None = None
        self._latest: tuple[datetime, int] | None = None  # since the last head
        self._sealed_from: datetime | None = None  # the last head's own time: none after is older
        self._announced: str | None = None  # the audit key that the chain named
        self._last_head: Head | None = None
        self._sealed = 0
        self._sealed_at: datetime | None = None
        self._keys: dict[str, None] = {}
        self._findings: list[Finding] = []
        self._heads: dict[int, str] = {}
        self._witnessed: list[AuditEntry] = []
        self._intents: list[AuditEntry] = []
        self._excused: set[str] = set()

    def line(self, number: int, line: bytes) -> None:
        """Take one line of the export."""
        self._line = number
        try:
            value = json.loads(line) if len(line) <= MAX_LINE else None
            kind = value["type"] if isinstance(value, dict) else None
        except (ValueError, RecursionError, KeyError):
            kind = None
        if self._header is None and kind != EXPORT_TYPE:
            self._note(Fault.UNREADABLE, 0, "the first line is no header of an export")
            self._header = {}
        steps: dict[Any, Callable[[Any], None]] = {
            EXPORT_TYPE: self._begin,
            "certificate": self._certificate,
            "entry": self._entry,
            "digest": self._entry,
            "head": self._head,
            "end": self._end,
        }
        step = steps.get(kind) if isinstance(kind, str) and self._told_end is None else None
        try:
            if step is None:
                raise ValueError("no line of an export, or behind its end")  # noqa: TRY301
            step(value)
        except (ValueError, KeyError, TypeError) as error:
            self._note(Fault.UNREADABLE, self._seq, str(error))

    def finish(self) -> Facts:
        """What was found, after the last line."""
        self._check_end()
        for seq in sorted(self._kept):
            if seq > self._seq:
                detail = "a head kept elsewhere is of a later entry"
                self._note(Fault.TRUNCATED, self._seq, detail, until=seq)
        self._check_latest(self._exported_at)
        header = self._header or {}
        report = AuditReport(
            chain=self._chain,
            installation=str(header.get("installation", "?")),
            agency=header.get("agency"),
            exported_at=self._exported_at,
            entries=self._seq,
            disclosed=self._disclosed,
            link=(self._link or b"").hex(),
            heads=len(self._heads),
            sealed=self._sealed,
            sealed_at=self._sealed_at,
            keys=tuple(self._keys),
            findings=tuple(self._findings),
        )
        return Facts(
            report,
            self._heads,
            tuple(self._witnessed),
            tuple(self._intents),
            frozenset(self._excused),
        )

    # --- one method a kind of line -------------------------------------------------------------

    def _begin(self, value: dict[str, Any]) -> None:
        if self._header is not None:
            raise ValueError("a second header")
        self._header = value
        self._chain = str(value["chain"])
        self._exported_at = moment_of(value["at"])
        self._link = genesis(self._chain, str(value["installation"]))

    def _certificate(self, value: dict[str, Any]) -> None:
        self._candidates.append(x509.load_pem_x509_certificate(value["pem"].encode()))

    def _entry(self, value: dict[str, Any]) -> None:
        seq = value["seq"]
        digest, link = _octets(value["sha256"]), _octets(value["link"])
        if type(seq) is not int:
            raise ValueError("the number of an entry is none")
        if seq <= self._seq:
            self._note(Fault.OUT_OF_ORDER, seq)
            return
        if seq > self._seq + 1:
            self._note(Fault.MISSING, self._seq + 1, until=seq - 1)
            self._link = None
        is_sound = value["type"] == "digest" or self._read(seq, str(value["entry"]), digest)
        if is_sound and self._link is not None and next_link(self._link, digest) != link:
            self._note(Fault.RELINKED, seq)
        self._seq, self._link = seq, link
        if self._kept.get(seq, link.hex()) != link.hex():
            self._note(Fault.REWRITTEN, seq, "a head kept elsewhere says otherwise")

    def _read(self, seq: int, text: str, digest: bytes) -> bool:
        """Check the entry by itself; True when it is what its digest says."""
        if digest_of(text.encode("utf-8", "replace")) != digest:
            self._note(Fault.EDITED, seq)
            return False
        try:
            entry = AuditEntry.read(text, digest.hex(), "")
        except MalformedEntry as error:
            self._note(Fault.EDITED, seq, str(error))
            return False
        if (entry.chain, entry.seq) != (self._chain, seq):
            self._note(Fault.FOREIGN, seq, f"{entry.chain} {entry.seq}")
            return False
        self._disclosed += 1
        self._check_time(entry)
        if entry.event == "audit.key":
            self._announced = str(entry.details.get("certificate_sha256"))
        elif entry.event == "audit.head":
            self._witnessed.append(entry)
        elif entry.event in ("audit.head-retaken", "audit.head-failed"):
            self._excused.add(str(entry.details.get("statement_sha256")))
        elif entry.event == "key.intent" and entry.details.get("purpose") == PURPOSE:
            self._intents.append(entry)
        return True

    def _check_time(self, entry: AuditEntry) -> None:
        if self._previous_at is not None and entry.at < self._previous_at - STEP:
            self._note(Fault.BACKDATED, entry.seq, "older than the entry before it")
        elif self._sealed_from is not None and entry.at < self._sealed_from - TOLERANCE:
            self._note(Fault.BACKDATED, entry.seq, "older than the head sealed before it")
        self._previous_at = entry.at
        if self._latest is None or entry.at > self._latest[0]:
            self._latest = (entry.at, entry.seq)

    def _check_latest(self, bound: datetime | None) -> None:
        if self._latest is not None and bound is not None and self._latest[0] > bound + TOLERANCE:
            self._note(Fault.POSTDATED, self._latest[1], "later than what sealed it")
        self._latest = None

    def _head(self, value: dict[str, Any]) -> None:
        faults = len(self._findings)
        head = Head.read(value)
        proof, stated = self._proved(head)
        if head.seq < self._seq:
            self._note(Fault.HEAD_FORGED, head.seq, "it does not stand behind its entry")
            return
        before, self._last_head = self._last_head, head
        self._heads[head.seq] = head.statement_sha256
        if stated is None or proof is None:
            return
        if head.seq > self._seq:
            self._note(Fault.MISSING, self._seq + 1, until=head.seq)
            self._seq, self._link = head.seq, bytes.fromhex(stated["link"])
        self._check_previous(stated["previous"], before)
        if self._link is not None and stated["link"] != self._link.hex():
            self._note(Fault.REWRITTEN, self._sealed + 1, until=head.seq)
        own_time = moment_of(stated["at"])
        if proof.at is not None:
            if proof.at > own_time + LATE:
                self._note(Fault.BACKDATED, head.seq, "the head is older than its timestamp")
            elif proof.at < own_time - TOLERANCE:
                self._note(Fault.POSTDATED, head.seq, "the head is younger than its timestamp")
        self._check_latest(proof.at or own_time)
        self._sealed_from = own_time
        if len(self._findings) == faults:
            self._sealed, self._sealed_at = head.seq, proof.at

    def _proved(self, head: Head) -> tuple[StatementProof | None, dict[str, Any] | None]:
        """The head's proof and statement, None for what is not genuine; that is noted."""
        try:
            stated = self._stated(head)
            proof = verify_statement(
                head.statement.encode(),
                head.signed,
                self._anchors,
                candidates=self._candidates,
                at=moment_of(stated["at"]),
            )
        except (StatementInvalid, ValueError) as error:
            self._note(Fault.HEAD_FORGED, head.seq, str(error))
            return None, None
        if stated["timestamped"] and proof.at is None:
            self._note(Fault.HEAD_FORGED, head.seq, "its timestamp is missing")
        key = hashlib.sha256(proof.signer.public_bytes(Encoding.DER)).hexdigest()
        self._keys[key] = None
        if key not in (self._pinned or (self._announced,)):
            known = "those that were given" if self._pinned else "the one that the chain named"
            self._note(Fault.WRONG_KEY, head.seq, f"certificate {key} is not {known}")
        return proof, stated

    def _stated(self, head: Head) -> dict[str, Any]:
        """The statement, if it is about this chain. Raises `ValueError`."""
        stated = head.parsed()
        _octets(stated["link"])
        whose = (head.chain, stated["installation"])
        if whose != (self._chain, (self._header or {}).get("installation")):
            raise ValueError(f"it is of the chain {whose[0]} of installation {whose[1]}")
        return stated

    def _check_previous(self, named: dict[str, Any] | None, before: Head | None) -> None:
        wanted = None
        if before is not None:
            wanted = {"seq": before.seq, "sha256": before.statement_sha256}
        if named != wanted:
            seq = (named or {}).get("seq")
            self._note(Fault.HEAD_MISSING, seq if type(seq) is int else FIRST)

    def _end(self, value: dict[str, Any]) -> None:
        self._told_end = (value["seq"], value["link"], value["heads"])

    def _check_end(self) -> None:
        """First and last line tell of the very end that was reached."""
        reached = (self._seq, (self._link or b"").hex(), len(self._heads))
        last = (self._header or {}).get("last")
        if self._told_end != reached or last != self._seq:
            until = last if type(last) is int and last > self._seq else None
            self._note(Fault.TRUNCATED, self._seq, "its first or last line tells more", until=until)

    def _note(self, fault: Fault, seq: int, detail: str = "", *, until: int | None = None) -> None:
        if len(self._findings) < MAX_FINDINGS:
            finding = Finding(fault, self._chain, seq, detail, until, self._line)
            self._findings.append(finding)


def _octets(text: str) -> bytes:
    """A SHA-256 from hex. Raises `ValueError`."""
    octets = bytes.fromhex(text)
    if len(octets) != hashlib.sha256().digest_size or octets.hex() != text:
        raise ValueError("a digest has not 64 lower-case hexadecimal digits")
    return octets
