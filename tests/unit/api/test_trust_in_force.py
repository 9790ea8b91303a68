"""Web, workers and sealing follow a list of trust that was imported while they run."""

from __future__ import annotations

import hashlib

import pytest

from api.trusting import (
    CertificatesInForce,
    VerifierInForce,
    chain_parts,
    granted_anchors,
)
from dossier.trust.history import Importing, TrustHistory
from signer.errors import CertificateRefused
from signer.policy import PreSigningCheck
from signer.revocation import RevocationClient
from signer.trust import TrustDomain
from signer.trust_lists.proof import Credentials
from tests.fixtures_web import Web
from tests.trust_parties import DAY, NOW, YEAR, ListedService, Party, etsi_list, signed_by

ROOT = Party.root("Gốc đang chạy Thử")
ISSUING = ROOT.certify("CA đang chạy Thử", is_ca=True)
LEAF = ISSUING.certify("Cán bộ đang chạy Thử")
OPERATOR = Party.root("Điều hành đang chạy Thử")


def take_in(web: Web, octets: bytes, name: str = "government", **how) -> None:
    history = TrustHistory(web.room.database, web.room.blobs, web.room.audit)
    credentials = Credentials(
        sha256=hashlib.sha256(octets).hexdigest(), signers=(OPERATOR.certificate,)
    )
    history.add(name, octets, credentials, actor="local:thu", how=Importing(**how))


def verified(web: Web, data: bytes) -> dict:
    answer = web.ask(
        "POST", "/v1/verifications", content=data, headers={"Content-Type": "application/pdf"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_web_judges_by_a_list_that_came_while_it_runs(web: Web) -> None:
    data = signed_by(LEAF)
    before = verified(web, data)
    assert before["sub_indication"] == "NO_CERTIFICATE_CHAIN_FOUND"
    assert before["trust"]["lists"] == []
    take_in(web, ROOT.pem + ISSUING.pem, domain=TrustDomain.OFFICIAL_DUTY)
    after = verified(web, data)
    assert after["trust"]["lists"] == ["government/1"]
    [signature] = after["signatures"]
    assert signature["trust_domain"] == "OFFICIAL_DUTY"
    assert signature["rule_set"]["id"] == "ND68-2024"
    assert after["sub_indication"] == "TRY_LATER"


def test_a_version_of_tomorrow_waits(web: Web) -> None:
    take_in(web, ROOT.pem + ISSUING.pem, effective_from=NOW + DAY)
    assert verified(web, signed_by(LEAF))["trust"]["lists"] == []


def test_sealing_follows_too(web: Web) -> None:
    """The check before signing, chains and the check after it, by objects made before."""
    anchors = CertificatesInForce(web.live, granted_anchors)
    known = CertificatesInForce(web.live, chain_parts)
    verifier = VerifierInForce(web.live)
    precheck = PreSigningCheck(anchors, None)
    revocation = RevocationClient(anchors, intermediates=known)
    data = signed_by(LEAF)
    with pytest.raises(CertificateRefused):
        precheck(LEAF.signing_key, NOW)
    assert verifier.verify(data).signatures[0].trust_domain is None
    held = len(anchors)
    take_in(web, ROOT.pem + ISSUING.pem, domain=TrustDomain.OFFICIAL_DUTY)
    precheck(LEAF.signing_key, NOW)
    precheck(LEAF.signing_key, NOW)  # and what it remembers stands
    assert len(anchors) == held + 1
    assert ROOT.certificate in anchors
    assert ISSUING.certificate in known
    assert "no certificate" not in known
    assert revocation._find_issuer(LEAF.certificate, ()) == ISSUING.certificate
    assert verifier.verify(data).signatures[0].trust_domain == "OFFICIAL_DUTY"
    assert verifier.verify(data, NOW - YEAR).signatures[0].trust_domain is None
    # the root leaves the list: what was remembered of it is forgotten
    take_in(web, OPERATOR.pem)
    with pytest.raises(CertificateRefused):
        precheck(LEAF.signing_key, NOW)
    assert ROOT.certificate not in anchors


def test_a_withdrawn_authority_is_no_anchor_for_sealing(web: Web) -> None:
    statuses = [("withdrawn", NOW - DAY), ("granted", NOW - YEAR)]
    xml = etsi_list([ListedService(ROOT.certificate, "CA/QC", statuses)], OPERATOR)
    take_in(web, xml, "national")
    assert ROOT.certificate not in CertificatesInForce(web.live, granted_anchors)
    assert ROOT.certificate in CertificatesInForce(web.live, chain_parts)
