"""What hangs on an issued document: annexes in files of their own (P4) and copies (P5).

Each is a signature record of its own, made by the agency's key, that names the sequence.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dossier.clerical.order import Claim, ClericalSequence
from dossier.errors import InvalidOrder, StateConflict
from dossier.model import JSON, AuditEvent, Caller, Role, SequenceState
from dossier.signing import recordtable
from dossier.signing.order import SignatureOrder
from dossier.signing.recordtable import NewRecord, Record
from dossier.storage.tables import records

if TYPE_CHECKING:
    from dossier.audit.log import AuditLog
    from dossier.signing.records import Records
    from dossier.storage.database import Database
    from dossier.storage.holdings import Holdings


class Attachments:
    """Annexes and copies of the documents of the sequences that `find` finds. Safe for threads."""

    def __init__(
        self,
        database: Database,
        holdings: Holdings,
        audit: AuditLog,
        records: Records,
        find: Callable[[Caller, str], ClericalSequence],
    ) -> None:
        self._database = database
        self._holdings = holdings
        self._audit = audit
        self._records = records
        self._find = find

    def annex(
        self, caller: Caller, sequence_id: str, source_sha256: str, claim: Claim
    ) -> tuple[Record, bool]:
        """Order the agency's signature on an annex in a file of its own (P4); and if it is new.

        The annex shows number and symbol of the main document. Raises as `Records.accept`, and
        `StateConflict` until the document is issued.
        """
        main = self._issued(caller, sequence_id)
        order = SignatureOrder(
            key=main.order.agency_key,
            profiles=("P4",),
            level=main.order.level,
            number=main.number,
            symbol=main.symbol,
            expected_agency=main.order.expected_agency,
        )
        return self._accept(caller, main, order, source_sha256, claim)

    def copy(
        self,
        caller: Caller,
        sequence_id: str,
        form: str,
        source_sha256: str,
        claim: Claim,
        *,
        key: str | None = None,
        copying_agency: str | None = None,
    ) -> tuple[Record, bool]:
        """Order an electronic copy (P5): `form` is SY, TRS or SL; and whether it is new.

        `key` (None: the agency's of the sequence) signs for `copying_agency` (None: the one
        expected of the sequence). Raises as `annex`.
        """
        main = self._issued(caller, sequence_id)
        order = SignatureOrder(
            key=key or main.order.agency_key,
            profiles=("P5",),
            level=main.order.level,
            copy_form=form.upper(),
            expected_agency=copying_agency or main.order.expected_agency,
        )
        return self._accept(caller, main, order, source_sha256, claim)

    def list(
        self, caller: Caller, sequence_id: str, after: str | None = None, limit: int = 50
    ) -> builtins.list[Record]:
        """The document itself, its annexes and copies, oldest first. Raises `NotFound`."""
        self._find(caller, sequence_id)
        wanted = sa.select(records).where(
            records.c.sequence_id == sequence_id, records.c.agency_id == caller.agency_id
        )
        if after is not None:
            wanted = wanted.where(records.c.id > after)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(records.c.id).limit(limit)).all()
        return [recordtable.record_of(row) for row in rows]

    def _issued(self, caller: Caller, sequence_id: str) -> ClericalSequence:
        caller.require(Role.CLERK)
        main = self._find(caller, sequence_id)
        if main.state is not SequenceState.ISSUED:
            raise StateConflict(
                "Văn bản chính chưa phát hành; hãy phát hành trước, rồi ký phụ lục, bản sao. / The "
                "main document is not issued yet; issue it, then sign annexes and copies."
            )
        return main

    def _accept(
        self,
        caller: Caller,
        main: ClericalSequence,
        order: SignatureOrder,
        source_sha256: str,
        claim: Claim,
    ) -> tuple[Record, bool]:
        caller.require_key(order.key)
        if source_sha256 in {main.source_sha256, main.current_sha256}:
            raise InvalidOrder(
                "Đây là chính văn bản; phụ lục hoặc bản sao là một tệp khác. / This is the "
                "document itself; an annex or a copy is another file.",
                field="document",
            )

        def work(connection: sa.Connection) -> tuple[Record, bool]:
            # no number of its own: what it shows belongs to the main document
            new = NewRecord(
                caller.agency_id,
                caller.principal_id,
                caller.request_id,
                order,
                source_sha256,
                sequence_id=main.id,
            )
            earlier = recordtable.claim_key(
                connection,
                caller.principal_id,
                claim.key,
                claim.request_sha256,
                new.id,
                self._database.now(connection),
            )
            if earlier is not None:
                found = recordtable.find(connection, caller.agency_id, earlier)
                return recordtable.required(found, earlier), False
            self._holdings.require(connection, caller.agency_id, source_sha256)
            (record,) = self._records.insert(connection, [new])
            details: dict[str, JSON] = {
                "source_sha256": source_sha256,
                "key": order.key,
                "level": order.level.value,
                "sequence": main.id,
                "profiles": list(order.profiles),
                "request_id": caller.request_id,
            }
            event = AuditEvent(
                "signature.accepted", caller.principal_id, caller.agency_id, record.id, details
            )
            self._audit.append(connection, [event])
            return record, True

        return self._database.together(work)
