"""What a list of trust says, and our own JSON form of it.

::

    {"format": "sohoa-trust-list/1", "sequence": 7,
     "issued_at": "2026-01-15T08:00:00+07:00", "next_update": "2026-07-15T08:00:00+07:00",
     "anchors": [{"certificate": "MII…", "domain": "OFFICIAL_DUTY",
                  "grants": [{"services": ["SIGNING"], "from": "2018-05-01T00:00:00+07:00",
                              "to": null}]}],
     "intermediates": ["MII…"]}

Certificates are DER in Base64. Without `grants` an anchor is believed for everything, always.
What is not known is refused: a misspelt limit must not widen trust.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.certificate_parts import UNREADABLE
from signer.trust.store import ALWAYS, Grant, Service, TrustAnchor, TrustDomain, TrustStore

FORMAT = "sohoa-trust-list/1"
MAX_BYTES = 16 << 20
MAX_CERTIFICATES = 5000


class ListUnreadable(ValueError):
    """The octets are not a list of the form that they claim. Stays inside `trust_lists`."""


class ListKind(enum.Enum):
    """In which form a list came."""

    PEM = "PEM"
    JSON = "JSON"  # our own form
    CTL = "CTL"  # the Government Cipher Committee's
    ETSI = "ETSI"  # TS 119 612


@dataclass(frozen=True, slots=True)
class TrustList:
    """One version of a list. Times are aware; PEM files carry neither time nor sequence."""

    kind: ListKind
    store: TrustStore
    sequence: int | None = None
    issued_at: dt.datetime | None = None
    next_update: dt.datetime | None = None
    operator: str = ""  # who publishes it, as it says
    left_out: tuple[str, ...] = ()  # what it lists and we do not use, and why

    def labelled(self, label: str) -> TrustStore:
        """Its store, every anchor with `label` as its source and the list's next update."""
        anchors = tuple(
            replace(anchor, source=label, next_update=self.next_update)
            for anchor in self.store.anchors
        )
        return TrustStore(anchors, self.store.intermediates, (label,))


def read_json(text: bytes) -> TrustList:
    """A list in our own form. Raises `ListUnreadable`."""
    said = load_object(text)
    _only(said, {"format", "sequence", "issued_at", "next_update", "anchors", "intermediates"})
    if said.get("format") != FORMAT:
        raise ListUnreadable(f"format is not {FORMAT}")
    store = store_from_json(said)
    if not store.anchors:
        raise ListUnreadable("the list has no anchor")
    return TrustList(
        kind=ListKind.JSON,
        store=store,
        sequence=whole_number(said.get("sequence")),
        issued_at=time_of(said.get("issued_at")),
        next_update=time_of(said["next_update"]) if said.get("next_update") else None,
    )


def write_json(
    store: TrustStore,
    *,
    sequence: int,
    issued_at: dt.datetime,
    next_update: dt.datetime | None = None,
) -> bytes:
    """The octets of a list in our own form, to be signed and published or kept."""
    said = {
        "format": FORMAT,
        "sequence": sequence,
        "issued_at": issued_at.isoformat(),
        "next_update": next_update.isoformat() if next_update else None,
        **store_to_json(store),
    }
    return json.dumps(said, ensure_ascii=False, indent=1).encode() + b"\n"


def store_from_json(said: Mapping[str, Any]) -> TrustStore:
    """The store in `anchors` and `intermediates`. Raises `ListUnreadable`."""
    store = TrustStore(
        tuple(_anchor(entry) for entry in _listed(said.get("anchors"))),
        tuple(dict.fromkeys(certificate_of(one) for one in _listed(said.get("intermediates", [])))),
    )
    if len({anchor.certificate for anchor in store.anchors}) != len(store.anchors):
        raise ListUnreadable("one certificate is listed as an anchor twice")
    return store


def store_to_json(store: TrustStore) -> dict[str, Any]:
    """`anchors` and `intermediates` as a list has them."""
    return {
        "anchors": [
            {
                "certificate": _base64(anchor.certificate),
                "domain": anchor.domain.value,
                "grants": [
                    {
                        "services": sorted(service.value for service in grant.services),
                        "from": grant.begins.isoformat() if grant.begins else None,
                        "to": grant.ends.isoformat() if grant.ends else None,
                    }
                    for grant in anchor.grants
                ],
            }
            for anchor in store.anchors
        ],
        "intermediates": [_base64(certificate) for certificate in store.intermediates],
    }


def load_object(text: bytes) -> dict[str, Any]:
    """A JSON object without doubled keys. Raises `ListUnreadable`."""
    try:
        said = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise ListUnreadable(f"not readable as JSON: {error}") from error
    if not isinstance(said, dict):
        raise ListUnreadable("not a JSON object")
    return said


def certificate_of(value: object) -> x509.Certificate:
    """A certificate from DER in Base64. Raises `ListUnreadable`."""
    if not isinstance(value, str):
        raise ListUnreadable("a certificate is not a text in Base64")
    try:
        octets = base64.b64decode("".join(value.split()), validate=True)
        certificate = x509.load_der_x509_certificate(octets)
        certificate.extensions  # noqa: B018 - parsed when asked for
    except (binascii.Error, *UNREADABLE) as error:
        raise ListUnreadable(f"a certificate cannot be read: {error}") from error
    return certificate


def time_of(value: object) -> dt.datetime:
    """An aware time from ISO 8601. Raises `ListUnreadable`."""
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError as error:
        raise ListUnreadable(f"{value!r} is not a time") from error
    if moment is None or moment.utcoffset() is None:
        raise ListUnreadable(f"{value!r} is not a time with a zone")
    return moment


def whole_number(value: object) -> int:
    """A sequence number. Raises `ListUnreadable`."""
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ListUnreadable(f"the sequence number {value!r} is not a whole number")
    return value


def _anchor(entry: object) -> TrustAnchor:
    if not isinstance(entry, dict):
        raise ListUnreadable("an anchor is not an object")
    _only(entry, {"certificate", "domain", "grants"})
    try:
        domain = TrustDomain(entry.get("domain"))
    except ValueError as error:
        raise ListUnreadable(f"unknown trust domain {entry.get('domain')!r}") from error
    grants: tuple[Grant, ...] = ALWAYS
    if "grants" in entry:
        grants = tuple(_grant(one) for one in _listed(entry["grants"]))
    return TrustAnchor(certificate_of(entry.get("certificate")), domain, grants)


def _grant(entry: object) -> Grant:
    if not isinstance(entry, dict):
        raise ListUnreadable("a grant is not an object")
    _only(entry, {"services", "from", "to"})
    try:
        services = frozenset(Service(name) for name in _listed(entry.get("services")))
    except (ValueError, TypeError) as error:
        raise ListUnreadable(f"unknown service: {error}") from error
    if not services:
        raise ListUnreadable("a grant names no service")
    begins = time_of(entry["from"]) if entry.get("from") is not None else None
    ends = time_of(entry["to"]) if entry.get("to") is not None else None
    if begins is not None and ends is not None and ends <= begins:
        raise ListUnreadable("a grant ends before it begins")
    return Grant(services, begins, ends)


def _listed(value: object) -> Sequence[Any]:
    if not isinstance(value, list) or len(value) > MAX_CERTIFICATES:
        raise ListUnreadable(f"not a list of at most {MAX_CERTIFICATES} entries")
    return value


def _only(entry: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(entry.keys() - known):
        raise ListUnreadable(f"unknown entry {unknown[0]!r}")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an entry comes twice")
    return found


def _base64(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
