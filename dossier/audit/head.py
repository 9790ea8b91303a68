"""What a sealed head is: a statement of a chain's last number and link, with its proof.

    statement = canonical JSON of {at, chain, installation, link, previous, seq, timestamped, type}

`previous` names the head before by number and SHA-256, so that none can be left out; that a
timestamp belongs to it is part of what is signed, so that none can be taken away.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dossier.audit.chain import canonical, moment_of, moment_text
from dossier.model import JSON
from dossier.storage.tables import audit_heads
from signer.statement import SignedStatement

SUBJECT = "audit-head"
"""The subject of all events about heads; alone they are no reason to seal another one."""

PURPOSE = "audit-head"
"""The purpose that the key agent is told for the signature of a head."""

_TYPE = "sohoa audit head 1"
_KINDS: dict[str, type | tuple[type, ...]] = {
    "at": str,
    "chain": str,
    "installation": str,
    "link": str,
    "previous": (dict, type(None)),
    "seq": int,
    "timestamped": bool,
    "type": str,
}


@dataclass(frozen=True, slots=True)
class Head:
    """A sealed head. `statement` is the canonical text that was signed."""

    chain: str
    seq: int
    statement: str
    signed: SignedStatement

    @property
    def statement_sha256(self) -> str:
        """What the next head, the other chain and the key agent's intent name it by."""
        return digest_text(self.statement.encode())

    def parsed(self) -> dict[str, Any]:
        """The statement's fields. Raises `ValueError` unless it is one, and of this head."""
        value = json.loads(self.statement)
        if not isinstance(value, dict) or value.keys() != _KINDS.keys():
            raise ValueError("the statement has other fields than a head's")
        if not all(isinstance(value[name], kind) for name, kind in _KINDS.items()):
            raise ValueError("a field of the statement is of another kind")
        moment_of(value["at"])
        if canonical(value) != self.statement.encode() or value["type"] != _TYPE:
            raise ValueError("the statement is not in canonical form or of another type")
        if (value["chain"], value["seq"]) != (self.chain, self.seq):
            raise ValueError("the statement is of another chain or entry")
        return value

    def to_json(self) -> dict[str, JSON]:
        """For exports and for keeping elsewhere; `read` takes it."""
        token = self.signed.timestamp_token
        return {
            "type": "head",
            "chain": self.chain,
            "seq": self.seq,
            "statement": self.statement,
            "signature": self.signed.signature.hex(),
            "timestamp_token": None if token is None else token.hex(),
        }

    @classmethod
    def read(cls, value: JSON) -> Head:
        """The head in `value`. Raises `ValueError`; nothing is verified."""
        try:
            chain, seq, statement = value["chain"], value["seq"], value["statement"]
            token = value["timestamp_token"]
            signed = SignedStatement(
                bytes.fromhex(value["signature"]), None if token is None else bytes.fromhex(token)
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a sealed head: {error!r}") from error
        if not isinstance(chain, str) or not isinstance(statement, str) or type(seq) is not int:
            raise ValueError("not a sealed head: a field is of another kind")
        return cls(chain, seq, statement, signed)


def statement_text(
    *,
    chain: str,
    installation: str,
    seq: int,
    link: bytes,
    at: datetime,
    previous: Head | None,
    timestamped: bool,
) -> bytes:
    """The canonical statement to be signed."""
    before = None
    if previous is not None:
        before = {"seq": previous.seq, "sha256": previous.statement_sha256}
    return canonical(
        {
            "at": moment_text(at),
            "chain": chain,
            "installation": installation,
            "link": link.hex(),
            "previous": before,
            "seq": seq,
            "timestamped": timestamped,
            "type": _TYPE,
        }
    )


def digest_text(statement: bytes) -> str:
    """A statement's SHA-256 in hex."""
    return hashlib.sha256(statement).hexdigest()


def newest(chain: str) -> sa.Select[Any]:
    """The row of a chain's last head."""
    wanted = sa.select(audit_heads).where(audit_heads.c.chain == chain)
    return wanted.order_by(audit_heads.c.seq.desc()).limit(1)


def from_seq(chain: str, seq: int) -> sa.Select[Any]:
    """The rows of a chain's heads at `seq` and after, in their order."""
    wanted = sa.select(audit_heads).where(audit_heads.c.chain == chain, audit_heads.c.seq >= seq)
    return wanted.order_by(audit_heads.c.seq)


def head_of(row: sa.Row[Any]) -> Head:
    """The head in a row of `audit_heads`."""
    return Head(
        row.chain, row.seq, row.statement, SignedStatement(row.signature, row.timestamp_token)
    )
