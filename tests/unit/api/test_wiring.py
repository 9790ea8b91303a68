"""Production settings meet what is for tests only, and refuse it (S11)."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from api import wiring
from api.errors import ProductionRefused, SettingsError
from api.settings import Settings
from hsm.token import Token
from signer.errors import TrustError
from signer.trust import TrustDomain
from tests.fixtures_pki import RunningPKI
from tests.fixtures_token import PIN, TOKEN_LABEL


@pytest.fixture
def entries(tmp_path: Path, softhsm_module: Path, test_pki: RunningPKI) -> dict[str, object]:
    """Settings over the session's SoftHSM token and the test PKI's root."""
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    pin.chmod(0o600)
    anchor = tmp_path / "root.pem"
    anchor.write_bytes(test_pki.anchors[0].public_bytes(Encoding.PEM))
    return {
        "data_dir": tmp_path,
        "token": {"module": softhsm_module, "label": TOKEN_LABEL, "pin_file": pin},
        "keys": {"leader": "wiring-leader"},
        "trust": {"anchors": [anchor]},
    }


def settings(entries: dict[str, object], **changes: object) -> Settings:
    return Settings.model_validate({**entries, **changes})


def test_a_software_token_is_refused(entries, softhsm_token: Token) -> None:
    assert wiring.open_token(settings(entries)).label == TOKEN_LABEL
    with pytest.raises(ProductionRefused, match="software token"):
        wiring.open_token(settings(entries, mode="production"))


def test_a_test_anchor_is_refused_by_its_name(entries) -> None:
    store = wiring.trust_store(settings(entries))
    assert [anchor.domain for anchor in store.anchors] == [TrustDomain.PINNED]
    with pytest.raises(ProductionRefused, match="test anchor"):
        wiring.trust_store(settings(entries, mode="production"))


def test_the_embedded_authority_is_refused(entries, tmp_path: Path) -> None:
    embedded = {"port": 4711, "folder": tmp_path}
    with (
        pytest.raises(ProductionRefused, match="embedded"),
        wiring.open_desk(settings(entries, mode="production", embedded=embedded)),
    ):
        pass


def test_intermediates_complete_chains_and_anchor_nothing(entries, tmp_path, test_pki) -> None:
    issuing = tmp_path / "issuing.pem"
    issuing.write_bytes(test_pki.officer.chain[0].public_bytes(Encoding.PEM))
    trust = {"anchors": entries["trust"]["anchors"], "intermediates": [issuing]}
    store = wiring.trust_store(settings(entries, trust=trust))
    assert [a.certificate for a in store.anchors] == list(test_pki.anchors)
    assert store.intermediates == (test_pki.officer.chain[0],)


def test_missing_anchors_are_named(entries, tmp_path) -> None:
    with pytest.raises(TrustError, match=r"nowhere\.pem"):
        wiring.trust_store(settings(entries, trust={"anchors": [tmp_path / "nowhere.pem"]}))


def test_a_timestamp_needs_an_authority(entries, softhsm_token) -> None:
    with (
        pytest.raises(SettingsError, match="tsa_url"),
        wiring.open_desk(settings(entries), timestamped=True),
    ):
        pass
    with wiring.open_desk(settings(entries), timestamped=False) as desk:
        assert desk.timestamper is None
        assert set(desk.images) == {"officer", "leader", "seal"}


def test_appearance_images_come_from_the_settings(entries, softhsm_token, tmp_path) -> None:
    seal = tmp_path / "seal.png"
    seal.write_bytes(b"\x89PNG")
    record = {"images": {"seal": seal}}
    with wiring.open_desk(settings(entries, record=record), timestamped=False) as desk:
        assert desk.images["seal"].seal == b"\x89PNG"
        assert desk.images["leader"].signature is not None
    record = {"images": {"leader": tmp_path / "absent.png"}}
    with (
        pytest.raises(SettingsError, match=r"record\.images\.leader"),
        wiring.open_desk(settings(entries, record=record), timestamped=False),
    ):
        pass
