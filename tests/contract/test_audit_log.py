"""The audit log on SQLite and PostgreSQL: gapless, atomic with its caller, of constant cost."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from dossier.audit.chain import digest_of, genesis, next_link
from dossier.audit.log import AuditLog
from dossier.errors import AuditUnavailable, ChainBroken
from dossier.model import AuditEvent
from dossier.storage.tables import audit_entries


def event(n: int = 0, agency: str | None = "H22.12") -> AuditEvent:
    return AuditEvent("signature.accepted", "prn_1", agency, f"rec_{n}", {"n": n, "số": "một"})


@pytest.fixture
def log(database) -> AuditLog:
    return AuditLog(database)


def check_links(log: AuditLog) -> int:
    link = genesis(log.chain, log.installation())
    entries = log.entries(None, 0, 100_000)
    for n, entry in enumerate(entries, 1):
        digest = digest_of(entry.entry.encode())
        link = next_link(link, digest)
        assert (entry.seq, entry.entry_sha256, entry.link_sha256) == (n, digest.hex(), link.hex())
    assert log.tip() == (len(entries), link.hex())
    return len(entries)


def test_entries_are_linked_from_the_genesis(log, database):
    assert log.tip() == (0, genesis("service", log.installation()).hex())
    with database.begin() as connection:
        assert log.append(connection, [event(1), event(2)]) == 2
        assert log.append(connection, [event(3)]) == 3
        assert log.append(connection, []) == 3
    assert log.write(event(4), event(5)) == 5
    assert check_links(log) == 5


def test_two_chains_do_not_touch(log, database):
    keys = AuditLog(database, "keys")
    log.write(event(1))
    keys.write(event(2), event(3))
    assert (check_links(log), check_links(keys)) == (1, 2)


def test_a_caller_that_fails_leaves_nothing(log, database):
    log.write(event(1))

    def fail() -> None:
        with database.begin() as connection:
            log.append(connection, [event(2)])
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    log.write(event(3))
    assert [e.subject for e in log.entries(None, 0, 10)] == ["rec_1", "rec_3"]
    check_links(log)


def test_racing_writers_leave_no_gap(log, database):
    """Two logs as two processes would have them; some commit alone, some together."""
    other = AuditLog(database)
    faults: list[BaseException] = []

    def write(n: int) -> None:
        try:
            for k in range(10):
                if n % 2:
                    (log, other)[k % 2].write(event(n))
                else:
                    with database.begin() as connection:
                        other.append(connection, [event(n), event(n)])
        except Exception as error:  # noqa: BLE001 - shown below
            faults.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert check_links(log) == 4 * 10 + 4 * 20


def test_pages_of_one_agency(log):
    log.write(*(event(n, f"H22.{n % 2}") for n in range(10)), event(99, None))
    first = log.entries("H22.1", 0, 3)
    assert [e.details["n"] for e in first] == [1, 3, 5]
    assert [e.details["n"] for e in log.entries("H22.1", first[-1].seq, 3)] == [7, 9]
    assert log.entries("H99", 0, 3) == []
    assert len(log.entries(None, 0, 100)) == 11


def test_what_cannot_be_written_is_refused(log, database):
    with pytest.raises(AuditUnavailable, match="Không ghi được") as told:
        log.write(AuditEvent("e", "a", None, "s", {"key": object()}))
    assert isinstance(told.value.__cause__, TypeError)
    with database.begin() as connection:
        connection.execute(sa.text("DROP TABLE audit_entries"))
    with pytest.raises(AuditUnavailable), database.begin() as connection:
        log.append(connection, [event()])
    with pytest.raises(AuditUnavailable):
        log.write(event())


def test_a_spoilt_entry_is_told_when_it_is_read(log, database):
    log.write(event(1))
    with database.begin() as connection:
        connection.execute(sa.update(audit_entries).values(entry='{"seq":1}'))
    with pytest.raises(ChainBroken, match="sohoa audit verify"):
        log.entries(None, 0, 10)


def test_an_append_asks_the_same_at_any_length(log, database):
    """As many statements at the 50,001st entry as at the second, and none walks the table.

    What it costs is measured in ``bench`` (service.growth).
    """

    def asked() -> list[tuple[str, object]]:
        seen: list[tuple[str, object]] = []

        def note(connection, cursor, statement, parameters, context, many) -> None:
            seen.append((statement, parameters))

        with database.begin() as connection:
            sa.event.listen(connection, "before_cursor_execute", note)
            log.append(connection, [event()])
        return seen

    log.write(event())
    first = asked()
    for _ in range(10):
        log.write(*(event(n) for n in range(5000)))
    last = asked()
    assert log.tip()[0] > 50_000
    assert [statement for statement, _ in last] == [statement for statement, _ in first]
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    reads = [entry for entry in last if "FROM audit_entries" in entry[0]]
    assert reads
    for statement, parameters in reads:
        with database.begin() as connection:
            plan = connection.exec_driver_sql(explain + statement, parameters).all()
        told = " ".join(str(line) for line in plan)
        assert "INDEX" in told.upper(), told
        assert "Seq Scan" not in told, told
