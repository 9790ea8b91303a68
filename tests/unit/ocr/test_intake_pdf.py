"""PDF pages: the scan's own stream where there is one, a rendering where there is not."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image

from ocr.errors import EncryptedFile
from ocr.intake.survey import survey
from ocr.reading.raster import decode, encode_g4
from tests.scans import photo, printed, take_one

WHOLE = b"q 595 0 0 842 0 0 cm /Im Do Q"


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()


def _pdf(path: Path, data: bytes, entries: dict[str, object], content: bytes = WHOLE) -> Path:
    """A one-page A4 file with one image and a content stream."""
    with pikepdf.new() as pdf:
        image = pdf.make_stream(data, **entries)
        image.Type, image.Subtype = Name.XObject, Name.Image
        page = Dictionary(
            Type=Name.Page,
            MediaBox=[0, 0, 595, 842],
            Resources=Dictionary(XObject=Dictionary(Im=image)),
            Contents=pdf.make_stream(content),
        )
        pdf.pages.append(pikepdf.Page(pdf.make_indirect(page)))
        pdf.save(path)
    return path


def _dct(image: Image.Image, **more: object) -> tuple[bytes, dict[str, object]]:
    space = Name.DeviceGray if image.mode == "L" else Name.DeviceRGB
    entries = {
        "Width": image.width,
        "Height": image.height,
        "ColorSpace": space,
        "BitsPerComponent": 8,
        "Filter": Name.DCTDecode,
    }
    return _jpeg(image), entries | more


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_page_gives_its_stream(tmp_path: Path, mode: str) -> None:
    data, entries = _dct(photo(1654, 2339).convert(mode))
    taken = take_one(_pdf(tmp_path / "a.pdf", data, entries), tmp_path)
    assert taken.image.kept.path.read_bytes() == data
    assert taken.image.kept_is_original
    assert taken.image.dpi == pytest.approx((200.1, 200.0), abs=0.1)


def test_indirect_colour_space_and_filter_array(tmp_path: Path) -> None:
    data, entries = _dct(photo(), Filter=Array([Name.DCTDecode]))
    path = _pdf(tmp_path / "a.pdf", data, entries)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        image = pdf.pages[0].Resources.XObject.Im
        icc = pdf.make_stream(b"profile", N=3)
        image.ColorSpace = Array([Name.ICCBased, icc])
        pdf.save(path)
    assert take_one(path, tmp_path).image.kept_is_original


@pytest.mark.parametrize("black_is_1", [False, True])
@pytest.mark.parametrize("inverted", [False, True])
def test_group_4_page_gives_its_strip(tmp_path: Path, black_is_1: bool, inverted: bool) -> None:
    page = printed().convert("1")
    strip = encode_g4(np.asarray(page.convert("L")) == 0)
    entries = {
        "Width": page.width,
        "Height": page.height,
        "ColorSpace": Name.DeviceGray,
        "BitsPerComponent": 1,
        "Filter": Name.CCITTFaxDecode,
        "DecodeParms": Array([Dictionary(K=-1, Columns=page.width, BlackIs1=black_is_1)]),
    }
    if inverted:
        entries["Decode"] = [1, 0]
    taken = take_one(_pdf(tmp_path / "a.pdf", strip, entries), tmp_path)
    assert taken.image.kept.path.read_bytes() == strip
    expected = np.asarray(page.convert("L"))
    assert np.array_equal(taken.raster, 255 - expected if black_is_1 != inverted else expected)


@pytest.mark.parametrize("bits", [1, 8])
def test_other_encodings_give_the_image_s_own_pixels(tmp_path: Path, bits: int) -> None:
    page = printed()
    pixels = np.asarray(page) if bits == 8 else np.asarray(page.convert("1"))
    raw = pixels.tobytes() if bits == 8 else np.packbits(pixels, axis=1).tobytes()
    entries = {
        "Width": page.width,
        "Height": page.height,
        "ColorSpace": Name.DeviceGray,
        "BitsPerComponent": bits,
        "Filter": Name.FlateDecode,
    }
    taken = take_one(_pdf(tmp_path / "a.pdf", zlib.compress(raw), entries), tmp_path)
    assert taken.image.kept.filter == ("FlateDecode" if bits == 8 else "CCITTFaxDecode")
    expected = pixels if bits == 8 else pixels * np.uint8(255)
    assert np.array_equal(decode(taken.image.kept), expected)


@pytest.mark.parametrize(("rotate", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_rotate_is_inherited_and_told(tmp_path: Path, rotate: int, turns: int) -> None:
    path = _pdf(tmp_path / "a.pdf", *_dct(photo()))
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.Root.Pages.Rotate = rotate
        pdf.save(path)
    assert take_one(path, tmp_path).image.exif_turns == turns


def test_an_older_invisible_text_layer_is_no_hindrance(tmp_path: Path) -> None:
    text = WHOLE + b" BT 3 Tr /F1 12 Tf 10 10 Td (old) Tj ET"
    path = _pdf(tmp_path / "a.pdf", *_dct(photo()), content=text)
    assert take_one(path, tmp_path).image.kept_is_original


SQUARE = b" 100 100 50 50 re f"
DRAWN_OVER = {
    "a shape": WHOLE + SQUARE,
    "visible text": WHOLE + b" BT /F1 12 Tf 10 10 Td (new) Tj ET",
    "the image twice": WHOLE + b" " + WHOLE,
    "an inline image": WHOLE + b" BI /W 1 /H 1 /BPC 8 /CS /G ID x EI",
    "turned on the page": b"q 0 842 -595 0 595 0 cm /Im Do Q",
    "a small picture": b"q 100 0 0 100 50 50 cm /Im Do Q",
    "cropped": b"q 900 0 0 1300 0 0 cm /Im Do Q",
    "unbalanced": b"Q Q q 595 0 0 842 0 0 cm /Im Do" + SQUARE,
}


@pytest.mark.parametrize("content", DRAWN_OVER.values(), ids=DRAWN_OVER.keys())
def test_whatever_else_is_drawn_is_rendered(tmp_path: Path, content: bytes) -> None:
    data, entries = _dct(photo())
    taken = take_one(_pdf(tmp_path / "a.pdf", data, entries, content), tmp_path)
    assert not taken.image.kept_is_original
    assert taken.image.dpi == (300.0, 300.0)
    assert abs(taken.image.kept.width_px - 595 / 72 * 300) <= 1


def test_annotations_are_rendered(tmp_path: Path) -> None:
    path = _pdf(tmp_path / "a.pdf", *_dct(photo()))
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        note = Dictionary(Type=Name.Annot, Subtype=Name.Square, Rect=[0, 0, 100, 100])
        pdf.pages[0].Annots = Array([pdf.make_indirect(note)])
        pdf.save(path)
    assert take_one(path, tmp_path).image.dpi == (300.0, 300.0)


def test_a_jpeg_that_pdf_shows_differently_is_decoded(tmp_path: Path) -> None:
    data, entries = _dct(photo())
    wrong_space = entries | {"ColorSpace": Name.DeviceGray}
    assert not take_one(
        _pdf(tmp_path / "a.pdf", data, wrong_space), tmp_path
    ).image.kept_is_original
    negative = entries | {"Decode": [1, 0, 1, 0, 1, 0]}
    assert not take_one(_pdf(tmp_path / "b.pdf", data, negative), tmp_path).image.kept_is_original


def test_a_masked_image_is_rendered(tmp_path: Path) -> None:
    path = _pdf(tmp_path / "a.pdf", *_dct(photo()))
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        mask = pdf.make_stream(
            bytes(12),
            Type=Name.XObject,
            Subtype=Name.Image,
            Width=4,
            Height=3,
            ColorSpace=Name.DeviceGray,
            BitsPerComponent=8,
        )
        pdf.pages[0].Resources.XObject.Im.SMask = mask
        pdf.save(path)
    taken = take_one(path, tmp_path)
    assert taken.image.dpi == (300.0, 300.0)
    assert (taken.raster == 255).all()  # wholly transparent


def test_a_form_with_images_is_looked_into(tmp_path: Path) -> None:
    path = _pdf(tmp_path / "a.pdf", *_dct(photo()))
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        form = pdf.make_stream(
            WHOLE,
            Type=Name.XObject,
            Subtype=Name.Form,
            BBox=[0, 0, 595, 842],
            Resources=pdf.pages[0].Resources,
        )
        pdf.pages[0].Resources = Dictionary(XObject=Dictionary(Fm=form))
        pdf.pages[0].Contents = pdf.make_stream(b"/Fm Do")
        pdf.save(path)
    assert take_one(path, tmp_path).image.dpi == (300.0, 300.0)


def test_passwords(tmp_path: Path) -> None:
    path = _pdf(tmp_path / "a.pdf", *_dct(photo()))
    with pikepdf.open(path) as pdf:
        pdf.save(tmp_path / "open.pdf", encryption=pikepdf.Encryption(owner="x", user=""))
        pdf.save(tmp_path / "shut.pdf", encryption=pikepdf.Encryption(owner="x", user="y"))
    assert take_one(tmp_path / "open.pdf", tmp_path).image.kept_is_original
    with pytest.raises(EncryptedFile, match=r"shut\.pdf: needs a password: save a copy"):
        survey([tmp_path / "shut.pdf"])
