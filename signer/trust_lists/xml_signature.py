"""The XAdES signature of a trusted list (ETSI TS 119 612, 5.7.1): who signed, and which octets.

The only door to signxml and lxml. Whatever is read afterwards is read from the octets that the
signature covers, never from the file, so that nothing unsigned can be slipped in (signature
wrapping). Declarations of types and entities are refused before lxml sees the file.
"""

from __future__ import annotations

import binascii
import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from lxml import etree  # type: ignore[import-untyped]  # it ships no types
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier

from signer.algorithm_policy import AlgorithmPolicy, ForbiddenAlgorithm, public_key_of
from signer.certificate_parts import UNREADABLE
from signer.trust_lists.content import ListUnreadable

_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


@dataclass(frozen=True, slots=True)
class SignedXML:
    """Canonical octets that are under the signature, and the certificate that signed them."""

    octets: bytes
    signer: x509.Certificate


def refuse_declarations(text: bytes) -> None:
    """Raise `ListUnreadable` for what is no XML, or declares types or entities (bombs, XXE)."""
    try:
        ElementTree.fromstring(text, forbid_dtd=True)
    except DefusedXmlException as error:
        raise ListUnreadable(f"it declares types or entities: {type(error).__name__}") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise ListUnreadable(f"not readable as XML: {error}") from error


def verify_signed_xml(
    text: bytes, root: str, at: dt.datetime, signers: Collection[x509.Certificate] | None
) -> SignedXML:
    """What an enveloped XAdES signature over the element `root` proves.

    The signature must be by one of `signers`, all in force at `at`; with None, by whoever's
    certificate stands in it, which proves no more than that the file is whole. Raises
    `ListUnreadable`.
    """
    refuse_declarations(text)
    candidates = list(signers) if signers is not None else _embedded(text)
    reasons: list[str] = []
    for signer in candidates:
        try:
            AlgorithmPolicy.default().check_key(public_key_of(signer), at)
            octets = _verify(text, root, at, signer)
        except (SignXMLException, etree.LxmlError, ForbiddenAlgorithm, *UNREADABLE) as error:
            name = signer.subject.rfc4514_string()
            reasons.append(f"{name}: {error or type(error).__name__}")
            continue
        return SignedXML(octets, signer)
    raise ListUnreadable(
        "the signature is not one of a pinned certificate: " + ("; ".join(reasons) or "none given")
    )


def _verify(text: bytes, root: str, at: dt.datetime, signer: x509.Certificate) -> bytes:
    config = XAdESSignatureConfiguration(
        location="./",  # a child of the root and nowhere else
        expect_references=True,  # the list, the signed properties, and what else the signer chose
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        verification_time=at,
    )
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    results = XAdESVerifier().verify(text, x509_cert=signer, expect_config=config, parser=parser)
    covered = [r for r in results if r.signed_xml is not None and r.signed_xml.tag == root]
    if len(covered) != 1 or covered[0].signed_xml is None:
        raise SignXMLException("the signature does not cover the list")
    if covered[0].signed_xml.find(f".//{_DS}Signature") is not None:
        raise SignXMLException("there is a signature inside what is signed")
    return bytes(covered[0].signed_data)


def _embedded(text: bytes) -> list[x509.Certificate]:
    found = ElementTree.fromstring(text, forbid_dtd=True).iterfind(
        f"./{_DS}Signature/{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate"
    )
    try:
        return [
            x509.load_der_x509_certificate(binascii.a2b_base64("".join((one.text or "").split())))
            for one in list(found)[:4]
        ]
    except UNREADABLE as error:
        raise ListUnreadable(f"the signer's certificate cannot be read: {error}") from error
