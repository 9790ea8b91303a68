"""The clerical sequence's rules: order of steps, persons, what an order may say."""

from __future__ import annotations

import json
import shutil
import tempfile
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dossier.audit.log import AuditLog
from dossier.clerical import sequencetable
from dossier.clerical.order import (
    Claim,
    ClericalSequence,
    Numbering,
    Place,
    SequenceOrder,
    Step,
    StepDone,
    require_person,
    require_step,
)
from dossier.clerical.sequences import Sequences
from dossier.errors import AccessRefused, InvalidOrder, StateConflict
from dossier.identity.values import AgencyPolicy
from dossier.model import Caller, RecordState, Role, SequenceState
from dossier.queue.jobs import JobQueue
from dossier.signing.records import Records
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.migrations import upgrade
from dossier.storage.store import BlobInfo
from dossier.storage.tables import agencies, records
from signer.sealing.levels import Level

DAY = date(2026, 3, 9)
ORDER = SequenceOrder(leader_key="leader", agency_key="seal", symbol="QĐ-UBND")


def sequence(state: SequenceState, running: Step | None = None) -> ClericalSequence:
    return ClericalSequence(
        id="seq_1", agency_id="H22.12", state=state, step_running=running,
        code="1NPJNEK2VA9GEW9E", order=ORDER, steps=(),
        source_sha256="0" * 64, current_sha256="0" * 64, number=None, symbol="QĐ-UBND", year=None,
        record_id=None, error=None, created_at=None, version=1,
    )  # fmt: skip


LEGAL = {
    (SequenceState.DRAFT, Step.LEADER),
    (SequenceState.SIGNED, Step.NUMBER),
    (SequenceState.SIGNED, Step.ISSUE),
    (SequenceState.NUMBERED, Step.SEAL),
}


@pytest.mark.parametrize("state", SequenceState)
@pytest.mark.parametrize("step", Step)
def test_only_the_next_step_is_taken(state, step):
    if (state, step) in LEGAL:
        require_step(sequence(state), step)
    else:
        with pytest.raises(StateConflict):
            require_step(sequence(state), step)


@pytest.mark.parametrize(
    ("state", "named"),
    [
        (SequenceState.DRAFT, "the next step is leader-signature"),
        (SequenceState.SIGNED, "the next step is number"),
        (SequenceState.ISSUED, "no step is left"),
    ],
)
def test_who_comes_out_of_order_is_told_what_is_next(state, named):
    with pytest.raises(StateConflict, match=named):
        require_step(sequence(state), Step.SEAL)


@pytest.mark.parametrize("step", Step)
def test_while_a_step_runs_there_is_no_other(step):
    with pytest.raises(StateConflict, match="under way"):
        require_step(sequence(SequenceState.SIGNED, Step.NUMBER), step)


def done(step: Step, by: str) -> StepDone:
    return StepDone(step, by, by, "seal", "2026-03-09T08:00:00+07:00", "0" * 64)


@pytest.mark.parametrize("step", [Step.NUMBER, Step.SEAL])
def test_one_person_does_one_part_where_duties_are_separated(step):
    parts = [done(Step.LEADER, "an")]
    with pytest.raises(AccessRefused, match="leader-signature already"):
        require_person(parts, step, "an", separated=True)
    require_person(parts, step, "an", separated=False)
    require_person(parts, step, "binh", separated=True)


def test_numbering_and_sealing_in_one_go_needs_one_person_for_both():
    with pytest.raises(AccessRefused, match="number and seal apart"):
        require_person([done(Step.LEADER, "an")], Step.ISSUE, "binh", separated=True)
    require_person([done(Step.LEADER, "an")], Step.ISSUE, "binh", separated=False)


@pytest.mark.parametrize(
    ("entries", "field"),
    [
        ({"leader_key": " "}, "leader_key"),
        ({"agency_key": "leader"}, "agency_key"),
        ({"symbol": ""}, "symbol"),
        ({"type_code": "CT"}, "symbol"),
    ],
)
def test_an_order_that_contradicts_itself_names_the_entry(entries, field):
    with pytest.raises(InvalidOrder) as caught:
        SequenceOrder(
            **{"leader_key": "leader", "agency_key": "seal", "symbol": "QĐ-UBND", **entries}
        )
    assert caught.value.field == field


@pytest.mark.parametrize("symbol", ["QĐ-UBND", "2026/QĐ-UBND"])
def test_the_type_code_begins_the_symbol(symbol):
    order = SequenceOrder(leader_key="a", agency_key="b", symbol=symbol, type_code="QĐ")
    assert order.type_code == "QĐ"


def test_an_order_survives_json():
    order = SequenceOrder(
        leader_key="leader", agency_key="seal", symbol="QĐ-UBND", level=Level.B_B,
        number_place=Place(1, (10.0, 20.0, 60.0, 36.0)), reason="Ban hành",
    )  # fmt: skip
    assert SequenceOrder.from_json(json.loads(json.dumps(order.to_json()))) == order


@pytest.mark.parametrize(
    "value",
    [
        {"leader_key": "a", "agency_key": "b", "symbol": "c", "colour": "red"},
        {"leader_key": "a", "agency_key": "b", "symbol": "c", "level": "B-X"},
        {"leader_key": "a", "agency_key": "b", "symbol": "c", "number_place": {"page": 1}},
        {"leader_key": "a", "agency_key": "b", "symbol": "c",
         "number_place": {"page": 1, "rect": [1, 2, 3]}},
        {"leader_key": "a"},
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_read_is_refused(value):
    with pytest.raises(InvalidOrder):
        SequenceOrder.from_json(value)


@pytest.mark.parametrize("place", [(0, (1.0, 2.0, 3.0, 4.0)), (1, (1.0, 2.0, float("nan"), 4.0))])
def test_a_place_is_a_page_and_four_numbers(place):
    with pytest.raises(InvalidOrder, match="A place is"):
        Place(*place)


@pytest.mark.parametrize("number", [0, -1, 1_000_000])
def test_a_number_is_one_to_six_figures(number):
    with pytest.raises(InvalidOrder):
        Numbering(DAY, number)


PEOPLE = ("an", "binh", "chi", "dung")
EVERY_ROLE = frozenset({Role.LEADER, Role.CLERK, Role.OFFICER})


class RandomOffice(RuleBasedStateMachine):
    """Random steps by random people; a stand-in for the worker does or fails them at once."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sohoa-office-"))
        self.database = Database(f"sqlite:///{self.folder / 'house.db'}")
        upgrade(self.database)
        audit = AuditLog(self.database)
        self.jobs = JobQueue(self.database, audit)
        holdings = Holdings(self.database)
        book = Records(self.database, None, holdings, audit, self.jobs)
        self.separated = True
        self.sequences = Sequences(
            self.database, holdings, audit, self.jobs, book, lambda _: self.policy()
        )
        with self.database.begin() as connection:
            connection.execute(
                sa.insert(agencies),
                {"id": "A", "name": "A", "policy": {}, "created_at": self.now(connection)},
            )
            holdings.register(connection, "A", BlobInfo("a" * 64, 1), "application/pdf")
        self.made: list[str] = []
        self.parts: dict[str, list[tuple[Step, str]]] = {}

    def now(self, connection):
        return self.database.now(connection)

    def policy(self) -> AgencyPolicy:
        return AgencyPolicy(keys=frozenset({"leader", "seal"}), separation_of_duties=self.separated)

    def caller(self, name: str) -> Caller:
        return Caller(name, name, "A", EVERY_ROLE, frozenset({"leader", "seal"}))

    @rule(separated=st.booleans())
    def change_policy(self, separated):
        self.separated = separated

    @rule()
    def begin(self):
        made, _ = self.sequences.create(self.caller("an"), ORDER, "a" * 64, Claim(None, "0" * 64))
        self.made.append(made.id)
        self.parts[made.id] = []

    @precondition(lambda self: self.made)
    @rule(
        which=st.integers(0, 20), step=st.sampled_from(list(Step)), who=st.sampled_from(PEOPLE),
        number=st.none() | st.integers(1, 5), works=st.booleans() | st.just(True),
    )  # fmt: skip
    def ask(self, which, step, who, number, works):
        sequence_id = self.made[which % len(self.made)]
        before = self.sequences.get(self.caller(who), sequence_id)
        numbering = Numbering(DAY, number) if Step.NUMBER in step.parts else None
        did = {by for _, by in self.parts[sequence_id]}
        is_next = (before.state, step) in LEGAL
        is_own = self.separated and (who in did or step is Step.ISSUE)
        try:
            self.sequences.step(
                self.caller(who), sequence_id, step, Claim(None, "0" * 64), numbering=numbering
            )
        except AccessRefused:
            assert is_next
            assert is_own
            return
        except StateConflict:  # also a number that is taken
            assert not is_next or (numbering is not None and number is not None)
            return
        assert is_next
        assert not is_own
        self.work(sequence_id, step, who, works)

    def work(self, sequence_id: str, step: Step, who: str, works: bool) -> None:
        (job,) = self.jobs.claim("seal", "w", 5, 60)
        found = self.sequences.get(self.caller("an"), sequence_id)
        with self.database.begin() as connection:
            if not works:
                self.jobs.fail(connection, job, {"kind": "Refused", "message": "x"})
                return
            self.jobs.done(connection, job)
            parts = [done(part, who).to_json() for part in step.parts]
            moved = connection.execute(
                sequencetable.FINISH,
                {
                    "id_": sequence_id, "from_": found.state, "step": step.value,
                    "to": step.reached, "current": "a" * 64,
                    "steps_": [*(p.to_json() for p in found.steps), *parts],
                },
            )  # fmt: skip
            assert moved.rowcount == 1
            if step.reached is SequenceState.ISSUED:
                connection.execute(
                    sa.update(records)
                    .where(records.c.id == found.record_id)
                    .values(state=RecordState.PUBLISHED)
                )
        self.parts[sequence_id] += [(part, who) for part in step.parts]

    @precondition(lambda self: self.made)
    @rule(which=st.integers(0, 20))
    def cancel(self, which):
        sequence_id = self.made[which % len(self.made)]
        found = self.sequences.get(self.caller("an"), sequence_id)
        try:
            self.sequences.cancel(self.caller("an"), sequence_id)
        except StateConflict:
            assert found.state in (SequenceState.ISSUED, SequenceState.CANCELLED)

    @invariant()
    def parts_come_in_order_and_numbers_are_held_once(self):
        for sequence_id in self.made:
            found = self.sequences.get(self.caller("an"), sequence_id)
            steps = [part.step for part in found.steps]
            assert steps == [Step.LEADER, Step.NUMBER, Step.SEAL][: len(steps)]
            is_numbered = found.state in (SequenceState.NUMBERED, SequenceState.ISSUED)
            assert (found.number is not None) == is_numbered
            assert (found.record_id is not None) == is_numbered
        with self.database.read() as connection:
            held = connection.execute(
                sa.select(records.c.number).where(
                    records.c.state.in_([RecordState.SIGNING, RecordState.PUBLISHED])
                )
            ).scalars().all()  # fmt: skip
        assert len(held) == len(set(held))

    def teardown(self):
        self.database.close()
        shutil.rmtree(self.folder)


TestRandomOffice = RandomOffice.TestCase
TestRandomOffice.settings = settings(
    max_examples=15, stateful_step_count=18, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
