"""Files that attacks are made on, signed by our sealer, by pyHanko alone and by OpenSSL.

def test_x(victims, prepared_victims, informed_verifier):
    victims["pyhanko"]            # an honest document
    prepared_victims["ours"]      # one whose author planned an attack
"""

from __future__ import annotations

import pytest

from tests.fakes import SoftwareKey
from tests.fixtures_pki import RunningPKI
from tests.forgery.room import signed_in_all_ways

VICTIMS = ("ours", "ours-archived", "ours-certified", "pyhanko", "pyhanko-certified", "openssl")


@pytest.fixture(scope="session")
def victims(test_pki: RunningPKI, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The honest document, signed."""
    return signed_in_all_ways(test_pki, tmp_path_factory.mktemp("honest"), prepared=False)


@pytest.fixture(scope="session")
def prepared_victims(
    test_pki: RunningPKI, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The prepared document, signed."""
    return signed_in_all_ways(test_pki, tmp_path_factory.mktemp("prepared"), prepared=True)


@pytest.fixture(scope="session")
def forger(test_pki: RunningPKI) -> SoftwareKey:
    """A key of somebody whom the verifier trusts: the attacker may be a citizen with a card."""
    return test_pki.officer
