"""DER and CMS: what is refused, and which finding says so."""

from __future__ import annotations

import datetime as dt
import hashlib
import re

import pytest
from asn1crypto import algos, core
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from signer.verification.report import Indication, Integrity, Outcome
from signer.verification.signature import cms
from signer.verification.signature.algorithms import (
    SignatureAlgorithm,
    UnknownAlgorithm,
    digest_name,
    signature_algorithm,
    verifies,
)
from signer.verification.signature.der import DERError, Node, check_tree, read, read_exactly
from signer.verification.signature.timestamps import read_tst_info
from tests.cms_surgery import (
    Tree,
    contents_of,
    grow,
    operate,
    put_contents,
    replace_token,
    signer_of,
    token_of,
)
from tests.fixtures_signed import plain_pdf, seal


def node(hexadecimal):
    return read_exactly(bytes.fromhex(hexadecimal))


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "30",
        "3003",
        "1f0101",
        "3080",
        "30820001",
        "308103020101",
        "30850000000001",
        "020101ff",
        "30020201",
    ],
)
def test_broken_encodings(octets):
    with pytest.raises(DERError):
        [child.children() for child in node(octets).children()]


@pytest.mark.parametrize(
    "octets",
    ["30030101fe", "3003050100", "3004020200ff"[:12] + "01", "3004020200 01".replace(" ", ""),
     "30020200", "3003060181", "300406028001", "30020600", "30020300", "3003030108",
     "300403020101", "3003030101", "3004240 20400".replace(" ", "")],
)  # fmt: skip
def test_what_der_forbids(octets):
    with pytest.raises(DERError):
        check_tree(node(octets))


@pytest.mark.parametrize(
    "octets",
    ["30030101ff", "3003010100", "30020500", "3003020101", "300403020780", "300506032a0304"],
)
def test_what_der_allows(octets):
    check_tree(node(octets))


def test_depth_is_bounded():
    octets = b"\x30\x00"
    for _ in range(60):
        octets = core.Sequence(contents=octets).dump()
    with pytest.raises(DERError, match="deeply"):
        check_tree(read(octets)[0])
    with pytest.raises(DERError, match="deeply"):
        read(b"\x30\x80" * 60 + b"\0\0" * 60)


def test_identifiers_and_numbers():
    assert node("06092a864886f70d010702").oid() == "1.2.840.113549.1.7.2"
    assert node("0603883703").oid() == "2.999.3"
    assert node("0201ff").integer() == -1
    assert node("020200ff").integer() == 255
    for wrong in ("0200", "020200 7f".replace(" ", ""), "0202ffff"):
        with pytest.raises(DERError):
            node(wrong).integer()


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        (b"\x17\x0d260302050000Z", dt.datetime(2026, 3, 2, 5, tzinfo=dt.UTC)),
        (b"\x17\x0d700302050000Z", dt.datetime(1970, 3, 2, 5, tzinfo=dt.UTC)),
        (b"\x18\x0f20260302050000Z", dt.datetime(2026, 3, 2, 5, tzinfo=dt.UTC)),
        (b"\x18\x1220260302050000.25Z", dt.datetime(2026, 3, 2, 5, 0, 0, 250000, tzinfo=dt.UTC)),
    ],
)
def test_times(octets, value):
    assert read_exactly(octets).time() == value


@pytest.mark.parametrize(
    "octets",
    [b"\x17\x0d261302050000Z", b"\x18\x1120260302050000.0Z", b"\x18\x0e20260302050000",
     b"\x17\x0d\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x04\x01a"],
)  # fmt: skip
def test_unreadable_times(octets):
    with pytest.raises(DERError):
        read_exactly(octets).time()


def test_explicit_and_octets():
    assert node("a003020105").explicit(0xA0).integer() == 5
    with pytest.raises(DERError):
        node("a006020105020105").explicit(0xA0)
    with pytest.raises(DERError):
        node("a003020105").explicit(0xA1)
    joined = Node(0x24, b"", bytes.fromhex("04016104 0162".replace(" ", "")), True)
    assert joined.octet_string() == b"ab"


def identifier(**value) -> Node:
    return read_exactly(algos.SignedDigestAlgorithm(value).dump())


class TestAlgorithms:
    def test_unknown(self):
        with pytest.raises(UnknownAlgorithm):
            digest_name(node("300406022a03"))
        with pytest.raises(UnknownAlgorithm):
            signature_algorithm(node("300406022a03"), None)

    def test_empty(self):
        with pytest.raises(DERError):
            digest_name(node("3000"))
        with pytest.raises(DERError):
            signature_algorithm(node("3000"), None)

    def test_contradiction(self):
        with pytest.raises(DERError, match="agree"):
            signature_algorithm(identifier(algorithm="sha256_rsa"), "sha384")

    def test_parameters_that_do_not_belong(self):
        octets = bytes.fromhex("300d06092a864886f70d01010b0400")
        with pytest.raises(DERError, match="parameters"):
            signature_algorithm(read_exactly(octets), None)

    def test_rsa_key_identifier_takes_the_digest(self):
        found = signature_algorithm(identifier(algorithm="rsassa_pkcs1v15"), "sha256")
        assert found == SignatureAlgorithm("rsa-pkcs1", "sha256")
        assert found.name == "rsa-pkcs1-sha256"

    def pss(self, **parameters):
        return identifier(algorithm="rsassa_pss", parameters=algos.RSASSAPSSParams(parameters))

    def good(self, **changes):
        value = {
            "hash_algorithm": {"algorithm": "sha256"},
            "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": "sha256"}},
            "salt_length": 32,
        }
        return value | changes

    def test_pss(self):
        found = signature_algorithm(self.pss(**self.good()), "sha256")
        assert found == SignatureAlgorithm("rsa-pss", "sha256", 32)

    @pytest.mark.parametrize(
        "change",
        [
            {"salt_length": -1},
            {"salt_length": 600},
            {"hash_algorithm": {"algorithm": "sha512"}},
        ],
    )
    def test_pss_mismatch(self, change):
        with pytest.raises(DERError):
            signature_algorithm(self.pss(**self.good(**change)), "sha256")

    def test_pss_with_another_mask(self):
        """Java's default masks with SHA-1 whatever the digest is."""
        change = {"mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": "sha1"}}}
        found = signature_algorithm(self.pss(**self.good(**change)), "sha256")
        assert found == SignatureAlgorithm("rsa-pss", "sha256", 32, "sha1")
        assert found.name == "rsa-pss-sha256-mgf1-sha1"

    @pytest.mark.parametrize(
        "parameters",
        [
            "",
            "3000" + "3000",
            "3005a303020102",
            "3005a403020101",
            "300aa303020101a20302010a",
            "3006a1043002 0500".replace(" ", ""),
            "300aa203020120a203020120",
        ],
    )
    def test_pss_damaged(self, parameters):
        inner = bytes.fromhex("06092a864886f70d01010a" + parameters)
        with pytest.raises(DERError):
            signature_algorithm(read_exactly(core.Sequence(contents=inner).dump()), "sha256")

    def test_edwards_curves(self):
        for family, key in (
            ("ed25519", ed25519.Ed25519PrivateKey.generate()),
            ("ed448", ed448.Ed448PrivateKey.generate()),
        ):
            algorithm = SignatureAlgorithm(family, "sha512")
            signature = key.sign(b"x")
            assert verifies(key.public_key(), algorithm, signature, b"x")
            assert not verifies(key.public_key(), algorithm, signature, b"y")
        assert signature_algorithm(node("300506032b6570"), "sha512").family == "ed25519"

    def test_families_do_not_mix(self):
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        assert not verifies(key, SignatureAlgorithm("rsa-pkcs1", "sha256"), b"x", b"x")
        assert not verifies(key, SignatureAlgorithm("ecdsa", "none"), b"x", b"x")
        other = rsa.generate_private_key(65537, 2048).public_key()
        assert not verifies(other, SignatureAlgorithm("rsa-pkcs1", "none"), b"x", b"x")


SHA512 = Tree(0x30, [Tree(0x06, bytes.fromhex("608648016503040203"))])


def oid(dotted):
    return core.ObjectIdentifier(dotted).dump()


def two_signers(content):
    content[-1].value = [signer_of(content), signer_of(content)]


def no_signers(content):
    content[-1].value = []


def wrong_version(content):
    content[0].value = b"\3"


def wrong_signer_version(content):
    signer_of(content)[0].value = b"\3"


def extra_digest(content):
    content[1].value = [*content[1].value, SHA512]


def other_digest(content):
    signer_of(content).value[2] = SHA512


def content_of_its_own(content):
    content[2].value.append(Tree(0xA0, [Tree(0x04, b"evil")]))


def unreadable_encapsulation(content):
    content[2].value += [Tree(0x05, b""), Tree(0x05, b"")]


def other_content_type(content):
    content[2].value = [grow(oid(cms.ID_SIGNED_DATA))[0]]


def no_signed_attributes(content):
    del signer_of(content).value[3]


def zero_signature(content):
    signer_of(content)[5].value = bytes.fromhex("3006020100020100")


def doubled_attribute(content):
    signer_of(content)[3].value.append(signer_of(content)[3][0])


def empty_attribute(content):
    signer_of(content)[3][0][1].value = []


def odd_attribute(content):
    signer_of(content)[3][0].value = []


def certificates_called_lists(content):
    content[3].tag = 0xA1


def unknown_part(content):
    content.value.insert(4, Tree(0xA4, []))


def unknown_signer_part(content):
    signer_of(content).value.append(Tree(0xA2, []))


def odd_identifier(content):
    signer_of(content)[1].value = signer_of(content)[1].value[:1]


def other_certificate_kind(content):
    content[3].value.append(Tree(0xA1, []))


def too_few_parts(content):
    del content.value[2:4]


def without(kind):
    def change(content):
        attributes = signer_of(content)[3]
        attributes.value = [a for a in attributes.value if a[0].dump() != oid(kind)]

    change.__name__ = f"without_{kind}"
    return change


@pytest.mark.parametrize(
    ("change", "integrity"),
    [
        (two_signers, Integrity.MALFORMED),
        (no_signers, Integrity.MALFORMED),
        (other_digest, Integrity.MALFORMED),
        (content_of_its_own, Integrity.MALFORMED),
        (other_content_type, Integrity.MALFORMED),
        (no_signed_attributes, Integrity.MALFORMED),
        (doubled_attribute, Integrity.MALFORMED),
        (empty_attribute, Integrity.MALFORMED),
        (odd_attribute, Integrity.MALFORMED),
        (unknown_part, Integrity.MALFORMED),
        (unknown_signer_part, Integrity.MALFORMED),
        (odd_identifier, Integrity.MALFORMED),
        (too_few_parts, Integrity.MALFORMED),
        (unreadable_encapsulation, Integrity.MALFORMED),
        (zero_signature, Integrity.BROKEN),
        (without(cms.MESSAGE_DIGEST), Integrity.MALFORMED),
        (without(cms.CONTENT_TYPE), Integrity.MALFORMED),
    ],
)
def test_surgery(informed_verifier, signed, change, integrity):
    report = informed_verifier.verify(operate(signed["roomy"], change))
    assert report.indication is Indication.TOTAL_FAILED
    assert report.integrity is integrity


@pytest.mark.parametrize(
    "change", [wrong_version, wrong_signer_version, extra_digest, other_certificate_kind]
)
def test_what_writers_do_differently(informed_verifier, signed, change):
    """Genuine producers differ in it and no forger gains by it: no pass, but INTACT."""
    report = informed_verifier.verify(operate(signed["roomy"], change))
    assert report.indication is Indication.INDETERMINATE
    assert report.integrity is Integrity.INTACT
    assert [c.check for c in report.signatures[0].checks if c.outcome is Outcome.INDETERMINATE] == [
        "cms.canonical"
    ]


def test_certificates_called_revocation_lists(informed_verifier, signed):
    report = informed_verifier.verify(operate(signed["roomy"], certificates_called_lists))
    assert report.indication is Indication.INDETERMINATE
    assert report.integrity is Integrity.UNKNOWN


def test_another_certificate_in_place_of_the_signer(informed_verifier, signed, test_pki):
    """Same name and serial number, another key: signing-certificate tells."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    from tests.fakes import SoftwareKey

    mine = test_pki.seal.certificate
    key = SoftwareKey(label="x").private_key
    forged = (
        x509.CertificateBuilder()
        .subject_name(mine.subject)
        .issuer_name(mine.issuer)
        .public_key(key.public_key())
        .serial_number(mine.serial_number)
        .not_valid_before(mine.not_valid_before_utc)
        .not_valid_after(mine.not_valid_after_utc)
        .sign(key, hashes.SHA256())
    )

    def change(content):
        content[3].value = [grow(forged.public_bytes(Encoding.DER))[0]]

    report = informed_verifier.verify(operate(signed["roomy"], change))
    assert report.indication is Indication.TOTAL_FAILED
    assert report.integrity is Integrity.BROKEN


def test_stranger_among_the_certificates(informed_verifier, signed):
    """An embedded certificate that leads nowhere takes the pass away, not the integrity."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    from tests.fakes import SoftwareKey
    from tests.fixtures_signed import now

    key = SoftwareKey(label="x").private_key
    stray = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lạ")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Không ai biết")]))
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(now())
        .not_valid_after(now() + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )

    def change(content):
        content[3].value.append(grow(stray.public_bytes(Encoding.DER))[0])

    report = informed_verifier.verify(operate(signed["roomy"], change))
    assert report.indication is Indication.INDETERMINATE
    assert report.integrity is Integrity.INTACT
    assert "Lạ" in " ".join(c.detail for c in report.all_checks())


def test_unknown_unsigned_attribute(informed_verifier, signed):
    def change(content):
        attribute = Tree(0x30, [grow(oid("1.2.3.4"))[0], Tree(0x31, [Tree(0x05, b"")])])
        signer_of(content).value.append(Tree(0xA1, [attribute]))

    report = informed_verifier.verify(operate(signed["roomy"], change))
    assert report.indication is Indication.INDETERMINATE
    assert report.integrity is Integrity.INTACT


def test_deviation_under_a_later_signature_is_a_note(informed_verifier, signed, test_pki):
    """An odd version number that was timestamped later came from its producer."""
    odd = operate(signed["roomy"], wrong_version)
    data = seal(test_pki, odd, test_pki.leader)
    report = informed_verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    notes = [c for c in report.all_checks() if c.check == "cms.canonical"]
    assert notes[0].outcome is Outcome.WARNING


@pytest.mark.parametrize("tail", [b"\x01", b"\0\x01"])
def test_padding(informed_verifier, signed, tail):
    data = signed["B-B"]
    der = contents_of(data)
    changed = der[: -len(tail)] + tail
    assert informed_verifier.verify(put_contents(data, changed)).integrity is Integrity.MALFORMED


def test_mixed_case(informed_verifier, signed):
    data = signed["B-B"]
    at = data.index(b"/Contents <") + 11
    changed = data[:at] + data[at : at + 60].upper() + data[at + 60 :]
    report = informed_verifier.verify(changed)
    assert report.integrity is Integrity.MALFORMED
    assert any(c.check == "contents.canonical-hex" for c in report.all_checks())


class TestTimestamps:
    def broken(self, verifier, signed, change, integrity):
        token = token_of(signed["B-T"])
        change(token[1][0])
        report = verifier.verify(replace_token(signed["B-T"], token))
        assert report.indication is not Indication.TOTAL_PASSED
        assert report.integrity is integrity
        return report

    def test_signature_of_the_token(self, informed_verifier, signed):
        def change(content):
            value = signer_of(content)[5].value
            signer_of(content)[5].value = value[:-1] + bytes([value[-1] ^ 1])

        self.broken(informed_verifier, signed, change, Integrity.BROKEN)

    def test_altered_time(self, informed_verifier, signed):
        def change(content):
            octets = content[2][1][0]
            moved = re.sub(rb"20(\d\d[01]\d[0-3]\d\d{6})", rb"19\1", octets.value)
            assert moved != octets.value
            octets.value = moved

        self.broken(informed_verifier, signed, change, Integrity.BROKEN)

    def test_no_content(self, informed_verifier, signed):
        def change(content):
            del content[2].value[1]

        self.broken(informed_verifier, signed, change, Integrity.MALFORMED)

    def test_wrong_content_type(self, informed_verifier, signed):
        def change(content):
            content[2].value[0] = grow(oid(cms.ID_DATA))[0]

        self.broken(informed_verifier, signed, change, Integrity.MALFORMED)

    def test_no_certificate_attribute(self, informed_verifier, signed):
        def change(content):
            without(cms.SIGNING_CERTIFICATE_V2)(content)
            without(cms.SIGNING_CERTIFICATE)(content)

        self.broken(informed_verifier, signed, change, Integrity.BROKEN)

    def test_token_that_is_none(self, informed_verifier, signed):
        report = informed_verifier.verify(replace_token(signed["B-T"], Tree(0x30, [])))
        assert report.integrity is Integrity.MALFORMED

    def test_unknown_digest_in_the_token(self, informed_verifier, signed):
        def change(content):
            signer_of(content)[2].value = [grow(oid("1.2.3.4"))[0]]

        self.broken(informed_verifier, signed, change, Integrity.UNKNOWN)


@pytest.mark.parametrize(
    "change",
    [
        lambda info: info.value.append(Tree(0x01, b"\xff")),
        lambda info: setattr(info[0], "value", b"\2"),
        lambda info: info[2].value.append(Tree(0x05, b"")),
        lambda info: info.value.clear(),
        lambda info: info.value.insert(5, Tree(0x13, b"x")),
    ],
    ids=["misplaced", "version", "imprint", "empty", "unknown"],
)
def test_unreadable_timestamp_content(signed, change):
    token, _ = grow(token_of(signed["B-T"]).dump())
    info, _ = grow(token[1][0][2][1][0].value)
    change(info)
    token[1][0][2][1][0].value = info.dump()
    data = cms.parse_signed_data(read_exactly(token.dump()))
    with pytest.raises(DERError):
        read_tst_info(data)


def test_parse_is_bounded():
    with pytest.raises(DERError):
        cms.parse_contents(b"\x30\x82\x00\x04\x02\x01\x01\x00" + hashlib.sha256(b"").digest())
    assert plain_pdf()
