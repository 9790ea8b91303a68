"""What a signing key is, and how one is named: the types that every other floor signs with."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, unquote_to_bytes

from cryptography import x509

from hsm.errors import HSMError, KeyRefInvalid


class SignatureScheme(enum.Enum):
    """A signature algorithm with its digest, as TT 15/2025 1.2-1.3 allows them (no SHA-1)."""

    RSA_PKCS1_SHA256 = "rsa-pkcs1-sha256"
    RSA_PKCS1_SHA384 = "rsa-pkcs1-sha384"
    RSA_PKCS1_SHA512 = "rsa-pkcs1-sha512"
    RSA_PSS_SHA256 = "rsa-pss-sha256"  # MGF1 with the same digest, salt as long as the digest
    RSA_PSS_SHA384 = "rsa-pss-sha384"
    RSA_PSS_SHA512 = "rsa-pss-sha512"
    ECDSA_SHA256 = "ecdsa-sha256"
    ECDSA_SHA384 = "ecdsa-sha384"
    ECDSA_SHA512 = "ecdsa-sha512"

    @property
    def digest_name(self) -> str:
        """The digest as `hashlib` names it: ``sha256``, ``sha384`` or ``sha512``."""
        return self.value.rsplit("-", 1)[1]

    @property
    def family(self) -> str:
        """``rsa-pkcs1``, ``rsa-pss`` or ``ecdsa``."""
        return self.value.rsplit("-", 1)[0]


class SigningKey(Protocol):
    """A private key in a token, together with the certificate proved to match it.

    Implementations are safe to call from several threads at once.
    """

    @property
    def label(self) -> str:
        """The key's CKA_LABEL, for messages and audit records."""
        ...

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate; its public key was proved to match when the key was loaded."""
        ...

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """Issuers of `certificate`, nearest first; the root may be absent."""
        ...

    @property
    def scheme(self) -> SignatureScheme:
        """The scheme that `sign_digests` uses."""
        ...

    @property
    def is_hardware(self) -> bool:
        """False for software tokens, which production settings refuse (S11)."""
        ...

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        """Sign digests already computed with ``scheme.digest_name``; blocking.

        Each signature has the form that CMS wants (RSA: the octet string, ECDSA: a DER
        ``Ecdsa-Sig-Value``, RFC 5753) and was verified against `certificate` before it is
        returned. Raises `hsm.errors.HSMError`; then no signature of the batch is returned.
        """
        ...


class Witness(Protocol):
    """Is told of every C_Sign before it is made: whoever keeps an audit chain (S8).

    Called by the thread that signs. What its methods raise ends the signing; no more calls of
    C_Sign are made then.
    """

    def intend(self, positions: Sequence[int]) -> None:
        """The digests at `positions` are about to be signed, one C_Sign each.

        Called again for a position whose C_Sign failed and is tried once more.
        """
        ...

    def calling(self, position: int) -> None:
        """C_Sign is made for `position` now: this uses up its intent. Must not raise."""
        ...

    def failed(self, position: int, error: HSMError) -> None:
        """The C_Sign that was called last for `position` failed. Must not raise."""
        ...

    def may_go_on(self) -> bool:
        """Asked before each C_Sign; False gives up what is not signed yet."""
        ...


class WitnessedKey(SigningKey, Protocol):
    """A key of a token in this process, whose uses can be witnessed one by one."""

    def sign_each(self, digests: Sequence[bytes], witness: Witness) -> list[bytes | HSMError]:
        """As `sign_digests`, but a digest that fails does not fail the others.

        Each place holds the verified signature or the error of that digest. Raises what
        `witness` raises, and ValueError for a digest of the wrong length before anything else.
        """
        ...


_PATH_TEXT = ("token", "manufacturer", "serial", "model", "object")
_QUERY = {"module-path": "module_path", "module-name": "module_name", "pin-source": "pin_source"}
_TYPES = ("private", "public", "cert", "secret-key", "data")
# RFC 7512 2.3: what may stand unescaped in a path value (pk11-pchar) beside letters and digits
_SAFE = "-._~:[]@!$'()*+,="
_SAFE_IN_QUERY = _SAFE + "/?|"


@dataclass(frozen=True, slots=True)
class KeyRef:
    """Names an object on a token: a ``pkcs11:`` URI (RFC 7512), without any PIN.

    An attribute that is None matches everything. `id` is CKA_ID, raw bytes; `type` is one of
    ``private``, ``public``, ``cert``, ``secret-key``, ``data``.
    """

    token: str | None = None
    manufacturer: str | None = None
    serial: str | None = None
    model: str | None = None
    object: str | None = None
    id: bytes | None = None
    type: str | None = None
    module_path: str | None = None
    module_name: str | None = None
    pin_source: str | None = None

    @classmethod
    def parse(cls, uri: str) -> KeyRef:
        """Read a URI. Raises `KeyRefInvalid`, also for ``pin-value``: a PIN has no place in it."""
        scheme, colon, rest = uri.partition(":")
        if not colon or scheme.lower() != "pkcs11":
            raise KeyRefInvalid(
                "a key reference begins with 'pkcs11:', as in "
                "pkcs11:token=sohoa;object=officer;type=private"
            )
        path, _, query = rest.partition("?")
        found: dict[str, Any] = {}
        for part in filter(None, path.split(";")):
            name, value = _pair(part)
            if name == "id":
                found_value: str | bytes = unquote_to_bytes(value)
            elif name in _PATH_TEXT or name == "type":
                found_value = _unquoted(name, value)
            else:
                raise KeyRefInvalid(
                    f"the path attribute {name!r} is not supported here; use token, manufacturer, "
                    "serial, model, object, id or type"
                )
            _put(found, name, name, found_value)
        for part in filter(None, query.split("&")):
            name, value = _pair(part)
            if name == "pin-value":
                raise KeyRefInvalid(
                    "pin-value is refused: a PIN in a URI ends up in process lists and logs; "
                    "put it in a file that only the service can read and name that file"
                )
            if name not in _QUERY:
                raise KeyRefInvalid(
                    f"the query attribute {name!r} is not supported here; "
                    "use module-path, module-name or pin-source"
                )
            _put(found, name, _QUERY[name], _unquoted(name, value))
        if found.get("type", "private") not in _TYPES:
            raise KeyRefInvalid(f"type={found['type']} is unknown; use one of {', '.join(_TYPES)}")
        return cls(**found)

    def __str__(self) -> str:
        path = [
            f"{name}={quote(value, safe=_SAFE)}"
            for name in _PATH_TEXT
            if (value := getattr(self, name)) is not None
        ]
        if self.id is not None:
            path.append("id=" + "".join(f"%{byte:02X}" for byte in self.id))
        if self.type is not None:
            path.append(f"type={self.type}")
        query = [
            f"{name}={quote(value, safe=_SAFE_IN_QUERY)}"
            for name, field in _QUERY.items()
            if (value := getattr(self, field)) is not None
        ]
        return "pkcs11:" + ";".join(path) + ("?" + "&".join(query) if query else "")


def _pair(part: str) -> tuple[str, str]:
    name, equals, value = part.partition("=")
    if not equals or not name:
        raise KeyRefInvalid(f"{name!r} has no value; write attribute=value")
    return name, value


def _unquoted(name: str, value: str) -> str:
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise KeyRefInvalid(f"the value of {name} is not UTF-8 after percent-decoding") from error


def _put(found: dict[str, Any], name: str, field: str, value: str | bytes) -> None:
    if field in found:
        raise KeyRefInvalid(f"{name} is given twice; RFC 7512 2.3 allows each attribute once")
    found[field] = value
