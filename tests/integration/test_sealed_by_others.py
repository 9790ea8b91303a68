"""What other people's programs say of files that we sealed: poppler, openssl, qpdf, pyHanko."""

from __future__ import annotations

import asyncio
import re

import pikepdf
import pytest
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import CertRevTrustPolicy, RevocationCheckingPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

from hsm.keys import SignatureScheme
from ocr.conformance import check_conformance
from signer.policy import PreSigningCheck
from signer.sealing.augment import Augmenter
from signer.sealing.levels import Level
from signer.sealing.seal import Sealer, SealRequest
from signer.sealing.signeddata import parse_signed_data
from signer.trust import TrustStore
from signer.verification.report import Indication
from signer.verification.verify import Verifier
from tests.fakes import SoftwareKey, pem
from tests.fixtures_token import make_key
from tests.sealed import (
    OBJECT_STREAMS,
    Box,
    blank,
    der_value,
    openssl_cms,
    openssl_ts,
    pdfsig_verdicts,
    run,
    sealer,
    signatures,
)


@pytest.fixture
def strict_sealer(test_pki):
    """A sealer as production wires it."""
    return Sealer(
        test_pki.timestamper,
        test_pki.revocation,
        precheck=PreSigningCheck(test_pki.anchors, test_pki.revocation),
    )


def validate(path, anchors) -> list[tuple[str, ModificationLevel | None]]:
    """pyHanko's AdES verdict (EN 319 102-1, LTA process) and difference analysis, by signature."""
    roots = [asn1_x509.Certificate.load(c.public_bytes(Encoding.DER)) for c in anchors]
    revocation = CertRevTrustPolicy(RevocationCheckingPolicy.from_legacy("require"))
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=roots), revinfo_policy=revocation
    )
    verdicts = []
    with path.open("rb") as file:
        for embedded in PdfFileReader(file).embedded_regular_signatures:
            spec = PdfSignatureValidationSpec(SignatureValidationSpec(policy))
            result = asyncio.run(ades_lta_validation(embedded, pdf_validation_spec=spec))
            status = result.api_status
            verdicts.append((str(result.ades_subindic), status.modification_level))
            assert status.bottom_line, status.pretty_print_details()
    return verdicts


@pytest.mark.parametrize(
    "save", [{}, {"object_stream_mode": OBJECT_STREAMS}], ids=["table", "xref"]
)
def test_three_seals_at_b_lta_hold_everywhere(test_pki, strict_sealer, tmp_path, save):
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(blank(2, **save))
    requests = [
        SealRequest(test_pki.officer, Level.B_T, "Officer"),
        SealRequest(test_pki.leader, Level.B_T, "Leader", Box((200.0, 90.0, 350.0, 160.0), 1)),
        SealRequest(test_pki.seal, Level.B_LTA, "Seal", Box((150.0, 70.0, 250.0, 170.0), 1)),
    ]
    strict_sealer.seal_many(source, target, requests)
    after = target.read_bytes()
    assert pdfsig_verdicts(target) == ["Signature is Valid."] * 3
    assert run("qpdf", "--check", target).returncode == 0
    assert not run("mutool", "info", target).stderr
    *seals, archive = signatures(after)
    assert len(seals) == 3
    for one in seals:
        assert openssl_cms(tmp_path, one, test_pki.anchors) == ""
        signed = parse_signed_data(one.contents)
        assert (
            openssl_ts(tmp_path, signed.timestamp_token, signed.signature, test_pki.anchors) == ""
        )
    token = der_value(archive.contents)
    assert openssl_ts(tmp_path, token, archive.covered, test_pki.anchors) == ""
    verdicts = validate(target, test_pki.anchors)
    assert [verdict for verdict, _ in verdicts] == ["AdESPassed.OK"] * 3
    assert verdicts[-1][1] is ModificationLevel.LTA_UPDATES


def test_seals_in_separate_runs_keep_the_earlier_ones(test_pki, strict_sealer, tmp_path):
    path = tmp_path / "record.pdf"
    path.write_bytes(blank())
    keys = (test_pki.officer, test_pki.leader, test_pki.seal)
    for number, (key, level) in enumerate(zip(keys, (*[Level.B_LT] * 2, Level.B_LTA), strict=True)):
        box = Box((50.0 + 100 * number, 50.0, 130.0 + 100 * number, 90.0))
        strict_sealer.seal_file(path, path, SealRequest(key, level, stamp=box))
        assert pdfsig_verdicts(path) == ["Signature is Valid."] * (number + 1)
    assert [verdict for verdict, _ in validate(path, test_pki.anchors)] == ["AdESPassed.OK"] * 3


def test_a_certified_record_takes_the_seals_that_were_planned(test_pki, strict_sealer, tmp_path):
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(blank())
    strict_sealer.seal_many(
        source,
        target,
        [
            SealRequest(test_pki.officer, Level.B_T, certify=True),
            SealRequest(test_pki.leader, Level.B_T, stamp=Box((50.0, 50.0, 150.0, 90.0))),
            SealRequest(test_pki.seal, Level.B_LTA),
        ],
    )
    assert [verdict for verdict, _ in validate(target, test_pki.anchors)] == ["AdESPassed.OK"] * 3
    assert pdfsig_verdicts(target) == ["Signature is Valid."] * 3


def test_a_renewed_record_still_holds(test_pki, strict_sealer, tmp_path):
    path = tmp_path / "record.pdf"
    path.write_bytes(blank())
    strict_sealer.seal_file(path, path, SealRequest(test_pki.leader, Level.B_LTA))
    augmenter = Augmenter(test_pki.timestamper, test_pki.revocation)
    for number in (2, 3):
        assert augmenter.renew(path, path).timestamp_field == f"Timestamp{number}"
    stamps = [one for one in signatures(path.read_bytes()) if one.sub_filter == "ETSI.RFC3161"]
    assert len(stamps) == 3
    for stamp in stamps:
        found = openssl_ts(tmp_path, der_value(stamp.contents), stamp.covered, test_pki.anchors)
        assert found == ""
    assert [verdict for verdict, _ in validate(path, test_pki.anchors)] == ["AdESPassed.OK"]


def test_a_renewed_record_is_still_pdf_a_and_passes_our_own_verification(
    sealed_record, test_pki, tmp_path
):
    path = tmp_path / "record.pdf"
    Augmenter(test_pki.timestamper, test_pki.revocation).renew(sealed_record, path)
    assert path.read_bytes().startswith(sealed_record.read_bytes())
    assert check_conformance(path).findings == ()
    trust = TrustStore.from_pem(b"".join(pem(anchor) for anchor in test_pki.anchors))
    report = Verifier(trust).verify(path)
    assert report.indication is Indication.TOTAL_PASSED
    assert len(report.document_timestamps) == 2


def test_an_archival_seal_asks_twice_and_then_no_ocsp_within_the_window(
    test_pki, strict_sealer, tmp_path
):
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(blank())
    request = SealRequest(test_pki.leader, Level.B_LTA)
    strict_sealer.seal_file(source, target, request)
    before = dict(test_pki.services.requests)
    strict_sealer.seal_file(source, target, request)
    after = dict(test_pki.services.requests)
    assert {path: after[path] - before.get(path, 0) for path in after} == {
        path: 2 if path == "/tsa" else 0 for path in after
    }


@pytest.mark.parametrize("scheme", list(SignatureScheme), ids=lambda s: s.value)
def test_every_scheme_is_accepted_by_openssl_and_poppler(scheme, tmp_path):
    key = SoftwareKey(scheme)
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(blank())
    sealer().seal_file(source, target, SealRequest(key))
    assert pdfsig_verdicts(target) == ["Signature is Valid."]
    (one,) = signatures(target.read_bytes())
    assert openssl_cms(tmp_path, one, [key.certificate]) == ""
    one.contents.index(b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f")  # signing-certificate-v2
    signing_time = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x05"
    assert signing_time not in one.contents


@pytest.mark.hsm
@pytest.mark.parametrize("kind", ["rsa-3072", "p-256", "p-384"])
def test_keys_in_a_token_seal(softhsm_token, test_ca, tmp_path, kind):
    key = make_key(softhsm_token, f"sealing-{kind}", kind, ca=test_ca)
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(blank())
    sealer().seal_many(source, target, [SealRequest(key), SealRequest(key)])
    assert pdfsig_verdicts(target) == ["Signature is Valid."] * 2
    for one in signatures(target.read_bytes()):
        assert openssl_cms(tmp_path, one, [test_ca.certificate]) == ""


def test_a_flipped_bit_in_the_covered_bytes_is_seen_by_poppler(tmp_path):
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(blank())
    sealer().seal_file(source, target, SealRequest(SoftwareKey(), reason="Approved"))
    data = bytearray(target.read_bytes())
    data[data.index(b"Approved")] ^= 1
    target.write_bytes(data)
    assert pdfsig_verdicts(target) == ["Digest Mismatch."]


def test_every_revision_can_be_opened_alone(test_pki, strict_sealer, tmp_path):
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(blank(3, linearize=True))
    strict_sealer.seal_many(
        source, target, [SealRequest(test_pki.officer), SealRequest(test_pki.seal, Level.B_LTA)]
    )
    data = target.read_bytes()
    ends = [match.end() for match in re.finditer(rb"%%EOF\r?\n", data)]
    cut = tmp_path / "cut.pdf"
    for end in ends[-4:]:
        cut.write_bytes(data[:end])
        with pikepdf.open(cut, attempt_recovery=False) as revision:
            assert len(revision.pages) == 3
            assert not revision.get_warnings()
