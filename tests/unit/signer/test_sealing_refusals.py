"""What sealing refuses and rejects: before a key is used, and before anything is released."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from hsm.errors import TokenUnavailable
from hsm.keys import SignatureScheme
from signer import der
from signer.algorithms import digest_algorithm, signature_algorithm
from signer.errors import (
    CertificateRefused,
    OutputRejected,
    PolicyRefused,
    ReservationTooSmall,
    UnsuitableDocument,
)
from signer.sealing import incremental
from signer.sealing.check import check_signature, check_timestamp
from signer.sealing.cms import CMSBuilder
from signer.sealing.document import CrossReference
from signer.sealing.incremental import Revisions
from signer.sealing.levels import Level
from signer.sealing.seal import SealRequest
from signer.sealing.signeddata import order_chain, parse_signed_data
from signer.sealing.syntax import Ref, date, load, name, number, text_string
from tests.fakes import SoftwareKey
from tests.sealed import blank, sealer, signatures

_SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
DIGEST = bytes(range(32))


@pytest.fixture
def key():
    return SoftwareKey()


@pytest.fixture
def paths(tmp_path):
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(blank())
    return source, target


# nothing is signed


def test_a_refused_certificate_costs_no_signature_and_no_file(key, paths):
    def refuse(subject, at):
        assert subject is key
        assert at.tzinfo is not None
        raise CertificateRefused("expired")

    with pytest.raises(CertificateRefused):
        sealer(precheck=refuse).seal_file(*paths, SealRequest(key))
    assert key.calls == 0
    assert not paths[1].exists()


def test_every_certificate_is_checked_before_the_first_key_is_used(key, paths):
    second = SoftwareKey()

    def refuse_second(subject, at):
        if subject is second:
            raise CertificateRefused("revoked")

    requests = [SealRequest(key), SealRequest(second)]
    with pytest.raises(CertificateRefused):
        sealer(precheck=refuse_second).seal_many(*paths, requests)
    assert key.calls == second.calls == 0


@pytest.mark.parametrize("level", [Level.B_T, Level.B_LT, Level.B_LTA])
def test_levels_need_their_services(level, key, paths):
    with pytest.raises(PolicyRefused, match="timestamping authority"):
        sealer().seal_file(*paths, SealRequest(key, level=level))
    assert key.calls == 0


def test_long_term_levels_need_revocation_evidence(key, paths):
    with pytest.raises(PolicyRefused, match="OCSP or CRLs"):
        sealer(timestamper=object()).seal_file(*paths, SealRequest(key, level=Level.B_LT))


def test_at_least_one_request(paths):
    with pytest.raises(PolicyRefused):
        sealer().seal_many(*paths, [])


def test_only_the_first_of_several_certifies(key, paths):
    with pytest.raises(PolicyRefused, match="first signature"):
        sealer().seal_many(*paths, [SealRequest(key), SealRequest(key, certify=True)])
    assert key.calls == 0


def test_two_requests_cannot_share_a_field(key, paths):
    with pytest.raises(PolicyRefused, match="is signed"):
        sealer().seal_many(*paths, [SealRequest(key, field_name="A")] * 2)


def test_a_naive_time_is_a_programming_error(key):
    with pytest.raises(ValueError, match="time zone"):
        SealRequest(key, claimed_at=dt.datetime(2026, 1, 1))  # noqa: DTZ001 - the point of it
    with pytest.raises(ValueError, match="aware"):
        date(dt.datetime(2026, 1, 1))  # noqa: DTZ001 - the point of it


def test_a_reservation_that_cannot_hold_the_signature_is_refused_before_signing(key, paths):
    with pytest.raises(ReservationTooSmall, match="nothing was signed"):
        sealer().seal_file(*paths, SealRequest(key, bytes_reserved=100))
    assert key.calls == 0


def test_a_larger_reservation_is_honoured(key):
    after, _ = sealer().seal_bytes(blank(), SealRequest(key, bytes_reserved=5000))
    assert len(signatures(after)[0].contents) == 5000


# nothing is released


def test_a_flipped_bit_from_the_token_is_caught(key, paths):
    for scheme in SignatureScheme:
        bad = SoftwareKey(scheme)
        bad.corrupt = True
        with pytest.raises(OutputRejected):
            sealer().seal_file(*paths, SealRequest(bad))
        assert not paths[1].exists()


def test_a_certificate_of_another_key_is_caught(paths):
    other = SoftwareKey()
    swapped = SoftwareKey(certificate=other.certificate)
    with pytest.raises(OutputRejected):
        sealer().seal_file(*paths, SealRequest(swapped))


def test_the_old_target_survives_a_failure(key, paths):
    paths[1].write_bytes(b"old")
    key.corrupt = True
    with pytest.raises(OutputRejected):
        sealer().seal_file(*paths, SealRequest(key))
    assert paths[1].read_bytes() == b"old"
    assert sorted(p.name for p in paths[1].parent.iterdir()) == ["in.pdf", "out.pdf"]


def test_a_token_that_is_gone_leaves_nothing(paths):
    class Gone(SoftwareKey):
        def sign_digests(self, digests):
            raise TokenUnavailable("removed")

    with pytest.raises(TokenUnavailable):
        sealer().seal_file(*paths, SealRequest(Gone()))
    assert not paths[1].exists()


def test_sealing_over_the_source_is_allowed(key, paths):
    source, _ = paths
    before = source.read_bytes()
    sealer().seal_file(source, source, SealRequest(key))
    assert source.read_bytes().startswith(before)
    assert len(signatures(source.read_bytes())) == 1


def test_the_file_has_the_permissions_of_the_umask(key, paths):
    old = os.umask(0o027)
    try:
        sealer().seal_file(*paths, SealRequest(key))
    finally:
        os.umask(old)
    assert stat.S_IMODE(paths[1].stat().st_mode) == 0o640


def test_a_full_disk_leaves_nothing(key, paths, monkeypatch):
    def full(fd, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(incremental.os, "write", full)
    with pytest.raises(UnsuitableDocument, match="No space left"):
        sealer().seal_file(*paths, SealRequest(key))
    assert [p.name for p in paths[0].parent.iterdir()] == ["in.pdf"]


def test_short_writes_are_continued(key, paths, monkeypatch):
    real = os.write
    monkeypatch.setattr(incremental.os, "write", lambda fd, data: real(fd, bytes(data[:1000])))
    result = sealer().seal_file(*paths, SealRequest(key))
    assert signatures(paths[1].read_bytes())[0].covered
    assert sum(result.byte_range[2:]) == paths[1].stat().st_size


def test_what_the_disk_changed_is_caught(key, paths, monkeypatch):
    real = os.write

    def flip(fd, data):
        """The disk loses a bit of the appended revision, behind the signature's back."""
        data = bytearray(data)
        at = data.find(b"/Reason")
        if at >= 0:
            data[at + 9] ^= 1
        return real(fd, bytes(data))

    monkeypatch.setattr(incremental.os, "write", flip)
    with pytest.raises(OutputRejected, match="another digest"):
        sealer().seal_file(*paths, SealRequest(key, reason="Approved"))
    assert not paths[1].exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"/ByteRange [0", b"/ByteRangX [0", "exactly one"),
        (b"/ByteRange [0", b"/ByteRange [7", "does not cover"),
        (b"/Contents <", b"/Contents (", "does not cover"),
        (b"/Contents <", b"/Contentz <", "does not cover"),
    ],
)
def test_a_wrong_byte_range_is_caught(key, paths, monkeypatch, old, new, says):
    real = os.write
    monkeypatch.setattr(
        incremental.os, "write", lambda fd, data: real(fd, bytes(data).replace(old, new))
    )
    with pytest.raises(OutputRejected, match=says):
        sealer().seal_file(*paths, SealRequest(key))


@pytest.mark.parametrize("target", ["missing/out.pdf", "in.pdf/out.pdf"])
def test_a_place_that_cannot_be_written_is_named(key, paths, target):
    with pytest.raises(UnsuitableDocument, match="folder that exists"):
        sealer().seal_file(paths[0], paths[0].parent / target, SealRequest(key))
    assert key.calls == 0


def test_a_target_that_is_a_folder_is_named_and_nothing_left(key, paths):
    paths[1].mkdir()
    with pytest.raises(UnsuitableDocument, match="cannot be written"):
        sealer().seal_file(*paths, SealRequest(key))
    assert sorted(p.name for p in paths[1].parent.iterdir()) == ["in.pdf", "out.pdf"]


def test_sources_that_cannot_be_read_are_named(key, paths):
    with pytest.raises(UnsuitableDocument, match="be read"):
        sealer().seal_file(paths[0].with_name("none.pdf"), paths[1], SealRequest(key))
    with pytest.raises(UnsuitableDocument, match="not a file"):
        sealer().seal_file(paths[0].parent, paths[1], SealRequest(key))


# the parts


@pytest.mark.parametrize("scheme", list(SignatureScheme))
def test_a_reservation_always_holds_the_signature(scheme):
    key = SoftwareKey(scheme)
    for _ in range(4):
        builder = CMSBuilder(key.certificate, (), scheme)
        digest = hashlib.new(scheme.digest_name).digest()
        attributes = builder.signed_attributes(digest)
        (signature,) = key.sign_digests([digest])
        size = len(builder.assemble(attributes, signature))
        assert builder.reservation() - 64 <= size <= builder.reservation()
        token = der.octet_string(bytes(9000))
        with_token = len(builder.assemble(attributes, signature, token))
        assert builder.reservation(len(token)) - 128 <= with_token
        assert with_token <= builder.reservation(len(token))


def test_keys_that_are_neither_rsa_nor_ec_are_refused():
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    key = ed25519.Ed25519PrivateKey.generate()
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ed")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(who, who, key.public_key(), 5, now, now + dt.timedelta(1))
        .sign(key, None)
    )  # fmt: skip
    with pytest.raises(PolicyRefused, match="neither an RSA nor"):
        CMSBuilder(certificate, (), SignatureScheme.ECDSA_SHA256)


def contents_of(key: SoftwareKey, digest: bytes = DIGEST) -> bytes:
    builder = CMSBuilder(key.certificate, (), key.scheme)
    attributes = builder.signed_attributes(digest)
    (signature,) = key.sign_digests([hashlib.sha256(attributes).digest()])
    return builder.assemble(attributes, signature) + bytes(40)


def test_the_check_accepts_what_is_right_and_names_what_is_not(key):
    good = contents_of(key)
    check_signature(good, DIGEST, key.certificate, key.scheme)
    with pytest.raises(OutputRejected, match="another digest"):
        check_signature(good, DIGEST[::-1], key.certificate, key.scheme)
    with pytest.raises(OutputRejected, match="another certificate"):
        check_signature(good, DIGEST, SoftwareKey().certificate, key.scheme)
    with pytest.raises(OutputRejected, match="in its scheme"):
        check_signature(good, DIGEST, key.certificate, SignatureScheme.RSA_PKCS1_SHA256)
    with pytest.raises(OutputRejected, match="read back"):
        check_signature(bytes(100), DIGEST, key.certificate, key.scheme)


def test_every_flipped_bit_of_the_cms_is_caught(key):
    good = contents_of(key).rstrip(b"\0")
    for at in range(0, len(good) * 8, 31):
        bad = bytearray(good)
        bad[at // 8] ^= 1 << at % 8
        try:
            check_signature(bytes(bad), DIGEST, key.certificate, key.scheme)
        except OutputRejected:
            continue
        assert parse_signed_data(bytes(bad)).signature == parse_signed_data(good).signature, at


@pytest.mark.parametrize(
    "broken",
    [
        der.sequence(der.oid("1.2.3"), der.explicit(0, der.sequence())),
        der.sequence(_SIGNED_DATA, der.explicit(0, der.sequence(der.integer(1)))),
        der.sequence(_SIGNED_DATA),
        b"",
    ],
)  # fmt: skip
def test_what_is_no_signed_data_is_malformed(broken):
    with pytest.raises(der.MalformedDER):
        parse_signed_data(broken)


def test_a_timestamp_that_cannot_be_read_is_rejected():
    with pytest.raises(OutputRejected, match="timestamp cannot be read"):
        check_timestamp(b"\x30\x03\x02\x01\x01", DIGEST)


def test_a_chain_is_ordered_from_its_leaf():
    leaf = SoftwareKey().certificate
    assert order_chain(leaf, []) == [leaf]


def test_algorithms_are_those_of_the_scheme(key):
    signed = parse_signed_data(contents_of(key))
    assert signed.digest_algorithm.raw == digest_algorithm("sha256")
    assert signed.signature_algorithm == signature_algorithm(key.scheme)


def test_an_object_that_should_be_a_dictionary_is_named():
    class Source:
        cross_reference = CrossReference(0, False, 9, Ref(1), None, [])

        def object(self, ref):
            return 5

    with pytest.raises(UnsuitableDocument, match="should be a dictionary"):
        Revisions(Source(), None).dictionary(Ref(3))


def test_values_are_written_as_iso_32000_wants_them():
    from decimal import Decimal

    assert [load(v) for v in (None, True, False, 7, Decimal("1E-7"))] == [
        b"null", b"true", b"false", b"7", b"0.0000001",
    ]  # fmt: skip
    assert name("/A b#(ê)") == b"/A#20b#23#28#C3#AA#29"
    assert text_string(r"a(b)\c") == rb"(a\(b\)\\c)"
    assert text_string("Hà").startswith(b"<feff0048")
    assert [number(n) for n in (0.0, -0.00001, 12.5, 3)] == [b"0", b"0", b"12.5", b"3"]
    ict = dt.timezone(dt.timedelta(hours=7))
    assert date(dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=ict)) == b"(D:20260102030405+07'00')"
    west = dt.timezone(dt.timedelta(hours=-3, minutes=-30))
    assert date(dt.datetime(2026, 1, 2, tzinfo=west)).endswith(b"-03'30')")
