"""Revocation evidence, paths and authorities, one rule at a time; and abuse of the DSS."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import re

import pikepdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signer.services import RevocationEvidence
from signer.trust import TrustStore
from signer.verification.report import Indication, Integrity
from signer.verification.signature.certificates import (
    CertificatePool,
    CertificateUnreadable,
    SignerIdentifier,
    load,
    signed_by,
    signed_parts,
)
from signer.verification.signature.der import DERError
from signer.verification.signature.timestamps import authority_refusal
from signer.verification.validity.evidence import Evidence, RevocationPolicy, Standing
from signer.verification.validity.paths import Anchors, find_path
from tests.fakes import SoftwareKey
from tests.fixtures_signed import append, body_of, now, objects_of, plain_pdf, seal

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Party:
    """A certificate with its key."""

    def __init__(self, label, issuer=None, *, serial=None, ca=False, extensions=(), days=30):
        self.key = SoftwareKey(label=label).private_key
        signer = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(label))
            .issuer_name(signer.certificate.subject if issuer else name(label))
            .public_key(self.key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(now() - 10 * DAY)
            .not_valid_after(now() + days * DAY)
        )
        if ca:
            builder = builder.add_extension(x509.BasicConstraints(True, 0 if issuer else 1), True)
        for value, critical in extensions:
            builder = builder.add_extension(value, critical)
        self.certificate = builder.sign(signer.key, hashes.SHA256())
        self.loaded = load(self.certificate.public_bytes(Encoding.DER))


@pytest.fixture(scope="module")
def root():
    return Party("Gốc", ca=True)


@pytest.fixture(scope="module")
def leaf(root):
    return Party("Lá", root)


def crl(root, *revoked, at=None, next_update=DAY, extensions=()):
    moment = at or now() - HOUR
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.certificate.subject)
        .last_update(moment)
        .next_update(moment + next_update)
    )
    for certificate in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(moment)
            .build()
        )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(root.key, hashes.SHA256()).public_bytes(Encoding.DER)


def answer(root, leaf, responder=None, *, status=ocsp.OCSPCertStatus.GOOD, by_name=False,
           embed=True, window=DAY):  # fmt: skip
    responder = responder or root
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf.certificate, root.certificate, hashes.SHA256(), status, now() - HOUR,
        now() - HOUR + window if window else None, now() - HOUR if revoked else None, None,
    )  # fmt: skip
    encoding = ocsp.OCSPResponderEncoding.NAME if by_name else ocsp.OCSPResponderEncoding.HASH
    builder = builder.responder_id(encoding, responder.certificate)
    if embed and responder is not root:
        builder = builder.certificates([responder.certificate])
    return builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)


def standing(root, leaf, *, crls=(), ocsps=(), moment=None, policy=None):
    pool = CertificatePool([root.loaded])
    evidence = Evidence(policy or RevocationPolicy())
    evidence.add(RevocationEvidence((), tuple(crls), tuple(ocsps)), pool, in_file=True)
    found = evidence.standing(leaf.loaded, root.loaded, moment or now(), now() + DAY)
    return found, evidence, pool


class TestLists:
    def test_good_and_revoked(self, root, leaf):
        assert standing(root, leaf, crls=[crl(root)])[0].standing is Standing.GOOD
        found, *_ = standing(root, leaf, crls=[crl(root, leaf.certificate)])
        assert found.standing is Standing.REVOKED

    def test_one_revocation_outweighs_good_answers(self, root, leaf):
        values = {"crls": [crl(root, leaf.certificate)], "ocsps": [answer(root, leaf)]}
        assert standing(root, leaf, **values)[0].standing is Standing.REVOKED

    def test_of_a_stranger(self, root, leaf):
        namesake = Party("Gốc", ca=True)
        found, evidence, pool = standing(root, leaf, crls=[crl(namesake)])
        assert found.standing is Standing.UNKNOWN
        assert evidence.faults
        assert evidence.unverified(pool)

    def test_of_another_authority(self, root, leaf):
        other = Party("Khác", ca=True)
        assert standing(root, leaf, crls=[crl(other)])[0].standing is Standing.UNKNOWN

    @pytest.mark.parametrize(
        "extension",
        [
            (x509.DeltaCRLIndicator(1), True),
            (x509.IssuerAlternativeName([x509.DNSName("a.example")]), True),
        ],
    )
    def test_of_another_kind(self, root, leaf, extension):
        found, *_ = standing(root, leaf, crls=[crl(root, extensions=[extension])])
        assert found.standing is Standing.UNKNOWN

    @pytest.mark.parametrize(
        ("flag", "expected"),
        [
            ("only_contains_ca_certs", Standing.UNKNOWN),
            ("only_contains_user_certs", Standing.GOOD),
            ("only_contains_attribute_certs", Standing.UNKNOWN),
            ("indirect_crl", Standing.UNKNOWN),
            ("none", Standing.GOOD),
        ],
    )
    def test_of_another_scope(self, root, leaf, flag, expected):
        flags = dict.fromkeys(
            ("only_contains_ca_certs", "only_contains_user_certs", "indirect_crl",
             "only_contains_attribute_certs"), False,
        )  # fmt: skip
        if flag in flags:
            flags[flag] = True
        point = None
        if not any(flags.values()):
            point = [x509.UniformResourceIdentifier("http://crl.example/a")]
        scope = x509.IssuingDistributionPoint(
            full_name=point, relative_name=None, only_some_reasons=None, **flags
        )
        found, *_ = standing(root, leaf, crls=[crl(root, extensions=[(scope, True)])])
        assert found.standing is expected

    @pytest.mark.parametrize(
        ("of_list", "of_leaf", "expected"),
        [
            (["http://crl.example/a"], ["http://crl.example/a"], Standing.GOOD),
            (
                ["http://crl.example/a"],
                ["http://x.example/", "http://crl.example/a"],
                Standing.GOOD,
            ),
            (["http://crl.example/a"], ["http://crl.example/b"], Standing.UNKNOWN),
            (["http://crl.example/a"], None, Standing.GOOD),
            (None, ["http://crl.example/b"], Standing.GOOD),
        ],
    )
    def test_of_another_distribution_point(self, root, of_list, of_leaf, expected):
        """A divided list: that one part does not name a certificate of another says nothing."""

        def names(urls):
            return [x509.UniformResourceIdentifier(url) for url in urls]

        points = [x509.DistributionPoint(names(of_leaf), None, None, None)] if of_leaf else []
        extra = [(x509.CRLDistributionPoints(points), False)] if points else []
        leaf = Party("Điểm phân phối", root, extensions=extra)
        scope = x509.IssuingDistributionPoint(
            names(of_list) if of_list else None, None, not of_list, False, None, False, False
        )
        found, *_ = standing(root, leaf, crls=[crl(root, extensions=[(scope, True)])])
        assert found.standing is expected

    def test_for_authorities_only_users_do_not_count(self, root):
        inner = Party("Trong", root, ca=True)
        scope = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
        found, *_ = standing(root, inner, crls=[crl(root, extensions=[(scope, True)])])
        assert found.standing is Standing.UNKNOWN

    def test_by_a_key_that_may_not(self, leaf):
        usage = x509.KeyUsage(False, False, False, False, False, True, False, False, False)
        mute = Party("Câm", ca=True, extensions=[(usage, True)])
        child = Party("Con", mute)
        assert standing(mute, child, crls=[crl(mute)])[0].standing is Standing.UNKNOWN

    def test_unreadable(self, root, leaf):
        _, evidence, _ = standing(root, leaf, crls=[b"rubbish"], ocsps=[b"nonsense", b"\x30\x00"])
        assert len(evidence.faults) == 3

    def test_of_after_the_certificates_end_says_nothing(self, root):
        old = Party("Cũ", root, days=-1)
        found, *_ = standing(root, old, crls=[crl(root)], moment=now() - 2 * DAY)
        assert found.standing is Standing.STALE


class TestResponses:
    def test_by_the_issuer(self, root, leaf):
        for by_name in (True, False):
            found, evidence, pool = standing(
                root, leaf, ocsps=[answer(root, leaf, by_name=by_name)]
            )
            assert (found.standing, found.source) == (Standing.GOOD, "OCSP")
            assert not evidence.unverified(pool) or not by_name
            assert evidence.signature_hashes()

    def delegate(self, root, *purposes, days=30):
        extensions = [(x509.ExtendedKeyUsage(purposes), False)] if purposes else []
        return Party("Trả lời", root, extensions=extensions, days=days)

    def test_by_a_delegate(self, root, leaf):
        responder = self.delegate(root, ExtendedKeyUsageOID.OCSP_SIGNING)
        found, evidence, pool = standing(root, leaf, ocsps=[answer(root, leaf, responder)])
        assert found.standing is Standing.GOOD
        assert evidence.unverified(pool) == []

    def test_by_anybody_else(self, root, leaf):
        strangers = [
            self.delegate(root),
            self.delegate(root, ExtendedKeyUsageOID.TIME_STAMPING),
            self.delegate(root, ExtendedKeyUsageOID.OCSP_SIGNING, days=-1),
            self.delegate(Party("Gốc", ca=True), ExtendedKeyUsageOID.OCSP_SIGNING),
        ]
        for stranger in strangers:
            found, evidence, _ = standing(root, leaf, ocsps=[answer(root, leaf, stranger)])
            assert found.standing is Standing.UNKNOWN
            assert evidence.faults

    def test_revoked_and_unknown(self, root, leaf):
        revoked = answer(root, leaf, status=ocsp.OCSPCertStatus.REVOKED)
        unknown = answer(root, leaf, status=ocsp.OCSPCertStatus.UNKNOWN)
        assert standing(root, leaf, ocsps=[revoked])[0].standing is Standing.REVOKED
        assert standing(root, leaf, ocsps=[unknown])[0].standing is Standing.UNKNOWN

    def test_without_next_update_only_later_answers_count(self, root, leaf):
        value = answer(root, leaf, window=None)
        assert standing(root, leaf, ocsps=[value])[0].standing is Standing.STALE
        earlier = now() - 2 * HOUR
        assert standing(root, leaf, ocsps=[value], moment=earlier)[0].standing is Standing.GOOD

    def test_of_another_certificate(self, root, leaf):
        other = Party("Lá khác", root)
        assert standing(root, leaf, ocsps=[answer(root, other)])[0].standing is Standing.UNKNOWN

    def test_refusal_of_the_responder(self, root, leaf):
        refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(
            ocsp.OCSPResponseStatus.TRY_LATER
        ).public_bytes(Encoding.DER)
        _, evidence, _ = standing(root, leaf, ocsps=[refusal])
        assert "did not answer" in evidence.faults[0]


class TestPaths:
    def path(self, party, *others, trust):
        pool = CertificatePool(load(p.public_bytes(Encoding.DER)) for p in trust)
        for other in (party, *others):
            pool.add(other.loaded)
        return find_path(party.loaded, pool, Anchors(TrustStore.of(trust)), now())

    def test_path_length(self, root):
        inner = Party("Trong", root, ca=True)
        deeper = Party("Sâu", inner, ca=True)
        end = Party("Cuối", deeper)
        found, refusal = self.path(end, deeper, inner, trust=[root.certificate])
        assert found is None
        assert "length" in refusal

    def test_name_constraints_are_refused(self, root):
        narrow = x509.NameConstraints([x509.DNSName("example")], None)
        inner = Party("Hẹp", root, ca=True, extensions=[(narrow, True)])
        found, refusal = self.path(Party("Cuối", inner), inner, trust=[root.certificate])
        assert found is None
        assert "not understood" in refusal

    def test_key_usage_of_an_issuer(self):
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        top = Party("Gốc lạ", ca=True, extensions=[(usage, True)])
        found, refusal = self.path(Party("Cuối", top), trust=[top.certificate])
        assert found is None
        assert "may not sign" in refusal

    def test_the_valid_path_is_preferred(self):
        """Two certificates of one authority, the older one expired."""
        top = Party("Gốc đôi", ca=True)
        expired = (
            x509.CertificateBuilder()
            .subject_name(name("Gốc đôi"))
            .issuer_name(name("Gốc đôi"))
            .public_key(top.key.public_key())
            .serial_number(9)
            .not_valid_before(now() - 20 * DAY)
            .not_valid_after(now() - 10 * DAY)
            .add_extension(x509.BasicConstraints(True, None), True)
            .sign(top.key, hashes.SHA256())
        )
        end = Party("Cuối", top)
        for trust in ([expired, top.certificate], [top.certificate, expired]):
            found, _ = self.path(end, trust=trust)
            assert found.certificates[-1].der == top.loaded.der
        found, _ = self.path(end, trust=[expired])
        assert found.invalid_at(now()) is not None

    def test_weak_links_are_named(self, root):
        found, _ = self.path(Party("Cuối", root), trust=[root.certificate])
        assert found.weak == ()


def test_authorities(test_pki):
    tsa = load(test_pki.tsa.certificate.public_bytes(Encoding.DER))
    assert authority_refusal(tsa) == ""
    both = frozenset({*tsa.extended_usages, "1.3.6.1.5.5.7.3.4"})
    assert "alone" in authority_refusal(dataclasses.replace(tsa, extended_usages=both))
    assert "alone" in authority_refusal(dataclasses.replace(tsa, extended_usages=None))
    lax = dataclasses.replace(tsa, extended_usage_is_critical=False)
    assert "critical" in authority_refusal(lax)
    mute = dataclasses.replace(tsa, usages=frozenset({"crl_sign"}))
    assert "may not sign" in authority_refusal(mute)


class TestCertificates:
    def test_unreadable(self):
        for octets in (b"", b"\x30\x00", b"\x30\x03\x02\x01\x01"):
            with pytest.raises(CertificateUnreadable):
                load(octets)

    def test_signed_by_refuses_nonsense(self, root):
        assert signed_by(b"nonsense", root.loaded) is None
        assert signed_by(b"\x30\x06\x30\x00\x30\x00\x03\x00", root.loaded) is None
        with pytest.raises(DERError):
            signed_parts(b"\x30\x00")

    def test_pool(self, root, leaf):
        pool = CertificatePool([root.loaded])
        pool.add(leaf.loaded)
        pool.add(leaf.loaded)
        assert pool.named(leaf.loaded.subject) == [leaf.loaded]
        issuer, serial = leaf.loaded.issuer, leaf.loaded.serial
        assert pool.find(SignerIdentifier(issuer, serial, b"")) == leaf.loaded
        assert pool.find(SignerIdentifier(issuer, 1, b"")) is None
        assert pool.has_issuer(leaf.loaded) is True
        assert CertificatePool().has_issuer(leaf.loaded) is None
        assert not pool.has_twin(leaf.loaded)


def store_of(data):
    found = re.findall(rb"/DSS (\d+) 0 R", data)
    return int(found[-1])


class TestStoreAbuse:
    def changed(self, verifier, data, word):
        report = verifier.verify(data)
        assert report.indication is Indication.TOTAL_FAILED
        assert report.integrity is Integrity.CHANGED
        assert word in " ".join(c.detail for s in report.signatures for c in s.changes)

    def test_smuggled_content(self, verifier, signed):
        """A stream that is no DER value, called a certificate."""
        data = signed["B-LTA"]
        new = objects_of(data)["next"]
        store = body_of(data, store_of(data))
        forged = re.sub(rb"/Certs \[", b"/Certs [ %d 0 R " % new, store)
        assert forged != store
        stream = b"<< /Length 9 >>\nstream\n0 0 m 9 l\nendstream"
        self.changed(verifier, append(data, {store_of(data): forged, new: stream}), "not DER")

    def test_unknown_key(self, verifier, signed):
        data = signed["B-LTA"]
        store = body_of(data, store_of(data)).replace(b"<<", b"<< /Payload [1 2]", 1)
        self.changed(verifier, append(data, {store_of(data): store}), "unknown keys")

    def test_removed(self, verifier, signed):
        data = signed["B-LTA"]
        number = objects_of(data)["root"]
        root = re.sub(rb"/DSS \d+ 0 R", b"", body_of(data, number))
        self.changed(verifier, append(data, {number: root}), "removed")

    def test_replaced_certificate(self, verifier, signed):
        data = signed["B-LTA"]
        store = body_of(data, store_of(data))
        number = int(re.search(rb"/Certs \[ ?(\d+)", store)[1])
        stream = b"<< /Length 4 >>\nstream\n\x30\x02\x05\x00\nendstream"
        self.changed(verifier, append(data, {number: stream}), "replaced")


class TestFormAbuse:
    def verdict(self, verifier, data):
        report = verifier.verify(data)
        assert report.indication is Indication.TOTAL_FAILED
        return {c.kind for s in report.signatures for c in s.changes if not c.allowed}

    def test_text_field_added(self, verifier, signed):
        data = signed["B-B"]
        numbers = objects_of(data)
        new = numbers["next"]
        form = re.sub(
            rb"/Fields \[([^\]]*)\]", rb"/Fields [\1 %d 0 R]" % new, body_of(data, numbers["form"])
        )
        field = b"<< /FT /Tx /T (x) /V (y) >>"
        assert "form" in self.verdict(verifier, append(data, {numbers["form"]: form, new: field}))

    def test_form_removed(self, verifier, signed):
        data = signed["B-B"]
        number = objects_of(data)["root"]
        root = re.sub(rb"/AcroForm \d+ 0 R", b"", body_of(data, number))
        report = verifier.verify(append(data, {number: root}))
        assert report.integrity is Integrity.MALFORMED

    def test_signature_dictionary_replaced(self, verifier, signed):
        """Swapped dictionaries: an older signature's object written anew in a later revision."""
        data = signed["B-LTA"]
        number = int(re.search(rb"/V (\d+) 0 R", data)[1])
        at = data.index(b"\n%d 0 obj" % number)
        body = data[data.index(b"<<", at) : data.index(b"endobj", at)]
        report = verifier.verify(append(data, {number: body}))
        assert report.indication is Indication.TOTAL_FAILED
        assert report.integrity is Integrity.MALFORMED
        assert any(
            c.check in ("byterange.gap", "byterange.own-revision") for c in report.all_checks()
        )

    def test_defaults_may_come_with_an_appearance(self, informed_verifier, test_pki):
        """Where the fields that are there are drawn without them."""
        with pikepdf.open(io.BytesIO(plain_pdf())) as pdf:
            box = pdf.make_stream(b"", Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form)
            box.BBox = [0, 0, 128, 20]
            pdf.Root.AcroForm.Fields[0].AP = pikepdf.Dictionary(N=box)
            drawn = io.BytesIO()
            pdf.save(drawn, deterministic_id=True)
        data = seal(test_pki, drawn.getvalue(), test_pki.seal)
        numbers = objects_of(data)
        new = numbers["next"]
        form = body_of(data, numbers["form"]).replace(
            b"<<", b"<< /DA (/Helv 0 Tf) /DR << /Font %d 0 R >> /NeedAppearances false" % new, 1
        )
        font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
        report = informed_verifier.verify(append(data, {numbers["form"]: form, new: font}))
        assert report.integrity is Integrity.INTACT

    def test_defaults_that_draw_a_value(self, verifier, signed):
        """The text field has no appearance: with these, readers draw its value."""
        data = signed["B-B"]
        number = objects_of(data)["form"]
        form = body_of(data, number).replace(b"<<", b"<< /DA (/Helv 0 Tf)", 1)
        assert "form" in self.verdict(verifier, append(data, {number: form}))

    def test_reordered_fields(self, verifier, signed):
        data = signed["B-LTA"]
        number = objects_of(data)["form"]
        form = re.sub(
            rb"/Fields \[ ?(\d+ 0 R) (\d+ 0 R)", rb"/Fields [ \2 \1", body_of(data, number)
        )
        assert "form" in self.verdict(verifier, append(data, {number: form}))

    def test_trailer_with_another_identity(self, verifier, signed):
        data = append(signed["B-B"], {objects_of(signed["B-B"])["info"]: b"<< /ModDate (x) >>"})
        at = data.rindex(b"/ID [<") + 6
        digit = b"0" if data[at : at + 1] != b"0" else b"1"
        assert "catalogue" in self.verdict(verifier, data[:at] + digit + data[at + 1 :])

    def test_trailer_with_a_new_key(self, verifier, signed):
        data = append(
            signed["B-B"], {objects_of(signed["B-B"])["info"]: b"<< >>"}, trailer=b"/Extra 1"
        )
        assert "catalogue" in self.verdict(verifier, data)

    def test_version_and_extensions_may_rise(self, informed_verifier, signed):
        data = signed["B-B"]
        number = objects_of(data)["root"]
        root = body_of(data, number).replace(b"<<", b"<< /Version /1.7 /Extensions << /A 1 >>", 1)
        report = informed_verifier.verify(append(data, {number: root}))
        assert report.integrity is Integrity.INTACT

    def test_page_that_is_no_page_any_more(self, verifier, signed):
        data = signed["B-B"]
        number = objects_of(data)["page"]
        assert "page" in self.verdict(verifier, append(data, {number: b"[ 1 ]"}))


def test_a_list_of_no_known_version_is_unreadable(verifier, signed):
    """Of version 51: the library's own error for that is no ValueError."""
    data = signed["B-LT"]
    with pikepdf.open(io.BytesIO(data)) as opened:
        crl = opened.Root.DSS.CRLs[0].read_bytes()
    odd = crl.replace(b"\x02\x01\x01", b"\x02\x01\x32", 1)
    assert odd != crl
    assert crl in data
    report = verifier.verify(data.replace(crl, odd))
    found = [(c.check, c.detail) for c in report.all_checks()]
    assert "file.escape" not in dict(found)
    assert any("unreadable CRL" in detail for _, detail in found), found
