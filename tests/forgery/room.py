"""Everything that forging needs, for tests and for long proofs alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyhanko.sign.fields import MDPPerm

from signer.sealing.levels import Level
from signer.services import RevocationEvidence
from signer.trust import TrustDomain, TrustStore
from signer.verification.verify import Verifier
from tests.fakes import SoftwareKey, pem
from tests.fixtures_pki import MemoryBareKey, RunningPKI, no_loader, run_pki
from tests.fixtures_signed import now, seal
from tests.foreign import openssl_cms, place_cms, pyhanko_sign
from tests.forgery.paper import paper


def signed_in_all_ways(pki: RunningPKI, folder: Path, *, prepared: bool) -> dict[str, bytes]:
    """The document, signed by our sealer, by pyHanko alone and by OpenSSL."""
    pdf, packed = paper(prepared=prepared), paper(prepared=prepared, packed=True)
    chain = folder / "chain.pem"
    chain.write_bytes(b"".join(pem(certificate) for certificate in pki.leader.chain))
    make = openssl_cms(pki.leader, folder / "cms", "-certfile", str(chain))
    return {
        "ours": seal(pki, pdf, pki.seal),
        "ours-archived": seal(pki, packed, pki.seal, Level.B_LTA),
        "ours-certified": seal(pki, pdf, pki.seal, certify=True),
        "pyhanko": pyhanko_sign(packed, pki.leader, "Leader", box=(320, 100, 500, 170)),
        "pyhanko-certified": pyhanko_sign(
            pdf, pki.leader, "Leader", certify=True, docmdp_permissions=MDPPerm.ANNOTATE
        ),
        "openssl": place_cms(pdf, make),
    }


@dataclass(frozen=True)
class Room:
    """`verifier` knows that no certificate is revoked; it trusts `forger` too."""

    verifier: Verifier
    victims: dict[str, bytes]
    prepared: dict[str, bytes]
    forger: SoftwareKey


@contextmanager
def forging_room(folder: Path) -> Iterator[Room]:
    """A PKI of its own, and files that it signed."""
    for name in ("pki", "honest", "prepared"):
        (folder / name).mkdir()
    for pki in run_pki(folder / "pki", MemoryBareKey, no_loader):
        client = pki.new_revocation_client()
        evidence = RevocationEvidence((), (), ())
        for key in (pki.officer, pki.leader, pki.seal, pki.tsa):
            evidence = evidence.merged(client.collect((key.certificate, *key.chain), now()))
        trust = TrustStore.of(pki.anchors, TrustDomain.TEST)
        yield Room(
            Verifier(trust, evidence=evidence),
            signed_in_all_ways(pki, folder / "honest", prepared=False),
            signed_in_all_ways(pki, folder / "prepared", prepared=True),
            pki.officer,
        )
