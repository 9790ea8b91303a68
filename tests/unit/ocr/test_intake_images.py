"""JPEG, PNG and TIFF come in with the scanner's bytes where PDF/A takes them."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from ocr.errors import DamagedFile
from ocr.intake.survey import IntakeFault, intake, pages_of, survey
from ocr.page import PageImage
from ocr.reading.raster import decode, tiff_around_g4
from tests.scans import photo, printed, take_all, take_one


def _jpeg(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, "JPEG", quality=90, **options)
    return path


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_is_kept_bit_for_bit(tmp_path: Path, mode: str, progressive: bool) -> None:
    path = _jpeg(photo().convert(mode), tmp_path / "a.jpg", progressive=progressive, dpi=(150, 150))
    taken = take_one(path, tmp_path)
    image = taken.image
    assert image.kept.filter == "DCTDecode"
    assert image.kept_is_original
    assert image.kept.path.read_bytes() == path.read_bytes()
    assert image.kept.components == (1 if mode == "L" else 3)
    assert image.original_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (image.dpi, image.dpi_assumed) == ((150.0, 150.0), False)
    assert np.array_equal(decode(image.kept), np.asarray(Image.open(path)))


def test_cmyk_jpeg_becomes_rgb_without_loss(tmp_path: Path) -> None:
    path = _jpeg(photo().convert("CMYK"), tmp_path / "a.jpg")
    taken = take_one(path, tmp_path)
    assert taken.image.kept.filter == "FlateDecode"
    assert not taken.image.kept_is_original
    expected = np.asarray(Image.open(path).convert("RGB"))
    assert np.array_equal(decode(taken.image.kept), expected)


@pytest.mark.parametrize("profile", [b"not a profile", None])
def test_cmyk_profile_is_used_or_ignored_when_broken(tmp_path: Path, profile: bytes | None) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = _jpeg(photo().convert("CMYK"), tmp_path / "a.jpg", icc_profile=profile or srgb)
    taken = take_one(path, tmp_path)  # an RGB profile does not fit CMYK: the plain formula serves
    assert taken.raster.shape == (300, 400, 3)


def test_jpeg_with_components_named_rgb_is_not_passed_through(tmp_path: Path) -> None:
    plain = io.BytesIO()
    photo().save(plain, "JPEG", keep_rgb=True)
    data = plain.getvalue()
    adobe = data.find(b"\xff\xee")
    if adobe >= 0:  # without Adobe's marker a PDF viewer would take RGB for YCbCr
        data = data[:adobe] + data[adobe + 2 + int.from_bytes(data[adobe + 2 : adobe + 4], "big") :]
    jfif = data.find(b"\xff\xe0")
    if jfif >= 0:
        data = data[:jfif] + data[jfif + 2 + int.from_bytes(data[jfif + 2 : jfif + 4], "big") :]
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert take_one(path, tmp_path).image.kept.filter == "FlateDecode"


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (6, 1), (3, 2), (8, 3)])
def test_exif_rotation_is_told_not_applied(tmp_path: Path, orientation: int, turns: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = _jpeg(photo(), tmp_path / "a.jpg", exif=exif)
    taken = take_one(path, tmp_path)
    assert taken.image.exif_turns == turns
    assert taken.image.kept.path.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("orientation", [2, 4, 5, 7])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_mirrored_pages_are_set_right(tmp_path: Path, orientation: int, kind: str) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a"
    photo().save(path, kind, exif=exif, dpi=(100, 120))
    taken = take_one(path, tmp_path)
    upright = ImageOps.exif_transpose(Image.open(path))
    assert np.array_equal(decode(taken.image.kept), np.asarray(upright))
    assert taken.image.exif_turns == 0
    assert taken.image.dpi[0] == pytest.approx(120 if orientation >= 5 else 100, abs=0.1)


def test_one_bit_png_is_kept_as_group_4(tmp_path: Path) -> None:
    page = printed().convert("1")
    path = tmp_path / "a.png"
    page.save(path, dpi=(200, 200))
    taken = take_one(path, tmp_path)
    assert taken.image.kept.filter == "CCITTFaxDecode"
    assert taken.image.kept.bits == 1
    assert np.array_equal(decode(taken.image.kept), np.asarray(page.convert("L")))


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    deep = (np.arange(200 * 300, dtype=np.uint32).reshape(200, 300) % 65536).astype(np.uint16)
    path = tmp_path / "a.png"
    Image.fromarray(deep).save(path)
    taken = take_one(path, tmp_path)
    assert np.array_equal(decode(taken.image.kept), (deep >> 8).astype(np.uint8))


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.zeros((90, 90), np.float32)).save(path)
    with pytest.raises(DamagedFile, match=r"a\.tif, page 1: .*floating-point"):
        take_one(path, tmp_path)


def test_palette_transparency_and_false_colour(tmp_path: Path) -> None:
    palette, alpha, false = (tmp_path / n for n in ("p.png", "a.png", "f.png"))
    photo().quantize(16).save(palette)
    clear = photo().convert("RGBA")
    clear.putalpha(0)
    clear.save(alpha)
    photo().convert("L").convert("RGB").save(false)
    assert take_one(palette, tmp_path).raster.shape == (300, 400, 3)
    assert (take_one(alpha, tmp_path).raster == 255).all()
    assert take_one(false, tmp_path).image.kept.components == 1
    lab = tmp_path / "lab.tif"
    photo().convert("LAB").save(lab)
    assert take_one(lab, tmp_path).raster.ndim == 3


@pytest.mark.parametrize("dpi", [None, (1, 1), (72, 72), (9999, 9999), (300, 40)])
def test_missing_or_odd_dpi_is_assumed(tmp_path: Path, dpi: tuple[int, int] | None) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (2480, 3508), 255).save(path, **({} if dpi is None else {"dpi": dpi}))
    image = take_one(path, tmp_path).image
    assert (image.dpi, image.dpi_assumed) == ((300.0, 300.0), True)


def _tiff(path: Path, *pages: Image.Image, **options: object) -> Path:
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:], **options)
    return path


def test_multi_page_tiff(tmp_path: Path) -> None:
    path = _tiff(tmp_path / "a.tif", printed(), photo(), photo().convert("L"), dpi=(200, 100))
    taken = take_all(path, tmp_path)
    assert [t.image.source_page for t in taken] == [1, 2, 3]
    assert [t.raster.ndim for t in taken] == [2, 3, 2]
    assert taken[0].image.dpi == (200.0, 100.0)
    assert len({t.image.original_sha256 for t in taken}) == 3


def test_group_4_strip_goes_in_as_it_is(tmp_path: Path) -> None:
    page = printed().convert("1")
    path = _tiff(tmp_path / "a.tif", page, compression="group4", strip_size=1 << 30)
    taken = take_one(path, tmp_path)
    with Image.open(path) as tiff:
        (offset,), (length,) = tiff.tag_v2[273], tiff.tag_v2[279]
    strip = path.read_bytes()[offset : offset + length]
    assert taken.image.kept.path.read_bytes() == strip
    assert taken.image.kept_is_original
    assert taken.image.original_sha256 == hashlib.sha256(strip).hexdigest()
    assert np.array_equal(decode(taken.image.kept), np.asarray(page.convert("L")))


def test_white_is_zero_strip(tmp_path: Path) -> None:
    page = printed().convert("1")
    first = _tiff(tmp_path / "a.tif", page, compression="group4", strip_size=1 << 30)
    strip = take_one(first, tmp_path).image.kept.path.read_bytes()
    second = tmp_path / "b.tif"
    second.write_bytes(tiff_around_g4(strip, *page.size))
    kept = take_one(second, tmp_path).image.kept
    assert not kept.black_is_1
    assert np.array_equal(decode(kept), 255 - np.asarray(page.convert("L")))


def test_group_4_in_many_strips_is_joined(tmp_path: Path) -> None:
    page = printed().convert("1")
    path = _tiff(tmp_path / "a.tif", page, compression="group4", strip_size=4096)
    kept = take_one(path, tmp_path).image.kept
    assert kept.filter == "CCITTFaxDecode"
    assert np.array_equal(decode(kept), np.asarray(page.convert("L")))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_in_tiff_is_taken_out(tmp_path: Path, mode: str) -> None:
    page = photo().convert(mode)
    path = _tiff(tmp_path / "a.tif", page, compression="jpeg", strip_size=1 << 30)
    with Image.open(path) as tiff:
        expected = np.asarray(tiff)
        photometric = tiff.tag_v2[262]
    taken = take_one(path, tmp_path)
    if photometric != 2:  # RGB kept as RGB in a JPEG would be shown as YCbCr
        assert taken.image.kept.filter == "DCTDecode"
    assert np.abs(decode(taken.image.kept).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("orientation", [3, 5, 6])
def test_tiff_orientation(tmp_path: Path, orientation: int) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274] = orientation
    grey = _tiff(tmp_path / "a.tif", photo(), tiffinfo=tags, dpi=(100, 150))
    taken = take_one(grey, tmp_path)
    assert taken.image.exif_turns == 0  # set upright while decoding
    assert taken.raster.shape[:2] == ((300, 400) if orientation == 3 else (400, 300))
    assert taken.image.dpi[0] == (100 if orientation == 3 else 150)
    bilevel = _tiff(
        tmp_path / "b.tif",
        printed().convert("1"),
        tiffinfo=tags,
        compression="group4",
        strip_size=1 << 30,
    )
    kept = take_one(bilevel, tmp_path).image
    assert kept.exif_turns == {3: 2, 5: 0, 6: 1}[orientation]
    assert kept.kept_is_original == (orientation != 5)


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    photo().save(path, "PNG")
    assert survey([path])[0].kind == "png"


def test_folder_in_natural_order(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("page10.png", "page2.png", ".hidden"):
        photo(40, 30).save(folder / name, "PNG")
    (folder / "deeper").mkdir()
    sources = survey([folder])
    assert [s.name for s in sources] == ["page2.png", "page10.png"]
    assert [p.number for p in pages_of(sources)] == [1, 2]


def test_a_bad_page_does_not_lose_the_others(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    _jpeg(photo(), good)
    bad.write_bytes(good.read_bytes()[:-4000])
    out = list(intake([good, bad, good], tmp_path))
    assert [type(o) for o in out] == [PageImage, IntakeFault, PageImage]
    fault = out[1]
    assert isinstance(fault, IntakeFault)
    assert isinstance(fault.error, DamagedFile)
    assert (fault.page.number, fault.error.source, fault.error.page) == (2, "bad.jpg", 1)
