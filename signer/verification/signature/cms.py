"""CMS SignedData as a PDF signature may carry it (RFC 5652, ETSI EN 319 122-1), strictly.

Threats: signed-attribute confusion, encapsulated content, several SignerInfos, missing
signing-certificate, contradicting algorithms, octets that no signature protects. What is not
signed (versions, sets, unsigned attributes) has to be exactly what RFC 5652 says; what deviates
is collected in `deviations`, for it is harmless only where a later signature covers it.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable
from dataclasses import dataclass, field

from signer.verification.attacks import Attack
from signer.verification.signature.algorithms import (
    SignatureAlgorithm,
    UnknownAlgorithm,
    digest_name,
    digest_of,
    signature_algorithm,
    verifies,
)
from signer.verification.signature.certificates import Certificate, SignerIdentifier
from signer.verification.signature.der import (
    OCTET_STRING,
    SEQUENCE,
    SET,
    DERError,
    Node,
    check_tree,
    read,
    read_exactly,
)
from signer.verification.signature.x509_fields import read_time

ID_DATA = "1.2.840.113549.1.7.1"
ID_SIGNED_DATA = "1.2.840.113549.1.7.2"
ID_TST_INFO = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52"
SIGNATURE_TIMESTAMP = "1.2.840.113549.1.9.16.2.14"
ADBE_REVOCATION = "1.2.840.113583.1.1.8"
MAX_CERTIFICATES = 200


@dataclass(frozen=True, slots=True)
class SignedData:
    """One SignedData with its only SignerInfo; nothing in it is verified yet."""

    content_type: str
    content: bytes | None
    certificates: tuple[bytes, ...]
    revocation_values: tuple[bytes, ...]  # CRLs of the crls field
    signer: SignerIdentifier
    digest: str
    algorithm: SignatureAlgorithm
    signature: bytes
    signed_octets: bytes  # the attributes as SET OF, which is what was signed
    signed: dict[str, list[Node]] = field(repr=False)
    unsigned: dict[str, list[Node]] = field(repr=False)
    deviations: tuple[str, ...]
    is_ber: bool


def parse_contents(contents: bytes) -> SignedData:
    """The SignedData in /Contents; behind it only zero octets. Raises `DERError`."""
    if not contents.strip(b"\0"):
        raise DERError("/Contents holds nothing", Attack.UNIVERSAL_FORGERY)
    node, rest = read(contents)
    if rest.strip(b"\0"):
        raise DERError("the padding behind the signature is not zero", Attack.SIGNATURE_WRAPPING)
    return parse_signed_data(node)


def parse_signed_data(node: Node) -> SignedData:
    """Raises `DERError`, `signer.verification.signature.algorithms.UnknownAlgorithm`."""
    outer = node.expect(SEQUENCE).children()
    if len(outer) != 2 or outer[0].oid() != ID_SIGNED_DATA:
        raise DERError("not a CMS SignedData")
    parts = outer[1].explicit(0xA0).expect(SEQUENCE).children()
    if len(parts) < 4:
        raise DERError("SignedData has too few parts")
    if not node.is_ber:
        # certificates are checked by their own signatures, or reported as unexplained
        for part in parts:
            if part.tag != 0xA0:
                check_tree(part)
    version, digests, encapsulated, *rest = parts
    content_type, content = _encapsulated(encapsulated)
    certificates: list[Node] = []
    revocation: list[Node] = []
    if rest and rest[0].tag == 0xA0:
        certificates = rest.pop(0).children()
    if rest and rest[0].tag == 0xA1:
        revocation = rest.pop(0).children()
    if len(rest) != 1 or len(certificates) > MAX_CERTIFICATES:
        raise DERError("SignedData has unknown parts or too many certificates")
    signers = rest[0].expect(SET).children()
    if len(signers) != 1:
        raise DERError(
            f"{len(signers)} SignerInfos; a PDF signature has exactly one", Attack.SEVERAL_SIGNERS
        )
    return _signer_info(
        signers[0], version.integer(), digests, content_type, content, certificates, revocation,
        node.is_ber,
    )  # fmt: skip


def _encapsulated(node: Node) -> tuple[str, bytes | None]:
    parts = node.expect(SEQUENCE).children()
    if len(parts) == 1:
        return parts[0].oid(), None
    if len(parts) != 2:
        raise DERError("an unreadable EncapsulatedContentInfo", Attack.ENCAPSULATED_CONTENT)
    return parts[0].oid(), parts[1].explicit(0xA0).octet_string()


def _signer_info(
    node: Node, version: int, digests: Node, content_type: str, content: bytes | None,
    certificates: list[Node], revocation: list[Node], is_ber: bool,
) -> SignedData:  # fmt: skip
    parts = node.expect(SEQUENCE).children()
    if len(parts) < 6 or parts[3].tag != 0xA0:
        raise DERError("the signature has no signed attributes", Attack.ATTRIBUTE_CONFUSION)
    own_version, identifier, digest_node, attributes, algorithm_node, signature, *rest = parts
    if len(rest) > 1 or (rest and rest[0].tag != 0xA1):
        raise DERError("the SignerInfo has unknown parts")
    signer = _identifier(identifier)
    digest = digest_name(digest_node)
    deviations = list(
        _deviations(version, own_version.integer(), content_type, bool(signer.key),
                    certificates, revocation)
    )  # fmt: skip
    named = [digest_name(n) for n in digests.expect(SET).children()]
    if named != [digest]:
        deviations.append("digestAlgorithms is not exactly the signer's digest")
    if attributes.octets[1] == 0x80:
        raise DERError("signed attributes of indefinite length")
    return SignedData(
        content_type=content_type,
        content=content,
        certificates=tuple(n.octets for n in certificates if n.tag == SEQUENCE),
        revocation_values=tuple(n.octets for n in revocation if n.tag == SEQUENCE),
        signer=signer,
        digest=digest,
        algorithm=signature_algorithm(algorithm_node, digest),
        signature=signature.octet_string(),
        signed_octets=bytes([SET]) + attributes.octets[1:],
        signed=_attributes(attributes),
        unsigned=_attributes(rest[0]) if rest else {},
        deviations=tuple(deviations),
        is_ber=is_ber,
    )


def _identifier(node: Node) -> SignerIdentifier:
    if node.tag == 0x80:
        return SignerIdentifier(b"", 0, node.content)
    parts = node.expect(SEQUENCE).children()
    if len(parts) != 2:
        raise DERError("an unreadable signer identifier")
    return SignerIdentifier(parts[0].expect(SEQUENCE).octets, parts[1].integer(), b"")


def _deviations(
    version: int, signer_version: int, content_type: str, by_key: bool,
    certificates: list[Node], revocation: list[Node],
) -> Iterable[str]:  # fmt: skip
    """What RFC 5652 5.1 and 5.3 prescribe and no signature protects."""
    tags = {n.tag for n in certificates}
    if 0xA3 in tags or any(n.tag != SEQUENCE for n in revocation):
        wanted = 5
    elif 0xA2 in tags:
        wanted = 4
    elif 0xA1 in tags or by_key or content_type != ID_DATA:
        wanted = 3
    else:
        wanted = 1
    if version != wanted:
        yield f"SignedData version {version}, RFC 5652 asks for {wanted}"
    if signer_version != (3 if by_key else 1):
        yield f"SignerInfo version {signer_version} does not fit its identifier"
    if tags - {SEQUENCE} or any(n.tag != SEQUENCE for n in revocation):
        yield "certificates or revocation values of a kind that cannot be checked"


def _attributes(node: Node) -> dict[str, list[Node]]:
    out: dict[str, list[Node]] = {}
    for attribute in node.children():
        parts = attribute.expect(SEQUENCE).children()
        if len(parts) != 2:
            raise DERError("an unreadable attribute")
        kind = parts[0].oid()
        values = parts[1].expect(SET).children()
        if kind in out or not values:
            raise DERError(f"attribute {kind} stands twice or is empty", Attack.ATTRIBUTE_CONFUSION)
        out[kind] = values
    return out


def single(signed: dict[str, list[Node]], kind: str) -> Node | None:
    """The only value of an attribute; None when it is absent. Raises `DERError`."""
    values = signed.get(kind)
    if values is None:
        return None
    if len(values) != 1:
        raise DERError(f"attribute {kind} has {len(values)} values", Attack.ATTRIBUTE_CONFUSION)
    return values[0]


def message_digest(data: SignedData) -> bytes:
    """The digest that was signed. Raises `DERError` when it is missing."""
    node = single(data.signed, MESSAGE_DIGEST)
    if node is None:
        raise DERError("the message-digest attribute is missing", Attack.ATTRIBUTE_CONFUSION)
    return node.expect(OCTET_STRING).content


def check_content_type(data: SignedData, wanted: str) -> None:
    """Content and attribute must both name `wanted`. Raises `DERError`."""
    node = single(data.signed, CONTENT_TYPE)
    if node is None:
        raise DERError("the content-type attribute is missing", Attack.ATTRIBUTE_CONFUSION)
    if wanted == ID_DATA and data.content_type == ID_TST_INFO:
        raise DERError("a timestamp poses as a signature", Attack.TIMESTAMP_AS_SIGNATURE)
    if node.oid() != wanted or data.content_type != wanted:
        raise DERError(
            "the content-type attribute and the content do not agree", Attack.ATTRIBUTE_CONFUSION
        )


def check_algorithm_protection(data: SignedData) -> None:
    """CMSAlgorithmProtection (RFC 6211), when present, must agree. Raises `DERError`."""
    node = single(data.signed, ALGORITHM_PROTECTION)
    if node is None:
        return
    parts = node.expect(SEQUENCE).children()
    if len(parts) != 2 or parts[1].tag != 0xA1 or digest_name(parts[0]) != data.digest:
        raise DERError(
            "CMSAlgorithmProtection does not agree with the digest", Attack.ALGORITHM_SUBSTITUTION
        )
    inner = Node(SEQUENCE, b"\x30" + parts[1].octets[1:], parts[1].content, parts[1].is_ber)
    if signature_algorithm(inner, data.digest) != data.algorithm:
        raise DERError(
            "CMSAlgorithmProtection does not agree with the signature algorithm",
            Attack.ALGORITHM_SUBSTITUTION,
        )


def signing_time(data: SignedData) -> dt.datetime | None:
    """The signing-time attribute: a claim, not a proof. Raises `DERError`."""
    node = single(data.signed, SIGNING_TIME)
    return read_time(node) if node else None


class Naming(enum.Enum):
    """How signing-certificate(-v2) speaks of a certificate."""

    ABSENT = "absent"
    RIGHT = "right"
    ODD = "odd"  # the hash is right; issuer or serial number beside it are not
    WRONG = "wrong"


def names_certificate(data: SignedData, certificate: Certificate) -> Naming:
    """Whether signing-certificate and signing-certificate-v2 name `certificate`; the worse of both.

    Raises `DERError`, `UnknownAlgorithm` for unreadable ones.
    """
    found = {Naming.ABSENT}
    for kind in (SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2):
        node = single(data.signed, kind)
        if node is None:
            continue
        outer = node.expect(SEQUENCE).children()
        identifiers = outer[0].expect(SEQUENCE).children() if outer else []
        if not identifiers:
            raise DERError(
                "signing-certificate names no certificate", Attack.CERTIFICATE_SUBSTITUTION
            )
        found.add(_ess_naming(identifiers[0], certificate, kind))
    order = (Naming.WRONG, Naming.ODD, Naming.RIGHT, Naming.ABSENT)
    return next(naming for naming in order if naming in found)


def _ess_naming(identifier: Node, certificate: Certificate, kind: str) -> Naming:
    parts = identifier.expect(SEQUENCE).children()
    digest = "sha1"
    if kind == SIGNING_CERTIFICATE_V2:
        digest = "sha256"
        if parts and parts[0].tag == SEQUENCE:
            digest = digest_name(parts.pop(0))
    if not parts:
        raise DERError("signing-certificate has no hash", Attack.CERTIFICATE_SUBSTITUTION)
    # the algorithm is the producer's choice; SHA-1 is what RFC 2634 fixed for the old attribute
    if parts[0].expect(OCTET_STRING).content != digest_of(digest, certificate.der):
        return Naming.WRONG
    if len(parts) == 1:
        return Naming.RIGHT
    issuer_serial = parts[1].expect(SEQUENCE).children()
    if len(issuer_serial) != 2:
        return Naming.ODD
    serial = issuer_serial[1].integer()
    names = [n.content for n in issuer_serial[0].children() if n.tag == 0xA4]
    is_right = len(names) == 1 and SignerIdentifier(names[0], serial, b"").names(certificate)
    return Naming.RIGHT if is_right else Naming.ODD


def signature_verifies(data: SignedData, certificate: Certificate) -> bool:
    """True when the signature over the signed attributes is the certificate's key's.

    Attributes out of order may have been signed as they stand or, as RFC 5652 5.4 asks, in DER's
    order: either way it is the same set. Raises `UnknownAlgorithm`.
    """
    if certificate.key is None:
        raise UnknownAlgorithm("the key of the signer's certificate cannot be read")
    forms = [data.signed_octets]
    parts = [node.octets for node in read_exactly(data.signed_octets, is_ber=True).children()]
    if parts != sorted(parts):
        head = len(data.signed_octets) - sum(len(part) for part in parts)
        forms.append(data.signed_octets[:head] + b"".join(sorted(parts)))
    return any(verifies(certificate.key, data.algorithm, data.signature, form) for form in forms)


def revocation_archival(data: SignedData) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """CRLs and OCSP responses of adbe-revocationInfoArchival (ISO 32000-2, 12.8.3.3.2)."""
    node = single(data.signed, ADBE_REVOCATION)
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()
    for part in node.expect(SEQUENCE).children() if node else []:
        values = tuple(n.octets for n in part.explicit(part.tag).children())
        if part.tag == 0xA0:
            crls = values
        elif part.tag == 0xA1:
            ocsps = values
    return crls, ocsps
