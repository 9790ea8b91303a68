"""Reads back the CMS structures that sealing wrote, or finds in a document (RFC 5652)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509

from signer import der
from signer.certificate_parts import certificate_parts
from signer.certificate_path import MAX_PATH, find_issuer
from signer.oids import OID_SIGNED_DATA

OID_DATA = "1.2.840.113549.1.7.1"  # RFC 5652 4
OID_SIGNATURE_TIME_STAMP = "1.2.840.113549.1.9.16.2.14"  # RFC 3161 appendix A
_CONTEXT_0, _CONTEXT_1, _SUBJECT_KEY_ID = 0xA0, 0xA1, 0x80


@dataclass(frozen=True, slots=True)
class SignedData:
    """The parts of a SignedData with exactly one SignerInfo."""

    content_type: bytes  # the encapsulated content's type, an encoded OID
    content: bytes | None  # the encapsulated content, None when detached
    certificates: tuple[bytes, ...]  # DER
    signer: der.Element  # IssuerAndSerialNumber or [0] SubjectKeyIdentifier
    digest_algorithm: der.Element
    signed_attributes: bytes  # as the SET OF that was signed
    attributes: dict[bytes, bytes]  # encoded OID → the encoded only value
    signature_algorithm: bytes
    signature: bytes
    timestamp_token: bytes | None  # the signature-time-stamp attribute

    def signer_certificate(self, known: Iterable[x509.Certificate] = ()) -> x509.Certificate | None:
        """The signer's certificate, from the structure or from `known`. Raises `MalformedDER`."""
        for certificate in (*map(load_certificate, self.certificates), *known):
            if self.signer.tag == _SUBJECT_KEY_ID:
                if self.signer.content == _key_identifier(certificate):
                    return certificate
            elif certificate_parts(certificate).issuer_and_serial == self.signer.raw:
                return certificate
        return None


@lru_cache(maxsize=256)
def load_certificate(encoded: bytes) -> x509.Certificate:
    """A certificate from its DER; the same few occur again and again.

    Raises `der.MalformedDER`.
    """
    try:
        return x509.load_der_x509_certificate(encoded)
    except (ValueError, x509.InvalidVersion) as error:
        raise der.MalformedDER(f"a certificate is broken: {error}") from error


def parse_signed_data(contents: bytes) -> SignedData:
    """Read a ContentInfo; what follows it (the padding of /Contents) is ignored.

    Raises `der.MalformedDER` when it is not a SignedData with one SignerInfo and signed
    attributes.
    """
    try:
        whole = der.Element(contents, der.SEQUENCE, 0, 0, len(contents))
        kind, content = next(whole.children()).expect(der.SEQUENCE).children()
        _require(kind.raw == der.oid(OID_SIGNED_DATA), "not a SignedData")
        fields = list(content.unwrap().expect(der.SEQUENCE).children())
        encapsulated = list(fields[2].expect(der.SEQUENCE).children())
        certificates = [child.raw for f in fields if f.tag == _CONTEXT_0 for child in f.children()]
        (signer_info,) = fields[-1].expect(der.SET).children()
        _, sid, digest, signed, algorithm, signature, *unsigned = signer_info.children()
        signed.expect(_CONTEXT_0)
        inner = encapsulated[1].unwrap().content if len(encapsulated) > 1 else None
        added = _attributes(unsigned[0].expect(_CONTEXT_1)) if unsigned else {}
        return SignedData(
            content_type=encapsulated[0].raw,
            content=inner,
            certificates=tuple(certificates),
            signer=sid,
            digest_algorithm=digest,
            signed_attributes=der.tlv(der.SET, signed.content),
            attributes=_attributes(signed),
            signature_algorithm=algorithm.raw,
            signature=signature.expect(der.OCTET_STRING).content,
            timestamp_token=added.get(der.oid(OID_SIGNATURE_TIME_STAMP)),
        )
    except der.MalformedDER:
        raise
    except (ValueError, IndexError, StopIteration) as error:
        raise der.MalformedDER("a mandatory part is missing, or occurs twice") from error


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise der.MalformedDER(otherwise)


def _attributes(element: der.Element) -> dict[bytes, bytes]:
    """Attribute type → its first value."""
    found = {}
    for attribute in element.children():
        kind, values = attribute.expect(der.SEQUENCE).children()
        found[kind.raw] = next(values.expect(der.SET).children()).raw
    return found


def _key_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except (x509.ExtensionNotFound, ValueError):
        return None
    return extension.value.digest


def order_chain(leaf: x509.Certificate, pool: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """`leaf` and its issuers out of `pool`, nearest first, as far as they are known."""
    chain = [leaf]
    candidates = list(pool)
    while chain[-1].issuer != chain[-1].subject and len(chain) < MAX_PATH:
        issuer = find_issuer(chain[-1], candidates)
        if issuer is None:
            break
        chain.append(issuer)
    return chain
