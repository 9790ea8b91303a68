"""Incremental saves that nobody thought of: a Hypothesis strategy of attackers' edits.

`saves(data)` draws files that begin with the signed bytes of `data` and go on with a save of any
kind: objects replaced by others, keys set and deleted, streams redrawn, numbers freed or pointed
elsewhere, later signatures with any widget. `look_different` says whether a reader sees it.
"""

from __future__ import annotations

import re
import subprocess
from functools import lru_cache
from pathlib import Path

import numpy as np
import pypdfium2
from hypothesis import strategies as st

from signer.verification.file.pdf_objects import Dictionary, Name, PDFString, Ref, Stream, Value
from signer.verification.file.structure import Document
from tests.fakes import SoftwareKey
from tests.forgery import paper as p
from tests.forgery.paper import form_xobject
from tests.forgery.save import Save, current, stream, written
from tests.forgery.shadows import later_signature

_DRAWINGS = (
    b"", b"0 g 60 680 300 60 re f", b"BT /F1 20 Tf 72 700 Td (9.000.000) Tj ET", b"q", b"Q Q",
    b"1 g 0 0 595 842 re f", b"/Cover Do", b"BT /Helv 30 Tf 60 300 Td (9) Tj ET",
)  # fmt: skip
_KEYS = (
    "Contents", "Resources", "Annots", "MediaBox", "CropBox", "Rotate", "Kids", "Parent", "Type",
    "Subtype", "AP", "F", "Rect", "V", "DA", "DR", "Fields", "NeedAppearances", "OCProperties",
    "Pages", "Metadata", "Names", "AcroForm", "DSS", "Extensions", "Version", "Font", "XObject",
    "Encoding", "ToUnicode", "BaseFont", "Matrix", "BBox", "SMask", "Width", "D", "OFF", "OC",
    "Group", "UserUnit", "ModDate", "Producer", "Title", "Certs", "VRI", "ViewerPreferences",
)  # fmt: skip
_WORDS = ("Page", "Form", "Sig", "Tx", "Helvetica", "1.3", "OCG", "Catalog")
_WIDGET_KEYS = (
    b"/MK << /BG [0 0 0] >>", b"/F 6", b"/F 0", b"/Ff 1", b"/DA (/Helv 40 Tf 1 0 0 rg)",
    b"/BS << /W 90 >>", b"/Border [0 0 90]", b"/H /N", b"/AS /On", b"/OC 17 0 R", b"/Q 2",
)  # fmt: skip


@st.composite
def saves(draw: st.DrawFn, data: bytes, key: SoftwareKey) -> bytes:
    """A file that is `data` and one save of one to three edits."""
    save = Save(data)
    numbers = sorted(n for n in _numbers(data) if n)
    for _ in range(draw(st.integers(1, 3))):
        edit = draw(st.sampled_from(_EDITS))
        edit(draw, save, data, numbers)
    if draw(st.integers(0, 4)) == 0:
        return _signed(draw, save, data, key)
    how = draw(st.sampled_from(["table", "stream", "packed"]))
    return {"table": save.table, "stream": save.stream, "packed": save.packed}[how]()


@lru_cache(maxsize=64)
def _numbers(data: bytes) -> frozenset[int]:
    document = Document(data)
    return frozenset(
        n for r in document.revisions for n in r.entries if not document.current.entry(n).is_free
    )


@lru_cache(maxsize=64)
def _document(data: bytes) -> Document:
    return Document(data)


def _value(draw: st.DrawFn, save: Save, numbers: list[int]) -> Value:
    kind = draw(st.integers(0, 8))
    if kind <= 2:
        return Ref(draw(st.sampled_from([*numbers, p.NOTHING, *save.objects])), 0)
    if kind == 3:
        return [Ref(draw(st.sampled_from(numbers)), 0) for _ in range(draw(st.integers(0, 3)))]
    if kind == 4:
        return Ref(save.add(_drawing(draw)), 0)
    if kind == 5:
        return draw(st.sampled_from([0, 1, 2, 90, 180, -1, 0.5, 300, 1000]))
    if kind == 6:
        return [draw(st.integers(-50, 900)) for _ in range(4)]
    if kind == 7:
        return draw(st.sampled_from([None, True, False, Dictionary()]))
    word = draw(
        st.sampled_from(["Page", "Form", "Sig", "Tx", "Helvetica", "1.3", "OCG", "Catalog"])
    )
    return draw(st.sampled_from([Name(word), PDFString(word.encode())]))


def _drawing(draw: st.DrawFn) -> bytes:
    content = draw(st.sampled_from(_DRAWINGS))
    return form_xobject(content) if draw(st.booleans()) else stream(content)


def _copy(value: Value) -> Value:
    if isinstance(value, Dictionary):
        out = Dictionary()
        out.update(value)
        return out
    return list(value) if isinstance(value, list) else value


def _edit_entry(draw: st.DrawFn, save: Save, data: bytes, numbers: list[int]) -> None:
    """One key of one dictionary or stream set, or deleted."""
    number = draw(st.sampled_from(numbers))
    value = _document(data).current.get(number)
    target = _copy(value.dictionary if isinstance(value, Stream) else value)
    if not isinstance(target, Dictionary):
        return
    own = draw(st.booleans()) and list(target)
    name = draw(st.sampled_from(own or _KEYS))
    if draw(st.integers(0, 3)) == 0:
        target.pop(name, None)
    else:
        target[name] = _value(draw, save, numbers)
    save.put(number, written(Stream(target, value.raw) if isinstance(value, Stream) else target))


def _edit_array(draw: st.DrawFn, save: Save, data: bytes, numbers: list[int]) -> None:
    """The list of annotations, contents or fields: dropped, turned, lengthened."""
    number = draw(st.sampled_from([p.ANNOTS, p.PAGES, p.PAGE, p.FORM, p.CONTENT_LIST]))
    if number not in numbers:
        return
    value = _copy(_document(data).current.get(number))
    lists = [value] if isinstance(value, list) else []
    if isinstance(value, Dictionary):
        for name in ("Kids", "Contents", "Fields"):
            if isinstance(value.get(name), list):
                value[name] = _copy(value[name])
                lists.append(value[name])
    for items in lists:
        assert isinstance(items, list)
        what = draw(st.integers(0, 3))
        if what == 0 and items:
            items.pop(draw(st.integers(0, len(items) - 1)))
        elif what == 1:
            items.reverse()
        elif what == 2:
            items.append(_value(draw, save, numbers))
        elif items:
            items.append(items[0])
    save.put(number, written(value))


def _replace(draw: st.DrawFn, save: Save, data: bytes, numbers: list[int]) -> None:
    """An object by another one's body, by a drawing, or by nothing."""
    number = draw(st.sampled_from(numbers))
    what = draw(st.integers(0, 3))
    if what == 0:
        save.put(number, current(data, draw(st.sampled_from(numbers))))
    elif what == 1:
        save.put(number, _drawing(draw))
    elif what == 2:
        save.put(number, b"null")
    else:
        save.put(number, current(data, number), generation=draw(st.integers(0, 1)))


def _redraw(draw: st.DrawFn, save: Save, data: bytes, numbers: list[int]) -> None:
    """Something more in a stream of the page."""
    number = draw(st.sampled_from([p.CONTENTS, p.CONTENTS_2, p.COVER, p.FIELD_LOOKS, p.NOTE_LOOKS]))
    value = _document(data).current.get(number)
    assert isinstance(value, Stream)
    target = _copy(value.dictionary)
    assert isinstance(target, Dictionary)
    raw = value.raw + b"\n" + draw(st.sampled_from(_DRAWINGS))
    target["Length"] = len(raw)
    save.put(number, written(Stream(target, raw)))


def _point_elsewhere(draw: st.DrawFn, save: Save, data: bytes, numbers: list[int]) -> None:
    """An entry that is free, or names a place in the signed bytes."""
    number = draw(st.sampled_from(numbers))
    if draw(st.booleans()):
        save.free(number)
        return
    places = [m.start() for m in re.finditer(rb"(?<=\n)\d{1,6} 0 obj", data)]
    save.rows[number] = (1, draw(st.sampled_from(places)), 0)


def _edit_trailer(draw: st.DrawFn, save: Save, data: bytes, numbers: list[int]) -> None:
    name = draw(st.sampled_from([b"/Root", b"/Info", b"/Size", b"/ID", b"/Prev", b"/XRefStm"]))
    save.entries[name] = written(_value(draw, save, numbers))


def _fill_hole(draw: st.DrawFn, save: Save, data: bytes, numbers: list[int]) -> None:
    """What a prepared file refers to without having it, or a number far above."""
    save.put(draw(st.sampled_from([p.NOTHING, p.NOTHING + 1])), _drawing(draw))


_EDITS = (
    _edit_entry, _edit_entry, _edit_entry, _edit_array, _replace, _redraw, _point_elsewhere,
    _edit_trailer, _fill_hole,
)  # fmt: skip


def _signed(draw: st.DrawFn, save: Save, data: bytes, key: SoftwareKey) -> bytes:
    x, y = draw(st.integers(-20, 560)), draw(st.integers(-20, 800))
    width, height = draw(st.integers(0, 300)), draw(st.integers(0, 200))
    widget = b"/Rect [%d %d %d %d]" % (x, y, x + width, y + height)
    if draw(st.booleans()):
        looks = save.add(form_xobject(draw(st.sampled_from(_DRAWINGS)), b"0 0 200 30"))
        widget += b" /AP << /N %d 0 R >>" % looks
    for entry in draw(st.lists(st.sampled_from(_WIDGET_KEYS), max_size=2, unique=True)):
        if entry[:3] not in widget and not entry.startswith(b"/F "):
            widget += b" " + entry
    return later_signature(save, data, key, widget)


# --- what readers show

Pictures = list[np.ndarray]


def look_different(signed: bytes, saved: bytes, folder: Path) -> list[str]:
    """The programs that show other pages; a program that gives up shows nothing."""
    return [
        name
        for name in _PROGRAMS
        if _differ(_shown_before(name, signed, folder), _shown(name, saved, folder))
    ]


@lru_cache(maxsize=64)
def _shown_before(name: str, data: bytes, folder: Path) -> Pictures | None:
    return _shown(name, data, folder)


def _shown(name: str, data: bytes, folder: Path) -> Pictures | None:
    try:
        return _PROGRAMS[name](data, folder)
    except (OSError, ValueError, subprocess.SubprocessError, pypdfium2.PdfiumError):
        return None


def _differ(one: Pictures | None, other: Pictures | None) -> bool:
    if one is None or other is None:
        return one is not other
    return len(one) != len(other) or any(
        a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(one, other, strict=True)
    )


def _pdfium(data: bytes, folder: Path) -> Pictures:
    pdf = pypdfium2.PdfDocument(data)
    try:
        pdf.init_forms()
        return [np.array(page.render(scale=0.6, may_draw_forms=True).to_numpy()) for page in pdf]
    finally:
        pdf.close()


def _mutool(data: bytes, folder: Path) -> Pictures:
    source = folder / "mupdf.pdf"
    source.write_bytes(data)
    out = subprocess.run(
        ["mutool", "draw", "-q", "-r", "40", "-F", "pgm", "-o", "-", source],
        capture_output=True, timeout=30, check=True,
    ).stdout  # fmt: skip
    return _grey(out)


def _poppler(data: bytes, folder: Path) -> Pictures:
    source = folder / "poppler.pdf"
    source.write_bytes(data)
    out = subprocess.run(
        ["pdftoppm", "-r", "40", "-gray", source], capture_output=True, timeout=30, check=True
    ).stdout
    return _grey(out)


def _grey(octets: bytes) -> Pictures:
    """Portable grey maps, one behind the other."""
    pages = []
    here = 0
    while found := re.compile(rb"P5\s(?:#[^\n]*\n)?(\d+)\s(\d+)\s255\s").match(octets, here):
        width, height = int(found[1]), int(found[2])
        here = found.end() + width * height
        pages.append(np.frombuffer(octets[found.end() : here], np.uint8).reshape(height, width))
    return pages


_PROGRAMS = {"pdfium": _pdfium, "mupdf": _mutool, "poppler": _poppler}
