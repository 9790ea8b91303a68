"""A chain as JSON lines, for auditors: everything that `dossier.audit.verify` needs, offline.

    {"type": "sohoa audit export 1", chain, installation, agency, last, at}
    {"type": "certificate", pem}                  issuers that the heads do not carry themselves
    {"type": "entry", seq, entry, sha256, link}   or, of another agency,
    {"type": "digest", seq, sha256, link}
    {"type": "head", …}                           behind the entry that it is about
    {"type": "end", seq, link, heads}

An agency's export shows its own entries and those about the chain itself; of all others there
is the digest alone, so the links can still be followed from the first to the last.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dossier.audit.chain import moment_text
from dossier.audit.head import head_of
from dossier.audit.log import AuditLog
from dossier.model import JSON
from dossier.storage.tables import audit_entries, audit_heads

EXPORT_TYPE = "sohoa audit export 1"
MEDIA_TYPE = "application/jsonl"
OF_THE_CHAIN = "audit."
"""Events with this prefix and without an agency are about the chain: every export shows them."""

_PAGE = 1000  # entries fetched at once; what is held in memory does not grow with the chain


def export(
    log: AuditLog,
    agency_id: str | None = None,
    *,
    certificates: Iterable[x509.Certificate] = (),
) -> Iterator[bytes]:
    """The lines of an export of the whole chain as it is now, each with its line end.

    With `agency_id`, entries of others appear as digests. Raises `StoreError` while iterating;
    then the last line is missing, which the verifier finds.
    """
    last, link = log.tip()
    with log.database.read() as connection:
        now = log.database.now(connection)
    yield _line(
        {
            "type": EXPORT_TYPE,
            "chain": log.chain,
            "installation": log.installation(),
            "agency": agency_id,
            "last": last,
            "at": moment_text(now),
        }
    )
    for certificate in certificates:
        pem = certificate.public_bytes(Encoding.PEM).decode()
        yield _line({"type": "certificate", "pem": pem})
    count = 0
    # a head sorts behind the entry that it is about
    entries = ((row.seq, 0, _entry_line(row, agency_id)) for row in _rows(log, audit_entries, last))
    heads = ((row.seq, 1, _line(head_of(row).to_json())) for row in _rows(log, audit_heads, last))
    for _, kind, line in heapq.merge(entries, heads):
        count += kind
        yield line
    yield _line({"type": "end", "seq": last, "link": link, "heads": count})


def _rows(log: AuditLog, table: sa.Table, last: int) -> Iterator[sa.Row[Any]]:
    """The chain's rows of `table` up to entry `last`; no transaction outlives a page."""
    after = 0
    columns = table.c
    while True:
        wanted = sa.select(table).where(
            columns.chain == log.chain, columns.seq > after, columns.seq <= last
        )
        with log.database.read() as connection:
            page = connection.execute(wanted.order_by(columns.seq).limit(_PAGE)).all()
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].seq


def _entry_line(row: sa.Row[Any], agency_id: str | None) -> bytes:
    line = {"type": "entry", "seq": row.seq, "sha256": row.entry_sha256, "link": row.link_sha256}
    if agency_id is None or row.agency_id == agency_id or _is_of_the_chain(row):
        line["entry"] = row.entry
    else:
        line["type"] = "digest"
    return _line(line)


def _is_of_the_chain(row: sa.Row[Any]) -> bool:
    if row.agency_id is not None:
        return False
    event: str = json.loads(row.entry)["event"]
    return event.startswith(OF_THE_CHAIN)


def _line(value: JSON) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
