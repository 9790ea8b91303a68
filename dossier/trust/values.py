"""A version of a list of trust, as it was imported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dossier.model import JSON


@dataclass(frozen=True, slots=True)
class TrustVersion:
    """One version; never changed. Times are UTC."""

    id: str
    list_name: str
    sequence: int
    kind: str  # PEM, JSON, CTL, ETSI
    operator: str
    source_sha256: str  # the file as it was published
    content_sha256: str  # what is believed of it, in our own form
    proof_kind: str  # SHA256, CMS, XADES
    proof_by: str
    proof_name: str
    anchors: int
    intermediates: int
    issued_at: datetime
    next_update: datetime | None
    effective_from: datetime
    imported_at: datetime
    imported_by: str

    @property
    def label(self) -> str:
        """As reports name it: ``government/7``."""
        return f"{self.list_name}/{self.sequence}"

    @classmethod
    def of(cls, row: sa.Row[tuple[object, ...]]) -> TrustVersion:
        """From a row of `trust_versions`."""
        return cls(**row._mapping)

    def to_json(self) -> dict[str, JSON]:
        """Stable keys."""
        return {
            "id": self.id,
            "list": self.list_name,
            "sequence": self.sequence,
            "kind": self.kind,
            "operator": self.operator,
            "source_sha256": self.source_sha256,
            "content_sha256": self.content_sha256,
            "proof": {"kind": self.proof_kind, "by": self.proof_by, "name": self.proof_name},
            "anchors": self.anchors,
            "intermediates": self.intermediates,
            "issued_at": self.issued_at.isoformat(),
            "next_update": self.next_update.isoformat() if self.next_update else None,
            "effective_from": self.effective_from.isoformat(),
            "imported_at": self.imported_at.isoformat(),
            "imported_by": self.imported_by,
        }
