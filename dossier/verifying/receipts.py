"""Signed receipts: the PDF report of a verification, sealed with a key of the token.

    receipts = Receipts(audit, make_desk, own_key="receipt", maker="UBND xã Mẫu", level=level)
    made = receipts.seal(report, ReceiptRequest(caller, key="seal"))

Whoever has one can show years later what was answered, by whom and when. It is sealed by a key of
the caller's agency, or by the service's own where the settings name one. The key agent is asked
with the purpose ``receipt``, which its policy must allow; the audit log names every digest that
was signed, and every receipt is verified before it is handed out.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import AuditUnavailable, InvalidOrder
from dossier.model import AuditEvent, Caller, Role, new_id
from dossier.signing.sealing import SealOrder, SealStep, require_ours, seal_and_verify
from dossier.signing.workshop import Desk, WatchedKey
from dossier.storage.tables import agencies
from dossier.verifying.report_pdf import ReportFacts, report_digest, write_report
from signer.clock import VIETNAM
from signer.sealing.levels import Level

_LOG = logging.getLogger(__name__)
PURPOSE = "receipt"
MAY_ASK = (Role.OFFICER, Role.LEADER, Role.CLERK, Role.AUDITOR)


@dataclass(frozen=True, slots=True)
class ReceiptRequest:
    """Who asks for a receipt, and whose key seals it.

    `caller` None: a citizen at the public page. `key`: one of the caller's keys; None: the
    service's own. `subject` is the caller's name for the document.
    """

    caller: Caller | None
    key: str | None = None
    subject: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A sealed receipt."""

    id: str
    pdf: bytes
    sha256: str


class Receipts:
    """Seals receipts; safe for threads. `make_desk` is called once, when the first is wanted."""

    def __init__(
        self,
        audit: AuditLog,
        make_desk: Callable[[], Desk],
        *,
        own_key: str | None,
        maker: str,
        level: Level,
    ) -> None:
        """`own_key` is the label of the service's own key, `maker` the name it stands for."""
        self._audit = audit
        self._desk = functools.cache(make_desk)
        self._own_key = own_key
        self._maker = maker
        self._level = level

    @property
    def has_own_key(self) -> bool:
        """Whether a receipt can be had without a key of one's own."""
        return self._own_key is not None

    def require_allowed(self, request: ReceiptRequest) -> str:
        """The label of the key. Raises `AccessRefused`, and `InvalidOrder` where none is named."""
        caller, label = request.caller, request.key
        if caller is not None:
            caller.require(*MAY_ASK)
        if label is not None and caller is not None:
            caller.require_key(label)
            return label
        if self._own_key is None:
            raise InvalidOrder(
                "Nơi này không có khóa riêng cho biên nhận; hãy nêu khóa của cơ quan bằng "
                "receipt_key. / This service has no key of its own for receipts; name a key of "
                "your agency with receipt_key.",
                field="query.receipt_key",
            )
        return self._own_key

    def seal(self, report: Mapping[str, Any], request: ReceiptRequest) -> Receipt:
        """The sealed receipt of `report`; it was verified, and its key use is in the audit log.

        Raises `AccessRefused`, `InvalidOrder`, `AuditUnavailable`, `signer.errors.SignerError`
        and `hsm.errors.HSMError`; then nothing is handed out.
        """
        label = self.require_allowed(request)
        at = datetime.now(VIETNAM).replace(microsecond=0)
        receipt_id = new_id("rcp")
        agency = request.caller.agency_id if request.caller else None
        maker = self._name_of(agency) if request.key and agency else self._maker
        pdf = write_report(report, ReportFacts(at, maker, request.subject, is_receipt=True))
        desk = self._desk()
        context = {
            "agency": agency,
            "principal": request.caller.principal_id if request.caller else "public",
            "purpose": PURPOSE,
            "subject": receipt_id,
            "attempt": 1,
            "document_sha256": hashlib.sha256(pdf).hexdigest(),
            "request_id": request.request_id,
        }
        key = WatchedKey(desk.key_for(label, context))
        order = SealOrder((SealStep(PURPOSE, key, field_name=PURPOSE),), self._level, at, maker)
        try:
            finished = seal_and_verify(pdf, order, desk.services, judge=require_ours)
            assert finished.pdf is not None  # noqa: S101 - it was sealed in memory
            made = Receipt(receipt_id, finished.pdf, hashlib.sha256(finished.pdf).hexdigest())
            self._tell(made, key, report, request)
        except Exception as error:
            self._explain(receipt_id, key, error, request)
            raise
        return made

    def _tell(
        self, made: Receipt, key: WatchedKey, report: Mapping[str, Any], request: ReceiptRequest
    ) -> None:
        """Nothing is handed out before the audit log has it."""
        details = {
            "key": key.label,
            "digests": list(key.digests),
            "receipt_sha256": made.sha256,
            "report_sha256": report_digest(report),
            "document_sha256": report["document"]["sha256"],
            "indication": report["indication"],
            "request_id": request.request_id,
        }
        self._write("verification.receipt", made.id, details, request)

    def _explain(
        self, receipt_id: str, key: WatchedKey, error: Exception, request: ReceiptRequest
    ) -> None:
        """Say why what the key signed, if anything, was not handed out."""
        if not key.digests:
            return
        details = {
            "attempt": 1,
            "digests": list(key.digests),
            "key": key.label,
            "signatures": len(key.digests),
            "error": {"kind": type(error).__name__, "message": str(error)},
        }
        try:
            self._write("signature.unpublished", receipt_id, details, request)
        except AuditUnavailable:  # the agent's chain has the use
            _LOG.exception("%s: a signature stays unpublished", receipt_id)

    def _write(
        self, event: str, receipt_id: str, details: Mapping[str, Any], request: ReceiptRequest
    ) -> None:
        caller = request.caller
        actor, agency = (caller.principal_id, caller.agency_id) if caller else ("public", None)
        self._audit.write(AuditEvent(event, actor, agency, receipt_id, details))

    def _name_of(self, agency_id: str) -> str:
        with self._audit.database.read() as connection, suppress(sa.exc.NoResultFound):
            row = connection.execute(
                sa.select(agencies.c.name).where(agencies.c.id == agency_id)
            ).scalar_one()
            return str(row)
        return self._maker
