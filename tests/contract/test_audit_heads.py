"""Sealing heads on SQLite and PostgreSQL: when, by whom, and what a crash leaves behind."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading

import pytest
import sqlalchemy as sa

from dossier.audit.head import SUBJECT, Head
from dossier.audit.heads import HeadSealer, note_head
from dossier.audit.log import AuditLog
from dossier.errors import AuditUnavailable
from dossier.model import AuditEvent
from dossier.storage.tables import audit_entries, audit_heads, settings
from hsm.errors import TokenUnavailable
from signer.errors import TimestampError
from signer.statement import verify_statement
from tests.fakes import SoftwareKey


def events(count: int = 1) -> list[AuditEvent]:
    return [AuditEvent("signature.accepted", "prn_1", "H22.12", f"rec_{n}") for n in range(count)]


@pytest.fixture
def log(database) -> AuditLog:
    return AuditLog(database)


@pytest.fixture(scope="module")
def key():
    return SoftwareKey(label="audit")


class Failing(SoftwareKey):
    """A key whose token is away."""

    def sign_digests(self, digests):
        self.signed.extend(digests)
        raise TokenUnavailable("the token is gone")


def heads(log: AuditLog) -> list[sa.Row]:
    with log.database.read() as connection:
        wanted = sa.select(audit_heads).where(audit_heads.c.chain == log.chain)
        return list(connection.execute(wanted.order_by(audit_heads.c.seq)))


def names(log: AuditLog) -> list[str]:
    return [entry.event for entry in log.entries(None, 0, 1000)]


def move_clock(log: AuditLog, seconds: float) -> None:
    """Let everything that was stored so far be older by `seconds`."""
    with log.database.begin() as connection:
        ago = int(seconds * 1e6)
        connection.execute(
            sa.text(f"UPDATE audit_heads SET created_at = created_at - {ago}")  # noqa: S608
        )
        wanted = sa.select(settings).where(settings.c.name.like("audit-head-lease%"))
        for name, value in connection.execute(wanted).all():
            until = dt.datetime.fromisoformat(value["until"]) - dt.timedelta(seconds=seconds)
            text = until.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            connection.execute(
                sa.update(settings)
                .where(settings.c.name == name)
                .values(value={**value, "until": text})
            )


def test_a_head_says_where_the_chain_stands(log, key, test_pki):
    log.write(*events(3))
    sealer = HeadSealer(log, key, test_pki.timestamper)
    head = sealer.seal()
    statement = json.loads(head.statement)
    assert (head.seq, statement["seq"], statement["link"]) == (*[log.tip()[0]] * 2, log.tip()[1])
    assert statement["installation"] == log.installation()
    assert statement["previous"] is None
    assert statement["timestamped"] is True
    proof = verify_statement(head.statement.encode(), head.signed, None)
    assert proof.signer == key.certificate
    assert proof.at is not None
    assert log.head() == head == Head.read(json.loads(json.dumps(head.to_json())))
    # its certificate was named in the chain before
    announced = log.entries(None, 3, 10)
    assert [e.event for e in announced] == ["audit.key"]
    # nothing new, nothing to seal
    assert sealer.seal() is None
    log.write(*events())
    second = sealer.seal()
    assert json.loads(second.statement)["previous"] == {
        "seq": head.seq,
        "sha256": hashlib.sha256(head.statement.encode()).hexdigest(),
    }
    assert names(log).count("audit.key") == 1


def test_heads_are_due_by_number_and_by_time(log, key):
    sealer = HeadSealer(log, key, None, every_entries=5, every_s=60)
    assert not sealer.due()
    log.write(*events(1))
    assert sealer.due()  # the first entry of all
    sealer.seal()
    assert not sealer.due()
    log.write(*events(1))
    assert not sealer.due()
    move_clock(log, 61)
    assert sealer.due()
    sealer.seal()
    log.write(*events(5))
    assert sealer.due()  # five entries do not wait for the minute


def test_events_about_heads_do_not_call_for_heads(log, key):
    sealer = HeadSealer(log, key, None, every_entries=5, every_s=60)
    log.write(*events())
    sealer.seal()
    move_clock(log, 61)
    log.write(AuditEvent("audit.head", "audit", None, SUBJECT))
    assert not sealer.due()


def test_witnesses_are_told(log, key, database):
    other = AuditLog(database, "keys")
    log.write(*events())
    head = HeadSealer(log, key, None, witnesses=[other]).seal()
    note_head(other, head)  # whoever tells it again changes nothing
    [told] = other.entries(None, 0, 10)
    assert told.event == "audit.head"
    link = json.loads(head.statement)["link"]
    assert told.details == {
        "chain": "service",
        "seq": head.seq,
        "link": link,
        "statement_sha256": head.statement_sha256,
    }


def test_a_witness_out_of_reach_costs_no_head(log, key, sqlite_url, open_database, caplog):
    lost = AuditLog(open_database(sqlite_url.replace("house", "lost")), "keys")
    log.write(*events())
    head = HeadSealer(log, key, None, witnesses=[lost]).seal()
    assert log.head() == head
    assert "was not told" in caplog.text
    note_head(lost, head)  # does not raise either


@pytest.mark.parametrize("fault", ["token", "authority"])
def test_a_failure_stands_in_the_chain_and_is_not_repeated_at_once(log, fault, test_pki):
    class Deaf:
        size_hint = 1

        def timestamp(self, imprint, digest_name="sha256"):
            raise TimestampError("no answer")

    log.write(*events())
    key = Failing() if fault == "token" else SoftwareKey()
    sealer = HeadSealer(log, key, None if fault == "token" else Deaf(), every_s=60)
    with pytest.raises(TokenUnavailable if fault == "token" else TimestampError):
        sealer.seal()
    assert heads(log) == []
    failed = log.entries(None, 0, 10)[-1]
    assert failed.event == "audit.head-failed"
    assert failed.details["error"] in ("TokenUnavailable", "TimestampError")
    assert len(failed.details["statement_sha256"]) == 64
    assert not sealer.due()
    assert sealer.seal() is None
    assert key.calls == 1
    move_clock(log, 61)
    assert sealer.due()


def test_a_sealer_that_died_is_explained_by_the_next(log, key):
    """The first one is stopped between its lease and its head, as kill -9 would."""
    log.write(*events())
    digests = []

    class Killed(BaseException):
        pass

    def die(key, digest):
        digests.append(digest)
        raise Killed

    with pytest.raises(Killed):
        HeadSealer(log, key, None, bind=die, worker="first").seal()
    second = HeadSealer(log, key, None, worker="second", lease_s=120)
    assert second.seal() is None  # its lease still runs
    move_clock(log, 121)
    head = second.seal()
    retaken = log.entries(None, 0, 10)[-1]
    assert retaken.event == "audit.head-retaken"
    assert retaken.details == {"seq": 2, "statement_sha256": digests[0], "worker": "first"}
    assert head.seq == retaken.seq


def test_a_sealer_that_was_too_slow_stores_nothing(log, key):
    log.write(*events())
    heads_made = []

    def slow(key, digest):
        move_clock(log, 121)
        heads_made.append(HeadSealer(log, key, None, worker="quick").seal())
        return key

    assert HeadSealer(log, key, None, bind=slow, worker="slow").seal() is None
    assert [row.seq for row in heads(log)] == [heads_made[0].seq]
    assert "audit.head-retaken" in names(log)


def test_of_racing_sealers_one_signs(log):
    log.write(*events(4))
    key = SoftwareKey()
    made = []
    barrier = threading.Barrier(6)

    def race() -> None:
        barrier.wait()
        made.append(HeadSealer(AuditLog(log.database), key, None).seal())

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([head for head in made if head]) == 1
    assert key.calls == 1
    assert len(heads(log)) == 1


def test_a_new_key_is_announced(log, key):
    log.write(*events())
    HeadSealer(log, key, None).seal()
    log.write(*events())
    HeadSealer(log, SoftwareKey(label="audit-2027"), None).seal()
    assert names(log).count("audit.key") == 2


def test_it_runs_until_it_is_stopped(log, key, caplog):
    stop = threading.Event()
    sealer = HeadSealer(log, key, None, every_entries=1)
    thread = threading.Thread(target=sealer.run, args=(stop,), kwargs={"poll_s": 0.01})
    thread.start()
    try:
        log.write(*events(2))
        for _ in range(500):
            if heads(log):
                break
            stop.wait(0.01)
        assert heads(log)
        with log.database.begin() as connection:
            connection.execute(sa.delete(audit_heads))
            connection.execute(sa.text("ALTER TABLE audit_heads RENAME TO moved"))
        for _ in range(500):
            if "was not sealed" in caplog.text:
                break
            stop.wait(0.01)
        assert "was not sealed" in caplog.text
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join()


def test_a_chain_that_cannot_be_written_gets_no_head(log, key, database):
    log.write(*events())
    with database.begin() as connection:
        connection.execute(sa.delete(audit_entries))
    assert HeadSealer(log, key, None).seal() is None
    with database.begin() as connection:
        connection.execute(sa.text("DROP TABLE audit_entries"))
    with pytest.raises(AuditUnavailable):
        log.write(*events())


@pytest.mark.parametrize(
    "value",
    [None, {}, {"chain": 1, "seq": 1, "statement": "", "signature": "", "timestamp_token": None}],
)
def test_what_is_no_head_is_refused(value):
    with pytest.raises(ValueError, match="not a sealed head"):
        Head.read(value)
