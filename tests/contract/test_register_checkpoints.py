"""Checkpoints, proofs and statements of the register, on SQLite and PostgreSQL."""

from __future__ import annotations

import copy
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import NotFound, RegisterBroken, StateConflict
from dossier.register import checkpoints as module
from dossier.register import merkle
from dossier.register.checkpoints import Checkpointer, Checkpoints
from dossier.register.codes import new_code, printed
from dossier.register.entry import Registration, Status
from dossier.register.log import Register
from dossier.register.notes import NoteInvalid, NoteKey
from dossier.register.proof import check_proof, prove
from dossier.register.statuses import (
    Comparison,
    StatusSigner,
    look_up,
    read_statement,
    shown,
)
from dossier.storage.database import Database
from dossier.storage.tables import register_checkpoints
from hsm.errors import TokenUnavailable
from signer.errors import TimestampError
from tests.fakes import SoftwareKey
from tests.fixtures_pki import RunningPKI
from tests.register_entries import annulled, digest, issued, renewed, superseded

ORIGIN = "so.example.vn/ket-qua"


class Log:
    """A register with its audit log and keys."""

    def __init__(self, database: Database, pki: RunningPKI) -> None:
        self.database = database
        self.register = Register(database)
        self.audit = AuditLog(database)
        self.checkpoints = Checkpoints(database)
        self.pki = pki
        self.key = SoftwareKey(label="register")

    def enter(self, *told: Registration) -> None:
        with self.database.begin() as connection:
            self.register.append(connection, told)

    def checkpointer(self, **entries: Any) -> Checkpointer:
        options: dict[str, Any] = {"origin": ORIGIN, "timestamper": None, **entries}
        key = options.pop("key", self.key)
        timestamper = options.pop("timestamper")
        return Checkpointer(self.register, self.audit, key, timestamper, **options)

    def events(self) -> list[Any]:
        return self.audit.entries(None, 0, 1000)

    def age(self, seconds: float) -> None:
        """Let the newest checkpoint be older."""
        ago = dt.timedelta(seconds=seconds)
        with self.database.begin() as connection:
            for row in connection.execute(sa.select(register_checkpoints)).all():
                values = {"created_at": row.created_at - ago}
                connection.execute(sa.update(register_checkpoints).values(values))


@pytest.fixture
def log(database: Database, test_pki: RunningPKI) -> Log:
    return Log(database, test_pki)


def test_a_checkpoint_is_of_all_entries(log: Log) -> None:
    maker = log.checkpointer()
    assert not maker.due()
    assert maker.make() is None
    log.enter(*(issued(number) for number in range(1, 41)))
    assert maker.due()
    made = maker.make()
    assert made is not None
    leaves = [entry.leaf_hash for entry in log.register.walk(0, 40)]
    checkpoint = made.checkpoint
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, 40)
    assert checkpoint.root == merkle.root_of(leaves)
    assert log.checkpoints.newest() == made == log.checkpoints.of_size(40)
    assert log.checkpoints.of_size(39) is None
    assert made.proved([log.key.certificate]).at is None
    assert not maker.due()
    assert maker.make() is None


def test_it_is_due_by_number_and_by_time(log: Log) -> None:
    maker = log.checkpointer(every_entries=3, every_s=60.0)
    log.enter(issued(1))
    assert maker.due()  # the first one at once
    maker.make()
    log.enter(issued(2), issued(3))
    assert not maker.due()
    log.age(61)
    assert maker.due()
    log.age(-61)
    assert not maker.due()
    log.enter(issued(4))
    assert maker.due()


def test_the_use_of_the_key_is_told_before(log: Log) -> None:
    class Away(SoftwareKey):
        def sign_digests(self, digests):
            self.signed.extend(digests)
            raise TokenUnavailable("the token is gone")

    away = Away(label="register")
    log.enter(issued(1))
    bound: list[str] = []

    def bind(key: Any, sha256: str) -> Any:
        bound.append(sha256)
        return key

    with pytest.raises(TokenUnavailable):
        log.checkpointer(key=away, bind=bind).make()
    [event] = log.events()
    assert (event.event, event.subject) == ("register.checkpoint", "register")
    assert event.details["digests"] == [away.signed[0].hex()] == bound
    assert log.checkpoints.newest() is None
    # another one waits for the lease to run out, then signs the same state
    assert log.checkpointer().make() is None
    log.enter(issued(2))
    made = log.checkpointer(lease_s=0.0)
    with log.database.begin() as connection:
        module.put_fact(connection, "register-checkpoint-until", "2026-01-01T00:00:00.000000Z")
    found = made.make()
    assert found is not None
    assert found.checkpoint.size == 2


def test_the_first_checkpoint_pins_the_origin(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    assert log.checkpoints.origin("wanted") == "wanted"
    log.enter(issued(1))
    log.checkpointer().make()
    log.enter(issued(2))
    made = log.checkpointer(origin="another.example").make()
    assert made is not None
    assert made.checkpoint.origin == ORIGIN == log.checkpoints.origin("wanted")
    assert "keeps its origin" in caplog.text


def test_a_timestamp_says_when_and_may_be_missing(
    log: Log, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.enter(issued(1))
    made = log.checkpointer(timestamper=log.pki.timestamper).make()
    assert made is not None
    anchors = [log.key.certificate, *log.pki.anchors]
    at = made.proved(anchors).at
    assert at is not None
    assert abs((dt.datetime.now(dt.UTC) - at).total_seconds()) < 120
    with pytest.raises(NoteInvalid, match="no path"):
        made.proved([log.key.certificate])  # the authority is not trusted

    class Silent:
        size_hint = 0

        def timestamp(self, imprint: bytes, digest_name: str = "sha256") -> bytes:
            raise TimestampError("no answer")

    log.enter(issued(2))
    later = log.checkpointer(timestamper=Silent()).make()
    assert later is not None
    assert later.timestamp_token is None
    assert "no timestamp" in caplog.text
    # one that came too late says too little
    monkeypatch.setattr(module, "DELAY_S", 0.0)
    log.enter(issued(3))
    late = log.checkpointer(timestamper=log.pki.timestamper).make()
    assert late is not None
    assert late.timestamp_token is None


def test_the_backlog_of_nodes_is_built_in_pieces(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUILD_AT_ONCE", 32)
    log.enter(*(issued(number) for number in range(1, 150)))
    made = log.checkpointer().make()
    assert made is not None
    leaves = [entry.leaf_hash for entry in log.register.walk(0, 149)]
    assert made.checkpoint.root == merkle.root_of(leaves)


# --- the proof that travels with a record -----------------------------------------------------


def proved_log(log: Log) -> list[Registration]:
    told = [issued(number) for number in range(1, 30)]
    log.enter(*told, renewed(told[4]), superseded(told[6], told[7]), annulled(told[8]))
    log.checkpointer().make()
    return told


def test_a_proof_proves_all_that_was_entered(log: Log) -> None:
    told = proved_log(log)
    statuses = {4: Status.IN_FORCE, 6: Status.SUPERSEDED, 8: Status.ANNULLED, 9: Status.IN_FORCE}
    for at, status in statuses.items():
        proof = json.loads(json.dumps(prove(log.register, told[at].code)))
        proved = check_proof(proof, [log.key.certificate])
        assert (proved.code, proved.status) == (told[at].code, status)
        assert proved.holds(told[at].document_sha256)
        assert not proved.holds(digest("another"))
        assert check_proof(proof, [], keys=[NoteKey.of(ORIGIN, log.key)]).entries == proved.entries
    renewal = check_proof(prove(log.register, told[4].code), [log.key.certificate])
    assert renewal.document_sha256 == renewed(told[4]).document_sha256
    assert renewal.holds(renewal.document_sha256)
    assert renewal.at is None


def test_what_no_checkpoint_covers_has_no_proof_yet(log: Log) -> None:
    with pytest.raises(NotFound):
        prove(log.register, new_code())
    first, second = issued(1), issued(2)
    log.enter(first)
    with pytest.raises(StateConflict, match="no checkpoint covers"):
        prove(log.register, first.code)
    log.checkpointer().make()
    log.enter(second, annulled(first))
    with pytest.raises(StateConflict):
        prove(log.register, second.code)
    # the annulment is not under a checkpoint yet: the proof says what was until then
    proved = check_proof(prove(log.register, first.code), [log.key.certificate])
    assert proved.status is Status.IN_FORCE


Change = Callable[[dict[str, Any]], object]
CHANGES: dict[str, Change] = {
    "type": lambda p: p.update(type="sohoa register proof 2"),
    "entry": lambda p: p["entries"][0].update(
        entry=p["entries"][0]["entry"].replace("QĐ-UBND", "QĐ-SYT")
    ),
    "index": lambda p: p["entries"][0].update(index=p["entries"][0]["index"] + 1),
    "no number": lambda p: p["entries"][0].update(index="4"),
    "path": lambda p: p["entries"][0]["path"].reverse(),
    "path of others": lambda p: p["entries"][0].update(path=p["entries"][1]["path"]),
    "no hex": lambda p: p["entries"][0]["path"].__setitem__(0, "xy"),
    "without issue": lambda p: p["entries"].pop(0),
    "order": lambda p: p["entries"].reverse(),
    "twice": lambda p: p["entries"].append(p["entries"][0]),
    "empty": lambda p: p["entries"].clear(),
    "no list": lambda p: p.update(entries={"0": 1}),
    "note": lambda p: p["checkpoint"].update(
        note=p["checkpoint"]["note"].replace(ORIGIN, "x.example", 1)
    ),
    "no checkpoint": lambda p: p.pop("checkpoint"),
    "no certificate": lambda p: p["checkpoint"].update(certificates=[]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_altered_proof_proves_nothing(sqlite_log: tuple[Log, Any], name: str) -> None:
    log, proof = sqlite_log
    changed = copy.deepcopy(proof)
    CHANGES[name](changed)
    assert changed != proof
    with pytest.raises(RegisterBroken) as raised:
        check_proof(changed, [log.key.certificate])
    assert raised.value.findings


@pytest.fixture
def sqlite_log(sqlite_url: str, test_pki: RunningPKI):
    database = Database(sqlite_url)
    log = Log(database, test_pki)
    told = proved_log(log)
    yield log, prove(log.register, told[4].code)
    database.close()


def test_entries_of_two_results_are_no_proof(sqlite_log: tuple[Log, Any]) -> None:
    log, proof = sqlite_log
    code = next(e.told.code for e in log.register.walk(0, 30) if e.told.number == 9)
    more = prove(log.register, code)["entries"]
    changed = {**proof, "entries": [*proof["entries"], *more]}
    with pytest.raises(RegisterBroken, match="several results"):
        check_proof(changed, [log.key.certificate])


@pytest.mark.parametrize("value", [None, [], "x", 3, {}, {"type": "sohoa register proof 1"}])
def test_what_is_no_proof(sqlite_log: tuple[Log, Any], value: Any) -> None:
    with pytest.raises(RegisterBroken):
        check_proof(value, [sqlite_log[0].key.certificate])


# --- status -----------------------------------------------------------------------------------


def test_what_holds_of_a_result(log: Log) -> None:
    told = proved_log(log)
    found = look_up(log.register, told[6].code)
    assert (found.status, found.deciding.told.by) == (Status.SUPERSEDED, told[7].code)
    assert look_up(log.register, told[8].code).status is Status.ANNULLED
    with pytest.raises(NotFound):
        look_up(log.register, new_code())
    renewal = look_up(log.register, told[4].code)
    assert renewal.compare(told[4].document_sha256) is Comparison.SAME
    assert renewal.compare(renewed(told[4]).document_sha256) is Comparison.SAME
    assert renewal.compare(str(told[4].source_sha256)) is Comparison.SOURCE
    assert renewal.compare(digest("another")) is Comparison.DIFFERS


def test_the_public_sees_what_is_configured(log: Log) -> None:
    told = proved_log(log)
    bare = shown(look_up(log.register, told[8].code), ())
    assert {name for name, value in bare.items() if value is not None} == {
        "code", "status", "issued_at", "since",
    }  # fmt: skip
    assert bare["code"] == printed(told[8].code)
    whole = shown(look_up(log.register, told[8].code), ("number", "reason", "agency", "digests"))
    assert (whole["number"], whole["symbol"], whole["agency"]) == (9, "QĐ-UBND", "H22.12")
    assert whole["reason"] == annulled(told[8]).reason
    assert whole["document_sha256"] == told[8].document_sha256
    assert whole["reference"] is None


def signer_of(log: Log, clock: list[dt.datetime], validity_s: float = 3600.0) -> StatusSigner:
    return StatusSigner(
        log.audit,
        lambda: log.key,
        origin=lambda: ORIGIN,
        validity_s=validity_s,
        clock=lambda: clock[0],
    )


def test_a_statement_is_signed_once_and_again_when_it_grows_old(log: Log) -> None:
    told = proved_log(log)
    clock = [dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)]
    signer = signer_of(log, clock)
    found = look_up(log.register, told[1].code)
    used = log.key.calls
    first = signer.statement(found)
    assert signer.statement(found) is first
    assert log.key.calls == used + 1
    event = log.events()[-1]
    assert event.event == "register.status"
    assert event.details["digests"] == [log.key.signed[-1].hex()]
    clock[0] += dt.timedelta(minutes=31)
    assert signer.statement(found) is not first
    said = read_statement(first.note, [NoteKey.of(ORIGIN, log.key)], clock[0])
    assert (said["code"], said["status"]) == (told[1].code, "in-force")


def test_what_changed_is_said_at_once(log: Log) -> None:
    told = proved_log(log)
    clock = [dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)]
    signer = signer_of(log, clock)
    keys = [NoteKey.of(ORIGIN, log.key)]
    before = signer.statement(look_up(log.register, told[1].code))
    log.enter(superseded(told[1], told[2]))
    after = signer.statement(look_up(log.register, told[1].code))
    assert read_statement(before.note, keys, clock[0])["status"] == "in-force"
    said = read_statement(after.note, keys, clock[0])
    assert (said["status"], said["by"]) == ("superseded", told[2].code)


def test_a_statement_runs_out_and_cannot_be_made_up(log: Log) -> None:
    told = proved_log(log)
    now = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
    statement = signer_of(log, [now]).statement(look_up(log.register, told[1].code))
    keys = [NoteKey.of(ORIGIN, log.key)]
    for at in (now - dt.timedelta(seconds=1), now + dt.timedelta(seconds=3601)):
        with pytest.raises(NoteInvalid, match="run out"):
            read_statement(statement.note, keys, at)
    with pytest.raises(NoteInvalid):
        read_statement(statement.note.replace("in-force", "annulled"), keys, now)
    newest = log.checkpoints.newest()
    assert newest is not None
    with pytest.raises(NoteInvalid, match="no statement"):  # a checkpoint is not a statement
        read_statement(newest.note, keys, now)
