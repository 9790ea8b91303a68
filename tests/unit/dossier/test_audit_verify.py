"""Every way to tamper with a chain is found, at every place, and named where it is."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from dossier.audit.chain import canonical
from dossier.audit.export import export
from dossier.audit.findings import Fault, Verdict
from dossier.audit.head import Head
from dossier.audit.heads import HeadSealer
from dossier.audit.log import AuditLog
from dossier.audit.verify import Facts, compare, verify_export
from dossier.errors import ChainBroken
from dossier.model import AuditEvent
from dossier.storage.database import Database
from dossier.storage.tables import metadata
from signer.statement import sign_statement
from tests.audit_forgery import Forged
from tests.fakes import SoftwareKey

HEADS = (7, 13, 19)  # entries that heads are sealed over
LAST = 22


class Shifted(Database):
    """A database whose clock is wrong by `shift`."""

    shift = dt.timedelta()

    def now(self, connection):
        return super().now(connection) + self.shift


def event(n: int) -> AuditEvent:
    agency = f"H22.{n % 2}"
    return AuditEvent("signature.accepted", "prn_1", agency, f"rec_{n}", {"number": n})


@pytest.fixture(scope="module")
def audit_key(test_pki):
    return test_pki.issue()


@pytest.fixture(scope="module")
def chain(tmp_path_factory, test_pki, audit_key):
    """An intact log with a second chain that was told of its heads."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('audit')}/house.db")
    metadata.create_all(database.engine)
    log, keys = AuditLog(database), AuditLog(database, "keys")
    sealer = HeadSealer(log, audit_key, test_pki.timestamper, witnesses=[keys])
    while log.tip()[0] < LAST:
        log.write(event(log.tip()[0]))
        if log.tip()[0] + (log.tip()[0] < HEADS[0]) in HEADS:
            assert sealer.seal() is not None
    keys.write(AuditEvent("agent.started", "agent", None, "agent"))
    assert HeadSealer(keys, audit_key, test_pki.timestamper).seal() is not None
    yield log, keys
    database.close()


@pytest.fixture(scope="module")
def whole(chain) -> bytes:
    return b"".join(export(chain[0]))


@pytest.fixture(scope="module")
def witness(chain, test_pki) -> Facts:
    return verify_export(export(chain[1]), test_pki.anchors)


@pytest.fixture(scope="module")
def check(test_pki):
    """Verify lines: the facts."""

    def verify(lines, **options) -> Facts:
        return verify_export(lines, test_pki.anchors, **options)

    return verify


def found(facts: Facts) -> list[tuple[Fault, int, int]]:
    return [(f.fault, f.seq, f.seq if f.until is None else f.until) for f in facts.report.findings]


def test_an_intact_chain_is_sound(whole, check, audit_key):
    facts = check(whole.splitlines())
    report = facts.report.require_sound()
    assert (report.entries, report.disclosed, report.heads) == (LAST, LAST, len(HEADS))
    assert report.sealed == HEADS[-1]
    fingerprint = hashlib.sha256(audit_key.certificate.public_bytes(Encoding.DER)).hexdigest()
    assert report.keys == (fingerprint,)
    assert report.to_json()["verdict"] == "sound"
    with pytest.raises(TypeError):
        bool(report)


@pytest.mark.parametrize("seq", range(1, LAST + 1))
def test_an_edited_entry_is_named(whole, check, seq):
    edits = {"actor": "x", "subject": "y", "event": "z", "details": {}, "agency": "w"}
    for field, value in edits.items():
        forged = Forged(whole)
        forged.edit(seq, **{field: value})
        assert (Fault.EDITED, seq, seq) in found(check(forged.lines))
    forged.rehash(seq)
    faults = found(check(forged.lines))
    assert (Fault.RELINKED, seq, seq) in faults
    # one edit, one finding, but where the edit takes away the announced key
    assert len(faults) == 1 or "audit.key" in Forged(whole).entry(seq)["entry"]


@pytest.mark.parametrize("seq", range(1, HEADS[-1] + 1))
def test_a_chain_computed_anew_breaks_at_the_next_head(whole, check, seq):
    forged = Forged(whole)
    forged.edit(seq, actor="x")
    forged.relink()
    head = next(head for head in HEADS if head >= seq)
    faults = found(check(forged.lines))
    places = [(low, high) for fault, low, high in faults if fault is Fault.REWRITTEN]
    assert places[0][1] == head
    assert places[0][0] <= seq


@pytest.mark.parametrize("seq", range(1, LAST + 1))
def test_a_deleted_entry_is_named(whole, check, seq):
    forged = Forged(whole)
    forged.body.remove(forged.entry(seq))
    fault = Fault.MISSING if seq < LAST else Fault.TRUNCATED
    places = [(low, high) for kind, low, high in found(check(forged.lines)) if kind is fault]
    assert places
    assert places[0][0] <= seq <= places[0][1]
    forged.relink()
    facts = check(forged.lines)
    if seq <= HEADS[-1]:
        assert facts.report.verdict is Verdict.BROKEN
        assert any(low <= seq <= high for _, low, high in found(facts))


@pytest.mark.parametrize("seq", range(1, LAST))
def test_swapped_entries_are_named(whole, check, seq):
    forged = Forged(whole)
    forged.swap(seq)
    assert (Fault.OUT_OF_ORDER, seq, seq) in found(check(forged.lines)) or seq in HEADS
    assert any(low <= seq + 1 and high >= seq for _, low, high in found(check(forged.lines)))
    forged.relink()
    facts = check(forged.lines)
    if seq <= HEADS[-1]:
        assert any(low <= seq <= high for _, low, high in found(facts))


@pytest.mark.parametrize("seq", range(1, LAST + 1))
def test_a_doubled_entry_is_named(whole, check, seq):
    forged = Forged(whole)
    forged.body.insert(forged.body.index(forged.entry(seq)), forged.entry(seq))
    assert (Fault.OUT_OF_ORDER, seq, seq) in found(check(forged.lines))


@pytest.mark.parametrize("last", range(LAST))
def test_a_cut_is_found_in_the_file_by_a_kept_head_and_by_the_other_chain(
    whole, check, witness, last
):
    # the file ends early
    lines = whole.splitlines()
    for end in (last + 1, len(lines) - 1):
        assert Fault.TRUNCATED in {f.fault for f in check(lines[:end]).report.findings}
    # the file is whole, but tells of a shorter chain
    forged = Forged(whole)
    kept = forged.head(HEADS[-1])
    forged.cut(last)
    facts = check(forged.lines)
    if last >= HEADS[-1]:  # what no head covers yet can only be missed by those who saw it
        assert facts.report.findings == ()
        return
    by_head = check(forged.lines, kept=[kept]).report.findings
    assert (Fault.TRUNCATED, last, HEADS[-1]) in {(f.fault, f.seq, f.until) for f in by_head}
    by_witness = {(f.fault, f.chain, f.seq) for f in compare(facts, witness)}
    assert (Fault.TRUNCATED, "service", HEADS[-1]) in by_witness


def test_chains_that_agree(whole, check, witness):
    facts = check(whole.splitlines())
    assert compare(facts, witness) == compare(witness, facts) == []
    witness.report.require_sound()
    older = Forged(whole)
    older.cut(HEADS[0])
    older.header["at"] = "2026-01-01T00:00:00.000000Z"  # exported before the later heads
    assert compare(check(older.lines), witness) == []


def test_a_head_that_was_left_out_is_named(whole, check, witness):
    for n, seq in enumerate(HEADS):
        forged = Forged(whole)
        forged.body.remove(forged.head_line(seq))
        facts = check(forged.lines)
        assert facts.report.findings
        forged.retell()
        facts = check(forged.lines)
        if n < len(HEADS) - 1:
            assert (Fault.HEAD_MISSING, seq, seq) in found(facts)
        else:
            assert (Fault.REWRITTEN, seq) in {(f.fault, f.seq) for f in compare(facts, witness)}


@pytest.mark.parametrize("field", ["statement", "signature", "timestamp_token", "chain", "seq"])
@pytest.mark.parametrize("seq", HEADS)
def test_a_forged_head_is_named(whole, check, seq, field):
    forged = Forged(whole)
    line = forged.head_line(seq)
    if field == "statement":
        line[field] = canonical({**json.loads(line[field]), "link": "0" * 64}).decode()
    elif field in ("signature", "timestamp_token"):
        line[field] = line[field][:-2] + f"{int(line[field][-2:], 16) ^ 1:02x}"
    else:
        line[field] = {"chain": "keys", "seq": seq - 1}[field]
    faults = {fault for fault, _, _ in found(check(forged.lines))}
    assert Fault.HEAD_FORGED in faults


def test_a_head_without_its_timestamp_is_forged(whole, check):
    forged = Forged(whole)
    forged.head_line(HEADS[0])["timestamp_token"] = None
    assert found(check(forged.lines)) == [(Fault.HEAD_FORGED, HEADS[0], HEADS[0])]


def reseal(forged: Forged, seq: int, key, timestamper) -> None:
    """Sign the head at `seq` anew over what stands there now."""
    line = forged.head_line(seq)
    stated = {**json.loads(line["statement"]), "link": forged.entry(seq)["link"]}
    text = canonical(stated)
    line.update(
        Head("service", seq, text.decode(), sign_statement(text, key, timestamper)).to_json()
    )


def test_heads_by_another_key_of_the_same_authority_are_named(whole, check, test_pki, audit_key):
    """The officer's key may sign documents; a chain sealed with it was rewritten."""
    forged = Forged(whole)
    forged.edit(2, actor="x")
    forged.relink()
    reseal(forged, HEADS[0], test_pki.officer, test_pki.timestamper)
    assert (Fault.WRONG_KEY, HEADS[0], HEADS[0]) in found(check(forged.lines))
    # even if the chain names that key: the auditor knows another one
    officer = hashlib.sha256(test_pki.officer.certificate.public_bytes(Encoding.DER)).hexdigest()
    own = hashlib.sha256(audit_key.certificate.public_bytes(Encoding.DER)).hexdigest()
    forged.edit(HEADS[0], details={"certificate_sha256": officer, "label": "audit"})
    forged.relink()
    reseal(forged, HEADS[0], test_pki.officer, test_pki.timestamper)
    forged.cut(HEADS[0])
    assert found(check(forged.lines)) == []
    assert check(forged.lines).report.keys == (officer,)
    assert found(check(forged.lines, keys_sha256=[own])) == [(Fault.WRONG_KEY, *[HEADS[0]] * 2)]


def test_heads_by_a_stranger_are_forged(whole, check, test_pki):
    forged = Forged(whole)
    reseal(forged, HEADS[0], SoftwareKey(), test_pki.timestamper)
    assert (Fault.HEAD_FORGED, HEADS[0], HEADS[0]) in found(check(forged.lines))


def test_without_roots_nothing_is_trusted(whole):
    facts = verify_export(whole.splitlines(), [])
    assert [f.fault for f in facts.report.findings] == [Fault.HEAD_FORGED] * len(HEADS)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 7, 8, 9, 10, 11])  # 5 is `audit.key`
def test_a_clock_set_back_or_ahead_is_named(tmp_path, test_pki, audit_key, check, number):
    """The service itself, with a wrong clock, appends entry `number`; heads are sealed truly."""
    database = Shifted(f"sqlite:///{tmp_path}/house.db")
    metadata.create_all(database.engine)
    for chain, hours, fault in (("back", -1, Fault.BACKDATED), ("ahead", 1, Fault.POSTDATED)):
        log = AuditLog(database, chain)
        sealer = HeadSealer(log, audit_key, test_pki.timestamper)
        while log.tip()[0] < 12:
            seq = log.tip()[0] + 1
            database.shift = dt.timedelta(hours=hours if seq == number else 0)
            log.write(event(seq))
            database.shift = dt.timedelta()
            if log.tip()[0] in (4, 8, 12):
                assert sealer.seal()
        faults = found(check(export(log)))
        if (chain, number) == ("back", 1):
            # nothing is older than the first entry: its time stands alone
            assert faults == []
        else:
            assert any(kind is fault and seq == number for kind, seq, _ in faults)
    database.close()


def test_a_whole_tail_set_back_is_found_by_the_head_before(tmp_path, test_pki, audit_key, check):
    database = Shifted(f"sqlite:///{tmp_path}/house.db")
    metadata.create_all(database.engine)
    log = AuditLog(database)
    log.write(event(1))
    HeadSealer(log, audit_key, test_pki.timestamper).seal()
    database.shift = dt.timedelta(hours=-2)
    log.write(event(2))
    log.write(event(3))
    faults = found(check(export(log)))
    assert [(fault, seq) for fault, seq, _ in faults] == [
        (Fault.BACKDATED, 3),
        (Fault.BACKDATED, 4),
    ]
    # a head that claims another time than its timestamp
    HeadSealer(log, audit_key, test_pki.timestamper, lease_s=1).seal()
    assert (Fault.BACKDATED, 4, 4) in found(check(export(log)))
    database.close()


def test_an_agency_sees_its_own_and_the_chain_still_proves(chain, check, test_pki):
    lines = list(export(chain[0], "H22.1", certificates=test_pki.anchors))
    facts = check(lines)
    report = facts.report.require_sound()
    assert (report.agency, report.entries) == ("H22.1", LAST)
    text = b"".join(lines).decode()
    assert '\\"agency\\":\\"H22.0\\"' not in text
    assert text.count('"type":"digest"') == LAST - report.disclosed > 5
    # of a digest, every digit counts
    forged = Forged(b"".join(lines))
    hidden = next(e for e in forged.body if e["type"] == "digest")
    hidden["sha256"] = hashlib.sha256(b"other").hexdigest()
    assert found(check(forged.lines)) == [(Fault.RELINKED, hidden["seq"], hidden["seq"])]


def test_what_no_timestamped_head_covers_is_unproved(sqlite_url, open_database, check):
    log = AuditLog(open_database(sqlite_url))
    assert check(export(log)).report.verdict is Verdict.UNPROVED
    log.write(event(1))
    report = check(export(log)).report
    assert (report.verdict, report.findings) == (Verdict.UNPROVED, ())
    with pytest.raises(ChainBroken, match="chưa"):
        report.require_sound()


def test_a_kept_head_that_is_forged_itself_helps_nobody(whole, check):
    kept = Forged(whole).head(HEADS[0])
    forged = Head(kept.chain, kept.seq, kept.statement.replace("1", "2"), kept.signed)
    with pytest.raises(ChainBroken, match="giữ riêng"):
        check(whole.splitlines(), kept=[forged])


def test_a_kept_head_finds_a_chain_written_anew(whole, check, test_pki, audit_key):
    """With the audit key itself: only who kept a head elsewhere can tell."""
    kept = Forged(whole).head(HEADS[0])
    forged = Forged(whole)
    forged.edit(2, actor="x")
    forged.relink()
    reseal(forged, HEADS[0], audit_key, test_pki.timestamper)
    forged.cut(HEADS[0])
    assert check(forged.lines).report.verdict is Verdict.SOUND
    faults = found(check(forged.lines, kept=[kept]))
    assert faults == [(Fault.REWRITTEN, HEADS[0], HEADS[0])]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b""],
        [b"{}"],
        [b"[]", b"3", b"null", b'"entry"'],
        [b'{"type":"end"}'],
        [b'{"type":"entry"}'],
        [b'{"type":["entry"]}'],
        [b"\xff\xfe"],
        [b"[" * 100_000],
        [b'{"type":"sohoa audit export 1","chain":"s","installation":"i","last":0,"at":"x"}'],
    ],
)
def test_what_is_no_export_is_told(check, lines):
    facts = check(lines)
    assert {f.fault for f in facts.report.findings} <= {Fault.UNREADABLE, Fault.TRUNCATED}
    assert facts.report.verdict is Verdict.BROKEN


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_no_character_of_an_export_is_free(whole, check, data):
    """Any character of any line changed: found, or the same is proved of the same entries."""
    lines = whole.splitlines()
    n = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[n]) - 1))
    new = data.draw(st.integers(0, 255).filter(lambda b: b != lines[n][place]))
    spoilt = lines[n][:place] + bytes([new]) + lines[n][place + 1 :]
    facts = check([*lines[:n], spoilt, *lines[n + 1 :]])
    if facts.report.findings:
        return
    intact = check(lines)
    # what is free: who the export says it is for and when it was made, letters' case in hex,
    # certificates in a timestamp that nobody needs
    assert n == 0 or json.loads(lines[n])["type"] == "head"
    assert facts.heads == intact.heads
    assert facts.report.link == intact.report.link


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_mixture_of_tampering_is_found(whole, check, data):
    """Several steps, links computed anew or not: what lies under a head is never sound."""
    forged = Forged(whole)
    sealed = HEADS[-1]
    for _ in range(data.draw(st.integers(1, 4))):
        entries = [e["seq"] for e in forged.body if e["type"] == "entry" and e["seq"] <= sealed]
        seq = data.draw(st.sampled_from(entries[:-2]))
        step = data.draw(st.sampled_from(["edit", "delete", "swap"]))
        if step == "edit":
            forged.edit(seq, actor=f"x{data.draw(st.integers(0, 10**9))}")
        elif step == "delete":
            forged.body.remove(forged.entry(seq))
        elif seq + 1 in entries:
            forged.edit(seq, subject=f"y{seq}")
            forged.swap(seq)
    if data.draw(st.booleans()):
        forged.relink()
    facts = check(forged.lines)
    assert facts.report.verdict is Verdict.BROKEN
    with pytest.raises(ChainBroken) as told:
        facts.report.require_sound()
    assert len(told.value.findings) == len(facts.report.findings)
    assert " / " in told.value.findings[0]
