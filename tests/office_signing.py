"""Documents as agencies really sign them (domain.md 5.8): boxes, subfilters, placeholders, keys.

The tool that they use writes visible widgets of nested forms, `/M` with +07'00', F 132, and a
fresh incremental save for each signature.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from dataclasses import dataclass

import pikepdf
from PIL import Image, ImageDraw

from signer.clock import VIETNAM
from tests.increments import Increment, signed_save

Box = tuple[float, float, float, float]
LEADER_BOX: Box = (372, 228, 522, 298)  # between title and full name
SEAL_BOX: Box = (310, 207, 420, 317)  # 62 pt left of it and 21 pt below
NUMBER_BOX: Box = (93, 736, 138, 765)
DATE_BOX: Box = (330, 736, 528, 765)
GAZETTE_BOX: Box = (40, 786, 205, 836)
COPY_BOX: Box = (372, 727, 532, 777)  # its corner 63 and 65 pt from the page's
BESIDE_BOX: Box = (196, 727, 356, 777)


@dataclass(frozen=True)
class Stroke:
    """One signature of an office: where, how it looks, and how the dictionary speaks."""

    name: str
    make: Callable[[bytes], bytes]
    box: Box | None
    text: str = ""
    picture: str = ""  # "seal" or "signature"
    sub_filter: str = "ETSI.CAdES.detached"
    room: int = 15_400  # octets of /Contents
    at: dt.datetime = dt.datetime(2024, 5, 6, 9, 30, 0, tzinfo=VIETNAM)
    page: int = 0
    entries: bytes = b""  # more of the signature dictionary
    kind: str = "Sig"  # its /Type


def pdf_time(moment: dt.datetime) -> bytes:
    """As `/M` carries it."""
    local = moment.astimezone(VIETNAM)
    return b"(D:%s+07'00')" % f"{local:%Y%m%d%H%M%S}".encode()


def sign_visibly(
    pdf: bytes, stroke: Stroke, *, xref_stream: bool = False, packed: bool = False
) -> bytes:
    """`pdf` with one more signature in one more save."""
    save = Increment(pdf, xref_stream=xref_stream, packed=packed)
    appearance = _appearance(save, stroke) if stroke.box else None
    page = save.page(stroke.page)
    signature = save.add(b"")
    widget = b"/Type /Annot /Subtype /Widget /FT /Sig /F 132 /T (%s) /P %d 0 R /V %d 0 R" % (
        stroke.name.encode(), page, signature,
    )  # fmt: skip
    box = b" ".join(b"%g" % side for side in stroke.box or (0, 0, 0, 0))
    seen = b" /AP << /N %d 0 R >>" % appearance if appearance else b""
    field = save.add(b"<< %s /Rect [%s]%s >>" % (widget, box, seen))
    _list(save, page, "/Annots", field)
    _list_in_form(save, field)
    entries = b"/Type /%s /Filter /Adobe.PPKLite /SubFilter /%s /M %s %s" % (
        stroke.kind.encode(), stroke.sub_filter.encode(), pdf_time(stroke.at), stroke.entries,
    )  # fmt: skip
    return signed_save(save, signature, entries, stroke.make, stroke.room)


def _list(save: Increment, number: int, key: str, item: int) -> None:
    """Append a reference to the array under `key`, wherever it is."""
    array = save.indirect(number, key)
    if array is not None:
        save.edit(array, lambda body: body.rstrip()[:-1] + b" %d 0 R ]" % item)
    elif save.has(number, key):
        save.edit(number, lambda body: _insert(body, key.encode() + b" [", item))
    else:
        save.edit(number, lambda body: body.rstrip()[:-2] + b" %s [%d 0 R] >>" % (
            key.encode(), item))  # fmt: skip


def _insert(body: bytes, at: bytes, item: int) -> bytes:
    """A reference more at the end of the flat array that begins with `at`."""
    start = body.index(at)
    end = body.index(b"]", start)
    return body[:end] + b" %d 0 R" % item + body[end:]


def _list_in_form(save: Increment, field: int) -> None:
    form = save.indirect(save.root, "/AcroForm")
    if form is None and save.has(save.root, "/AcroForm"):  # a dictionary in the catalogue
        save.edit(save.root, lambda body: _insert(body, b"/Fields [", field))
    elif form is None:
        made = save.add(b"<< /Fields [%d 0 R] /SigFlags 3 /DA (/Helv 0 Tf 0 g ) >>" % field)
        save.edit(save.root, lambda body: body.rstrip()[:-2] + b" /AcroForm %d 0 R >>" % made)
    else:
        _list(save, form, "/Fields", field)


def _appearance(save: Increment, stroke: Stroke) -> int:
    """A form in a form in a form, as Acrobat 6 asked for: background and foreground layers."""
    assert stroke.box is not None
    width, height = stroke.box[2] - stroke.box[0], stroke.box[3] - stroke.box[1]
    size = b"/Type /XObject /Subtype /Form /BBox [0 0 %g %g]" % (width, height)
    resources, content = b"", b""
    if stroke.picture:
        resources += b"/XObject << /img0 %d 0 R >> " % _picture(save, stroke.picture)
        content += b"q %g 0 0 %g 0 0 cm /img0 Do Q\n" % (min(width, height), height)
    if stroke.text:
        font = save.add(
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding /WinAnsiEncoding >>"
        )
        resources += b"/Font << /F1 %d 0 R >> " % font
        content += b"BT /F1 13 Tf 2 %g Td (%s) Tj ET" % (height / 3, stroke.text.encode("cp1252"))
    blank = save.add_stream(size + b" /Resources << >>", b"% DSBlank\n")
    shown = save.add_stream(size + b" /Resources << %s>>" % resources, content)
    layers = b"/XObject << /n0 %d 0 R /n2 %d 0 R >>" % (blank, shown)
    frame = save.add_stream(
        size + b" /Resources << %s >>" % layers, b"q 1 0 0 1 0 0 cm /n0 Do Q q /n2 Do Q"
    )
    return save.add_stream(
        size + b" /Resources << /XObject << /FRM %d 0 R >> >>" % frame, b"q /FRM Do Q"
    )


def _picture(save: Increment, kind: str) -> int:
    """A small drawing that lets the page through where it draws nothing."""
    image = Image.new("RGB", (60, 60), "white")
    draw = ImageDraw.Draw(image)
    if kind == "seal":
        draw.ellipse((3, 3, 56, 56), outline=(200, 16, 30), width=4)
        draw.regular_polygon((30, 30, 12), 5, fill=(200, 16, 30))
    else:
        draw.line((4, 40, 20, 12, 30, 50, 56, 20), fill=(20, 40, 170), width=3)
    size = b"/Type /XObject /Subtype /Image /Width 60 /Height 60 /BitsPerComponent 8"
    mask = image.convert("L").point(lambda grey: 0 if grey > 250 else 255)
    soft = save.add_stream(size + b" /ColorSpace /DeviceGray", mask.tobytes())
    return save.add_stream(size + b" /ColorSpace /DeviceRGB /SMask %d 0 R" % soft, image.tobytes())


def scanned_paper(version: str = "1.4") -> bytes:
    """One A4 page that is nothing but a picture, as a scanner makes it."""
    paper = Image.new("RGB", (413, 585), (250, 249, 245))
    draw = ImageDraw.Draw(paper)
    for line in range(60, 520, 14):
        draw.line((50, line, 360 - line % 50, line), fill=(40, 40, 40), width=3)
    jpeg = io.BytesIO()
    paper.save(jpeg, "JPEG", quality=60)
    pdf = pikepdf.new()
    page = pdf.add_blank_page(page_size=(595, 842))
    image = pikepdf.Stream(
        pdf, jpeg.getvalue(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image, Width=413,
        Height=585, BitsPerComponent=8, ColorSpace=pikepdf.Name.DeviceRGB,
        Filter=pikepdf.Name.DCTDecode,
    )  # fmt: skip
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=image))
    page.Contents = pdf.make_stream(b"q 595 0 0 842 0 0 cm /Im0 Do Q")
    return old_style(pdf, version)


def old_style(pdf: pikepdf.Pdf, version: str) -> bytes:
    """Saved with a cross-reference table and this version in the header."""
    out = io.BytesIO()
    pdf.save(
        out, force_version=version, deterministic_id=True,
        object_stream_mode=pikepdf.ObjectStreamMode.disable,
    )  # fmt: skip
    return out.getvalue()


def touched(pdf: bytes, *, xref_stream: bool = False) -> bytes:
    """`pdf` with one more save that only dates it, as a converter does before anybody signs."""
    save = Increment(pdf, xref_stream=xref_stream)
    save.add(b"<< /Producer (may in thu) /ModDate (D:20240506092000+07'00') >>")
    return save.close()
