"""One signature or document timestamp, before any question of trust (steps 2-4 of `verify`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as attribute

from signer.services import RevocationEvidence
from signer.verification.attacks import Attack
from signer.verification.file.byte_range import ByteRangeError, Coverage, read_coverage
from signer.verification.file.structure import Document, SignatureField
from signer.verification.report import Checklist, Integrity, SubIndication
from signer.verification.signature import cms
from signer.verification.signature.algorithms import UnknownAlgorithm, digest_of
from signer.verification.signature.certificates import (
    Certificate,
    CertificatePool,
    CertificateUnreadable,
    load,
)
from signer.verification.signature.cms import Naming
from signer.verification.signature.der import DERError
from signer.verification.signature.timestamps import (
    TSTInfo,
    check_token,
    note_unreadable,
    read_tst_info,
)
from signer.verification.validity.evidence import is_vouched_list

SIGNATURE_FORMATS = frozenset({"ETSI.CAdES.detached", "adbe.pkcs7.detached"})
# an encapsulated SHA-1 of the covered bytes is what this one signs (ISO 32000-1, 12.8.3.3)
_SHA1_FORMAT = "adbe.pkcs7.sha1"
_SHA1_SIZE = 20
_OLD_FORMATS = frozenset({"adbe.pkcs7.sha1", "adbe.x509.rsa_sha1", "ETSI.CAdES.attached"})


@dataclass(slots=True)
class Token:
    """A timestamp token and what is known of it; `info` only when it proves something."""

    checks: Checklist
    data: cms.SignedData | None = None
    authority: Certificate | None = None
    info: TSTInfo | None = None
    is_trusted: bool = False
    trust_domain: str | None = None


@dataclass(slots=True)
class Examined:
    """A signature field under examination."""

    field: SignatureField
    checks: Checklist = attribute(default_factory=Checklist)
    coverage: Coverage | None = None
    data: cms.SignedData | None = None
    certificate: Certificate | None = None
    tokens: list[Token] = attribute(default_factory=list)
    document_token: Token | None = None
    claimed_time: dt.datetime | None = None
    is_intact: bool = False


def examine_structure(document: Document, found: SignatureField) -> Examined:
    """Step 2 and 3: byte range, contents, CMS structure."""
    item = Examined(found)
    checks = item.checks
    try:
        item.coverage = read_coverage(document, found)
    except ByteRangeError as error:
        checks.failed(
            error.rule, SubIndication.FORMAT_FAILURE, str(error), Integrity.MALFORMED,
            attack=error.attack,
        )  # fmt: skip
        return item
    checks.passed("byterange", f"bytes 0-{item.coverage.end} but for the signature itself")
    is_sha1 = found.sub_filter == _SHA1_FORMAT and _holds_sha1(item.coverage.contents)
    if not found.is_timestamp and not is_sha1 and found.sub_filter not in SIGNATURE_FORMATS:
        known = "an old format" if found.sub_filter in _OLD_FORMATS else "an unknown format"
        checks.unknown(
            "signature.sub-filter", SubIndication.SIG_CONSTRAINTS_FAILURE,
            f"{found.sub_filter or 'no SubFilter'}: {known} that is not computed here",
            Integrity.UNKNOWN,
        )  # fmt: skip
        return item
    item.data = _parse(item.coverage.contents, checks)
    if item.data is None:
        return item
    if found.is_timestamp:
        item.document_token = Token(checks, item.data)
    else:
        item.tokens = list(_signature_tokens(item.data))
    return item


def _holds_sha1(contents: bytes) -> bool:
    """True when the content of the SignedData has the length of a SHA-1 and attributes sign it."""
    try:
        data = cms.parse_contents(contents)
    except (DERError, UnknownAlgorithm):
        return False
    return len(data.content or b"") == _SHA1_SIZE


def _parse(contents: bytes, checks: Checklist) -> cms.SignedData | None:
    try:
        data = cms.parse_contents(contents)
    except (DERError, UnknownAlgorithm) as error:
        note_unreadable(error, "cms.structure", checks)
        return None
    if data.is_ber:
        checks.warn("cms.structure", "written in BER, not in DER")
    else:
        checks.passed("cms.structure")
    return data


def _signature_tokens(data: cms.SignedData) -> Iterable[Token]:
    for node in data.unsigned.get(cms.SIGNATURE_TIMESTAMP, []):
        checks = Checklist()
        token = Token(checks)
        try:
            token.data = cms.parse_signed_data(node)
        except (DERError, UnknownAlgorithm) as error:
            note_unreadable(error, "timestamp.structure", checks)
        yield token


def all_data(items: Iterable[Examined]) -> Iterable[cms.SignedData]:
    """Every SignedData of signatures and tokens."""
    for item in items:
        if item.data is not None:
            yield item.data
        for token in item.tokens:
            if token.data is not None:
                yield token.data


def collect_certificates(items: Iterable[Examined], pool: CertificatePool) -> set[bytes]:
    """Readable embedded certificates go to `pool`; returns the unreadable ones."""
    unreadable: set[bytes] = set()
    for data in all_data(items):
        for octets in data.certificates:
            try:
                pool.add(load(octets))
            except CertificateUnreadable:
                unreadable.add(octets)
    return unreadable


def embedded_revocation(items: Iterable[Examined]) -> RevocationEvidence:
    """CRLs and OCSP responses inside the CMS structures; unreadable ones are left out."""
    crls: list[bytes] = []
    ocsps: list[bytes] = []
    for data in all_data(items):
        crls += data.revocation_values
        try:
            more_crls, more_ocsps = cms.revocation_archival(data)
        except DERError:
            continue
        crls += more_crls
        ocsps += more_ocsps
    return RevocationEvidence((), tuple(crls), tuple(ocsps))


def wanted_digest(item: Examined) -> str | None:
    """The digest to compute over the byte range of this signature or document timestamp."""
    if item.coverage is None or item.data is None:
        return None
    if item.document_token is None:
        return "sha1" if item.field.sub_filter == _SHA1_FORMAT else item.data.digest
    try:
        return read_tst_info(item.data).digest
    except (DERError, UnknownAlgorithm):
        return None


def examine_values(
    item: Examined, digests: dict[tuple[int, str], bytes], pool: CertificatePool
) -> None:
    """Step 4: the digest of the covered bytes, the signed attributes, the signature value."""
    if item.data is None or item.coverage is None:
        return
    gap = item.coverage.gap_start
    own = {name: value for (start, name), value in digests.items() if start == gap}
    item.certificate = _certificate_of(item.data, pool)
    if item.document_token is not None:
        token = item.document_token
        token.authority = item.certificate
        token.info = check_token(item.data, item.certificate, own, item.checks)
        item.is_intact = token.info is not None
        return
    item.is_intact = _check_signature(
        item,
        own[wanted_digest(item) or ""],
        {value for (start, _), value in digests.items() if start != gap},
    )
    for token in item.tokens:
        if token.data is None:
            continue
        token.authority = _certificate_of(token.data, pool)
        imprints = {token_digest: digest_of(token_digest, item.data.signature)
                    for token_digest in _imprint_names(token.data)}  # fmt: skip
        token.info = check_token(token.data, token.authority, imprints, token.checks)


def _imprint_names(data: cms.SignedData) -> Iterable[str]:
    try:
        yield read_tst_info(data).digest
    except (DERError, UnknownAlgorithm):
        return


def _certificate_of(data: cms.SignedData, pool: CertificatePool) -> Certificate | None:
    """The certificate that the signer identifier names: from the structure, else from anywhere."""
    for octets in data.certificates:
        try:
            certificate = load(octets)
        except CertificateUnreadable:
            continue
        if data.signer.names(certificate):
            return certificate
    return pool.find(data.signer)


def _check_signature(item: Examined, covered: bytes, others: set[bytes]) -> bool:
    """Signed attributes and value of a signature; False when anything is wrong.

    `others` are digests of what other signatures of the file cover.
    """
    data, checks = item.data, item.checks
    if data is None:  # pragma: no cover - the caller has looked
        return False
    try:
        cms.check_content_type(data, cms.ID_DATA)
        signed = _signed_digest(item, data)
        cms.check_algorithm_protection(data)
        named = Naming.ABSENT
        if item.certificate is not None:
            named = cms.names_certificate(data, item.certificate)
    except (DERError, UnknownAlgorithm) as error:
        note_unreadable(error, "cms.structure", checks)
        return False
    try:
        item.claimed_time = cms.signing_time(data)
    except DERError as error:
        checks.warn("cms.signing-time", str(error))
    if signed != covered:
        checks.failed(
            "signature.digest", SubIndication.HASH_FAILURE,
            f"the {data.digest} of the covered bytes is not the one that was signed",
            Integrity.BROKEN, attack=Attack.SWAPPED_DICTIONARY if signed in others else None,
        )  # fmt: skip
        return False
    checks.passed("signature.digest", data.digest)
    if item.certificate is None:
        checks.unknown(
            "signature.certificate", SubIndication.NO_SIGNING_CERTIFICATE_FOUND,
            "the signer's certificate is neither in the file nor in the trust store",
            Integrity.UNKNOWN,
        )  # fmt: skip
        return False
    if named is Naming.WRONG:
        checks.failed(
            "cms.signing-certificate", SubIndication.SIG_CRYPTO_FAILURE,
            "signing-certificate names another certificate", Integrity.BROKEN,
        )  # fmt: skip
        return False
    try:
        is_verified = cms.signature_verifies(data, item.certificate)
    except UnknownAlgorithm as error:
        note_unreadable(error, "cms.structure", checks)
        return False
    if not is_verified:
        checks.failed(
            "signature.value", SubIndication.SIG_CRYPTO_FAILURE,
            "the signature over the signed attributes does not verify", Integrity.BROKEN,
        )  # fmt: skip
        return False
    checks.passed("signature.value", data.algorithm.name)
    if item.field.sub_filter == _SHA1_FORMAT:
        checks.unknown(
            "signature.strength", SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
            "adbe.pkcs7.sha1 signs no more of the document than its SHA-1",
        )  # fmt: skip
    if named is Naming.ABSENT:
        _miss_signing_certificate(item)
    elif named is Naming.ODD:
        checks.warn("cms.signing-certificate", "the hash is right, the issuer beside it is not")
    else:
        checks.passed("cms.signing-certificate")
    return True


def _signed_digest(item: Examined, data: cms.SignedData) -> bytes:
    """The digest of the covered bytes that was signed. Raises `DERError`."""
    digest = cms.message_digest(data)
    if item.field.sub_filter == _SHA1_FORMAT:
        content = data.content or b""
        return content if digest_of(data.digest, content) == digest else b""
    if data.content is not None:
        raise DERError("the signature carries content of its own", Attack.ENCAPSULATED_CONTENT)
    return digest


def _miss_signing_certificate(item: Examined) -> None:
    """Agencies sign adbe.pkcs7.detached without it (`domain.md` 5.8); PAdES demands it."""
    message = "the signature does not name its certificate; the one found verifies it"
    if item.field.sub_filter in ("adbe.pkcs7.detached", _SHA1_FORMAT):
        item.checks.warn("cms.signing-certificate", message)
    else:
        item.checks.unknown(
            "cms.signing-certificate", SubIndication.SIG_CONSTRAINTS_FAILURE, message
        )


def examine_envelope(
    data: cms.SignedData, checks: Checklist, pool: CertificatePool, unreadable: set[bytes],
    is_covered: bool,
) -> None:  # fmt: skip
    """What no signature of its own protects; harmless where a later one covers it."""
    odd = list(data.deviations)
    odd += ["an embedded certificate cannot be read" for c in data.certificates if c in unreadable]
    signer = _certificate_of(data, pool)
    if signer is not None and data.signer.issuer not in (b"", signer.issuer):
        odd.append("the signer identifier spells the issuer otherwise than the certificate")
    readable = [load(c) for c in data.certificates if c not in unreadable]
    bad = [c for c in readable if pool.has_issuer(c) is False and not _is_bound(c, data)]
    # that nobody knows who issued the signer's own certificate is said where its path is sought
    stray = [c for c in readable if pool.has_issuer(c) is None and not data.signer.names(c)]
    # an issuer of another one is explained even if nobody knows its own issuer, unless it is
    # the altered copy of one that somebody knows
    stray = [
        c
        for c in stray
        if pool.has_twin(c) or not any(pool.issued(r, c) for r in readable if r != c)
    ]
    altered = [f"nobody signed the embedded certificate of {c.common_name}" for c in bad]
    odd += [
        "an embedded revocation list is damaged or nobody vouches for it"
        for octets in data.revocation_values
        if not is_vouched_list(octets, pool)
    ]
    unknown_attributes = sorted(set(data.unsigned) - {cms.SIGNATURE_TIMESTAMP})
    if is_covered:
        for note in (*altered, *odd, *(f"unsigned attribute {a}" for a in unknown_attributes)):
            checks.warn("cms.canonical", f"{note}; a later signature covers it")
        return
    if altered:
        checks.failed(
            "cms.canonical", SubIndication.FORMAT_FAILURE, "; ".join([*altered, *odd]),
            Integrity.MALFORMED, attack=Attack.CERTIFICATE_SUBSTITUTION,
        )  # fmt: skip
    elif odd:
        # writers differ here, and a forger gains nothing: the verdict waits, what is shown stands
        checks.unknown("cms.canonical", SubIndication.FORMAT_FAILURE, "; ".join(odd))
    else:
        checks.passed("cms.canonical")
    if stray:
        checks.unknown(
            "cms.certificates", SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE,
            "; ".join(f"the issuer of {c.common_name} is not known" for c in stray),
        )  # fmt: skip
    if unknown_attributes:
        checks.unknown(
            "cms.unsigned-attributes", SubIndication.SIG_CONSTRAINTS_FAILURE,
            ", ".join(unknown_attributes),
        )  # fmt: skip


def _is_bound(certificate: Certificate, data: cms.SignedData) -> bool:
    """True when signing-certificate binds the certificate, every bit of it, to the signature."""
    return data.signer.names(certificate) and any(
        kind in data.signed for kind in (cms.SIGNING_CERTIFICATE, cms.SIGNING_CERTIFICATE_V2)
    )
