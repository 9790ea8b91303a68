"""The provenance manifest: what was scanned, what was kept, what was read, and by what.

One canonical JSON document (RFC 8785) is attached to the record, so a signature on the
record covers it. Its Merkle tree (RFC 9162 2.1) has one leaf a page: one page can be proved
to belong to a record without showing the others. docs/manifest.md describes the format.

Version 1 says what machines did. A record whose paper was checked by people has version 2: the
same members, and what `ocr.record.checked` adds. Pages and tree are read alike in both.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from ocr.errors import ManifestError
from ocr.page import RecognisedPage
from ocr.record.checked import CheckedPaper
from ocr.record.xmp import xmp_date

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

MANIFEST_VERSION = 1
CHECKED_VERSION = 2
MANIFEST_FORMAT = "sohoa-provenance"
TREE_ALGORITHM = "RFC9162-SHA256"
_DECIMALS = 3
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class RecordMetadata:
    """What a record is called. `created` is aware; the record's only clock.

    `creator` is the agency or person that answers for the record, `record_id` its identifier.
    """

    title: str
    creator: str
    record_id: str
    created: datetime
    language: str = "vi-VN"

    def __post_init__(self) -> None:
        if self.created.utcoffset() is None:
            raise ValueError("RecordMetadata.created needs a time zone")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A language model by name and the SHA-256 (hexadecimal) of its file."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who digitised, where, when and with what. `time` is aware.

    `settings` are those that change the outcome (mode, languages, resolution …).
    """

    engine: str
    engine_version: str
    models: tuple[ModelFile, ...]
    settings: Mapping[str, str | int | float | bool]
    operator: str
    station: str
    time: datetime

    def __post_init__(self) -> None:
        if self.time.utcoffset() is None:
            raise ValueError("Provenance.time needs a time zone")


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image stream of the record: what it is for, its PDF filter, SHA-256 of its bytes."""

    role: str
    filter: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PageProof:
    """One page's entry with what is needed to find the root again.

    `page` is the entry as it stands in the manifest, `index` its 0-based place among
    `page_count` pages, `path` the sibling hashes from the leaf upwards (hexadecimal).
    """

    page: Mapping[str, JSON]
    index: int
    page_count: int
    path: tuple[str, ...]


def canonical(value: JSON) -> bytes:
    """Canonical bytes (RFC 8785): NFC text, sorted keys, no white space, shortest numbers."""
    try:
        return json.dumps(
            _normal(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode("utf-8")
    except ValueError as error:  # NaN, infinity, lone surrogates
        raise ManifestError(
            f"the manifest holds a value that JSON cannot carry: {error}"
        ) from error


def _normal(value: JSON) -> JSON:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, float):
        rounded = round(value, _DECIMALS)
        return int(rounded) if rounded.is_integer() else rounded
    if isinstance(value, dict):
        pairs = ((unicodedata.normalize("NFC", k), _normal(v)) for k, v in value.items())
        return dict(sorted(pairs, key=lambda pair: pair[0].encode("utf-16-be")))
    if isinstance(value, list):
        return [_normal(v) for v in value]
    return value


def page_entry(
    page: RecognisedPage,
    *,
    kept_sha256: str,
    text: str,
    stored: Sequence[StoredImage],
    checked: CheckedPaper | None = None,
) -> dict[str, JSON]:
    """The manifest entry of one page. `text` is the text of its layer (`page_text`)."""
    image = page.image
    entry: dict[str, JSON] = {
        "number": image.number,
        "source": _file_name(image.source),
        "source_page": image.source_page,
        "source_sha256": image.source_sha256,
        "original_sha256": image.original_sha256,
        "kept_sha256": kept_sha256,
        "kept_is_original": image.kept_is_original,
        "stored": [{"role": s.role, "filter": s.filter, "sha256": s.sha256} for s in stored],
        "text_sha256": hashlib.sha256(text.encode("utf-8")).hexdigest(),
        "words": sum(len(line.words) for line in page.lines),
        "width_px": page.width_px,
        "height_px": page.height_px,
        "dpi": list(page.dpi),
        "dpi_assumed": image.dpi_assumed,
        "turns": page.turns,
        "skew_degrees": page.skew_degrees,
        "blank": page.blank,
        "confidence": page.confidence,
        "fault": None
        if page.fault is None
        else {"kind": page.fault.kind, "message": page.fault.message},
    }
    if checked is not None:
        entry |= checked.page_members(page)
    return entry


def _file_name(name: str) -> str:
    """A file name as text; bytes that are not UTF-8 (surrogates in Python) are spelled out."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def build_manifest(
    meta: RecordMetadata,
    provenance: Provenance,
    pages: Sequence[Mapping[str, JSON]],
    checked: CheckedPaper | None = None,
) -> bytes:
    """The whole manifest in canonical form. `pages` are `page_entry` values in order.

    With `checked` it is one of version 2.
    """
    entries: list[JSON] = [dict(p) for p in pages]
    settings: dict[str, JSON] = dict(provenance.settings)
    return canonical(
        {
            "format": MANIFEST_FORMAT,
            "version": MANIFEST_VERSION if checked is None else CHECKED_VERSION,
            **({} if checked is None else {"checked": checked.to_json()}),
            "record": {
                "id": meta.record_id,
                "title": meta.title,
                "creator": meta.creator,
                "language": meta.language,
                "created": xmp_date(meta.created),
            },
            "digitised": {
                "operator": provenance.operator,
                "station": provenance.station,
                "time": xmp_date(provenance.time),
                "engine": {"name": provenance.engine, "version": provenance.engine_version},
                "models": [{"name": m.name, "sha256": m.sha256} for m in provenance.models],
                "settings": settings,
            },
            "pages": entries,
            "tree": {"algorithm": TREE_ALGORITHM, "root": pages_root(pages)},
        }
    )


def pages_root(pages: Sequence[Mapping[str, JSON]]) -> str:
    """Merkle tree hash over the canonical bytes of the page entries, hexadecimal."""
    return _tree([_leaf(p) for p in pages]).hex()


def page_proof(manifest: bytes, number: int) -> PageProof:
    """Prove page `number` (from 1) of a manifest alone.

    Raises `ManifestError` when the manifest is malformed, its root does not hold, or it has
    no such page.
    """
    pages, root = _read(manifest)
    if not 1 <= number <= len(pages):
        raise ManifestError(f"there is no page {number}: the record has {len(pages)} pages")
    if pages_root(pages) != root:
        raise ManifestError("the manifest's root is not that of its pages: it was altered")
    path = _path(number - 1, [_leaf(p) for p in pages])
    return PageProof(pages[number - 1], number - 1, len(pages), tuple(h.hex() for h in path))


def verify_page_proof(proof: PageProof, root: str) -> None:
    """Check that the page belongs to the tree with this root (RFC 9162 2.1.3.2).

    Raises `ManifestError` when it does not.
    """
    try:
        siblings = [bytes.fromhex(h) for h in proof.path]
    except ValueError as error:
        raise ManifestError("the proof's path is not hexadecimal") from error
    if not 0 <= proof.index < proof.page_count or any(len(s) != _HASH_BYTES for s in siblings):
        raise ManifestError("the proof is malformed: index, page count or path do not fit")
    first, last = proof.index, proof.page_count - 1
    found = _leaf(proof.page)
    for sibling in siblings:
        if last == 0:
            raise ManifestError("the proof's path is too long for its page count")
        if first & 1 or first == last:
            found = _node(sibling, found)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            found = _node(found, sibling)
        first, last = first >> 1, last >> 1
    if last != 0 or found.hex() != root:
        raise ManifestError("the page does not belong to the record with this root")


def _read(manifest: bytes) -> tuple[list[dict[str, JSON]], str]:
    try:
        document = json.loads(manifest)
        versions = (MANIFEST_VERSION, CHECKED_VERSION)
        if document["format"] != MANIFEST_FORMAT or document["version"] not in versions:
            raise ManifestError("this is not a provenance manifest of version 1 or 2")
        pages, root = document["pages"], document["tree"]["root"]
    except (ValueError, KeyError, TypeError) as error:
        raise ManifestError(f"the manifest cannot be read: {error!r}") from error
    if not isinstance(root, str) or not isinstance(pages, list):
        raise ManifestError("the manifest cannot be read: pages or root have the wrong type")
    if not all(isinstance(p, dict) for p in pages):
        raise ManifestError("the manifest cannot be read: a page is not an object")
    return pages, root


def _leaf(page: Mapping[str, JSON]) -> bytes:
    return hashlib.sha256(b"\x00" + canonical(dict(page))).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (RFC 9162 2.1.1)."""
    return 1 << (count - 1).bit_length() - 1


def _tree(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    k = _split(len(leaves))
    return _node(_tree(leaves[:k]), _tree(leaves[k:]))


def _path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Sibling hashes from the leaf upwards (RFC 9162 2.1.3.1)."""
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return [*_path(index, leaves[:k]), _tree(leaves[k:])]
    return [*_path(index - k, leaves[k:]), _tree(leaves[:k])]
