"""The verdict on a bundle: of the document, of its register proof, and whether both agree.

    answer = judge(read_contents(path))                    # by whom the bundle's maker believed
    answer = judge(read_contents(path), roots=my_store)    # by whom I believe

Needs no network, no database and nothing that is not in the bundle or named by the caller.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives import hashes

from dossier.bundle.contents import REGISTER, TRUST, BundleBroken, Contents
from dossier.errors import RegisterBroken
from dossier.register.proof import ProvedResult, check_proof
from dossier.trust.snapshot import Snapshot
from signer.errors import TrustError
from signer.services import RevocationEvidence
from signer.trust import TrustStore
from signer.verification.checks import Indication
from signer.verification.report import VerificationReport

_FROM_BEST = [indication.value for indication in Indication]


@dataclass(frozen=True, slots=True)
class RegisterFinding:
    """What the register proves. `holds` says that this very document was issued."""

    code: str
    status: str
    issued_at: str
    sealed_at: str | None  # when the checkpoint was timestamped
    holds: bool

    def to_json(self) -> dict[str, Any]:
        """Stable keys."""
        return {
            "code": self.code,
            "status": self.status,
            "issued_at": self.issued_at,
            "checkpoint_at": self.sealed_at,
            "holds_document": self.holds,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What a bundle is worth.

    `told` is the indication that the maker's manifest says. `register_refused` says why the
    register's proof does not hold; None where it holds or there is none. `roots` are the
    certificates that were believed, by name and SHA-256.
    """

    report: VerificationReport
    told: str
    register: RegisterFinding | None
    register_refused: str | None
    roots: tuple[tuple[str, str], ...]  # (name, SHA-256)
    own_roots: bool

    @property
    def indication(self) -> str:
        """Of the document; TOTAL-FAILED where the register's proof is of another one.

        Never better than what the maker found, who had a second reader and a second engine. A
        proof that does not hold by the bundle's own roots leaves doubt; by the caller's it may
        only be that they do not include the register's.
        """
        if self.register is not None and not self.register.holds:
            return "TOTAL-FAILED"
        found = [self.report.indication.value, self.told]
        if self.register_refused is not None and not self.own_roots:
            found.append("INDETERMINATE")
        return max(found, key=_FROM_BEST.index)

    @property
    def agrees(self) -> bool:
        """Whether the indication is the one that the maker's manifest says."""
        return self.report.indication.value == self.told

    def to_json(self) -> dict[str, Any]:
        """Stable keys: those of the report, and ``bundle``."""
        return {
            **self.report.to_json(),
            "bundle": {
                "indication": self.indication,
                "agrees_with_manifest": self.agrees,
                "register": self.register.to_json() if self.register else None,
                "register_refused": self.register_refused,
                "roots": [{"subject": name, "sha256": sha256} for name, sha256 in self.roots],
                "roots_of": "caller" if self.own_roots else "bundle",
            },
        }


def judge(contents: Contents, roots: TrustStore | None = None) -> Answer:
    """Verify the document as of the bundle's time. Raises `BundleBroken`, `TrustError`."""
    try:
        snapshot = Snapshot.unpack(contents.files[TRUST])
    except (ValueError, KeyError, TypeError, TrustError) as error:
        raise BundleBroken(f"{TRUST} cannot be read: {error}") from error
    kept = RevocationEvidence((), contents.evidence(".crl"), contents.evidence(".ocsp"))
    store = snapshot.store
    if roots is not None:
        # what is believed is the caller's; what leads there may come from anywhere
        known = (*roots.intermediates, *store.intermediates)
        store = TrustStore(roots.anchors, known, roots.lists)
    snapshot = replace(snapshot, store=store, evidence=kept)
    report = snapshot.verifier().verify(contents.document, contents.at)
    finding, refused = _register(contents, store)
    return Answer(
        report,
        contents.manifest["indication"],
        finding,
        refused,
        tuple(
            (
                anchor.certificate.subject.rfc4514_string(),
                anchor.certificate.fingerprint(hashes.SHA256()).hex(),
            )
            for anchor in store.anchors
        ),
        roots is not None,
    )


def _register(contents: Contents, store: TrustStore) -> tuple[RegisterFinding | None, str | None]:
    if REGISTER not in contents.files:
        return None, None
    try:
        proved: ProvedResult = check_proof(
            json.loads(contents.files[REGISTER]),
            [anchor.certificate for anchor in store.anchors],
            candidates=store.intermediates,
        )
    except (RegisterBroken, ValueError, RecursionError) as error:
        return None, str(error)
    return (
        RegisterFinding(
            proved.code,
            proved.status.value,
            proved.entries[0].at.isoformat(),
            proved.at.isoformat() if proved.at else None,
            proved.holds(hashlib.sha256(contents.document).hexdigest()),
        ),
        None,
    )
