"""The key ceremony on a real SoftHSM token."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

from hsm import _cryptoki as ck
from hsm import _objects, provision
from hsm.errors import (
    CeremonyRefused,
    DeviceError,
    KeyMismatch,
    KeyNotFound,
    SchemeNotSupported,
)
from hsm.keys import KeyRef, SignatureScheme
from hsm.provision import KeyKind, SubjectName
from tests.fakes import SoftwareKey
from tests.fixtures_token import CertificateMaker, make_key

SUBJECT = SubjectName(
    common_name="Nguyễn Văn Mẫu",
    title="Chủ tịch",
    organizational_unit="Văn phòng",
    organization="Ủy ban nhân dân xã Mẫu",
    locality="Xã Mẫu",
    state="Tỉnh Mẫu",
    user_id="CCCD:000000000000",
    email="mau@example.invalid",
)


@pytest.mark.parametrize("kind", [KeyKind.RSA_2048, KeyKind.RSA_3072, KeyKind.P_256, KeyKind.P_384])
def test_keys_are_made_in_the_token_and_cannot_leave_it(softhsm_token, kind):
    info = provision.create(softhsm_token, f"made {kind.value}", kind)
    assert info.kind == kind.value
    assert info.non_exportable
    assert info.made_in_token is True
    assert not info.retired
    assert info.certificates == ()
    assert KeyRef.parse(str(info.ref)) == info.ref

    def secret(session):
        (handle,) = session.find({ck.CKA_CLASS: ck.CKO_PRIVATE_KEY, ck.CKA_ID: info.ref.id})
        return [
            session.read(handle, attribute)
            for attribute in (
                ck.CKA_VALUE,
                0x123,
                0x124,
            )  # the value, CKA_PRIVATE_EXPONENT, PRIME_1
        ]

    assert softhsm_token.in_session(secret) == [None, None, None]


def test_a_label_is_used_once(softhsm_token):
    provision.create(softhsm_token, "once", KeyKind.P_256)
    with pytest.raises(CeremonyRefused, match="already holds"):
        provision.create(softhsm_token, "once", KeyKind.P_256)


@pytest.mark.parametrize("label", ["", "  ", "a\nb", "x" * 65, "retired 2020 a", "pkcs11:object=a"])
def test_labels_that_are_refused(softhsm_token, label):
    with pytest.raises(CeremonyRefused, match="choose another"):
        provision.create(softhsm_token, label, KeyKind.P_256)


def test_a_kind_that_the_token_cannot_make(softhsm_token, monkeypatch):
    monkeypatch.setattr(softhsm_token, "mechanisms", frozenset())
    with pytest.raises(SchemeNotSupported, match="another kind"):
        provision.create(softhsm_token, "none", KeyKind.P_256)


def test_an_exportable_key_is_destroyed_again(own_softhsm, monkeypatch):
    opened = own_softhsm.open()
    original = provision._templates

    def exportable(*arguments):
        public, private = original(*arguments)
        return public, private | {ck.CKA_EXTRACTABLE: True}

    monkeypatch.setattr(provision, "_templates", exportable)
    with pytest.raises(CeremonyRefused, match="destroyed again"):
        provision.create(opened, "leaky", KeyKind.P_256)
    assert opened.in_session(lambda session: session.find({})) == []


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [
        ("rsa-2048", SignatureScheme.RSA_PKCS1_SHA256),
        ("rsa-2048", SignatureScheme.RSA_PSS_SHA384),
        ("p-256", SignatureScheme.ECDSA_SHA256),
        ("p-384", None),
    ],
)
def test_a_request_verifies_and_carries_the_subject(softhsm_token, kind, scheme, tmp_path):
    label = f"csr {kind}"
    if label not in {info.label for info in provision.list_keys(softhsm_token)}:
        provision.create(softhsm_token, label, KeyKind(kind))
    der = provision.request(softhsm_token, label, SUBJECT, scheme)
    request = x509.load_der_x509_csr(der)
    assert request.is_signature_valid
    names = {attribute.oid: attribute.value for attribute in request.subject}
    assert names[NameOID.COMMON_NAME] == "Nguyễn Văn Mẫu"
    assert names[NameOID.COUNTRY_NAME] == "VN"
    assert names[NameOID.USER_ID] == "CCCD:000000000000"
    assert names[NameOID.TITLE] == "Chủ tịch"
    usage = request.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert usage.value.content_commitment
    assert not usage.value.key_encipherment
    file = tmp_path / "request.der"
    file.write_bytes(der)
    said = subprocess.run(
        ["openssl", "req", "-inform", "DER", "-in", file, "-verify", "-noout"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "verify OK" in said.stdout + said.stderr


@pytest.mark.parametrize(
    "subject",
    [
        SubjectName(""),
        SubjectName("  "),
        SubjectName("a", country="VNM"),
        SubjectName("a\nb"),
        SubjectName("a", organization="x" * 201),
    ],
)
def test_subjects_that_are_refused(softhsm_token, seal_key, subject):
    with pytest.raises(CeremonyRefused):
        provision.request(softhsm_token, "seal", subject)


def _bundle(certificates, form: str) -> bytes:
    if form == "pem":
        return b"".join(c.public_bytes(Encoding.PEM) for c in certificates)
    if form == "der":
        return certificates[0].public_bytes(Encoding.DER)
    encoding = Encoding.PEM if form == "p7b-pem" else Encoding.DER
    return pkcs7.serialize_certificates(list(certificates), encoding)


@pytest.mark.parametrize("form", ["pem", "der", "p7b-pem", "p7b-der"])
def test_import_takes_what_certification_authorities_send(softhsm_token, form):
    ca = CertificateMaker(f"CA {form}")
    info = provision.create(softhsm_token, f"import {form}", KeyKind.P_256)
    leaf = ca.issue(softhsm_token.private_key(info.ref).public_key, "signer")
    stranger = CertificateMaker("stranger").certificate
    data = _bundle([leaf, ca.certificate, stranger], form)
    stored = provision.import_certificates(softhsm_token, info.ref, data)
    assert [c.matches_key for c in stored.certificates] == [True]
    assert stored.certificates[0].sha256 == leaf.fingerprint(hashes.SHA256()).hex()
    key = softhsm_token.signing_key(info.ref)
    assert key.certificate == leaf
    assert key.chain == (() if form == "der" else (ca.certificate,))

    def count(session):
        return len(session.find({ck.CKA_CLASS: ck.CKO_CERTIFICATE}))

    before = softhsm_token.in_session(count)
    provision.import_certificates(softhsm_token, info.ref, data)  # again: nothing new
    assert softhsm_token.in_session(count) == before


def test_the_newest_certificate_of_a_renewed_key_is_used(softhsm_token, test_ca):
    old = make_key(softhsm_token, "renewed", ca=test_ca).certificate
    now = dt.datetime.now(dt.UTC)
    renewed = test_ca.issue(old.public_key(), "renewed", not_before=now - dt.timedelta(hours=1))
    info = provision.import_certificates(
        softhsm_token, "renewed", renewed.public_bytes(Encoding.DER)
    )
    assert len(info.certificates) == 2
    assert softhsm_token.signing_key("renewed").certificate == renewed


@pytest.mark.parametrize("data", [b"", b"\x30\x03abc", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_import_of_something_else(softhsm_token, seal_key, data):
    with pytest.raises(CeremonyRefused, match="PEM, DER or PKCS#7"):
        provision.import_certificates(softhsm_token, "seal", data)


def test_import_of_a_certificate_for_another_key(softhsm_token, seal_key, test_ca):
    with pytest.raises(KeyMismatch):
        provision.import_certificates(
            softhsm_token, "seal", test_ca.certificate.public_bytes(Encoding.PEM)
        )


def test_retire_keeps_the_key_and_forbids_its_use(softhsm_token, test_ca):
    key = make_key(softhsm_token, "old officer", ca=test_ca)
    with pytest.raises(CeremonyRefused, match="nothing was changed"):
        provision.retire(softhsm_token, "old officer", confirm="old")
    key.sign_digests([bytes(32)])
    done = provision.retire(softhsm_token, "old officer", confirm="old officer")
    assert done.forbidden_by_token
    assert done.new_label == f"retired {dt.datetime.now(dt.UTC).date()} old officer"
    with pytest.raises(SchemeNotSupported, match="CKR_KEY_FUNCTION_NOT_PERMITTED"):
        key.sign_digests([bytes(32)])
    with pytest.raises(KeyNotFound, match="0 private keys"):
        softhsm_token.signing_key("old officer")
    with pytest.raises(KeyNotFound, match="is retired"):
        softhsm_token.signing_key(done.new_label)
    with pytest.raises(KeyNotFound, match="is retired"):
        provision.retire(softhsm_token, done.new_label, confirm=done.new_label)
    (info,) = [i for i in provision.list_keys(softhsm_token) if i.label == done.new_label]
    assert info.retired
    assert info.certificates[0].matches_key
    successor = make_key(softhsm_token, "old officer", ca=test_ca)
    assert successor.certificate != key.certificate
    gone = provision.retire(softhsm_token, done.new_label, confirm=done.new_label, destroy=True)
    assert gone.new_label is None
    assert done.new_label not in {i.label for i in provision.list_keys(softhsm_token)}


def test_destroying_takes_both_halves_and_leaves_the_certificate(own_softhsm):
    opened = own_softhsm.open()
    make_key(opened, "officer")
    with pytest.raises(KeyNotFound, match="name exactly one"):
        provision.retire(opened, "nobody", confirm="nobody", destroy=True)
    provision.retire(opened, "officer", confirm="officer", destroy=True)

    def classes(session):
        return sorted(session.number(handle, ck.CKA_CLASS) for handle in session.find({}))

    assert opened.in_session(classes) == [ck.CKO_CERTIFICATE] * 2


def test_a_token_that_does_not_let_labels_be_changed(own_softhsm):
    opened = own_softhsm.open()
    make_key(opened, "officer")
    own_softhsm.spy.faults["C_SetAttributeValue"] = lambda *_: 0x10
    with pytest.raises(DeviceError, match="CKR_ATTRIBUTE_READ_ONLY"):
        provision.retire(opened, "officer", confirm="officer")


def test_keys_of_others_are_listed_but_not_understood(own_softhsm):
    """A key without id, of an unknown type, beside an object that is no certificate."""
    opened = own_softhsm.open()

    def fill(session):
        session.create(
            {
                ck.CKA_CLASS: ck.CKO_CERTIFICATE,
                ck.CKA_CERTIFICATE_TYPE: ck.CKC_X_509,
                ck.CKA_TOKEN: True,
                ck.CKA_SUBJECT: b"\x30\x00",
                ck.CKA_VALUE: b"not a certificate",
            }
        )
        session.create(
            {
                ck.CKA_CLASS: ck.CKO_PRIVATE_KEY,
                ck.CKA_KEY_TYPE: 1,  # CKK_DSA
                ck.CKA_TOKEN: True,
                ck.CKA_PRIVATE: True,
                0x130: b"\x07",  # CKA_PRIME, CKA_SUBPRIME, CKA_BASE
                0x131: b"\x03",
                0x132: b"\x02",
                ck.CKA_VALUE: b"\x01",
            }
        )

    opened.in_session(fill, writable=True)
    (info,) = provision.list_keys(opened)
    assert info.kind == "unknown"
    assert info.certificates == ()


def test_a_chain_ends_where_no_issuer_is_known_or_proved():
    root = CertificateMaker("root")
    impostor = CertificateMaker("root")  # the same name, another key
    leaf = root.issue(SoftwareKey().certificate.public_key(), "leaf")
    assert _objects.chain_of(leaf, [impostor.certificate]) == ()
    assert _objects.chain_of(leaf, [leaf, impostor.certificate, root.certificate]) == (
        root.certificate,
    )
    assert _objects.chain_of(root.certificate, [root.certificate]) == ()


def test_public_halves_are_found_in_the_public_key_object(own_softhsm):
    """Some tokens keep modulus and point in the public key object only."""
    opened = own_softhsm.open()
    make_key(opened, "officer", "rsa-2048")
    privates = opened.in_session(lambda s: s.find({ck.CKA_CLASS: ck.CKO_PRIVATE_KEY}))

    def hide(real, session, handle, cell, count):
        import ctypes

        wanted = ctypes.cast(cell, ctypes.POINTER(ck.Attribute)).contents.type
        hidden = handle in privates and wanted in (ck.CKA_MODULUS, ck.CKA_EC_POINT)
        return 0x12 if hidden else real(session, handle, cell, count)

    own_softhsm.spy.faults["C_GetAttributeValue"] = hide
    key = opened.private_key("officer")
    (signature,) = key.sign_digests([hashlib.sha256(b"x").digest()])
    assert isinstance(key.public_key, rsa.RSAPublicKey)
    key.public_key.verify(signature, b"x", padding.PKCS1v15(), hashes.SHA256())
