"""A tiny PDF writer for tests of stamps: pages of given geometry, widgets with appearances.

It needs nothing of the incremental writer, so that a fault lies with the stamp.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pikepdf

from signer.sealing.appearance.typeface import typeface
from signer.sealing.stamp import PageGeometry, Rect, Stamp

A4 = PageGeometry((0.0, 0.0, 595.28, 841.89), 0)


@dataclass
class PaperDocument:
    """A `DocumentGeometry` of given pages and signature rectangles."""

    pages: Sequence[PageGeometry] = (A4,)
    signature_rects: Mapping[str, tuple[int, Rect]] = field(default_factory=dict)


class PikepdfSink:
    """An `ObjectSink` over a new document; keeps the bodies it was given."""

    def __init__(self, pdf: pikepdf.Pdf) -> None:
        self.pdf = pdf
        self.bodies: list[bytes] = []
        self._objects: list[pikepdf.Object] = []

    def add(self, body: bytes) -> int:
        self.bodies.append(body)
        head, mark, rest = body.partition(b"\nstream\n")
        value = pikepdf.Object.parse(_inline(head, self._objects))
        if mark:
            data = rest[: int(value.Length)]
            assert rest == data + b"\nendstream"
            stream = pikepdf.Stream(self.pdf, b"")
            stream.write(data, filter=value.get("/Filter"))
            for key in sorted(value.keys()):
                if key not in ("/Length", "/Filter"):
                    stream[key] = value[key]
            value = stream
        self._fill(value)
        self._objects.append(self.pdf.make_indirect(value))
        return len(self._objects)

    def _fill(self, value: pikepdf.Object) -> None:
        """Turn the stand-ins (PLACEHOLDER n) back into references."""
        if isinstance(value, pikepdf.Array):
            for index, item in enumerate(value):
                if isinstance(item, pikepdf.String) and str(item).startswith("\x01"):
                    value[index] = self._objects[int(str(item)[1:]) - 1]
                elif isinstance(item, pikepdf.Array | pikepdf.Dictionary):
                    self._fill(item)
        elif isinstance(value, pikepdf.Dictionary | pikepdf.Stream):
            for key in sorted(value.keys()):
                item = value[key]
                if isinstance(item, pikepdf.String) and str(item).startswith("\x01"):
                    value[key] = self._objects[int(str(item)[1:]) - 1]
                elif isinstance(item, pikepdf.Array | pikepdf.Dictionary):
                    self._fill(item)

    def __getitem__(self, number: int) -> pikepdf.Object:
        return self._objects[number - 1]


def _inline(head: bytes, objects: Sequence[pikepdf.Object]) -> bytes:
    return re.sub(rb"(\d+) 0 R", lambda match: b"(\x01" + match[1] + b")", head)


@dataclass(frozen=True)
class Typed:
    """Text on a page as it is seen: x and baseline y in points from the lower left."""

    x: float
    y: float
    text: str
    size: float = 13.0
    page_index: int = 0


_UPRIGHT = {0: "1 0 0 1 {x0} {y0}", 90: "0 1 -1 0 {x1} {y0}",
            180: "-1 0 0 -1 {x1} {y1}", 270: "0 -1 1 0 {x0} {y1}"}  # fmt: skip


def _type(pdf: pikepdf.Pdf, typed: Sequence[Typed], pages: Sequence[PageGeometry]) -> None:
    face = typeface("Sohoa Serif")
    sink = PikepdfSink(pdf)
    font = sink[face.embed(sink)]
    for index, geometry in enumerate(pages):
        x0, y0, x1, y1 = geometry.box
        matrix = _UPRIGHT[geometry.rotate].format(x0=x0, y0=y0, x1=x1, y1=y1)
        words = [
            f"/F0 {line.size} Tf 1 0 0 1 {line.x} {line.y} Tm {face.encode(line.text).decode()} Tj"
            for line in typed
            if line.page_index == index
        ]
        content = f"q {matrix} cm BT {' '.join(words)} ET Q"
        page = pdf.pages[index].obj
        page.Contents = pdf.make_stream(content.encode())
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F0=font))


def stamped_pdf(
    stamps: Sequence[Stamp], pages: Sequence[PageGeometry] = (A4,), typed: Sequence[Typed] = ()
) -> bytes:
    """A document with `typed` text, and a widget for each stamp, in order."""
    pdf = pikepdf.new()
    for page in pages:
        x0, y0, x1, y1 = page.box
        media = [x0 - 20, y0 - 30, x1 + 40, y1 + 50] if (x0, y0) != (0, 0) else [x0, y0, x1, y1]
        pdf.add_blank_page(page_size=(x1 - x0, y1 - y0))
        made = pdf.pages[-1].obj
        made.MediaBox, made.CropBox, made.Rotate = media, [x0, y0, x1, y1], page.rotate
        if page.user_unit != 1:
            made.UserUnit = page.user_unit
        made.Annots = pdf.make_indirect(pikepdf.Array())
    if typed:
        _type(pdf, typed, pages)
    fields = pikepdf.Array()
    for index, stamp in enumerate(stamps):
        sink = PikepdfSink(pdf)
        form = sink[stamp.draw(sink)]
        page = pdf.pages[stamp.page_index].obj
        widget = pdf.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, FT=pikepdf.Name.Sig,
                T=pikepdf.String(f"sig{index}"), Rect=list(stamp.rect), F=132, P=page,
                AP=pikepdf.Dictionary(N=form),
            )
        )  # fmt: skip
        page.Annots.append(widget)
        fields.append(widget)
    pdf.Root.AcroForm = pdf.make_indirect(pikepdf.Dictionary(Fields=fields, SigFlags=3))
    out = io.BytesIO()
    pdf.save(out)
    return out.getvalue()


def write(path: Path, data: bytes) -> Path:
    """`data` in a file, for programs that want one."""
    path.write_bytes(data)
    return path
