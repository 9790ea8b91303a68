"""Signed statements: a few bytes, a detached CMS signature, an RFC 3161 timestamp over it.

For what is no PDF: heads of audit chains, lists of documents. The timestamp token stands beside
the CMS, over the digest of the whole of it, so that not one octet of the signature is free.
Verification needs nothing but what is handed in; it asks no network.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from cryptography import x509

from hsm.keys import SigningKey
from signer.certificate_path import NoPath, find_path
from signer.errors import OutputRejected, StatementInvalid
from signer.sealing.cms import CMSBuilder
from signer.services import Timestamper
from signer.timestamp_token import TimestampToken, UnusableToken, read_token
from signer.verification.signature import cms
from signer.verification.signature.algorithms import UnknownAlgorithm, digest_of
from signer.verification.signature.certificates import Certificate, CertificateUnreadable, load
from signer.verification.signature.der import DERError, read_exactly

_IMPRINT = "sha256"  # of the timestamp over the signature


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """The proof that goes with a statement: CMS SignedData and TimeStampToken, both DER."""

    signature: bytes
    timestamp_token: bytes | None = None


@dataclass(frozen=True, slots=True)
class StatementProof:
    """What a verified statement proves. `at` is the timestamp's time, None without one."""

    signer: x509.Certificate
    at: dt.datetime | None
    authority: x509.Certificate | None


def sign_statement(
    statement: bytes, key: SigningKey, timestamper: Timestamper | None
) -> SignedStatement:
    """Sign `statement` with `key`, one use of it, and timestamp the signature. Blocking.

    The result was verified before it is returned. Raises `hsm.errors.HSMError`,
    `TimestampError`, `PolicyRefused`, `OutputRejected`.
    """
    builder = CMSBuilder(key.certificate, key.chain, key.scheme)
    digest_name = key.scheme.digest_name
    attributes = builder.signed_attributes(hashlib.new(digest_name, statement).digest())
    [value] = key.sign_digests([hashlib.new(digest_name, attributes).digest()])
    signature = builder.assemble(attributes, value)
    token = None
    if timestamper is not None:
        token = timestamper.timestamp(hashlib.new(_IMPRINT, signature).digest(), _IMPRINT)
    signed = SignedStatement(signature, token)
    try:
        verify_statement(statement, signed, None)
    except StatementInvalid as error:
        raise OutputRejected(
            "Chữ ký vừa tạo không đúng nên bị hủy; hãy kiểm tra thiết bị khóa. / The new signature "
            f"is wrong and was discarded; check the token: {error}"
        ) from error
    return signed


def verify_statement(
    statement: bytes,
    signed: SignedStatement,
    anchors: Collection[x509.Certificate] | None,
    *,
    candidates: Iterable[x509.Certificate] = (),
    at: dt.datetime | None = None,
) -> StatementProof:
    """What `signed` proves of `statement`. Raises `StatementInvalid`.

    The signer's and the timestamp unit's certificates must have paths to `anchors`, over
    certificates that came along or `candidates`, at the time of the timestamp (else at `at`).
    With None for anchors their issuers are not looked at.
    """
    try:
        data = cms.parse_signed_data(read_exactly(signed.signature))
        _check_form(data)
        digest = digest_of(data.digest, statement)
        if cms.message_digest(data) != digest:
            raise StatementInvalid("the statement is not the one that was signed")
        signer = _signer(data)
        if cms.names_certificate(data, signer) is not cms.Naming.RIGHT:
            raise StatementInvalid("the signature does not name its certificate")
        if not cms.signature_verifies(data, signer):
            raise StatementInvalid("the signature's value is wrong")
    except (DERError, UnknownAlgorithm, CertificateUnreadable) as error:
        raise StatementInvalid(f"the signature is no CMS of the form asked for: {error}") from error
    token = _token(signed)
    moment = token.gen_time if token is not None else at
    certificate = x509.load_der_x509_certificate(signer.der)
    if anchors is not None:
        when = moment or dt.datetime.now(dt.UTC)
        embedded = [x509.load_der_x509_certificate(c) for c in _readable(data.certificates)]
        pool = [*embedded, *candidates]
        _require_path(certificate, pool, anchors, when)
        if token is not None:
            _require_path(token.certificate, [*token.certificates, *pool], anchors, when)
    if token is None:
        return StatementProof(certificate, None, None)
    return StatementProof(certificate, token.gen_time, token.certificate)


def signed_digest(signature: bytes) -> bytes:
    """The digest that the key signed: of the attributes of a CMS. Raises `StatementInvalid`."""
    try:
        data = cms.parse_signed_data(read_exactly(signature))
    except DERError as error:
        raise StatementInvalid(f"the signature is no CMS of the form asked for: {error}") from error
    return digest_of(data.digest, data.signed_octets)


def _check_form(data: cms.SignedData) -> None:
    """A detached signature over data, nothing in it that is neither signed nor prescribed."""
    cms.check_content_type(data, cms.ID_DATA)
    cms.check_algorithm_protection(data)
    if data.content is not None or data.unsigned or data.revocation_values or data.is_ber:
        raise StatementInvalid("the signature carries something besides itself")
    if data.deviations:
        raise StatementInvalid("; ".join(data.deviations))


def _signer(data: cms.SignedData) -> Certificate:
    for octets in _readable(data.certificates):
        certificate = load(octets)
        if data.signer.names(certificate):
            return certificate
    raise StatementInvalid("the signature does not carry its signer's certificate")


def _readable(certificates: Iterable[bytes]) -> list[bytes]:
    """An unreadable certificate is as good as none: who needs it does not find it."""
    found = []
    for octets in certificates:
        try:
            load(octets)
        except CertificateUnreadable:
            continue
        found.append(octets)
    return found


def _token(signed: SignedStatement) -> TimestampToken | None:
    if signed.timestamp_token is None:
        return None
    imprint = hashlib.new(_IMPRINT, signed.signature).digest()
    try:
        return read_token(signed.timestamp_token, imprint, _IMPRINT)
    except UnusableToken as error:
        raise StatementInvalid(f"the timestamp is not genuine: {error}") from error


def _require_path(
    certificate: x509.Certificate,
    pool: Iterable[x509.Certificate],
    anchors: Collection[x509.Certificate],
    at: dt.datetime,
) -> None:
    try:
        find_path(certificate, pool, anchors, at)
    except NoPath as error:
        raise StatementInvalid(f"no path to a trusted root: {error}") from error
