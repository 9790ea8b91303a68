"""A verification report (JSON) as what the page shows: bounded, in the reader's language.

Everything in a report that a stranger's file brought (names, reasons, details) stays as it came;
templates show it through the filter ``bdi``. Nothing is judged here: the words of verdict and
checks are the report's own (docs/verification.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from api.web.problem_documents import Language

MOST_SIGNATURES = 60
MOST_LINES = 40  # of notes, changes and checks in one list
Report = Mapping[str, Any]
Tone = Literal["valid", "doubt", "wrong", "none"]
_PASSED, _UNKNOWN = "TOTAL-PASSED", "INDETERMINATE"


@dataclass(frozen=True, slots=True)
class Line:
    """A check or a change in words; `detail` is technical English."""

    text: str
    detail: str
    outcome: str
    revision: int | None = None
    attack: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """Lines of a list, and how many more there are."""

    lines: tuple[Line, ...]
    more: int

    @classmethod
    def of(cls, lines: Sequence[Line]) -> Listed:
        """At most `MOST_LINES` of `lines`, each once."""
        once = tuple(dict.fromkeys(lines))
        return cls(once[:MOST_LINES], max(0, len(once) - MOST_LINES))


@dataclass(frozen=True, slots=True)
class SignatureView:
    """One signature, or one document timestamp, for the page."""

    tone: Tone
    who: str
    organisation: str
    part: str
    proved: str | None  # ISO 8601
    claimed: str | None
    certificate: Mapping[str, Any] | None
    domain: str | None
    level: str | None
    algorithm: str
    reason: str
    rule_set: str
    integrity: str
    notes: Listed
    changes: Listed
    checks: Listed


@dataclass(frozen=True, slots=True)
class VerdictView:
    """The whole answer. `word` and `sentence` are the report's message, divided."""

    tone: Tone
    word: str
    sentence: str
    indication: str
    sub_indication: str | None
    integrity: str
    verified_at: str
    sha256: str
    size: int
    signatures: tuple[SignatureView, ...]
    more_signatures: int
    timestamps: tuple[SignatureView, ...]
    changes: Listed
    notes: Listed
    is_test: bool
    differing: tuple[int, ...]
    engines: str


def view_of(report: Report, language: Language) -> VerdictView:
    """What the page shows of `report`."""
    said: str = report["message"][language]
    word, colon, sentence = said.partition(": ")
    if not (colon and word == word.upper()):
        word, sentence = "", said
    signatures = report["signatures"]
    stamps = report["document_timestamps"]
    changes = [
        _change(change, language)
        for signature in (*signatures, *stamps)
        for change in signature.get("changes", ())
        if not change["allowed"]
    ]
    changes.sort(key=lambda line: line.revision or 0)
    return VerdictView(
        tone=tone_of(report),
        word=word,
        sentence=sentence[:1].upper() + sentence[1:],
        indication=report["indication"],
        sub_indication=report["sub_indication"],
        integrity=report["integrity"],
        verified_at=report["verified_at"],
        sha256=report["document"]["sha256"],
        size=report["document"]["size"],
        signatures=tuple(_signature(one, language) for one in signatures[:MOST_SIGNATURES]),
        more_signatures=max(0, len(signatures) - MOST_SIGNATURES),
        timestamps=tuple(_timestamp(one, language) for one in stamps[:MOST_SIGNATURES]),
        changes=Listed.of(changes),
        notes=_notes(report["checks"], language),
        is_test=any(one.get("trust_domain") == "TEST" for one in (*signatures, *stamps)),
        differing=tuple(sorted({d["page"] for d in report["shown"]["differences"]}))[:MOST_LINES],
        engines=report["engines"],
    )


def tone_of(judged: Report) -> Tone:
    """Colour and symbol of a verdict: of the document, or of one signature."""
    if judged["indication"] == _PASSED:
        return "valid"
    if judged["integrity"] == "NONE":
        return "none"
    return "doubt" if judged["indication"] == _UNKNOWN else "wrong"


def saves_to_mark(report: Report) -> tuple[int, ...]:
    """The 1-based revisions that changed what was signed, by their objects or by their looks."""
    found = {
        change["revision"]
        for signature in (*report["signatures"], *report["document_timestamps"])
        for change in signature.get("changes", ())
        if not change["allowed"]
    }
    found |= {difference["shown_revision"] for difference in report["shown"]["differences"]}
    return tuple(sorted(found))


def _signature(one: Report, language: Language) -> SignatureView:
    part = one.get("part_name") or {}
    tokens = [check for token in one["timestamps"] for check in token["checks"]]
    return SignatureView(
        tone=tone_of(one),
        who=one["signer"],
        organisation=one["organisation"],
        part=part.get(language, ""),
        proved=one["proved_time"],
        claimed=one["claimed_time"],
        certificate=one["certificate"],
        domain=one["trust_domain"],
        level=one["level"],
        algorithm=one["algorithm"],
        reason=one["reason"],
        rule_set=(one.get("rule_set") or {}).get(language, ""),
        integrity=one["integrity"],
        notes=_notes([*one["checks"], *tokens], language),
        changes=Listed.of([_change(c, language) for c in one["changes"] if not c["allowed"]]),
        checks=Listed.of([_check(check, language) for check in (*one["checks"], *tokens)]),
    )


def _timestamp(one: Report, language: Language) -> SignatureView:
    return SignatureView(
        tone=tone_of(one),
        who=one["authority"],
        organisation="",
        part="",
        proved=one["time"],
        claimed=None,
        certificate=None,
        domain=one["trust_domain"],
        level=None,
        algorithm=one["algorithm"],
        reason="",
        rule_set="",
        integrity=one["integrity"],
        notes=_notes(one["checks"], language),
        changes=Listed((), 0),
        checks=Listed.of([_check(check, language) for check in one["checks"]]),
    )


def _notes(checks: Sequence[Report], language: Language) -> Listed:
    """What is weak, missing or wrong: every check that did not pass."""
    return Listed.of([_check(c, language) for c in checks if c["outcome"] != "PASSED"])


def _check(check: Report, language: Language) -> Line:
    return Line(check[language], check["detail"], check["outcome"], attack=check.get("attack"))


def _change(change: Report, language: Language) -> Line:
    return Line(
        change[language],
        change["detail"],
        "CHANGED",
        revision=change["revision"],
        attack=change.get("attack"),
    )
