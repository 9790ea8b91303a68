"""The record itself: a PDF/A file of page images with their text.

PDF/A-3u (ISO 19005-3) by default, with the provenance manifest attached. The same code
makes a PDF/A-1b twin without attachment, for validators that know part 1 only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

from ocr.errors import OutputError
from ocr.page import ImageStream, QuarterTurns, RecognisedPage
from ocr.record.checked import CheckedPaper
from ocr.record.manifest import (
    JSON,
    Provenance,
    RecordMetadata,
    StoredImage,
    build_manifest,
    page_entry,
    pages_root,
)
from ocr.record.pdfwriter import Name, PDFWriter, Ref, Value, number, read_chunks
from ocr.record.textfont import TextFont
from ocr.record.textlayer import FONT_RESOURCE, PageScale, clean_text, page_text, text_operators
from ocr.record.xmp import PacketFacts, xmp_date, xmp_packet
from ocr.wholefile import whole_file

PRODUCER = "Sohoa"
MANIFEST_NAME = "provenance.json"
_POINTS_PER_INCH = 72.0
_SMALLEST_PAGE_PT = 3.0  # ISO 19005-3 6.1.13 with ISO 32000-1 Annex C
_LARGEST_PAGE_PT = 14_400.0
_INTENT = "sRGB IEC61966-2.1"


@dataclass(frozen=True, slots=True)
class Flavour:
    """A part and conformance level of ISO 19005, with the PDF version that its header names."""

    part: Literal[1, 3]
    conformance: Literal["B", "U"]
    pdf_version: str

    @property
    def attachments(self) -> bool:
        """Whether files may be embedded: only part 3 allows any file."""
        return self.part == 3


PDFA_3U = Flavour(3, "U", "1.7")
PDFA_1B = Flavour(1, "B", "1.4")


@dataclass(frozen=True, slots=True)
class RecordInfo:
    """What was written. `manifest` are the attached bytes, `pages_root` their Merkle root.

    `sha256` is the digest of the file; all digests are hexadecimal. A flavour without
    attachments has no manifest in the file, but the same `manifest` and root here.
    """

    path: Path
    sha256: str
    size_bytes: int
    page_count: int
    manifest: bytes
    pages_root: str


def write_record(
    pages: Iterable[RecognisedPage],
    target: Path,
    meta: RecordMetadata,
    provenance: Provenance,
    *,
    flavour: Flavour = PDFA_3U,
    checked: CheckedPaper | None = None,
) -> RecordInfo:
    """Write the record of `pages` to `target`, whole or not at all.

    Pages are taken one at a time and forgotten, so memory does not grow with them; their
    image files must last until the next page is asked for. The bytes depend on the
    arguments alone. A page with `compact` content is stored so, else its kept image is
    stored byte for byte. `checked` is what people made of the paper; its page numbers are those
    of `pages`. Raises `OutputError` when the file cannot be written or there is
    no page; errors of the iterable pass through, and nothing is left behind.
    """
    with whole_file(target) as stream:
        writer = PDFWriter(stream, version=flavour.pdf_version)
        record = _Record(writer, meta, provenance, flavour, checked)
        for page in pages:
            record.add_page(page)
        manifest, root = record.finish()
    return RecordInfo(
        path=target,
        sha256=writer.sha256,
        size_bytes=writer.size_bytes,
        page_count=len(record.entries),
        manifest=manifest,
        pages_root=root,
    )


class _Record:
    """The objects of one record, in the order in which they are written."""

    def __init__(
        self,
        writer: PDFWriter,
        meta: RecordMetadata,
        provenance: Provenance,
        flavour: Flavour,
        checked: CheckedPaper | None = None,
    ) -> None:
        self.entries: list[dict[str, JSON]] = []
        self._writer = writer
        self._meta = replace(
            meta,
            title=clean_text(meta.title),
            creator=clean_text(meta.creator),
            record_id=clean_text(meta.record_id),
        )
        self._provenance = provenance
        self._flavour = flavour
        self._checked = checked
        self._font = TextFont()
        self._font_ref: Ref | None = None
        self._tree = writer.reserve()
        self._pages: list[Ref] = []

    def add_page(self, page: RecognisedPage) -> None:
        """Write a page: its images, its content, itself."""
        scale = page_scale(page)
        drawing, images, stored, kept_sha256 = self._images(page, scale)
        resources_: dict[str, Value] = {"XObject": images}
        text = text_operators(page, scale, self._font)
        if text:
            self._font_ref = self._font_ref or self._writer.reserve()
            resources_["Font"] = {FONT_RESOURCE: self._font_ref}
        contents = self._writer.add_stream({}, b"\n".join([*drawing, text]))
        self._pages.append(
            self._writer.add(
                {
                    "Type": Name("Page"),
                    "Parent": self._tree,
                    "MediaBox": (0, 0, scale.width_pt, scale.height_pt),
                    "Resources": resources_,
                    "Contents": contents,
                }
            )
        )
        self.entries.append(
            page_entry(
                page,
                kept_sha256=kept_sha256,
                text=page_text(page),
                stored=stored,
                checked=self._checked,
            )
        )

    def finish(self) -> tuple[bytes, str]:
        """Write all that belongs to the record as a whole; return the manifest and its root."""
        if not self._pages:
            raise OutputError("a record needs at least one page; none was given")
        writer, meta = self._writer, self._meta
        manifest = build_manifest(meta, self._provenance, self.entries, self._checked)
        root = pages_root(self.entries)
        if self._font_ref is not None:
            self._font.write(writer, self._font_ref)
        writer.add(
            {"Type": Name("Pages"), "Kids": self._pages, "Count": len(self._pages)}, self._tree
        )
        catalog: dict[str, Value] = {
            "Type": Name("Catalog"),
            "Pages": self._tree,
            "Metadata": self._metadata(manifest, root),
            "OutputIntents": (self._output_intent(),),
            "Lang": meta.language,
            "ViewerPreferences": {"DisplayDocTitle": True},
        }
        if self._flavour.attachments:
            attached = self._attachment(manifest)
            catalog["AF"] = (attached,)
            catalog["Names"] = {"EmbeddedFiles": {"Names": (MANIFEST_NAME, attached)}}
        writer.finish(root=writer.add(catalog), info=self._information())
        return manifest, root

    def _images(
        self, page: RecognisedPage, scale: PageScale
    ) -> tuple[list[bytes], dict[str, Value], list[StoredImage], str]:
        """Write a page's images: drawing operators, resources, what was stored, kept digest."""
        placing = _placing(page.turns, scale)
        if page.compact is None:
            ref, digest = self._writer.copy_stream(
                _image_entries(page.image.kept), page.image.kept.path
            )
            stored = [StoredImage("kept", page.image.kept.filter, digest)]
            return [_draw("Im0", placing)], {"Im0": ref}, stored, digest
        drawing: list[bytes] = []
        images: dict[str, Value] = {}
        stored = []
        background, mask = page.compact.background, page.compact.mask
        if background is not None:
            images["Im0"], digest = self._writer.copy_stream(
                _image_entries(background), background.path
            )
            stored.append(StoredImage("background", background.filter, digest))
            drawing.append(_draw("Im0", placing))
        images["Im1"], digest = self._writer.copy_stream(_mask_entries(mask), mask.path)
        stored.append(StoredImage("mask", mask.filter, digest))
        ink = " ".join(number(c) for c in page.compact.ink_rgb) + " rg "
        drawing.append(_draw("Im1", placing, ink))
        return drawing, images, stored, _source_sha256(page.image.kept.path)

    def _metadata(self, manifest: bytes, root: str) -> Ref:
        meta = self._meta
        own = {
            "RecordId": meta.record_id,
            "PageCount": str(len(self._pages)),
            "CapturedAt": xmp_date(self._provenance.time),
            "PagesRoot": root,
        }
        if self._flavour.attachments:
            own["ManifestSHA256"] = hashlib.sha256(manifest).hexdigest()
        packet = xmp_packet(
            PacketFacts(
                part=self._flavour.part,
                conformance=self._flavour.conformance,
                title=meta.title,
                creator=meta.creator,
                identifier=meta.record_id,
                language=meta.language,
                tool=PRODUCER,
                created=meta.created,
                own=own,
            )
        )
        entries: dict[str, Value] = {"Type": Name("Metadata"), "Subtype": Name("XML")}
        return self._writer.add_stream(entries, packet, compress=False)

    def _information(self) -> Ref:
        """The document information dictionary; says what the packet says (ISO 19005-1 6.7.3)."""
        when = pdf_date(self._meta.created)
        return self._writer.add(
            {
                "Title": self._meta.title,
                "Author": self._meta.creator,
                "Creator": PRODUCER,
                "Producer": PRODUCER,
                "CreationDate": when,
                "ModDate": when,
            }
        )

    def _output_intent(self) -> Ref:
        profile = self._writer.add_stream({"N": 3}, srgb_profile())
        return self._writer.add(
            {
                "Type": Name("OutputIntent"),
                "S": Name("GTS_PDFA1"),
                "OutputConditionIdentifier": _INTENT,
                "Info": _INTENT,
                "DestOutputProfile": profile,
            }
        )

    def _attachment(self, manifest: bytes) -> Ref:
        when = pdf_date(self._meta.created)
        md5 = hashlib.md5(manifest, usedforsecurity=False).digest()  # ISO 32000-1 Table 46
        embedded = self._writer.add_stream(
            {
                "Type": Name("EmbeddedFile"),
                "Subtype": Name("application/json"),
                "Params": {
                    "Size": len(manifest),
                    "CreationDate": when,
                    "ModDate": when,
                    "CheckSum": md5,
                },
            },
            manifest,
        )
        return self._writer.add(
            {
                "Type": Name("Filespec"),
                "F": MANIFEST_NAME,
                "UF": MANIFEST_NAME,
                "Desc": "Hồ sơ nguồn gốc số hoá (provenance manifest)",
                "AFRelationship": Name("Data"),
                "EF": {"F": embedded, "UF": embedded},
            }
        )


def page_scale(page: RecognisedPage) -> PageScale:
    """Size of the upright page in points, kept within the limits of ISO 32000-1 Annex C."""
    width, height = (
        round(min(max(px * _POINTS_PER_INCH / dpi, _SMALLEST_PAGE_PT), _LARGEST_PAGE_PT), 3)
        for px, dpi in zip((page.width_px, page.height_px), page.dpi, strict=True)
    )
    return PageScale(width, height, width / page.width_px, height / page.height_px)


def _placing(turns: QuarterTurns, scale: PageScale) -> tuple[float, ...]:
    """Matrix that puts the unit square of an image onto the page, turned clockwise."""
    w, h = scale.width_pt, scale.height_pt
    return (
        (w, 0, 0, h, 0, 0),
        (0, -h, w, 0, 0, h),
        (-w, 0, 0, -h, w, h),
        (0, h, -w, 0, w, 0),
    )[turns]


def _draw(name: str, placing: tuple[float, ...], colour: str = "") -> bytes:
    matrix = " ".join(number(v) for v in placing)
    return f"q {colour}{matrix} cm /{name} Do Q".encode("ascii")


def _image_entries(image: ImageStream) -> dict[str, Value]:
    entries = _raster_entries(image)
    entries["ColorSpace"] = Name("DeviceGray" if image.components == 1 else "DeviceRGB")
    return entries


def _mask_entries(mask: ImageStream) -> dict[str, Value]:
    entries = _raster_entries(mask)
    # a stencil paints zeros (ISO 32000-1 8.9.6.2), and zero is black in a grey image: a bilevel
    # scan can be its own mask
    entries["ImageMask"] = True
    return entries


def _raster_entries(image: ImageStream) -> dict[str, Value]:
    entries: dict[str, Value] = {
        "Type": Name("XObject"),
        "Subtype": Name("Image"),
        "Width": image.width_px,
        "Height": image.height_px,
        "BitsPerComponent": image.bits,
        "Filter": Name(image.filter),
    }
    if image.filter == "CCITTFaxDecode":
        entries["DecodeParms"] = {
            "K": -1,
            "Columns": image.width_px,
            "Rows": image.height_px,
            "BlackIs1": image.black_is_1,
        }
    return entries


def pdf_date(moment: datetime) -> str:
    """An aware time as a PDF date (ISO 32000-1 7.9.4), to the second, in its own offset."""
    offset = moment.strftime("%z")
    return f"D:{moment:%Y%m%d%H%M%S}{offset[:3]}'{offset[3:5]}'"


@cache
def srgb_profile() -> bytes:
    """The ICC profile of the output intent (assets/sRGB.icc)."""
    return (resources.files("ocr.record") / "assets" / "sRGB.icc").read_bytes()


def _source_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for chunk in read_chunks(path):
        digest.update(chunk)
    return digest.hexdigest()
