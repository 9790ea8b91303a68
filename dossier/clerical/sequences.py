"""Clerical sequences: leader, number and date, seal, each step accepted in one transaction.

A step is accepted when its order, its person and its rights allow it (`sequence_order`), and is
then carried out by a worker (`sequence_work`), which looks at the document first. The number
is reserved together with the record that the issued document becomes, when the step that gives
it is accepted; a step that fails, or a sequence that is cancelled, gives it back.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dossier.clerical import sequencetable
from dossier.clerical.attachments import Attachments
from dossier.clerical.numbers import give_back_number, require_date, reserve_number
from dossier.clerical.order import (
    Claim,
    ClericalSequence,
    Numbering,
    SequenceOrder,
    Step,
    require_person,
    require_step,
)
from dossier.errors import InvalidOrder, NumberTaken, StateConflict, VersionConflict
from dossier.model import JSON, AuditEvent, Caller, Role, SequenceState, new_id
from dossier.queue.jobs import Follower, Job, JobQueue
from dossier.register.codes import new_code
from dossier.signing import recordtable
from dossier.signing.numbers import despite_races
from dossier.signing.records import QUEUE, Records
from dossier.storage.database import Database
from dossier.storage.tables import sequences

if TYPE_CHECKING:
    from dossier.audit.log import AuditLog
    from dossier.identity.values import AgencyPolicy
    from dossier.storage.holdings import Holdings

KIND = "sequence-step"
_MAKERS = (Role.OFFICER, Role.LEADER, Role.CLERK)
_READERS = (*_MAKERS, Role.AUDITOR, Role.SCANNER, Role.ADMIN)


class Sequences:
    """The sequences of one database. Safe for threads."""

    def __init__(
        self,
        database: Database,
        holdings: Holdings,
        audit: AuditLog,
        jobs: JobQueue,
        records: Records,
        policy: Callable[[str], AgencyPolicy],
    ) -> None:
        """`policy` gives an agency's policy (`Identity.policy`)."""
        self._database = database
        self._holdings = holdings
        self._audit = audit
        self._jobs = jobs
        self._policy = policy
        self.attachments = Attachments(database, holdings, audit, records, self.get)
        jobs.follow(KIND, _Moves(audit))

    def create(
        self, caller: Caller, order: SequenceOrder, source_sha256: str, claim: Claim
    ) -> tuple[ClericalSequence, bool]:
        """Begin a sequence with the draft `source_sha256`; and whether it is new.

        Raises `AccessRefused`, `InvalidOrder`, `NotFound`, `IdempotencyConflict`, `StoreError`,
        `AuditUnavailable`.
        """
        caller.require(*_MAKERS)
        self._require_own_keys(caller.agency_id, order)

        def work(connection: sa.Connection) -> tuple[ClericalSequence, bool]:
            now = self._database.now(connection)
            sequence_id = new_id("seq")
            earlier = recordtable.claim_key(
                connection, caller.principal_id, claim.key, claim.request_sha256, sequence_id, now
            )
            if earlier is not None:
                return self._find(connection, caller, earlier), False
            self._holdings.require(connection, caller.agency_id, source_sha256)
            made = ClericalSequence(
                id=sequence_id,
                agency_id=caller.agency_id,
                state=SequenceState.DRAFT,
                step_running=None,
                code=new_code(),
                order=order,
                steps=(),
                source_sha256=source_sha256,
                current_sha256=source_sha256,
                number=None,
                symbol=order.symbol,
                year=None,
                record_id=None,
                error=None,
                created_at=now,
                version=1,
            )
            connection.execute(sequencetable.INSERT, sequencetable.row_of(made))
            details = {
                "source_sha256": source_sha256,
                "leader_key": order.leader_key,
                "agency_key": order.agency_key,
                "symbol": order.symbol,
                "request_id": caller.request_id,
            }
            self._audit.append(connection, [_event("sequence.created", caller, made, details)])
            return made, True

        return self._database.together(work)

    def step(
        self,
        caller: Caller,
        sequence_id: str,
        step: Step,
        claim: Claim,
        *,
        version: int | None = None,
        numbering: Numbering | None = None,
    ) -> tuple[ClericalSequence, bool]:
        """Accept the next step; and whether the request is new. A worker carries it out.

        `version` is the one that the caller read (None: whatever it is). `numbering` belongs to
        the steps that give number and date. Raises `AccessRefused` (role, key, a person who did
        another part), `StateConflict` (out of order; the message names the next step),
        `VersionConflict`, `NumberTaken`, `NotFound`, `InvalidOrder`, `IdempotencyConflict`,
        `StoreError`, `AuditUnavailable`.
        """
        caller.require(step.role)
        if (numbering is not None) != (Step.NUMBER in step.parts):
            raise InvalidOrder(
                "Bước cấp số cần ngày ban hành (và số, nếu không lấy từ sổ); bước khác thì không. "
                "/ Number and date go with the step that gives them, and with no other.",
                field="decided_on",
            )
        separated = self._policy(caller.agency_id).separation_of_duties

        def work(connection: sa.Connection) -> tuple[ClericalSequence, bool]:
            earlier = recordtable.claim_key(
                connection,
                caller.principal_id,
                claim.key,
                claim.request_sha256,
                sequence_id,
                self._database.now(connection),
            )
            if earlier is not None:
                return self._find(connection, caller, earlier), False
            sequence = self._locked(connection, caller, sequence_id, version)
            order = sequence.order
            caller.require_key(order.leader_key if step is Step.LEADER else order.agency_key)
            require_step(sequence, step)
            require_person(sequence.steps, step, caller.principal_id, separated=separated)
            details: dict[str, JSON] = {"request_id": caller.request_id}
            if numbering is not None:
                require_date(sequence, numbering.decided_on)
                now = self._database.now(connection)
                details |= reserve_number(connection, caller, sequence, numbering, now)
            connection.execute(sequencetable.BEGIN, {"id_": sequence.id, "step": step.value})
            self._jobs.enqueue(
                connection,
                queue=QUEUE,
                kind=KIND,
                subject=sequence.id,
                agency_id=sequence.agency_id,
                payload={
                    "step": step.value,
                    "principal": caller.principal_id,
                    "name": caller.name,
                    "request": caller.request_id,
                    "decided_on": numbering.decided_on.isoformat() if numbering else None,
                },
            )
            name = f"sequence.{step.value}.accepted"
            self._audit.append(connection, [_event(name, caller, sequence, details)])
            return self._find(connection, caller, sequence.id), True

        try:
            return despite_races(lambda: self._database.together(work))
        except sa.exc.IntegrityError as error:  # somebody else took the number just now
            raise NumberTaken(
                "Số này vừa được cấp cho văn bản khác; hãy chọn số khác hoặc lấy từ sổ. / The "
                "number was given to another document just now; choose another, or take the "
                "book's next one."
            ) from error

    def cancel(
        self, caller: Caller, sequence_id: str, version: int | None = None
    ) -> ClericalSequence:
        """Cancel a sequence that is not issued; its number is given back.

        A step under way has to end first. Raises `AccessRefused`, `NotFound`, `VersionConflict`,
        `StateConflict`, `StoreError`.
        """
        caller.require(*_MAKERS)

        def work(connection: sa.Connection) -> ClericalSequence:
            self._find(connection, caller, sequence_id)
            # the job before the sequence, as a worker that ends the step takes them
            waiting = self._jobs.cancel(connection, sequence_id)
            sequence = self._locked(connection, caller, sequence_id, version)
            if not sequence.next_steps:
                raise StateConflict(
                    f"Quy trình đã ở trạng thái “{sequence.state}” nên không hủy được. / The "
                    f"sequence is {sequence.state} and cannot be cancelled."
                )
            if sequence.step_running is not None and not waiting:
                raise StateConflict(
                    "Một bước đang được thực hiện; hãy đợi xong rồi hủy. / A step is under way; "
                    "wait for its end, then cancel."
                )
            connection.execute(sequencetable.CANCEL, {"id_": sequence.id})
            event = _event("sequence.cancelled", caller, sequence, {})
            if not give_back_number(connection, self._audit, sequence, None, event):
                self._audit.append(connection, [event])
            return self._find(connection, caller, sequence.id)

        return self._database.together(work)

    def get(self, caller: Caller, sequence_id: str) -> ClericalSequence:
        """One sequence. Raises `NotFound`, also for another agency's."""
        caller.require(*_READERS)
        with self._database.read() as connection:
            return self._find(connection, caller, sequence_id)

    def list(
        self,
        caller: Caller,
        after: str | None = None,
        limit: int = 50,
        state: SequenceState | None = None,
    ) -> builtins.list[ClericalSequence]:
        """Sequences of the caller's agency, newest first; `after` is the last page's last id."""
        caller.require(*_READERS)
        wanted = sa.select(sequences).where(sequences.c.agency_id == caller.agency_id)
        if after is not None:
            wanted = wanted.where(sequences.c.id < after)
        if state is not None:
            wanted = wanted.where(sequences.c.state == state)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(sequences.c.id.desc()).limit(limit)).all()
        return [sequencetable.sequence_of(row) for row in rows]

    def settled(self, ids: Iterable[str]) -> Mapping[str, bool]:
        """Which of these have no step under way, in one look-up; for the web's waiting clients."""
        with self._database.read() as connection:
            rows = connection.execute(sequencetable.RUNNING, {"ids": list(ids)}).all()
        return {row.id: row.step_running is None for row in rows}

    # --- parts ---------------------------------------------------------------------------

    @staticmethod
    def _find(connection: sa.Connection, caller: Caller, sequence_id: str) -> ClericalSequence:
        values = {"id_": sequence_id, "agency": caller.agency_id}
        return sequencetable.required(
            connection.execute(sequencetable.ONE, values).first(), sequence_id
        )

    @staticmethod
    def _locked(
        connection: sa.Connection, caller: Caller, sequence_id: str, version: int | None
    ) -> ClericalSequence:
        values = {"id_": sequence_id, "agency": caller.agency_id}
        row = connection.execute(sequencetable.LOCKED, values).first()
        sequence = sequencetable.required(row, sequence_id)
        if version is not None and sequence.version != version:
            raise VersionConflict(
                "Quy trình đã thay đổi từ khi đọc; hãy đọc lại rồi gửi lại. / The sequence was "
                "changed since it was read; read it again, then repeat the request."
            )
        return sequence

    def _require_own_keys(self, agency_id: str, order: SequenceOrder) -> None:
        """Raise `InvalidOrder` for a key that is not the agency's."""
        own = self._policy(agency_id).keys
        for name in ("leader_key", "agency_key"):
            if getattr(order, name) not in own:
                raise InvalidOrder(
                    f"Khóa “{getattr(order, name)}” không thuộc cơ quan; xem /v1/keys. / The key "
                    "is not the agency's; see /v1/keys.",
                    field=name,
                )


class _Moves(Follower):
    """A step that failed for good leaves the sequence where it was, and says why."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    def failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        values = {"id_": job.subject, "agency": job.agency_id}
        row = connection.execute(sequencetable.LOCKED, values).first()
        sequence = sequencetable.required(row, job.subject)
        connection.execute(sequencetable.FAIL, {"id_": sequence.id, "error_": error})
        step = Step(job.payload["step"])
        event = AuditEvent(
            f"sequence.{step.value}.failed",
            f"worker:{job.worker}",
            sequence.agency_id,
            sequence.id,
            {"error": error, "attempt": job.attempt, "principal": job.payload["principal"]},
        )
        gives_number = Step.NUMBER in step.parts
        if not (gives_number and give_back_number(connection, self._audit, sequence, error, event)):
            self._audit.append(connection, [event])


def _event(
    name: str, caller: Caller, sequence: ClericalSequence, details: Mapping[str, JSON]
) -> AuditEvent:
    return AuditEvent(name, caller.principal_id, sequence.agency_id, sequence.id, details)
