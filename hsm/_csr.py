"""A PKCS#10 request signed by a key that never leaves its token (RFC 2986)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Final

from asn1crypto import algos, core, csr, keys, x509

from hsm._objects import spki
from hsm._tokenkey import PrivateKey
from hsm.errors import CeremonyRefused
from hsm.keys import SignatureScheme

_MAX_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class SubjectName:
    """The subject of a certificate request; empty fields are left out (RFC 5280, annex A).

    Vietnamese CAs put the tax code or the identity number into `user_id` (UID), written
    ``MST:0100000000`` or ``CCCD:000000000000``.
    """

    common_name: str
    organizational_unit: str = ""
    organization: str = ""
    locality: str = ""
    state: str = ""
    country: str = "VN"
    title: str = ""
    user_id: str = ""
    email: str = ""


_NAMES: Final = {"state": "state_or_province_name", "email": "email_address"}
_SUFFIXED: Final = ("organizational_unit", "organization", "locality", "country")
# from the largest unit to the person, as CAs order a name
_ORDER: Final = (
    "country", "state", "locality", "organization", "organizational_unit", "title",
    "common_name", "user_id", "email",
)  # fmt: skip


def build_request(key: PrivateKey, subject: SubjectName) -> bytes:
    """DER CertificationRequest over the key's public half, with the key usages of a signer.

    Raises `CeremonyRefused` for an unusable subject, `hsm.errors.HSMError` from the token.
    """
    info = csr.CertificationRequestInfo(
        {
            "version": "v1",
            "subject": _name(subject),
            "subject_pk_info": keys.PublicKeyInfo.load(spki(key.public_key)),
            "attributes": [{"type": "extension_request", "values": [_extensions()]}],
        }
    )
    digest = hashlib.new(key.scheme.digest_name, info.dump()).digest()
    (signature,) = key.sign_digests([digest])
    return bytes(
        csr.CertificationRequest(
            {
                "certification_request_info": info,
                "signature_algorithm": _algorithm(key.scheme),
                "signature": core.OctetBitString(signature),
            }
        ).dump()
    )


def _name(subject: SubjectName) -> x509.Name:
    values: dict[str, str] = {}
    assert {f.name for f in fields(subject)} == set(_ORDER)  # noqa: S101 - no field forgotten
    for field in _ORDER:
        value = getattr(subject, field).strip()
        if not value:
            continue
        if len(value) > _MAX_CHARACTERS or not value.isprintable():
            raise CeremonyRefused(
                f"the subject's {field} has more than {_MAX_CHARACTERS} characters or control "
                "characters in it; correct it"
            )
        name = f"{field}_name" if field in _SUFFIXED else _NAMES.get(field, field)
        values[name] = value
    if "common_name" not in values or len(values.get("country_name", "VN")) != 2:
        raise CeremonyRefused(
            "a request needs a common name, and a country of two letters such as VN"
        )
    return x509.Name.build(values)


def _extensions() -> list[dict[str, object]]:
    usage = x509.KeyUsage({"digital_signature", "non_repudiation"})
    return [{"extn_id": "key_usage", "critical": True, "extn_value": usage}]


def _algorithm(scheme: SignatureScheme) -> algos.SignedDigestAlgorithm:
    digest = scheme.digest_name
    if scheme.family == "ecdsa":
        return algos.SignedDigestAlgorithm({"algorithm": f"{digest}_ecdsa"})
    if scheme.family == "rsa-pkcs1":
        return algos.SignedDigestAlgorithm(
            {"algorithm": f"{digest}_rsa", "parameters": core.Null()}
        )
    hash_ = algos.DigestAlgorithm({"algorithm": digest})
    parameters = algos.RSASSAPSSParams(
        {
            "hash_algorithm": hash_,
            "mask_gen_algorithm": algos.MaskGenAlgorithm(
                {"algorithm": "mgf1", "parameters": hash_}
            ),
            "salt_length": hashlib.new(digest).digest_size,
        }
    )
    return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pss", "parameters": parameters})
