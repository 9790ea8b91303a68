"""Proof that one entry is in a chain: the entry, the digests up to the next sealed head, the head.

    link before the entry > entry > digests of what follows > link == the one that was signed

Nothing but the proof and the trusted roots is needed to check it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from cryptography import x509

from dossier.audit.chain import AuditEntry, MalformedEntry, digest_of, next_link
from dossier.audit.head import Head
from dossier.errors import ChainBroken
from dossier.model import JSON
from signer.errors import StatementInvalid
from signer.statement import verify_statement

_TYPE = "sohoa audit proof 1"


@dataclass(frozen=True, slots=True)
class ProvedEntry:
    """An entry that was in its chain when the head was sealed, at `sealed_at`, by `signer`.

    `sealed_at` is the timestamp's time; None when the head has no timestamp.
    """

    entry: AuditEntry
    installation: str
    sealed_at: datetime | None
    signer: x509.Certificate


def proof_of(
    head: Head, installation: str, entry: str, before: str, digests: Sequence[str]
) -> dict[str, JSON]:
    """The proof as JSON. `before` is the link before the entry, `digests` are what follows."""
    return {
        "type": _TYPE,
        "installation": installation,
        "entry": entry,
        "before": before,
        "digests": list(digests),
        "head": head.to_json(),
    }


def check_proof(
    proof: JSON,
    anchors: Collection[x509.Certificate],
    *,
    candidates: Iterable[x509.Certificate] = (),
) -> ProvedEntry:
    """What the proof proves. Raises `ChainBroken`."""
    try:
        if proof["type"] != _TYPE:
            _refuse("it is of another type")
        head = Head.read(proof["head"])
        stated = head.parsed()
        link = bytes.fromhex(proof["before"])
        text: str = proof["entry"]
        digests = [digest_of(text.encode()), *map(bytes.fromhex, proof["digests"])]
        for digest in digests:
            link = next_link(link, digest)
        entry = AuditEntry.read(
            text, digests[0].hex(), next_link(bytes.fromhex(proof["before"]), digests[0]).hex()
        )
        if stated["link"] != link.hex():
            _refuse("the entry and the digests do not lead to the link that was signed")
        if (entry.chain, entry.seq + len(digests) - 1) != (head.chain, head.seq):
            _refuse("the entry is of another chain or place")
        if stated["installation"] != proof["installation"]:
            _refuse("the head is of another installation")
        signed = verify_statement(
            head.statement.encode(), head.signed, anchors, candidates=candidates
        )
        if stated["timestamped"] and signed.at is None:
            _refuse("the head's timestamp is missing")
    except (MalformedEntry, StatementInvalid) as error:
        _refuse(str(error), error)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        _refuse(f"it cannot be read: {error!r}", error)
    return ProvedEntry(entry, stated["installation"], signed.at, signed.signer)


def _refuse(why: str, cause: Exception | None = None) -> NoReturn:
    raise ChainBroken(
        f"Bằng chứng không đúng; hãy xin lại từ nơi cấp. / The proof does not hold: {why}.",
        findings=(why,),
    ) from cause
