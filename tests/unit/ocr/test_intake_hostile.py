"""Broken and hostile scans: a typed error that names file, page, cause and what to do."""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from ocr.errors import (
    DamagedFile,
    IntakeError,
    LimitExceeded,
    OutputError,
    UnreadableFile,
    UnsupportedFile,
)
from ocr.intake.limits import Limits
from ocr.intake.survey import survey
from tests.scans import photo, png_that_claims, take_all, take_one


@contextmanager
def as_nobody() -> Iterator[None]:
    """Run the block without root's right to read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"scan\.pdf: there is no such file: check the path"):
        survey([tmp_path / "scan.pdf"])


def test_empty_file_and_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").touch()
    with pytest.raises(DamagedFile, match=r"a\.pdf: the file is empty: scan or copy it again"):
        survey([tmp_path / "a.pdf"])
    (tmp_path / "in").mkdir()
    with pytest.raises(UnreadableFile, match="in: the folder holds no files: name the scans"):
        survey([tmp_path / "in"])


def test_neither_file_nor_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableFile, match="not a regular file"):
        survey([tmp_path / "pipe"])


@pytest.mark.parametrize("what", ["file", "folder"])
def test_no_permission(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    photo(40, 30).save(folder / "a.png")
    path = folder / "a.png" if what == "file" else folder
    for parent in [tmp_path, *tmp_path.parents]:  # nobody has to get as far as the file
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(stat.S_IMODE(mode) | 0o055)
    path.chmod(0)
    try:
        with as_nobody(), pytest.raises(UnreadableFile, match=r"cannot be read \(Permission"):
            survey([path])
    finally:
        path.chmod(0o755)


def test_wrong_type_under_a_right_name(tmp_path: Path) -> None:
    path = tmp_path / "scan.jpg"
    path.write_bytes(b"MZ" + bytes(100))
    with pytest.raises(UnsupportedFile, match=r"not those of a PDF, TIFF, JPEG or PNG"):
        survey([path])


SAVED: dict[str, Callable[[Path], None]] = {
    "a.jpg": lambda p: photo().save(p),
    "a.png": lambda p: photo().save(p),
    "a.tif": lambda p: photo().save(p, compression="tiff_lzw"),
    "g4.tif": lambda p: photo().convert("1").save(p, compression="group4", strip_size=1 << 30),
    "a.pdf": lambda p: photo().save(p),
}


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("name", SAVED)
def test_truncated(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    SAVED[name](path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    error = _error_of(path, tmp_path)
    if error is None:  # qpdf rebuilds a PDF whose end is lost
        assert name == "a.pdf"
    else:
        assert isinstance(error, (DamagedFile, UnsupportedFile))
        assert str(error).count(name) == 1
        assert str(tmp_path) not in str(error)


def _error_of(path: Path, work: Path) -> IntakeError | None:
    try:
        pages = take_all(path, work)
    except IntakeError as error:
        return error
    return None if pages[0].raster.shape[:2] == (300, 400) else DamagedFile("size", source="")


@pytest.mark.parametrize("name", SAVED)
def test_garbled(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    SAVED[name](path)
    data = bytearray(path.read_bytes())
    for seed in range(12):
        broken = bytearray(data)
        for k in range(20):
            at = zlib.crc32(bytes([seed, k])) % len(broken)
            broken[at] ^= 0xFF
        path.write_bytes(broken)
        error = _error_of(path, tmp_path)
        assert error is None or error.source in (name, "")


def test_sixty_thousand_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_that_claims(60_000, 60_000))
    with pytest.raises(LimitExceeded, match=r"a\.png, page 1: 60000 × 60000 pixels .*lower"):
        take_one(path, tmp_path)


def test_sixty_thousand_pixels_in_jpeg_tiff_and_pdf(tmp_path: Path) -> None:
    jpeg = io.BytesIO()
    photo().save(jpeg, "JPEG")
    data = bytearray(jpeg.getvalue())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 60_000, 60_000)
    (tmp_path / "a.jpg").write_bytes(data)
    tiff = io.BytesIO()
    photo().convert("1").save(tiff, "TIFF", compression="group4")
    bomb = bytearray(tiff.getvalue())
    (directory,) = struct.unpack_from("<I", bomb, 4)
    for entry in range(2):  # ImageWidth and ImageLength are the first two
        struct.pack_into("<HII", bomb, directory + 4 + 12 * entry, 4, 1, 60_000)
    (tmp_path / "a.tif").write_bytes(bomb)
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(595, 842))
        page.Resources = pikepdf.Dictionary(
            XObject=pikepdf.Dictionary(
                Im=pdf.make_stream(b"", Subtype=pikepdf.Name.Image, Width=60_000, Height=60_000)
            )
        )
        pdf.save(tmp_path / "a.pdf")
    for name in ("a.jpg", "a.tif", "a.pdf"):
        with pytest.raises(LimitExceeded, match=r"pixels.*: scan at a lower resolution"):
            take_one(tmp_path / name, tmp_path)


def test_poster_sized_pdf_page(tmp_path: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(14_400, 14_400))
        pdf.save(tmp_path / "a.pdf")
    with pytest.raises(LimitExceeded, match="60001 × 60001"):
        take_one(tmp_path / "a.pdf", tmp_path)


@pytest.mark.parametrize("filters", [["/FlateDecode"], ["/FlateDecode", "/FlateDecode"], ["/LZW"]])
def test_bomb_in_drawing_instructions(tmp_path: Path, filters: list[str]) -> None:
    bomb = b"q Q " * 20_000_000 if len(filters) == 1 and filters[0] != "/LZW" else bytes(80_000_000)
    data = b"z" * 900_000
    if filters[0] == "/FlateDecode":
        data = zlib.compress(bomb, 9)
        if len(filters) == 2:
            data = zlib.compress(data, 9)
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(595, 842))
        stream = pdf.make_stream(data)
        stream.Filter = pikepdf.Array([pikepdf.Name(f) for f in filters])
        page.Contents = pikepdf.Array([stream])
        pdf.save(tmp_path / "a.pdf", stream_decode_level=pikepdf.StreamDecodeLevel.none)
    with pytest.raises(LimitExceeded, match="drawing instructions unpack to more"):
        take_one(tmp_path / "a.pdf", tmp_path)


def test_too_many_pages(tmp_path: Path) -> None:
    few = Limits(file_pages=2)
    page = photo(40, 30)
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page, page])
    page.save(tmp_path / "a.pdf", save_all=True, append_images=[page, page])
    for name in ("a.tif", "a.pdf"):
        with pytest.raises(LimitExceeded, match=r"pages.*: split the file"):
            survey([tmp_path / name], few)
    with pytest.raises(LimitExceeded, match=r"more than 4 pages up to here: split it"):
        survey([tmp_path / "a.tif", tmp_path / "a.pdf"], Limits(pages=4))


def test_too_many_bytes(tmp_path: Path) -> None:
    photo().save(tmp_path / "a.png")
    with pytest.raises(LimitExceeded, match="bytes are more than the allowed 1000"):
        survey([tmp_path / "a.png"], Limits(file_bytes=1000))


def test_pillows_own_bomb_alarm_is_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    photo().save(tmp_path / "a.png")
    with pytest.raises(LimitExceeded, match="far too many pixels"):
        take_one(tmp_path / "a.png", tmp_path)


def test_tiff_with_a_loop_of_pages_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    photo(40, 30).save(path)
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)  # the next page is this page
    path.write_bytes(data)
    assert survey([path])[0].pages == 1


@pytest.mark.parametrize("tag", [273, 279])
def test_tiff_strips_outside_the_file(tmp_path: Path, tag: int) -> None:
    path = tmp_path / "a.tif"
    photo().convert("1").save(path, compression="group4", strip_size=1 << 30)
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<H", tag) + b"\x04\x00\x01\x00\x00\x00")
    struct.pack_into("<I", data, at + 8, 2_000_000)
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match=r"page 1: the page is broken"):
        take_one(path, tmp_path)


def test_pdf_without_pages(tmp_path: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.save(tmp_path / "a.pdf")
    with pytest.raises(DamagedFile, match="no pages"):
        survey([tmp_path / "a.pdf"])


def test_memory_exhausted_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a mock: a real exhaustion would take the test process with it
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("ocr.intake.image_file.flattened", exhausted)
    photo().save(tmp_path / "a.png")
    with pytest.raises(LimitExceeded, match="needs more memory than allowed"):
        take_one(tmp_path / "a.png", tmp_path)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_work_folder_that_cannot_be_written(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    photo().save(path)
    with pytest.raises(OutputError, match="no such folder"):
        take_one(path, tmp_path / "missing")
