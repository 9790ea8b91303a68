"""One answer to "whom do we believe, by which rules and what evidence", as a value.

A snapshot goes to the processes that read strangers' files (`pack`, `unpack`: JSON, never a
pickle) and beside kept evidence. Its fingerprint names everything in it, so that an answer can
be given again years later, or remembered for as long as it is the same.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from signer.services import RevocationEvidence
from signer.trust import TrustStore
from signer.trust.rule_book import RuleBook
from signer.trust_lists.content import store_from_json, store_to_json

if TYPE_CHECKING:
    from signer.verification.verify import Verifier

NO_EVIDENCE = RevocationEvidence((), (), ())


@dataclass(frozen=True)
class Snapshot:
    """Trust store, rules and evidence of one moment. Immutable; safe for threads."""

    store: TrustStore = field(default_factory=TrustStore)
    evidence: RevocationEvidence = NO_EVIDENCE
    rules: str = ""  # TOML as `signer.trust.rule_book` reads it; empty: the program's

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex): equal snapshots judge alike, whatever the order of their parts."""
        values = sorted(
            hashlib.sha256(value).hexdigest()
            for value in (*self.evidence.crls, *self.evidence.ocsps)
        )
        rules = self.rules or RuleBook.default().digest
        lines = [self.store.fingerprint, hashlib.sha256(rules.encode()).hexdigest(), *values]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @cached_property
    def rule_book(self) -> RuleBook:
        """The rule sets. Raises `TrustError` when `rules` cannot be used."""
        return RuleBook.read(self.rules) if self.rules else RuleBook.default()

    def verifier(self) -> Verifier:
        """A verifier that judges by this snapshot alone. Raises `TrustError`."""
        from signer.verification.verify import Verifier  # late: who only hands it on needs none

        return Verifier(self.store, evidence=self.evidence, rules=self.rule_book)

    def pack(self) -> bytes:
        """Octets that `unpack` reads."""
        said = {
            **store_to_json(self.store),
            "sources": [[a.source, _text(a.next_update)] for a in self.store.anchors],
            "lists": self.store.lists,
            "crls": [base64.b64encode(value).decode() for value in self.evidence.crls],
            "ocsps": [base64.b64encode(value).decode() for value in self.evidence.ocsps],
            "rules": self.rules,
        }
        return json.dumps(said).encode()

    @classmethod
    def unpack(cls, octets: bytes) -> Snapshot:
        """What `pack` wrote. Raises `ValueError` for anything else."""
        said: dict[str, Any] = json.loads(octets)
        store = store_from_json(said)
        anchors = tuple(
            replace(
                anchor,
                source=source,
                next_update=datetime.fromisoformat(until) if until else None,
            )
            for anchor, (source, until) in zip(store.anchors, said["sources"], strict=True)
        )
        return cls(
            TrustStore(anchors, store.intermediates, tuple(said["lists"])),
            RevocationEvidence(
                (),
                tuple(base64.b64decode(value) for value in said["crls"]),
                tuple(base64.b64decode(value) for value in said["ocsps"]),
            ),
            said["rules"],
        )


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
