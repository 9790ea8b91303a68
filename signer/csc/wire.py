"""CSC API v2.0.0.2 on the wire: paths, algorithm identifiers, error bodies; both sides use it.

Beyond the specification, both in members that it lets a server ignore:

- ``clientData`` of a signHash request may hold a JSON list with one object a hash
  (`Context.to_json`): for whom, what for. The agent's policy and audit chain use it.
- Errors of the agent carry ``sohoa``: the class of error, the token's own code, and when to
  come back. To a client that sent such a list, hashes are answered one by one: an error stands
  in ``sohoa.errors`` at its place, and the signature there is empty.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import utils

from hsm import errors as hsm_errors
from hsm.keys import SignatureScheme
from signer import der
from signer.algorithms import DIGEST_OIDS, scheme_of, signature_algorithm, signature_oid
from signer.errors import KeyUseRefused, SignerError

BASE: Final = "/csc/v2"
SPECS: Final = "2.0.0.2"
HEAD_PATH: Final = "/audit/head"
"""Of our own agent: ``{"head": …}``, the newest sealed head of its audit chain, or null."""
HASHES_PER_CALL: Final = 32
OID_RSA: Final = "1.2.840.113549.1.1.1"
OID_EC: Final = "1.2.840.10045.2.1"

_DIGESTS: Final = {oid: name for name, oid in DIGEST_OIDS.items()}
_SCHEMES: Final = {
    signature_oid(scheme): scheme for scheme in SignatureScheme if scheme.family != "rsa-pss"
}
_PSS: Final = signature_oid(SignatureScheme.RSA_PSS_SHA256)


class MalformedMessage(ValueError):
    """A message does not have the shape of the specification. Translated by every caller."""


@dataclass(frozen=True, slots=True)
class Context:
    """For whom and what for one hash is signed; goes into the agent's policy and audit chain."""

    agency: str | None = None
    principal: str = ""
    purpose: str = ""
    """``document``, ``batch-list``, ``result-sheet``, ``receipt``, ``audit-head``, ``remote``,
    ``self-test``…"""
    subject: str = ""
    """The id of what is signed: a record, a sequence, a batch."""
    attempt: int = 1
    document_sha256: str | None = None
    request_id: str = ""

    def to_json(self) -> dict[str, object]:
        """As it travels; entries that say nothing are left out."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}

    @classmethod
    def read(cls, value: object) -> Context:
        """Read one entry of clientData. Raises `MalformedMessage`."""
        if not isinstance(value, dict) or not value.keys() <= _CONTEXT_FIELDS:
            raise MalformedMessage("clientData has an entry with unknown members")
        attempt = value.get("attempt", 1)
        said = [(name, entry) for name, entry in value.items() if name != "attempt"]
        if type(attempt) is not int or not 1 <= attempt <= _MOST_ATTEMPTS:
            raise MalformedMessage("attempt in clientData is no number from 1")
        if any(
            not isinstance(text, str) or len(text) > _LONGEST.get(name, _LONGEST_TEXT)
            for name, text in said
        ):
            raise MalformedMessage("clientData has an entry that is no text, or too long")
        return cls(**value)


_CONTEXT_FIELDS: Final = frozenset(field.name for field in fields(Context))
_MOST_ATTEMPTS: Final = 1_000_000
_LONGEST_TEXT: Final = 256
_LONGEST: Final = {"agency": 32, "subject": 48, "document_sha256": 64}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error on its way between agent and client."""

    kind: str
    message: str
    code: str | None = None
    retry_after_s: int | None = None

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Of an error of `hsm` or `signer`; what has no name on the wire goes as its base."""
        kind = next((k.__name__ for k in type(error).__mro__ if k.__name__ in _KINDS), "HSMError")
        return cls(
            kind,
            str(error),
            getattr(error, "code", None),
            getattr(error, "retry_after_s", None),
        )

    @property
    def status(self) -> int:
        """The HTTP status of an answer that consists of this error."""
        return _KINDS[self.kind][1]

    @property
    def retriable(self) -> bool:
        """Whether the same call may succeed later."""
        return self.kind in _UNAVAILABLE

    def to_json(self) -> dict[str, object]:
        """A CSC error body (7.2), with the agent's own member."""
        own: dict[str, object] = {"kind": self.kind}
        if self.code is not None:
            own["code"] = self.code
        if self.retry_after_s is not None:
            own["retry_after_s"] = self.retry_after_s
        return {
            "error": _KINDS[self.kind][2],
            "error_description": self.message,
            "sohoa": own,
        }

    @classmethod
    def read(cls, status: int, body: Mapping[str, Any], retry_after: str | None) -> Failure:
        """From an error answer of the agent or of an outside provider."""
        own = body.get("sohoa")
        own = own if isinstance(own, dict) else {}
        error = str(body.get("error", ""))[:_LONGEST_TEXT]
        said = str(body.get("error_description") or error or f"HTTP {status}")[:2000]
        kind = own.get("kind")
        if kind not in _KINDS:
            kind = _kind_of(status, error)
        wait = own.get("retry_after_s")
        if type(wait) is not int:
            wait = int(retry_after) if retry_after and retry_after.isdigit() else None
        code = own.get("code")
        return cls(kind, said, code if isinstance(code, str) else None, wait)

    def error(self) -> hsm_errors.HSMError | SignerError:
        """A new exception, ready to be raised."""
        if self.kind in _UNAVAILABLE:
            kind = _KINDS[self.kind][0]
            lost: hsm_errors.TokenUnavailable = kind(
                self.message, retry_after_s=self.retry_after_s or 5
            )
            return lost
        if self.kind == "DeviceError":
            return hsm_errors.DeviceError(self.message, code=self.code or "CKR_UNKNOWN")
        made: hsm_errors.HSMError | SignerError = _KINDS[self.kind][0](self.message)
        return made


_UNAVAILABLE: Final = ("TokenUnavailable", "AnswerLost")
Result = bytes | Failure
"""What came of one hash of a call."""

# class, HTTP status, CSC error code (7.2 and RFC 6749)
_KINDS: Final[dict[str, tuple[Any, int, str]]] = {
    "TokenUnavailable": (hsm_errors.TokenUnavailable, 503, "temporarily_unavailable"),
    "AnswerLost": (hsm_errors.AnswerLost, 503, "temporarily_unavailable"),
    "PinError": (hsm_errors.PinError, 503, "temporarily_unavailable"),
    "KeyNotFound": (hsm_errors.KeyNotFound, 400, "invalid_request"),
    "KeyMismatch": (hsm_errors.KeyMismatch, 500, "server_error"),
    "SchemeNotSupported": (hsm_errors.SchemeNotSupported, 400, "invalid_request"),
    "SignatureFault": (hsm_errors.SignatureFault, 500, "server_error"),
    "DeviceError": (hsm_errors.DeviceError, 500, "server_error"),
    "HSMError": (hsm_errors.HSMError, 500, "server_error"),
    "KeyUseRefused": (KeyUseRefused, 403, "access_denied"),
    "SignerError": (SignerError, 400, "invalid_request"),
}


def _kind_of(status: int, error: str) -> str:
    """What an outside provider's error is to us."""
    if status in (429, 502, 503, 504) or error == "temporarily_unavailable":
        return "TokenUnavailable"
    if status in (401, 403) or error in ("access_denied", "unauthorized_client", "invalid_token"):
        return "KeyUseRefused"
    return "SignerError" if status < 500 else "HSMError"


def scheme_to_wire(scheme: SignatureScheme) -> dict[str, str]:
    """The members signAlgo, signAlgoParams and hashAlgorithmOID of a signHash request."""
    members = {
        "signAlgo": signature_oid(scheme),
        "hashAlgorithmOID": DIGEST_OIDS[scheme.digest_name],
    }
    if scheme.family == "rsa-pss":
        _, parameters = der.parse(signature_algorithm(scheme)).fields(2)
        members["signAlgoParams"] = encoded(parameters.raw)
    return members


def scheme_from_wire(algorithm: str, parameters: str | None, digest: str | None) -> SignatureScheme:
    """The scheme that a signHash request asks for. Raises `MalformedMessage`."""
    if digest is not None and digest not in _DIGESTS:
        raise MalformedMessage("hashAlgorithmOID names none of SHA-256, SHA-384, SHA-512")
    name = _DIGESTS[digest] if digest is not None else None
    if algorithm in _SCHEMES:
        scheme = _SCHEMES[algorithm]
    elif algorithm == _PSS:
        scheme = _pss_scheme(parameters, name)
    elif algorithm in (OID_RSA, OID_EC) and name is not None:
        scheme = SignatureScheme(f"{'ecdsa' if algorithm == OID_EC else 'rsa-pkcs1'}-{name}")
    else:
        raise MalformedMessage("signAlgo is unknown, or needs hashAlgorithmOID")
    if name is not None and scheme.digest_name != name:
        raise MalformedMessage("signAlgo and hashAlgorithmOID name different digests")
    return scheme


def _pss_scheme(parameters: str | None, digest: str | None) -> SignatureScheme:
    if parameters is None:
        if digest is None:
            raise MalformedMessage("RSASSA-PSS needs signAlgoParams or hashAlgorithmOID")
        return SignatureScheme(f"rsa-pss-{digest}")
    try:
        return scheme_of(der.sequence(der.oid(_PSS), decoded(parameters)))
    except der.MalformedDER as error:
        raise MalformedMessage(
            "signAlgoParams are not those of SHA-2 with MGF1 and a salt as long as the digest"
        ) from error


def encoded(data: bytes) -> str:
    """Base64, as every binary value travels."""
    return base64.b64encode(data).decode("ascii")


def decoded(text: object) -> bytes:
    """Strict base64. Raises `MalformedMessage`."""
    if not isinstance(text, str):
        raise MalformedMessage("a value that should be base64 is no text")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedMessage("a value is no base64") from error


def texts(value: object, name: str) -> Sequence[str]:
    """A list of texts. Raises `MalformedMessage`."""
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise MalformedMessage(f"{name} is no list of texts")
    return value


def read_results(answer: Mapping[str, Any], size: int) -> list[Result]:
    """A signature or a failure for each hash of a signHash answer. Raises `MalformedMessage`."""
    signatures = texts(answer.get("signatures"), "signatures")
    if len(signatures) != size:
        raise MalformedMessage(f"{len(signatures)} signatures for {size} hashes")
    own = answer.get("sohoa")
    errors = own.get("errors") if isinstance(own, dict) else None
    if not isinstance(errors, list) or len(errors) != size:
        errors = [None] * size
    return [
        Failure.read(200, error, None) if isinstance(error, dict) else decoded(signature)
        for signature, error in zip(signatures, errors, strict=True)
    ]


def ecdsa_as_der(signature: bytes, half: int) -> bytes:
    """An ECDSA signature as Ecdsa-Sig-Value; some providers send r and s side by side."""
    if len(signature) != 2 * half or (signature[:1] == b"\x30" and _is_pair(signature)):
        return signature
    r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    return utils.encode_dss_signature(r, s)


def _is_pair(signature: bytes) -> bool:
    try:
        utils.decode_dss_signature(signature)
    except ValueError:
        return False
    return True
