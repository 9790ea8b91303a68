"""The auditor's view that joins both chains: why was each key used, and what came of it?

    keys chain       key.intent ──> key.outcome | key.outcome_unknown
                        │ subject, digest
    service chain    signature.published | .unpublished | remote.accepted | …, heads, lists, steps

The service's events name the digests that were signed, so every single use of a key is matched
to what was published with it, or to an event that explains why nothing was: one signature too
many in the middle of genuine work is found. Only a worker that was killed cannot say what it had
asked for; its attempt is excused as a whole. A use that nothing explains is a finding, and so is
a publication without a use.
"""

from __future__ import annotations

import enum
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from dossier.audit.chain import FIRST, AuditEntry, MalformedEntry, moment_text
from dossier.audit.findings import Fault, Finding
from dossier.audit.head import PURPOSE, Head, from_seq, head_of
from dossier.audit.log import AuditLog
from dossier.errors import ChainBroken
from dossier.model import JSON
from signer.errors import StatementInvalid
from signer.statement import signed_digest

UNDER_WAY = timedelta(minutes=10)
"""So long before the end of a chain, what is not finished yet is not missing."""
_PAGE = 1000
_HELD = "signature.held"
_PUBLISHED = ("signature.published", _HELD)
_UNPUBLISHED = "signature.unpublished"
_DIED = ("signature.retaken", "signature.given-up", "job.retaken", "job.given-up")
_EXCUSES = ("audit.head-retaken", "audit.head-failed")


class Reason(enum.Enum):
    """What a use of a key was for, or why nothing came of it: (code, Vietnamese, English)."""

    PUBLISHED = ("published", "đã phát hành", "published")
    RECORDED = ("recorded", "có sự kiện của chính việc đó", "an event of its subject tells of it")
    HEAD = ("audit-head", "niêm phong nhật ký", "a head of an audit chain")
    REMOTE = ("remote", "ký cho hệ thống ngoài", "signed for an outside client")
    SELF_TEST = ("self-test", "tự kiểm tra khóa", "a self-test of the key")
    NOT_CALLED = ("not-called", "chưa gọi thiết bị", "the token was not called")
    FAILED = ("failed", "thiết bị báo lỗi", "the token failed")
    WITHHELD = ("withheld", "chữ ký bị hủy, không giao ra", "the signature was not released")
    AGENT_DIED = ("agent-died", "tiến trình giữ khóa chết giữa chừng", "the key agent died")
    WORKER_DIED = ("worker-died", "tiến trình ký chết giữa chừng", "the worker died")
    UNPUBLISHED = ("unpublished", "ký rồi nhưng không phát hành", "signed, then not published")
    UNDER_WAY = ("under-way", "đang làm", "not finished yet")
    UNEXPLAINED = ("unexplained", "không có lý do", "nothing explains it")

    @property
    def code(self) -> str:
        """The stable name, for machines."""
        return self.value[0]


_REASONS = {
    "signature.published": Reason.PUBLISHED,
    _UNPUBLISHED: Reason.UNPUBLISHED,
    "remote.accepted": Reason.REMOTE,
}

_FATES = {"signature.published": Reason.PUBLISHED, "signature.cancelled": Reason.UNPUBLISHED}
"""What became of a result that was held for its batch."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One intent of the keys chain with its reason; `service_seq` is the entry that gives it."""

    seq: int
    at: datetime
    credential: str
    purpose: str
    subject: str
    attempt: int
    agency_id: str | None
    reason: Reason
    service_seq: int | None = None

    def to_json(self) -> dict[str, JSON]:
        """For machines."""
        return {
            "seq": self.seq,
            "at": moment_text(self.at),
            "credential": self.credential,
            "purpose": self.purpose,
            "subject": self.subject,
            "attempt": self.attempt,
            "agency": self.agency_id,
            "reason": self.reason.code,
            "service_seq": self.service_seq,
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """Every use of a key and its reason, in order; `findings` are those without."""

    uses: tuple[KeyUse, ...]
    findings: tuple[Finding, ...]

    def counts(self) -> dict[str, int]:
        """How many uses a reason has, by its code."""
        return dict(Counter(use.reason.code for use in self.uses))

    def to_json(self) -> dict[str, JSON]:
        """For machines; uses that were published are counted alone."""
        others = [u.to_json() for u in self.uses if u.reason is not Reason.PUBLISHED]
        return {
            "uses": len(self.uses),
            "reasons": self.counts(),
            "not_published": others,
            "findings": [finding.to_json() for finding in self.findings],
        }


def explain(
    service: Iterable[AuditEntry], keys: Iterable[AuditEntry], heads: Iterable[Head] = ()
) -> Explanation:
    """Match each use of a key to its reason. `heads` are those of both chains.

    Read (or export) the service chain first: then whatever was published has its use in the
    other one. The chains themselves are `dossier.audit.verify`'s to judge. Memory grows with
    the number of uses.
    """
    told = _Service(service)
    sealed = _Sealed(heads)
    intents: list[AuditEntry] = []
    outcomes: dict[int, AuditEntry] = {}
    last: datetime | None = None
    for entry in keys:
        last = entry.at
        if entry.event == "key.intent":
            intents.append(entry)
        elif entry.event in ("key.outcome", "key.outcome_unknown"):
            outcomes[entry.details["intent"]] = entry
        elif entry.event in _EXCUSES:
            told.excused.add(entry.details["statement_sha256"])
    uses: list[KeyUse] = []
    released: set[str] = set()  # digests whose signatures left the agent, or are about to
    for intent in intents:
        seq = None
        reason = _said_by_agent(intent, outcomes.get(intent.seq), last)
        if reason in (None, Reason.UNDER_WAY):
            released.add(_digest(intent))
        if reason is None:
            reason, seq = _said_by_service(intent, told, sealed)
        uses.append(
            KeyUse(
                intent.seq,
                intent.at,
                str(intent.details.get("credential")),
                str(intent.details.get("purpose")),
                intent.subject,
                _attempt(intent),
                intent.agency_id,
                reason,
                seq,
            )
        )
    findings = [
        Finding(Fault.UNEXPLAINED, "keys", use.seq, f"{use.credential}, {use.subject}")
        for use in uses
        if use.reason is Reason.UNEXPLAINED
    ]
    findings += [
        Finding(Fault.UNDISCLOSED, "service", entry.seq, entry.subject)
        for entry in told.published
        if not told.was_held(entry)
        and not (_digests(entry) and released.issuperset(_digests(entry)))
    ]
    return Explanation(tuple(uses), tuple(findings))


def _attempt(entry: AuditEntry) -> int:
    """The attempt of the service's that the entry is about."""
    return int(entry.details.get("attempt", 1))


def _digest(intent: AuditEntry) -> str:
    return str(intent.details.get("digest"))


def _digests(entry: AuditEntry) -> list[str]:
    """What was signed for what `entry` tells of."""
    named = entry.details.get("digests")
    return [str(digest) for digest in named] if isinstance(named, list) else []


class _Service:
    """What the service chain tells: of digests, of attempts that a worker did not survive."""

    def __init__(self, entries: Iterable[AuditEntry]) -> None:
        self.signed: dict[tuple[str, str], AuditEntry] = {}  # by subject and digest
        self.died: dict[tuple[str, int], AuditEntry] = {}  # by subject and attempt
        self.published: list[AuditEntry] = []
        self.held: set[tuple[str, str]] = set()  # subject and result, withheld for their batch
        self.fate: dict[str, Reason] = {}  # what came of those, by subject
        self.excused: set[str] = set()
        self.last: datetime | None = None
        for entry in entries:
            self.last = entry.at
            if entry.event in _PUBLISHED:
                self.published.append(entry)
            if entry.event == _HELD:
                self.held.add((entry.subject, str(entry.details.get("result_sha256"))))
            elif entry.event in _FATES:
                self.fate[entry.subject] = _FATES[entry.event]
            elif entry.event in _EXCUSES:
                self.excused.add(entry.details["statement_sha256"])
            elif entry.event in _DIED:
                self.died[entry.subject, _attempt(entry)] = entry
            for digest in _digests(entry):
                place = (entry.subject, digest)
                known = self.signed.get(place)
                # what was given up and published after all (a lost answer) was published
                if known is None or known.event == _UNPUBLISHED:
                    self.signed[place] = entry

    def was_held(self, published: AuditEntry) -> bool:
        """Whether the very result was held before: the use of the key belongs to that event."""
        place = (published.subject, str(published.details.get("result_sha256")))
        return (
            published.event != _HELD and "attempt" not in published.details and place in self.held
        )


class _Sealed:
    """The heads of both chains, by statement, with the digest that the audit key signed."""

    def __init__(self, heads: Iterable[Head]) -> None:
        self._digests: dict[str, set[str]] = defaultdict(set)
        for head in heads:
            try:
                digest = signed_digest(head.signed.signature).hex()
            except StatementInvalid:
                continue  # `verify` names it; here it explains nothing
            self._digests[head.statement_sha256].add(digest)

    def has(self, intent: AuditEntry) -> bool:
        """Whether `intent` led to one of the heads."""
        statement = str(intent.details.get("document_sha256"))
        return _digest(intent) in self._digests.get(statement, ())


def _said_by_service(
    intent: AuditEntry, told: _Service, sealed: _Sealed
) -> tuple[Reason, int | None]:
    """Why a signature left the agent, and the service's entry that says so."""
    if intent.details.get("purpose") == PURPOSE:
        if sealed.has(intent) or intent.details.get("document_sha256") in told.excused:
            return Reason.HEAD, None
    else:
        entry = told.signed.get((intent.subject, _digest(intent)))
        died = told.died.get((intent.subject, _attempt(intent)))
        # the same decision signed again within a second has the same digest
        if died is not None and (entry is None or _attempt(entry) != _attempt(intent)):
            return Reason.WORKER_DIED, died.seq
        if entry is not None:
            if entry.event == _HELD:
                return told.fate.get(entry.subject, Reason.UNDER_WAY), entry.seq
            return _REASONS.get(entry.event, Reason.RECORDED), entry.seq
    if told.last is None or intent.at > told.last - UNDER_WAY:
        return Reason.UNDER_WAY, None
    return Reason.UNEXPLAINED, None


def _said_by_agent(
    intent: AuditEntry, outcome: AuditEntry | None, last: datetime | None
) -> Reason | None:
    """What the keys chain alone says; None when the signature left the agent."""
    if intent.details.get("purpose") == "self-test":
        return Reason.SELF_TEST
    if outcome is None:
        recent = last is not None and intent.at > last - UNDER_WAY
        return Reason.UNDER_WAY if recent else Reason.UNEXPLAINED
    if outcome.event == "key.outcome_unknown":
        return Reason.AGENT_DIED
    if not outcome.details.get("called", True):
        return Reason.NOT_CALLED
    if not outcome.details.get("ok"):
        return Reason.FAILED
    if not outcome.details.get("released", True):
        return Reason.WITHHELD
    return None


def all_entries(log: AuditLog) -> Iterator[AuditEntry]:
    """Every entry of a chain in the database. Raises `StoreError`, `ChainBroken`."""
    after = 0
    while page := log.entries(None, after, _PAGE):
        yield from page
        after = page[-1].seq


def all_heads(log: AuditLog) -> list[Head]:
    """Every sealed head of a chain in the database. Raises `StoreError`."""
    with log.database.read() as connection:
        return [head_of(row) for row in connection.execute(from_seq(log.chain, FIRST))]


def read_export(lines: Iterable[bytes]) -> tuple[list[AuditEntry], list[Head]]:
    """Entries and heads of an export, nothing verified. Raises `ChainBroken` for what is none."""
    entries: list[AuditEntry] = []
    heads: list[Head] = []
    try:
        for line in lines:
            value = json.loads(line)
            if value["type"] == "entry":
                entries.append(AuditEntry.read(value["entry"], value["sha256"], value["link"]))
            elif value["type"] == "head":
                heads.append(Head.read(value))
    except (ValueError, KeyError, TypeError, MalformedEntry) as error:
        raise ChainBroken(
            "Bản xuất nhật ký không đọc được; hãy chạy “sohoa audit verify”. / The export cannot "
            f"be read; run sohoa audit verify on it: {error}"
        ) from error
    return entries, heads
