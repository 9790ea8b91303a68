"""Digitization codes from the database: gapless in their book, whoever takes them at one time."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from dossier.errors import StateConflict
from dossier.filing.codes import CodeFacts, code_templates, give_back_code, take_code
from dossier.model import require_move
from dossier.signing.numbers import despite_races
from dossier.stacks.values import PAPER_MOVES, PaperState
from dossier.storage.database import Database
from dossier.storage.station_tables import papers, stacks
from dossier.storage.tables import agencies

DAY = dt.date(2026, 3, 2)
NOW = dt.datetime(2026, 3, 2, 1, tzinfo=dt.UTC)
TEMPLATE = code_templates().on(DAY)


def facts(owner: str = "001199000001", kind: str = "GKS") -> CodeFacts:
    return CodeFacts(owner, kind, "H22.12-260301-0001", "H22.12")


def make_papers(database: Database, count: int, agency: str = "H22.12") -> list[str]:
    stack = f"stk_{agency}"
    with database.begin() as connection:
        connection.execute(
            sa.insert(agencies).values(id=agency, name=agency, policy={}, created_at=NOW)
        )
        connection.execute(
            sa.insert(stacks).values(
                id=stack, agency_id=agency, principal_id="prn_x", way="http", order={},
                state="arranged", alarms=[], created_at=NOW,
            )
        )  # fmt: skip
        names = [f"ppr_{agency}_{n}" for n in range(count)]
        for name in names:
            connection.execute(
                sa.insert(papers).values(
                    id=name, agency_id=agency, stack_id=stack, dossier_code="", component_code="",
                    state="checked", pages=1, arrangement_seq=1, checks=[], created_at=NOW,
                )
            )  # fmt: skip
    return names


def give(database: Database, paper: str, wanted: CodeFacts, agency: str = "H22.12") -> str:
    def work(connection: sa.Connection) -> str:
        code = take_code(connection, agency, TEMPLATE, wanted, DAY)
        connection.execute(
            sa.update(papers).where(papers.c.id == paper).values(digitization_code=code)
        )
        return code

    def once() -> str:
        with database.begin() as connection:
            return work(connection)

    return despite_races(once)


def take_in_vain(database: Database) -> None:
    with database.begin() as connection:
        assert take_code(connection, "H22.12", TEMPLATE, facts(), DAY).endswith(".1")
        require_move(PaperState.FILED, PaperState.CHECKED, PAPER_MOVES)


def test_sixteen_threads_leave_no_gap_and_take_none_twice(database):
    names = make_papers(database, 64)
    ready = threading.Barrier(16)

    def share(part: list[str]) -> list[tuple[str, str]]:
        ready.wait()
        kinds = ("GKS", "CCCD")
        return [(kind, give(database, name, facts(kind=kind)))
                for name, kind in zip(part, kinds * 2, strict=True)]  # fmt: skip

    with ThreadPoolExecutor(16) as pool:
        given = [one for part in pool.map(share, [names[n::16] for n in range(16)]) for one in part]
    for kind in ("GKS", "CCCD"):
        mine = sorted(int(code.rpartition(".")[2]) for k, code in given if k == kind)
        assert mine == list(range(1, 33))
    assert len({code for _, code in given}) == 64


def test_a_number_that_is_undone_is_given_again(database):
    first, second = make_papers(database, 2)
    with pytest.raises(StateConflict):
        take_in_vain(database)
    assert give(database, first, facts()) == "001199000001.GKS.1"
    assert give(database, second, facts("")) == ".GKS.1"  # another book: the owner is not known


def test_one_owner_at_two_agencies_gets_codes_of_its_own(database):
    (here,), (there,) = make_papers(database, 1), make_papers(database, 1, "H22.13")
    assert give(database, here, facts()) == "001199000001.GKS.1"
    assert give(database, there, facts(), "H22.13") == "001199000001.GKS.2"


def test_the_last_number_goes_back_and_an_earlier_one_does_not(database):
    first, second = make_papers(database, 2)
    one, two = give(database, first, facts()), give(database, second, facts())
    with database.begin() as connection:
        connection.execute(sa.update(papers).values(digitization_code=None))
        assert not give_back_code(connection, "H22.12", one, DAY)
        assert give_back_code(connection, "H22.12", two, DAY)
        assert not give_back_code(connection, "H22.12", "no code", DAY)
    assert give(database, second, facts()) == two
