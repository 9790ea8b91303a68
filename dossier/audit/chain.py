"""What an audit entry is and how entries are linked. Pure: no storage, no clock, no keys.

    entry   = canonical JSON of {actor, agency, at, chain, details, event, seq, subject}
    digest  = SHA-256(entry)
    link[n] = SHA-256(link[n-1] || digest[n])           link[0] = genesis(chain, installation)

Canonical JSON follows RFC 8785: sorted keys, no blanks, UTF-8, the shortest escapes. The text of
an entry is kept as it was hashed, so nobody ever has to write it again to check it; a fraction
is written as Python writes it, which other languages need not reproduce.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dossier.model import JSON, AuditEvent

FIRST = 1
"""The number of a chain's first entry."""

_FIELDS = frozenset({"actor", "agency", "at", "chain", "details", "event", "seq", "subject"})


class MalformedEntry(ValueError):
    """The text is not an audit entry in canonical form. Translated by every caller."""


def _plain(value: object) -> JSON:
    """What `json` does not know itself. Raises `TypeError`."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, datetime):
        return moment_text(value)
    raise TypeError(f"{type(value).__name__} has no place in an audit entry")


_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), default=_plain
).encode


def canonical(value: JSON) -> bytes:
    """`value` as canonical JSON in UTF-8. Raises `TypeError` or `ValueError` for what is none.

    A lone surrogate, which a client may smuggle in by an escape, becomes U+FFFD: text from
    outside must not be able to stop the log.
    """
    text = _encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def moment_text(moment: datetime) -> str:
    """An aware time in RFC 3339 with microseconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment_of(text: str) -> datetime:
    """The time that `moment_text` wrote. Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or moment_text(moment) != text:
        raise ValueError(f"{text!r} is not a time with six decimals in UTC")
    return moment


def genesis(chain: str, installation: str) -> bytes:
    """The link before the first entry: no chain can be passed off as another one's."""
    name = b"\0".join((b"sohoa audit chain", chain.encode(), installation.encode()))
    return hashlib.sha256(name).digest()


def digest_of(entry: bytes) -> bytes:
    """The digest of an entry's canonical text."""
    return hashlib.sha256(entry).digest()


def next_link(link: bytes, digest: bytes) -> bytes:
    """The link of the entry with `digest` that follows the entry with `link`."""
    return hashlib.sha256(link + digest).digest()


def entry_text(chain: str, seq: int, at: str, event: AuditEvent) -> bytes:
    """The canonical text of `event` as entry `seq`. `at` as `moment_text` writes it."""
    return canonical(
        {
            "actor": event.actor,
            "agency": event.agency_id,
            "at": at,
            "chain": chain,
            "details": event.details,
            "event": event.event,
            "seq": seq,
            "subject": event.subject,
        }
    )


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry of a chain: what happened, and its place. `entry` is the text that is hashed."""

    chain: str
    seq: int
    at: datetime
    event: str
    actor: str
    agency_id: str | None
    subject: str
    details: Mapping[str, JSON]
    entry: str
    entry_sha256: str
    link_sha256: str

    @classmethod
    def read(cls, entry: str, entry_sha256: str, link_sha256: str) -> AuditEntry:
        """Read the text of an entry. Raises `MalformedEntry`; digests are not checked here."""
        value = parse_entry(entry)
        return cls(
            value["chain"],
            value["seq"],
            moment_of(value["at"]),
            value["event"],
            value["actor"],
            value["agency"],
            value["subject"],
            value["details"],
            entry,
            entry_sha256,
            link_sha256,
        )

    def to_json(self) -> dict[str, JSON]:
        """For answers over HTTP and for exports: the parsed entry with its digests."""
        return {
            "seq": self.seq,
            "at": moment_text(self.at),
            "event": self.event,
            "actor": self.actor,
            "agency": self.agency_id,
            "subject": self.subject,
            "details": self.details,
            "entry_sha256": self.entry_sha256,
            "link_sha256": self.link_sha256,
        }


def parse_entry(entry: str) -> dict[str, Any]:
    """The object in an entry's text. Raises `MalformedEntry` unless it is in canonical form."""
    try:
        value = json.loads(entry)
        fault = _fault(value) or (canonical(value) != entry.encode() and "it is not canonical")
    except (ValueError, TypeError, RecursionError) as error:
        raise MalformedEntry(f"an audit entry cannot be read: {error}") from error
    if fault:
        raise MalformedEntry(f"this is no audit entry: {fault}")
    fields: dict[str, Any] = value
    return fields


def _fault(value: JSON) -> str | None:
    """What is wrong with the fields of an entry. Raises `ValueError` for a wrong time."""
    if not isinstance(value, dict) or value.keys() != _FIELDS:
        return "it has other fields than the eight"
    if type(value["seq"]) is not int or not isinstance(value["details"], dict):
        return "seq is no whole number, or details no object"
    texts = ("actor", "at", "chain", "event", "subject")
    if not all(isinstance(value[name], str) for name in texts):
        return "a text is of another kind"
    if not isinstance(value["agency"], str | None):
        return "agency is neither a text nor null"
    moment_of(value["at"])
    return None
