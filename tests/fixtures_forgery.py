"""Files that attacks are made on, signed by our sealer, by pyHanko alone and by OpenSSL.

def test_x(victims, prepared_victims, informed_verifier):
    victims["pyhanko"]            # an honest document
    prepared_victims["ours"]      # one whose author planned an attack
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyhanko.sign.fields import MDPPerm

from signer.sealing.levels import Level
from tests.fakes import SoftwareKey, pem
from tests.fixtures_pki import RunningPKI
from tests.fixtures_signed import seal
from tests.foreign import openssl_cms, place_cms, pyhanko_sign
from tests.forgery.paper import paper

VICTIMS = ("ours", "ours-archived", "ours-certified", "pyhanko", "pyhanko-certified", "openssl")


@pytest.fixture(scope="session")
def signed_by_all(
    test_pki: RunningPKI, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[bytes, bytes], dict[str, bytes]]:
    """Signs two documents (with tables, with streams) in every way of `VICTIMS`."""
    folder: Path = tmp_path_factory.mktemp("forgery")
    chain = folder / "chain.pem"
    chain.write_bytes(b"".join(pem(certificate) for certificate in test_pki.leader.chain))

    def sign(pdf: bytes, packed: bytes) -> dict[str, bytes]:
        return {
            "ours": seal(test_pki, pdf, test_pki.seal),
            "ours-archived": seal(test_pki, packed, test_pki.seal, Level.B_LTA),
            "ours-certified": seal(test_pki, pdf, test_pki.seal, certify=True),
            "pyhanko": pyhanko_sign(packed, test_pki.leader, "Leader", box=(320, 100, 500, 170)),
            "pyhanko-certified": pyhanko_sign(
                pdf, test_pki.leader, "Leader", certify=True,
                docmdp_permissions=MDPPerm.ANNOTATE,
            ),
            "openssl": place_cms(
                pdf, openssl_cms(test_pki.leader, folder / "cms", "-certfile", str(chain))
            ),
        }  # fmt: skip

    return sign


@pytest.fixture(scope="session")
def victims(signed_by_all: Callable[[bytes, bytes], dict[str, bytes]]) -> dict[str, bytes]:
    """The honest document, signed."""
    return signed_by_all(paper(), paper(packed=True))


@pytest.fixture(scope="session")
def prepared_victims(signed_by_all: Callable[[bytes, bytes], dict[str, bytes]]) -> dict[str, bytes]:
    """The prepared document, signed."""
    return signed_by_all(paper(prepared=True), paper(prepared=True, packed=True))


@pytest.fixture(scope="session")
def forger(test_pki: RunningPKI) -> SoftwareKey:
    """A key of somebody whom the verifier trusts: the attacker may be a citizen with a card."""
    return test_pki.officer
