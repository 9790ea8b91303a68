"""The auditor's view that joins both chains: why was each key used, and what came of it?

    keys chain       key.intent ──> key.outcome | key.outcome_unknown
                        │ subject, attempt, digest
    service chain    signature.published | .unpublished | .retaken | …, heads, lists, steps

Every use of a key is matched to what was published with it, or to an event that explains why
nothing was. A use that nothing explains is a finding, and so is a publication without a use.
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

UNDER_WAY = timedelta(minutes=10)
"""So long before the end of a chain, what is not finished yet is not missing."""
_PAGE = 1000
_HELD = "signature.held"
_PUBLISHED = ("signature.published", _HELD)


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
    REPEATED = ("repeated", "đã làm lại lần sau", "the work was begun again")
    UNDER_WAY = ("under-way", "đang làm", "not finished yet")
    UNEXPLAINED = ("unexplained", "không có lý do", "nothing explains it")

    @property
    def code(self) -> str:
        """The stable name, for machines."""
        return self.value[0]


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
    statements = {head.statement_sha256 for head in heads}
    uses: list[KeyUse] = []
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
    attempts = _own_attempts(intents)
    last_uses = {(i.subject, str(i.details.get("purpose"))): i.seq for i in intents}
    told.last_uses.update(last_uses.values())
    for intent in intents:
        attempt = attempts[intent.seq]
        reason, seq = _reason(intent, outcomes.get(intent.seq), attempt, told, statements, last)
        uses.append(
            KeyUse(
                intent.seq,
                intent.at,
                str(intent.details.get("credential")),
                str(intent.details.get("purpose")),
                intent.subject,
                attempt,
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
    good = (Reason.PUBLISHED, Reason.RECORDED)
    made = {(use.subject, use.attempt) for use in uses if use.reason in good}
    findings += [
        Finding(Fault.UNDISCLOSED, "service", entry.seq, entry.subject)
        for entry in told.published
        if made.isdisjoint(_places(entry)) and not told.was_held(entry)
    ]
    return Explanation(tuple(uses), tuple(findings))


def _places(published: AuditEntry) -> set[tuple[str, int]]:
    """Subject and attempt of the uses that may have made it: its own, or its sequence's."""
    attempt = published.details.get("attempt", 1)
    return {(published.subject, attempt), (str(published.details.get("sequence")), attempt)}


_EXCUSES = ("audit.head-retaken", "audit.head-failed")


class _Service:
    """What the service chain tells, by subject and attempt."""

    def __init__(self, entries: Iterable[AuditEntry]) -> None:
        self.by_attempt: dict[tuple[str, int], list[AuditEntry]] = defaultdict(list)
        self.latest: dict[str, int] = {}
        self.published: list[AuditEntry] = []
        self.held: set[tuple[str, str]] = set()  # subject and result, withheld for their batch
        self.excused: set[str] = set()
        self.by_name: dict[tuple[str, str], AuditEntry] = {}
        self.last_uses: set[int] = set()  # the last intent of each subject and purpose
        self.last: datetime | None = None
        for entry in entries:
            self.last = entry.at
            attempt = entry.details.get("attempt")
            if entry.event in _PUBLISHED:
                self.published.append(entry)
            if entry.event == _HELD:
                self.held.add((entry.subject, str(entry.details.get("result_sha256"))))
            if entry.event in _EXCUSES:
                self.excused.add(entry.details["statement_sha256"])
            self.by_name[entry.subject, entry.event] = entry
            if type(attempt) is int:
                self.by_attempt[entry.subject, attempt].append(entry)
                self.latest[entry.subject] = max(attempt, self.latest.get(entry.subject, 0))

    def was_held(self, published: AuditEntry) -> bool:
        """Whether the very result was held before: the use of the key belongs to that event."""
        place = (published.subject, str(published.details.get("result_sha256")))
        return (
            published.event != _HELD and "attempt" not in published.details and place in self.held
        )


def _own_attempts(intents: Iterable[AuditEntry]) -> dict[int, int]:
    """The attempt of the service's that each intent belongs to.

    The agent numbers on when it asks a token that came back for the same digest once more.
    """
    first: dict[tuple[str, str], int] = {}
    attempts: dict[int, int] = {}
    for intent in intents:
        own = int(intent.details.get("attempt", 1))
        place = (intent.subject, str(intent.details.get("digest")))
        attempts[intent.seq] = first.setdefault(place, own)
    return attempts


def _reason(
    intent: AuditEntry,
    outcome: AuditEntry | None,
    attempt: int,
    told: _Service,
    statements: set[str],
    last: datetime | None,
) -> tuple[Reason, int | None]:
    """Why the key was used, and the service's entry that says so."""
    by_agent = _said_by_agent(intent, outcome, last)
    if by_agent is not None:
        return by_agent, None
    purpose = intent.details.get("purpose")
    document = intent.details.get("document_sha256")
    if purpose == PURPOSE:
        known = document in statements or document in told.excused
        return (Reason.HEAD if known else _undecided(intent, told)), None
    found = told.by_attempt.get((intent.subject, attempt), [])
    for reason, names in _NAMES:
        for entry in found:
            if entry.event in names:
                return reason, entry.seq
    if found:
        return Reason.RECORDED, found[0].seq
    if purpose == "remote":
        return Reason.REMOTE, None
    if attempt < told.latest.get(intent.subject, 0):
        return Reason.REPEATED, None
    for name in _BY_PURPOSE.get(str(purpose), ()):
        led_to = told.by_name.get((intent.subject, name))
        if led_to is not None:
            is_last = intent.seq in told.last_uses
            return (Reason.RECORDED if is_last else Reason.REPEATED), led_to.seq
    return _undecided(intent, told), None


_BY_PURPOSE = {
    "batch-list": ("batch.list-signed",),
    "result-sheet": ("batch.done", "batch.cancelled"),
}
"""Work without attempts of its own: the event that its last use led to."""


_NAMES: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (Reason.PUBLISHED, _PUBLISHED),
    (Reason.UNPUBLISHED, ("signature.unpublished", "signature.failed", "signature.cancelled")),
    (
        Reason.WORKER_DIED,
        ("signature.retaken", "signature.given-up", "job.retaken", "job.given-up"),
    ),
)


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


def _undecided(intent: AuditEntry, told: _Service) -> Reason:
    if told.last is None or intent.at > told.last - UNDER_WAY:
        return Reason.UNDER_WAY
    return Reason.UNEXPLAINED


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
