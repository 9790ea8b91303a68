"""Allowed algorithms and key sizes as a dated table (TT 15/2025 1.2–1.3, requirement S12)."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from hsm.keys import SignatureScheme
from signer.algorithms import HASHES
from signer.certificate_parts import UNREADABLE
from signer.clock import VIETNAM
from signer.errors import PolicyRefused

_DEFAULT = Path(__file__).with_name("algorithms.toml")
_FAMILIES = ("rsa-pkcs1", "rsa-pss", "ecdsa")


class ForbiddenAlgorithm(ValueError):
    """The policy does not allow it; callers turn this into their own typed error."""


@dataclass(frozen=True, slots=True)
class AlgorithmRule:
    """One line of the table. Dates are inclusive; an open end is None."""

    family: str  # of SignatureScheme
    digests: tuple[str, ...]
    minimum_bits: int  # modulus, or order of the curve
    valid_from: dt.date
    valid_to: dt.date | None
    legal_basis: str

    def is_in_force(self, day: dt.date) -> bool:
        """Whether the rule applies on `day`."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


class AlgorithmPolicy:
    """What may be signed with, and which signatures on certificates are believed. Immutable."""

    def __init__(self, rules: Iterable[AlgorithmRule]) -> None:
        self._rules = tuple(rules)

    @classmethod
    @cache
    def default(cls) -> Self:
        """The table that comes with the program."""
        return cls.load(_DEFAULT)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a table like ``signer/algorithms.toml``. Raises `PolicyRefused`."""
        try:
            entries = tomllib.loads(path.read_text(encoding="utf-8"))["signature"]
            return cls([_rule(entry) for entry in entries])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PolicyRefused(
                f"Bảng thuật toán {path} không đọc được: {error}. Hãy so với "
                f"signer/algorithms.toml. / The algorithm table {path} is unreadable: {error}. "
                "Compare it with signer/algorithms.toml."
            ) from error

    def check(self, scheme: SignatureScheme, public_key: object, at: dt.datetime) -> None:
        """Raise `ForbiddenAlgorithm` unless `scheme` with this key is allowed at `at`."""
        kind, bits = _size(public_key)
        if (scheme.family == "ecdsa") != (kind == "ecdsa"):
            raise ForbiddenAlgorithm(f"{scheme.value} does not fit a key of type {kind}")
        self._require(scheme.family, scheme.digest_name, bits, at)

    def check_key(self, public_key: object, at: dt.datetime) -> None:
        """Raise `ForbiddenAlgorithm` unless a key of this kind and size is allowed at `at`."""
        kind, bits = _size(public_key)
        families = ("ecdsa",) if kind == "ecdsa" else ("rsa-pkcs1", "rsa-pss")
        self._require_any(families, None, bits, at)

    def check_certificate(self, certificate: x509.Certificate, at: dt.datetime) -> None:
        """Raise `ForbiddenAlgorithm` unless its key and the signature on it are allowed."""
        self.check_key(public_key_of(certificate), at)
        self.check_signature_of(certificate, at)

    def check_signature_of(
        self, signed: x509.Certificate | x509.CertificateRevocationList, at: dt.datetime
    ) -> None:
        """Raise `ForbiddenAlgorithm` unless the algorithm that signed it is allowed."""
        try:
            digest = signed.signature_hash_algorithm
            parameters = signed.signature_algorithm_parameters
        except UNREADABLE as error:
            raise ForbiddenAlgorithm(f"signed with an unknown algorithm: {error}") from error
        if isinstance(parameters, ec.ECDSA):
            family = "ecdsa"
        elif isinstance(parameters, padding.PSS):
            family = "rsa-pss"
        else:
            family = "rsa-pkcs1"
        self._require(family, digest.name if digest else "none", None, at)

    def _require(self, family: str, digest: str, bits: int | None, at: dt.datetime) -> None:
        self._require_any((family,), digest, bits, at)

    def _require_any(
        self, families: tuple[str, ...], digest: str | None, bits: int | None, at: dt.datetime
    ) -> None:
        day = at.astimezone(VIETNAM).date()
        rules = [r for r in self._rules if r.family in families and r.is_in_force(day)]
        if digest is not None:
            rules = [rule for rule in rules if digest in rule.digests]
            if not rules:
                raise ForbiddenAlgorithm(f"{families[0]} with {digest} is not allowed on {day}")
        if not any(bits is None or bits >= rule.minimum_bits for rule in rules):
            raise ForbiddenAlgorithm(
                f"a {' or '.join(families)} key of {bits} bits is not allowed on {day}"
            )


def public_key_of(certificate: x509.Certificate) -> object:
    """The public key. Raises `ForbiddenAlgorithm` for one that cannot even be read."""
    try:
        return certificate.public_key()
    except UNREADABLE as error:
        raise ForbiddenAlgorithm(f"the public key is unreadable or unknown: {error}") from error


def _rule(entry: dict[str, object]) -> AlgorithmRule:
    rule = AlgorithmRule(**{"valid_to": None, **entry, "digests": tuple(entry["digests"])})  # type: ignore[arg-type]  # checked below
    if (
        rule.family not in _FAMILIES
        or not set(rule.digests) <= set(HASHES)
        or type(rule.minimum_bits) is not int
        or type(rule.valid_from) is not dt.date
        or type(rule.valid_to) not in (dt.date, type(None))
    ):
        raise ValueError(f"not a usable rule: {entry}")
    return rule


def _size(public_key: object) -> tuple[str, int]:
    if isinstance(public_key, rsa.RSAPublicKey):
        return "rsa", public_key.key_size
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return "ecdsa", public_key.key_size
    raise ForbiddenAlgorithm(f"keys of type {type(public_key).__name__} are not allowed")
