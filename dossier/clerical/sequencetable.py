"""The rows of clerical sequences as values, and the statements over them, each made once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dossier.clerical.order import ClericalSequence, SequenceOrder, Step, StepDone
from dossier.errors import NotFound
from dossier.model import SequenceState
from dossier.storage.tables import sequences

_JSON_OR_NULL = sa.JSON(none_as_null=True)
_THIS = sequences.c.id == sa.bindparam("id_")
_NEXT_VERSION = sequences.c.version + 1

INSERT = sa.insert(sequences)
ONE = sa.select(sequences).where(_THIS, sequences.c.agency_id == sa.bindparam("agency"))
LOCKED = ONE.with_for_update()
RUNNING = sa.select(sequences.c.id, sequences.c.step_running).where(
    sequences.c.id.in_(sa.bindparam("ids", expanding=True))
)
# whoever may begin a step has the row locked
BEGIN = (
    sa.update(sequences)
    .where(_THIS)
    .values(step_running=sa.bindparam("step"), error=sa.null(), version=_NEXT_VERSION)
)
NUMBER = (
    sa.update(sequences)
    .where(_THIS)
    .values(
        number=sa.bindparam("number_"),
        year=sa.bindparam("year_"),
        record_id=sa.bindparam("record"),
    )
)
FINISH = (
    sa.update(sequences)
    .where(
        _THIS,
        sequences.c.state == sa.bindparam("from_"),
        sequences.c.step_running == sa.bindparam("step"),
    )
    .values(
        state=sa.bindparam("to"),
        step_running=sa.null(),
        steps=sa.bindparam("steps_", type_=sa.JSON),
        current_sha256=sa.bindparam("current"),
        error=sa.null(),
        version=_NEXT_VERSION,
    )
)
FAIL = (
    sa.update(sequences)
    .where(_THIS)
    .values(
        step_running=sa.null(),
        error=sa.bindparam("error_", type_=_JSON_OR_NULL),
        version=_NEXT_VERSION,
    )
)
CANCEL = (
    sa.update(sequences)
    .where(_THIS)
    .values(state=SequenceState.CANCELLED, step_running=sa.null(), version=_NEXT_VERSION)
)


def row_of(sequence: ClericalSequence) -> dict[str, Any]:
    """The sequence as a new row."""
    row = {name: getattr(sequence, name) for name in ClericalSequence.__dataclass_fields__}
    del row["error"]
    return row | {"order": sequence.order.to_json(), "steps": []}


def sequence_of(row: Any) -> ClericalSequence:  # noqa: ANN401 - a row
    """The row as a value."""
    values = dict(row._mapping)
    values["state"] = SequenceState(values["state"])
    values["step_running"] = values["step_running"] and Step(values["step_running"])
    values["order"] = SequenceOrder.from_json(values["order"])
    values["steps"] = tuple(map(StepDone.from_json, values["steps"]))
    return ClericalSequence(**values)


def required(row: Any, sequence_id: str) -> ClericalSequence:  # noqa: ANN401 - a row or None
    """The sequence of a row. Raises `NotFound` when there is none."""
    if row is None:
        raise NotFound(
            f"Không có quy trình “{sequence_id}”; hãy kiểm tra mã. / There is no such sequence; "
            "check its id."
        )
    return sequence_of(row)
