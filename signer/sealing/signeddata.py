"""Reads back the CMS structures that sealing wrote, or finds in a document (RFC 5652)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.sealing.der import Node, oid, read, sequence

SIGNED_DATA = oid("1.2.840.113549.1.7.2")
TST_INFO = oid("1.2.840.113549.1.9.16.1.4")
CONTENT_TYPE = oid("1.2.840.113549.1.9.3")
MESSAGE_DIGEST = oid("1.2.840.113549.1.9.4")
SIGNATURE_TIME_STAMP = oid("1.2.840.113549.1.9.16.2.14")


@dataclass(frozen=True, slots=True)
class SignedData:
    """The parts of a SignedData with exactly one SignerInfo."""

    content_type: bytes  # the encapsulated content's type, an encoded OID
    content: bytes | None  # the encapsulated content, None when detached
    certificates: tuple[bytes, ...]  # DER
    signer: bytes  # IssuerAndSerialNumber, encoded
    digest_algorithm: bytes
    signed_attributes: bytes  # as the SET OF that was signed
    attributes: dict[bytes, bytes]  # encoded OID → the encoded first value
    signature_algorithm: bytes
    signature: bytes
    timestamp_token: bytes | None  # the signature-time-stamp attribute

    def signer_certificate(self, known: Iterable[bytes] = ()) -> bytes | None:
        """The DER of the signer's certificate, from the structure or from `known`."""
        for der in (*self.certificates, *known):
            if issuer_and_serial(der) == self.signer:
                return der
        return None


def parse(der: bytes) -> SignedData:
    """Read a ContentInfo; bytes behind it (the padding of /Contents) are ignored.

    Raises ValueError when it is not a SignedData with one SignerInfo and signed attributes.
    """
    try:
        content_info = read(der)[0].children
        if content_info[0].raw != SIGNED_DATA:
            raise ValueError("not a SignedData")
        fields = content_info[1].children[0].children
        encapsulated = fields[2].children
        certificates = [n.raw for f in fields if f.tag == 0xA0 for n in f.children]
        (signer_info,) = fields[-1].children
        return _signer_info(signer_info, encapsulated, tuple(certificates))
    except IndexError as error:
        raise ValueError("the SignedData lacks a mandatory part") from error


def _signer_info(
    node: Node, encapsulated: Sequence[Node], certificates: tuple[bytes, ...]
) -> SignedData:
    parts = node.children
    signed = parts[3]
    if signed.tag != 0xA0:
        raise ValueError("the SignerInfo has no signed attributes")
    unsigned = _attributes(parts[6]) if len(parts) > 6 else {}
    return SignedData(
        content_type=encapsulated[0].raw,
        content=encapsulated[1].children[0].contents if len(encapsulated) > 1 else None,
        certificates=certificates,
        signer=parts[1].raw,
        digest_algorithm=parts[2].raw,
        signed_attributes=b"\x31" + signed.raw[1:],
        attributes=_attributes(signed),
        signature_algorithm=parts[4].raw,
        signature=parts[5].contents,
        timestamp_token=unsigned.get(SIGNATURE_TIME_STAMP),
    )


def _attributes(node: Node) -> dict[bytes, bytes]:
    found = {}
    for attribute in node.children:
        kind, values = attribute.children
        found[kind.raw] = values.children[0].raw
    return found


def issuer_and_serial(certificate: bytes) -> bytes:
    """IssuerAndSerialNumber of a DER certificate, with the issuer's own bytes (RFC 5652 10.2.4).

    Raises ValueError when `certificate` is not one.
    """
    fields = read(certificate)[0].children[0].children
    at = 1 if fields[0].tag == 0xA0 else 0  # version is absent in version 1 certificates
    serial, issuer = fields[at], fields[at + 2]
    return sequence(issuer.raw, serial.raw)


def order_chain(leaf: x509.Certificate, pool: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """`leaf` and its issuers out of `pool`, nearest first, as far as they are known."""
    chain = [leaf]
    candidates = list(pool)
    while chain[-1].issuer != chain[-1].subject:
        issuer = next((c for c in candidates if _issued(c, chain[-1])), None)
        if issuer is None or issuer in chain:
            break
        chain.append(issuer)
    return chain


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    if issuer.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - cryptography raises many kinds; each means "not the issuer"
        return False
    return True


def der_of(certificate: x509.Certificate) -> bytes:
    """The certificate's DER."""
    return certificate.public_bytes(Encoding.DER)
