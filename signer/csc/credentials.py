"""What a key service says of a credential (credentials/info, CSC API v2 11.5), read and proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm.errors import KeyMismatch
from hsm.keys import SignatureScheme
from signer.algorithms import DIGEST_OIDS
from signer.certificate_parts import UNREADABLE
from signer.certificate_path import find_issuer
from signer.csc.wire import (
    HASHES_PER_CALL,
    MalformedMessage,
    decoded,
    scheme_from_wire,
    texts,
)

_MOST_CERTIFICATES: Final = 16


@dataclass(frozen=True, slots=True)
class Credential:
    """A key of a key service with its certificate."""

    id: str
    label: str  # the id, for the key agent its CKA_LABEL
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]  # issuers, nearest first, each proved by its signature
    schemes: tuple[SignatureScheme, ...]  # the first is the default
    enabled: bool
    hashes_per_call: int
    is_hardware: bool
    description: str = ""


def read_credential(identity: str, body: Mapping[str, Any], *, hardware: bool) -> Credential:
    """Read an answer to credentials/info.

    The certificate's key must be of the kind and size that the service says it signs with, and
    each certificate of the chain must have signed the one before. That the private key is the
    certificate's is proved by every signature before it is released. Raises
    `MalformedMessage`, `KeyMismatch`.
    """
    key, cert = body.get("key"), body.get("cert")
    if not isinstance(key, dict) or not isinstance(cert, dict):
        raise MalformedMessage("credentials/info has no key or no cert")
    found = texts(cert.get("certificates"), "cert.certificates")
    if not 1 <= len(found) <= _MOST_CERTIFICATES:
        raise MalformedMessage(f"credentials/info gives {len(found)} certificates")
    try:
        certificates = [x509.load_der_x509_certificate(decoded(entry)) for entry in found]
        public_key = certificates[0].public_key()
    except UNREADABLE as error:
        raise MalformedMessage("a certificate in credentials/info cannot be read") from error
    schemes = _schemes(public_key, texts(key.get("algo"), "key.algo"))
    bits = key.get("len")
    if not schemes or bits not in (None, getattr(public_key, "key_size", None)):
        raise KeyMismatch(
            f"Chứng thư của “{identity}” không khớp với khóa mà dịch vụ khai báo; hãy báo nhà cung "
            "cấp. / The certificate is not about the kind of key that the service says it signs "
            "with; tell its operator."
        )
    own = body.get("sohoa")
    own = own if isinstance(own, dict) else {}
    multisign = body.get("multisign", 1)
    return Credential(
        identity,
        identity,
        certificates[0],
        _chain(certificates),
        schemes,
        key.get("status", "enabled") == "enabled" and cert.get("status", "valid") == "valid",
        min(multisign, HASHES_PER_CALL) if type(multisign) is int and multisign > 0 else 1,
        hardware or own.get("hardware") is True,
        str(body.get("description", "")),
    )


def _schemes(public_key: object, algorithms: Sequence[str]) -> tuple[SignatureScheme, ...]:
    """The schemes among `algorithms` that fit the key, in the service's order."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        own = "ecdsa"
    elif isinstance(public_key, rsa.RSAPublicKey):
        own = "rsa"
    else:
        return ()
    found: dict[SignatureScheme, None] = {}
    for algorithm in algorithms:
        # a plain key type, as rsaEncryption, leaves the digest to the caller
        for digest in DIGEST_OIDS.values():
            with suppress(MalformedMessage):
                scheme = scheme_from_wire(algorithm, None, digest)
                if scheme.family.startswith(own):
                    found[scheme] = None
    return tuple(found)


def _chain(certificates: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The issuers, as far as each signed the one before; order and strangers do not matter."""
    chain: list[x509.Certificate] = []
    current, left = certificates[0], list(certificates[1:])
    while current.issuer != current.subject:
        issuer = find_issuer(current, left)
        if issuer is None:
            break
        left.remove(issuer)
        chain.append(issuer)
        current = issuer
    return tuple(chain)
