"""The auditor's tool: every forgery is found, honest logs are sound, and the place is named."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from dossier.errors import InvalidOrder
from dossier.register.audit import audit, kept_hashes
from dossier.register.copy import MAX_LINE, MalformedCopy
from dossier.register.entry import Entry
from dossier.register.findings import MOST_FINDINGS, Fault, Verdict
from dossier.register.notes import NoteKey
from tests.fakes import SoftwareKey
from tests.register_entries import annulled, issued
from tests.register_forgery import ATTACKS, ORIGIN, WHOLE_ATTACKS, Case, Forger, lines_of

AT = "2026-11-23T08:30:00.000000Z"


@pytest.fixture(scope="module")
def forger() -> Forger:
    return Forger(random.Random(20261123), 60)


def faults(case: Case, **options) -> set[Fault]:
    report = audit(case.lines, case.old, case.new, **options)
    return {finding.fault for finding in report.findings}


def test_honest_logs_are_sound(forger: Forger) -> None:
    for _ in range(30):
        case = forger.honest()
        report = audit(case.lines, case.old, case.new)
        assert report.verdict is Verdict.SOUND, report
        assert report.entries + report.hashes == case.new.checkpoint.size
        assert audit(case.lines, case.old, case.new, kept=kept_hashes(case.lines)) == report


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_every_forgery_is_found(forger: Forger, attack: str) -> None:
    for _ in range(15):
        case = forger.case(attack)
        report = audit(case.lines, case.old, case.new)
        assert report.verdict is Verdict.BROKEN, case


@pytest.mark.parametrize("attack", sorted(WHOLE_ATTACKS))
def test_what_was_issued_twice_is_found(forger: Forger, attack: str) -> None:
    entries = forger.log(20)
    forged, _ = WHOLE_ATTACKS[attack](forger, entries, 5)
    wanted = {"issued-twice": Fault.ISSUED_TWICE, "numbered-twice": Fault.NUMBER_TWICE}[attack]
    assert wanted in faults(shown_whole(forger, forged, 5))
    # who sees only hashes cannot know, and accuses nobody
    hidden = replace(shown_whole(forger, forged, 5), lines=lines_of(forged, lambda: False))
    assert faults(hidden) == set()


def shown_whole(forger: Forger, entries: list[Entry], old: int) -> Case:
    """A log that is what its checkpoints say, every entry shown."""
    return Case(
        None,
        lines_of(entries),
        forger.checkpoint(entries, old, entries[old - 1].at),
        forger.checkpoint(entries, len(entries), entries[-1].at),
    )


def whole(forger: Forger, count: int = 12, old: int = 8) -> Case:
    """An honest log, every entry shown."""
    return shown_whole(forger, forger.log(count), old)


def test_what_was_kept_names_the_place(forger: Forger) -> None:
    case = whole(forger)
    kept = kept_hashes(case.lines)
    altered = list(case.lines)
    altered[4] = altered[4].replace(b"H22.12", b"H22.13")
    report = audit(altered, case.old, case.new, kept=kept)
    assert {(f.fault, f.index) for f in report.findings} == {
        (Fault.ALTERED, 3), (Fault.REWRITTEN, None), (Fault.DIFFERENT, None), (Fault.REMOVED, 3),
    }  # fmt: skip
    swapped = list(case.lines)
    one, two = json.loads(swapped[2]), json.loads(swapped[5])
    one["index"], two["index"] = two["index"], one["index"]
    swapped[2], swapped[5] = json.dumps(two).encode(), json.dumps(one).encode()
    moved = audit(swapped, case.old, case.new, kept=kept)
    assert {(f.fault, f.index) for f in moved.findings} >= {
        (Fault.REORDERED, 1), (Fault.REORDERED, 4),
    }  # fmt: skip
    gone = [*case.lines[:6], *case.lines[7:]]
    found = audit(gone, case.old, case.new, kept=kept)
    assert {(f.fault, f.index) for f in found.findings} >= {(Fault.MISSING, 5), (Fault.REMOVED, 5)}


def test_two_checkpoints_have_to_be_of_one_growing_log(forger: Forger) -> None:
    case, other = whole(forger), whole(forger)
    assert Fault.REWRITTEN in faults(replace(case, old=other.old))
    assert Fault.DIFFERENT in faults(replace(case, new=other.new))
    assert Fault.SHRUNK in faults(replace(case, old=case.new, new=case.old))
    stranger = replace(case.old, key=NoteKey.of(ORIGIN, SoftwareKey(label="register 2")))
    assert Fault.KEY_CHANGED in faults(replace(case, old=stranger))
    elsewhere = replace(case.old, checkpoint=replace(case.old.checkpoint, origin="x.example"))
    assert Fault.OTHER_LOG in faults(replace(case, old=elsewhere))
    same = replace(case.new, checkpoint=replace(case.new.checkpoint, root=bytes(32)))
    assert Fault.REWRITTEN in faults(replace(case, old=same))
    assert case.new.at is not None
    late = replace(case.old, at=case.new.at.replace(year=2030))
    assert Fault.BACKDATED in faults(replace(case, old=late))


def test_one_checkpoint_alone_says_nothing_of_the_past(forger: Forger) -> None:
    case = whole(forger)
    report = audit(case.lines, None, case.new)
    assert report.verdict is Verdict.UNPROVED
    assert "no older checkpoint" in report.unproved[0]


def test_a_copy_has_to_be_one(forger: Forger) -> None:
    case = whole(forger)
    for first in (b"", b"{}", b"[]", b"null", b'{"type":"sohoa register copy 2"}', b"[" * 100_000):
        with pytest.raises(InvalidOrder, match="no copy"):
            audit([first, *case.lines[1:]], case.old, case.new)
    with pytest.raises(InvalidOrder):
        kept_hashes([])
    elsewhere = [case.lines[0].replace(ORIGIN.encode(), b"x.example"), *case.lines[1:]]
    assert Fault.OTHER_LOG in faults(replace(case, lines=elsewhere))


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"1", b"{}", b"x" * (MAX_LINE + 1), b"[" * 60_000,
     *(json.dumps({"index": 4, "at": AT, "entry_sha256": "0" * 64} | change).encode()
       for change in ({"index": "4"}, {"index": -1}, {"index": True}, {"at": "2026"}, {"at": 5},
                      {"entry_sha256": "00"}, {"entry_sha256": None}, {"entry": 7}))],
)  # fmt: skip
def test_an_unreadable_line_is_a_finding(forger: Forger, line: bytes) -> None:
    case = whole(forger)
    broken = [*case.lines[:5], line, *case.lines[6:]]
    assert {Fault.UNREADABLE, Fault.TRUNCATED} <= faults(replace(case, lines=broken))
    with pytest.raises(MalformedCopy):
        kept_hashes(broken)


def test_a_text_that_is_no_entry_is_a_finding_of_its_own(forger: Forger) -> None:
    case = whole(forger)
    broken = list(case.lines)
    broken[5] = json.dumps({"index": 4, "at": AT, "entry": "{}"}).encode()
    assert {Fault.UNREADABLE, Fault.REWRITTEN} <= faults(replace(case, lines=broken))


def test_lines_stand_in_order(forger: Forger) -> None:
    case = whole(forger)
    twice = [*case.lines[:5], case.lines[4], *case.lines[5:]]
    assert Fault.OUT_OF_ORDER in faults(replace(case, lines=twice))


def test_an_event_of_what_was_never_issued(forger: Forger) -> None:
    entries = forger.log(6)
    strange = Entry.read(6, entries[-1].at, annulled(issued(77)).text().decode())
    assert faults(shown_whole(forger, [*entries, strange], 3)) == {Fault.NEVER_ISSUED}


def test_findings_are_bounded(forger: Forger) -> None:
    count = MOST_FINDINGS + 50
    entries = forger.log(3)
    lines = [json.dumps({"type": "sohoa register copy 1", "origin": ORIGIN, "size": 3}).encode()]
    lines += [json.dumps({"index": n, "at": AT, "entry": "{}"}).encode() for n in range(count)]
    new = forger.checkpoint(entries, 3, entries[-1].at)
    report = audit(lines, new, new)
    assert len(report.findings) == MOST_FINDINGS
    assert report.more > 0
    told = report.to_json()
    assert told["verdict"] == "broken"
    assert told["more_findings"] == report.more
