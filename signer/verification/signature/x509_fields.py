"""The fields of X.509 certificates, read by hand from octets that others have signed already.

Library parsers refuse what genuine old authorities wrote: an RSA modulus without its leading
zero (negative to a parser), a BOOLEAN that DER would leave out, a PrintableString with letters
that it may not have, unreadable extensions that nobody needs. None of this lets a forgery in:
every octet is covered by the issuer's signature, which is checked over the octets as they stand.
What matters for a path and cannot be read refuses the path, as a critical extension would.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from signer.verification.signature.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    UTC_TIME,
    DERError,
    Node,
    read_exactly,
)

PublicKey = (
    rsa.RSAPublicKey | ec.EllipticCurvePublicKey | dsa.DSAPublicKey
    | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
)  # fmt: skip
COMMON_NAME, ORGANISATION = "2.5.4.3", "2.5.4.10"
OCSP_NO_CHECK = "1.3.6.1.5.5.7.48.1.5"
_BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_USAGE = "2.5.29.19", "2.5.29.15", "2.5.29.37"
_SUBJECT_KEY, _AUTHORITY_KEY = "2.5.29.14", "2.5.29.35"
# besides those: policies, alternative name, distribution points, authority information access,
# qualified statements (RFC 3739 3.2.6: they say, they do not restrict the path)
_UNDERSTOOD = frozenset(
    {
        _BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_USAGE, _SUBJECT_KEY, _AUTHORITY_KEY,
        "2.5.29.32", "2.5.29.17", "2.5.29.31", "1.3.6.1.5.5.7.1.1", OCSP_NO_CHECK,
        "1.3.6.1.5.5.7.1.3",
    }
)  # fmt: skip
_USAGE_BITS = {0: "digital_signature", 1: "content_commitment", 5: "key_cert_sign", 6: "crl_sign"}
_RSA_KEYS = ("1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "2.5.8.1.1")
_TIME = re.compile(r"(\d{8}|\d{6})(\d{4})(\d\d)?(?:\.(\d+))?(?:Z|([+-])(\d\d)(\d\d))")
_CODECS = {0x0C: "utf-8", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}


@dataclass(frozen=True, slots=True)
class Extensions:
    """The extensions that matter here; what cannot be read stands in `unknown_critical`."""

    is_ca: bool = False
    path_length: int | None = None
    usages: frozenset[str] | None = None
    extended_usages: frozenset[str] | None = None
    extended_usage_is_critical: bool = False
    has_ocsp_no_check: bool = False
    subject_key: bytes | None = None
    authority_key: bytes | None = None
    unknown_critical: tuple[str, ...] = ()


def read_names(name: Node) -> tuple[tuple[str, str], ...]:
    """(OID, value) of each attribute of a Name; damaged letters are replaced."""
    found: list[tuple[str, str]] = []
    for relative in name.expect(SEQUENCE).children():
        for attribute in relative.expect(SET).children():
            parts = attribute.expect(SEQUENCE).children()
            if len(parts) != 2:
                raise DERError("an unreadable attribute of a name")
            found.append((parts[0].oid(), _letters(parts[1])))
    return tuple(found)


def _letters(node: Node) -> str:
    """A DirectoryString in whatever tag; UTF-8 under a tag of fewer letters is common."""
    codec = _CODECS.get(node.tag)
    if codec:
        return node.content.decode(codec, "replace")
    try:
        return node.content.decode("utf-8")
    except UnicodeDecodeError:
        return node.content.decode("latin-1")


def first(names: tuple[tuple[str, str], ...], kind: str) -> str:
    """The first value of a kind; empty when there is none."""
    return next((value for oid, value in names if oid == kind), "")


@lru_cache(maxsize=4096)
def name_key(octets: bytes) -> object:
    """Equal for Names that say the same, in whatever string types (RFC 5280, 7.1)."""
    try:
        names = read_names(read_exactly(octets, is_ber=True))
    except DERError:
        return octets
    return tuple(
        (oid, " ".join(unicodedata.normalize("NFKC", value).casefold().split()))
        for oid, value in names
    )


def read_time(node: Node) -> dt.datetime:
    """A time that somebody signed: seconds may be missing, a zone may stand for Z."""
    try:
        return node.time()
    except DERError:
        found = _TIME.fullmatch(node.content.decode("ascii", "replace"))
        if found is None:
            raise
    day, clock, seconds, fraction, sign, hours, minutes = found.groups()
    if node.tag == UTC_TIME:
        day = ("19" if day[:2] >= "50" else "20") + day
    offset = dt.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        local = dt.datetime.strptime(day + clock + (seconds or "00") + "Z", "%Y%m%d%H%M%S%z")
        local += dt.timedelta(microseconds=int((fraction or "")[:6].ljust(6, "0")))
        return local + offset if sign == "-" else local - offset
    except (ValueError, OverflowError) as error:
        raise DERError(f"an unreadable time: {error}") from error


def read_key(info: Node) -> PublicKey | None:
    """The key of a SubjectPublicKeyInfo; None when it cannot be computed with here."""
    algorithm, bits = _parts(info, 2)
    kind = algorithm.expect(SEQUENCE).children()[0].oid()
    try:
        if kind in _RSA_KEYS:
            modulus, exponent = _parts(read_exactly(key_octets(bits), is_ber=True), 2)
            # always positive: old cards left out the leading zero octet
            numbers = rsa.RSAPublicNumbers(_unsigned(exponent), _unsigned(modulus))
            return numbers.public_key()
        key = load_der_public_key(info.octets)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, PublicKey) else None


def _unsigned(node: Node) -> int:
    return int.from_bytes(node.expect(INTEGER).content)


def key_octets(bits: Node) -> bytes:
    """The octets of a subjectPublicKey, which key identifiers are made from."""
    return bits.expect(BIT_STRING).content[1:]


def _parts(node: Node, count: int) -> list[Node]:
    parts = node.expect(SEQUENCE).children()
    if len(parts) != count:
        raise DERError(f"{count} parts expected, {len(parts)} found")
    return parts


def read_extensions(listed: Node | None) -> Extensions:
    """The extensions of a certificate. Raises `DERError` when they are no list at all."""
    found: dict[str, object] = {}
    unknown: list[str] = []
    seen: set[str] = set()
    for item in listed.expect(SEQUENCE).children() if listed else []:
        parts = item.expect(SEQUENCE).children()
        if len(parts) not in (2, 3):
            raise DERError("an unreadable extension")
        oid = parts[0].oid()
        is_critical = len(parts) == 3 and parts[1].expect(BOOLEAN).content != b"\0"
        if oid in seen:
            unknown.append(f"{oid}, which stands twice,")
            continue
        seen.add(oid)
        if is_critical and oid not in _UNDERSTOOD:
            unknown.append(oid)
        try:
            found |= _extension(oid, parts[-1].expect(OCTET_STRING).content, is_critical)
        except DERError:
            # what restricts and cannot be read might forbid; what only informs is left out
            if is_critical or oid in (_BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_USAGE):
                unknown.append(oid)
    return Extensions(**found, unknown_critical=tuple(unknown))  # type: ignore[arg-type]  # by key


def _extension(oid: str, octets: bytes, is_critical: bool) -> dict[str, object]:
    if oid == OCSP_NO_CHECK:
        return {"has_ocsp_no_check": True}
    if oid not in (
        _BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_USAGE, _SUBJECT_KEY, _AUTHORITY_KEY
    ):  # fmt: skip
        return {}
    node = read_exactly(octets, is_ber=True)
    if oid == _BASIC_CONSTRAINTS:
        parts = node.expect(SEQUENCE).children()
        is_ca = bool(parts) and parts[0].tag == BOOLEAN and parts[0].content != b"\0"
        lengths = [part.integer() for part in parts if part.tag == INTEGER]
        return {"is_ca": is_ca, "path_length": lengths[0] if lengths else None}
    if oid == _KEY_USAGE:
        return {"usages": _usages(node.expect(BIT_STRING).content)}
    if oid == _EXTENDED_USAGE:
        purposes = frozenset(part.oid() for part in node.expect(SEQUENCE).children())
        return {"extended_usages": purposes, "extended_usage_is_critical": is_critical}
    if oid == _SUBJECT_KEY:
        return {"subject_key": node.expect(OCTET_STRING).content}
    keys = [part.content for part in node.expect(SEQUENCE).children() if part.tag == 0x80]
    return {"authority_key": keys[0] if keys else None}


def _usages(content: bytes) -> frozenset[str]:
    octet = content[1] if len(content) > 1 else 0
    return frozenset(name for bit, name in _USAGE_BITS.items() if octet & 0x80 >> bit)
