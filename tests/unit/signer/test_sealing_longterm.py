"""B-T to B-LTA, raising and renewing: what goes into the file, and what stops it."""

from __future__ import annotations

import hashlib
import io

import pikepdf
import pytest

from signer.errors import (
    OutputRejected,
    PolicyRefused,
    ReservationTooSmall,
    RevocationError,
    TimestampError,
    UnsuitableDocument,
)
from signer.sealing.augment import Augmenter
from signer.sealing.levels import Level
from signer.sealing.seal import SealRequest
from signer.sealing.signeddata import parse_signed_data
from signer.services import RevocationEvidence
from tests.fakes import SoftwareKey
from tests.sealed import OBJECT_STREAMS, Box, blank, edited, sealer, signatures
from tests.sealing_fakes import FakeRevocation, FakeTimestamper


@pytest.fixture
def timestamper(test_pki):
    return FakeTimestamper(test_pki.timestamper)


@pytest.fixture
def revocation():
    return FakeRevocation()


@pytest.fixture
def paths(tmp_path):
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(blank())
    return source, target


def security_store(pdf: bytes) -> dict[str, object]:
    with pikepdf.open(io.BytesIO(pdf), attempt_recovery=False) as opened:
        store = opened.Root.get("/DSS")
        if store is None:
            return {}
        found: dict[str, object] = {
            key: [item.read_bytes() for item in store.get(key, [])]
            for key in ("/Certs", "/OCSPs", "/CRLs")
        }
        found["/VRI"] = {
            key: {kind: len(store.VRI[key][kind]) for kind in store.VRI[key].keys()}  # noqa: SIM118
            for key in store.VRI.keys()  # noqa: SIM118 - pikepdf
        }
        return found


def vri_name(contents: bytes) -> str:
    return "/" + hashlib.sha1(contents).hexdigest().upper()  # noqa: S324 - a name only


def test_a_signature_timestamp_is_over_the_signature(test_pki, timestamper, paths):
    result = sealer(timestamper=timestamper).seal_file(
        *paths, SealRequest(test_pki.leader, level=Level.B_T)
    )
    (one,) = signatures(paths[1].read_bytes())
    signed = parse_signed_data(one.contents)
    token = parse_signed_data(signed.timestamp_token)
    assert signed.signature == result.signature
    assert hashlib.sha256(signed.signature).digest() in token.content
    assert timestamper.requests == 1
    assert result.document_timestamp is None


@pytest.mark.parametrize("down_after", [0, 1])
def test_a_tsa_that_is_down_fails_closed(test_pki, timestamper, revocation, paths, down_after):
    timestamper.down_after = down_after
    sealing = sealer(timestamper=timestamper, revocation=revocation)
    with pytest.raises(TimestampError):
        sealing.seal_file(*paths, SealRequest(test_pki.leader, level=Level.B_LTA))
    assert [p.name for p in paths[0].parent.iterdir()] == ["in.pdf"]


def test_no_key_is_used_while_the_tsa_is_known_to_be_away(test_pki, timestamper, paths):
    """The signature would be wasted; a level without a timestamp asks nobody."""

    def away() -> None:
        raise TimestampError("away")

    sealing = sealer(timestamper=timestamper, require_tsa=away)
    with pytest.raises(TimestampError, match="away"):
        sealing.seal_file(*paths, SealRequest(test_pki.leader, level=Level.B_T))
    assert not paths[1].exists()
    assert timestamper.requests == 0
    sealing.seal_file(*paths, SealRequest(test_pki.leader, level=Level.B_B))


def test_revocation_evidence_that_is_missing_fails_closed(test_pki, timestamper, revocation, paths):
    revocation.down = True
    sealing = sealer(timestamper=timestamper, revocation=revocation)
    with pytest.raises(RevocationError):
        sealing.seal_file(*paths, SealRequest(test_pki.leader, level=Level.B_LT))
    assert not paths[1].exists()


def test_a_token_over_other_bytes_is_rejected(test_pki, timestamper, revocation, paths):
    timestamper.stamps_something_else = True
    with pytest.raises(OutputRejected, match="not over the bytes"):
        sealer(timestamper=timestamper).seal_file(
            *paths, SealRequest(test_pki.leader, level=Level.B_T)
        )
    timestamper.stamps_something_else = False
    sealer(timestamper=timestamper).seal_file(*paths, SealRequest(test_pki.leader))
    timestamper.stamps_something_else = True
    with pytest.raises(OutputRejected, match="not over the bytes"):
        Augmenter(timestamper, revocation).extend(paths[1], paths[1])


def test_a_token_that_outgrows_its_room_is_reported_with_the_lost_signature(
    test_pki, timestamper, revocation, paths
):
    timestamper.size_hint_is = 100
    sealing = sealer(timestamper=timestamper, revocation=revocation)
    with pytest.raises(ReservationTooSmall, match="signed once"):
        sealing.seal_file(*paths, SealRequest(test_pki.leader, level=Level.B_T))
    assert not paths[1].exists()
    sealing.seal_file(*paths, SealRequest(test_pki.leader))
    with pytest.raises(ReservationTooSmall, match="try again"):
        Augmenter(timestamper, revocation).renew(*[paths[1]] * 2)
    assert len(signatures(paths[1].read_bytes())) == 1


@pytest.mark.parametrize("save", [{}, {"object_stream_mode": OBJECT_STREAMS}])
def test_an_archival_seal_has_three_revisions_and_two_timestamps(
    test_pki, timestamper, revocation, tmp_path, save
):
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(blank(**save))
    evidence = RevocationEvidence((b"extra",), (b"crl",), (b"ocsp", b"ocsp2"))
    revocation.evidence = evidence
    result = sealer(timestamper=timestamper, revocation=revocation).seal_file(
        source, target, SealRequest(test_pki.leader, level=Level.B_LTA)
    )
    after = target.read_bytes()
    seal, archive = signatures(after)
    assert (seal.sub_filter, archive.sub_filter) == ("ETSI.CAdES.detached", "ETSI.RFC3161")
    assert timestamper.requests == 2
    assert result.document_timestamp == "Timestamp1"
    assert after.count(b"%%EOF") == blank(**save).count(b"%%EOF") + 3
    token = parse_signed_data(archive.contents)
    assert hashlib.sha256(archive.covered).digest() in token.content
    assert len(archive.covered) + len(archive.contents) * 2 + 2 == len(after)
    store = security_store(after)
    assert (store["/OCSPs"], store["/CRLs"]) == ([b"ocsp", b"ocsp2"], [b"crl"])
    assert store["/VRI"] == {vri_name(seal.contents): {"/Cert": 1, "/OCSP": 2, "/CRL": 1}}
    signer_chain, tsa_chain = revocation.asked
    assert signer_chain[0] == test_pki.leader.certificate
    assert tsa_chain[0] == test_pki.tsa.certificate
    assert len(signer_chain) >= 2


def test_later_seals_keep_what_the_store_holds(test_pki, timestamper, revocation, paths):
    sealing = sealer(timestamper=timestamper, revocation=revocation)
    sealing.seal_file(*paths, SealRequest(test_pki.officer, level=Level.B_LT))
    revocation.evidence = RevocationEvidence((b"cert",), (), (b"ocsp", b"new"))
    sealing.seal_file(
        *[paths[1]] * 2, SealRequest(test_pki.leader, level=Level.B_LT, stamp=Box((0, 0, 9, 9)))
    )
    after = paths[1].read_bytes()
    store = security_store(after)
    assert (store["/Certs"], store["/OCSPs"], store["/CRLs"]) == (
        [b"cert"], [b"ocsp", b"new"], [b"crl"],
    )  # fmt: skip
    assert set(store["/VRI"]) == {vri_name(one.contents) for one in signatures(after)}


def test_evidence_covers_signatures_made_before(test_pki, timestamper, revocation, paths):
    sealing = sealer(timestamper=timestamper, revocation=revocation)
    sealing.seal_file(*paths, SealRequest(test_pki.officer))
    sealing.seal_many(
        *[paths[1]] * 2,
        [SealRequest(test_pki.leader, level=Level.B_T), SealRequest(test_pki.seal, Level.B_LTA)],
    )
    after = paths[1].read_bytes()
    vri = security_store(after)["/VRI"]
    *seals, _archive = signatures(after)
    assert set(vri) == {vri_name(one.contents) for one in seals}
    assert len(seals) == 3
    assert timestamper.requests == 3


def test_raising_and_renewing(test_pki, timestamper, revocation, paths):
    source, target = paths
    sealer(timestamper=timestamper).seal_file(
        source, source, SealRequest(test_pki.leader, level=Level.B_T)
    )
    augmenter = Augmenter(timestamper, revocation)
    raised = augmenter.extend(source, target, Level.B_LT)
    assert raised.evidence_for == ("Signature1",)
    assert raised.timestamp_field is None
    assert augmenter.extend(target, target, Level.B_LT).evidence_for == ()
    assert augmenter.extend(target, target).timestamp_field == "Timestamp1"
    revocation.asked.clear()
    renewed = augmenter.renew(target, target)
    assert renewed.evidence_for == ("Timestamp1",)
    assert renewed.timestamp_field == "Timestamp2"
    assert [chain[0] for chain in revocation.asked] == [test_pki.tsa.certificate]
    after = target.read_bytes()
    seal, first, second = signatures(after)
    assert set(security_store(after)["/VRI"]) == {
        vri_name(seal.contents),
        vri_name(first.contents),
    }
    assert second.covered.startswith(source.read_bytes())


def test_an_existing_store_in_other_places_is_extended(test_pki, revocation, paths):
    """Indirect lists and an indirect /VRI, as other vendors write them."""

    def store(pdf: pikepdf.Pdf) -> None:
        old = pdf.make_indirect(pdf.make_stream(b"ocsp"))
        pdf.Root.DSS = pikepdf.Dictionary(
            OCSPs=pdf.make_indirect(pikepdf.Array([old])),
            CRLs=pikepdf.Array([17]),
            VRI=pdf.make_indirect(pikepdf.Dictionary()),
        )

    source, target = paths
    source.write_bytes(edited(blank(), store))
    sealer(timestamper=test_pki.timestamper, revocation=revocation).seal_file(
        source, target, SealRequest(test_pki.leader, level=Level.B_LT)
    )
    with pikepdf.open(target, attempt_recovery=False) as pdf:
        dss = pdf.Root.DSS
        assert [item.read_bytes() for item in dss.OCSPs] == [b"ocsp"]
        assert dss.CRLs[1].read_bytes() == b"crl"
        assert len(dss.VRI) == 1
        assert dss.VRI.is_indirect


def test_only_long_term_levels_can_be_reached_afterwards(timestamper, revocation, paths):
    augmenter = Augmenter(timestamper, revocation)
    for level in (Level.B_B, Level.B_T):
        with pytest.raises(PolicyRefused, match="finished signature"):
            augmenter.extend(*paths, level)
    with pytest.raises(UnsuitableDocument, match="no signature to preserve"):
        augmenter.extend(*paths)
    with pytest.raises(PolicyRefused):
        Augmenter(timestamper).renew(*paths)


def signed_by(contents: object):
    """A document with one signature dictionary, its /Contents as given."""

    def edit(pdf: pikepdf.Pdf) -> None:
        signature = pikepdf.Dictionary(Type=pikepdf.Name.Sig)
        if contents is not None:
            signature.Contents = pikepdf.String(contents)
        field = pikepdf.Dictionary(FT=pikepdf.Name.Sig, T=pikepdf.String("A"), V=signature)
        pdf.Root.AcroForm = pikepdf.Dictionary(Fields=[pdf.make_indirect(field)])

    return edited(blank(), edit)


@pytest.mark.parametrize(
    ("contents", "says"), [(None, "no contents"), (b"", "cannot be read"), (b"0\x03", "be read")]
)
def test_signatures_that_cannot_be_read_cannot_be_preserved(
    timestamper, revocation, paths, contents, says
):
    paths[0].write_bytes(signed_by(contents))
    with pytest.raises(UnsuitableDocument, match=says):
        Augmenter(timestamper, revocation).extend(*paths)


def without_certificates(contents: bytes) -> bytes:
    """The CMS with its certificates left out; other vendors keep them in the DSS."""
    from asn1crypto import cms

    info = cms.ContentInfo.load(contents)
    del info["content"]["certificates"]
    return info.dump(force=True)


def test_certificates_may_come_from_the_store_or_from_the_sealer(
    test_pki, timestamper, revocation, paths
):
    from signer.certificate_parts import certificate_parts

    key = test_pki.leader
    bare = without_certificates(
        signatures(sealer().seal_bytes(blank(), SealRequest(key))[0])[0].contents
    )
    paths[0].write_bytes(signed_by(bare))
    with pytest.raises(UnsuitableDocument, match="certificate is missing"):
        Augmenter(timestamper, revocation).extend(*paths)
    Augmenter(timestamper, revocation, known_certificates=[key.certificate]).extend(*paths)
    assert revocation.asked[-1][0] == key.certificate

    def store(pdf: pikepdf.Pdf) -> None:
        der = certificate_parts(key.certificate).encoded
        pdf.Root.DSS = pikepdf.Dictionary(Certs=[pdf.make_stream(der)])

    revocation.asked.clear()
    paths[0].write_bytes(edited(signed_by(bare), store))
    Augmenter(timestamper, revocation).extend(*paths)
    assert revocation.asked[0] == [key.certificate]


def test_a_signer_named_by_key_identifier_is_found(test_pki):
    """Other vendors' SignerInfos name the key (RFC 5652 5.3, [0] SubjectKeyIdentifier)."""
    from asn1crypto import cms, core
    from cryptography import x509

    key = test_pki.leader
    contents = signatures(sealer().seal_bytes(blank(), SealRequest(key))[0])[0].contents
    info = cms.ContentInfo.load(contents)
    identifier = key.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    info["content"]["signer_infos"][0]["sid"] = cms.SignerIdentifier(
        "subject_key_identifier", core.OctetString(identifier.value.digest)
    )
    signed = parse_signed_data(info.dump(force=True))
    assert signed.signer_certificate() == key.certificate
    anonymous = SoftwareKey().certificate
    assert signed.signer_certificate([anonymous]) == key.certificate
    del info["content"]["certificates"]
    assert parse_signed_data(info.dump(force=True)).signer_certificate([anonymous]) is None
