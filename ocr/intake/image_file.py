"""Pages out of JPEG, PNG and TIFF files.

The scanner's own bytes are kept where a PDF filter takes them as they are: JPEG (grey, RGB)
and one-strip Group 4. All else is decoded and kept losslessly.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, TiffImagePlugin

from ocr.errors import LimitExceeded
from ocr.intake.checks import PagePlace, TakenPage
from ocr.intake.flatten import flattened
from ocr.intake.jpeg import JPEGHeader, read_header
from ocr.intake.limits import Limits
from ocr.intake.typed_errors import reading_of
from ocr.page import ImageStream, QuarterTurns
from ocr.reading.raster import Raster, decode

_EXIF_ORIENTATION = 0x0112
_TURNS: dict[int, QuarterTurns] = {1: 0, 6: 1, 3: 2, 8: 3}
_G4 = 4
_JPEG_IN_TIFF = 7


def take_jpeg(place: PagePlace) -> TakenPage:
    """A JPEG file: one page."""
    with place.reading():
        data = place.path.read_bytes()
        header = read_header(data)
        place.check_size(header.width_px, header.height_px)
        with opened(place, "JPEG") as image:
            dpi = _dpi(image)
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
            pixels, bilevel = flattened(image)
    turns = _TURNS.get(orientation, 0)
    if orientation in (2, 4, 5, 7):  # mirrored: no turn undoes that
        pixels, dpi = _unmirrored(pixels, orientation), _swapped(dpi, orientation)
        kept = place.keep_raster(pixels, bilevel=bilevel)
    elif header.fits_pdf:
        path = place.keep_bytes(data, "jpg")
        kept = _dct(path, header)
        return place.taken(kept, pixels, own_bytes=True, original=None, dpi=dpi, turns=turns)
    else:
        kept = place.keep_raster(pixels, bilevel=bilevel)
    return place.taken(kept, pixels, own_bytes=False, original=None, dpi=dpi, turns=turns)


def take_png(place: PagePlace) -> TakenPage:
    """A PNG file: one page (of an animation, the still image)."""
    with place.reading():
        with place.path.open("rb") as stream:
            head = stream.read(24)
        place.check_size(int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big"))
        with opened(place, "PNG") as image:
            dpi = _dpi(image)
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
            pixels, bilevel = flattened(image)
    turns = _TURNS.get(orientation, 0)
    if orientation in (2, 4, 5, 7):
        pixels, dpi = _unmirrored(pixels, orientation), _swapped(dpi, orientation)
    kept = place.keep_raster(pixels, bilevel=bilevel)
    return place.taken(kept, pixels, own_bytes=False, original=None, dpi=dpi, turns=turns)


def count_tiff(path: Path, name: str, limits: Limits) -> int:
    """The number of pages of a TIFF. Raises DamagedFile or LimitExceeded."""
    with reading_of(name), _quiet(), Image.open(path, formats=("TIFF",)) as image:
        pages = 1
        while True:
            try:
                image.seek(pages)
            except EOFError:
                return pages
            pages += 1
            if pages > limits.file_pages:
                raise LimitExceeded(
                    f"more than {limits.file_pages} pages: split the file", source=name
                )


def take_tiff(place: PagePlace) -> TakenPage:
    """One page of a TIFF file."""
    with place.reading(), opened(place, "TIFF") as image:
        assert isinstance(image, TiffImagePlugin.TiffImageFile)  # noqa: S101 - narrows the type
        image.seek(place.page - 1)
        tags = image.tag_v2
        width, height = int(tags[256]), int(tags[257])
        place.check_size(width, height)
        strips = _strips(place.path, tags)
        dpi = _dpi(image)
        turns = _TURNS.get(tags.get(_EXIF_ORIENTATION, 1))
        own = _own_g4(strips, tags) if turns is not None else None
        if own is not None and turns is not None:
            path = place.keep_bytes(own, "g4")
            black_is_1 = tags.get(262, 0) == 1
            kept = ImageStream(path, "CCITTFaxDecode", width, height, 1, 1, black_is_1)
            original = b"".join(strips)
            return place.taken(
                kept, decode(kept), own_bytes=True, original=original, dpi=dpi, turns=turns
            )
        jpeg = _own_jpeg(strips, tags) if turns is not None else None
        if jpeg is not None and turns is not None:
            path = place.keep_bytes(jpeg[0], "jpg")
            kept = _dct(path, jpeg[1])
            own_bytes = jpeg[0] == strips[0]
            return place.taken(
                kept, decode(kept), own_bytes=own_bytes, original=strips[0], dpi=dpi, turns=turns
            )
        # Pillow turns a TIFF upright while it decodes, so no turns remain
        orientation = tags.get(_EXIF_ORIENTATION, 1)
        pixels, bilevel = flattened(image)
    kept = place.keep_raster(pixels, bilevel=bilevel)
    return place.taken(
        kept,
        pixels,
        own_bytes=False,
        original=b"".join(strips),
        dpi=_swapped(dpi, orientation),
    )


@contextmanager
def opened(place: PagePlace, kind: str) -> Iterator[Image.Image]:
    """The file opened by Pillow as exactly one format, closed at the end."""
    with _quiet(), Image.open(place.path, formats=(kind,)) as image:
        yield image


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of odd metadata and of large pages; our own limits decide on both."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _dct(path: Path, header: JPEGHeader) -> ImageStream:
    components: Literal[1, 3] = 1 if len(header.component_ids) == 1 else 3
    return ImageStream(path, "DCTDecode", header.width_px, header.height_px, components, 8)


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    told = image.info.get("dpi")
    try:
        return (float(told[0]), float(told[1])) if told else None
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None


def _unmirrored(pixels: Raster, orientation: int) -> Raster:
    """Upright pixels of a page stored as its mirror image (EXIF 2, 4, 5, 7)."""
    mirrored = {
        2: lambda a: a[:, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    }
    return np.ascontiguousarray(mirrored[orientation](pixels))


def _swapped(dpi: tuple[float, float] | None, orientation: int) -> tuple[float, float] | None:
    """The dpi after turning: orientations 5 to 8 exchange the axes."""
    return (dpi[1], dpi[0]) if dpi is not None and orientation >= 5 else dpi


def _strips(path: Path, tags: TiffImagePlugin.ImageFileDirectory_v2) -> list[bytes]:
    """The page's encoded bytes, strip by strip (or tile by tile)."""
    offsets = tags.get(273) or tags.get(324) or ()
    lengths = tags.get(279) or tags.get(325) or ()
    if not offsets or len(offsets) != len(lengths):
        raise ValueError("the strip table is broken")
    size = path.stat().st_size
    if sum(lengths) > size:  # overlapping strips: a bomb
        raise ValueError("the strips are larger than the file")
    out = []
    with path.open("rb") as stream:
        for offset, length in zip(offsets, lengths, strict=True):
            stream.seek(offset)
            out.append(stream.read(length))
            if len(out[-1]) != length:
                raise ValueError("a strip ends after the end of the file")
    return out


def _own_g4(strips: list[bytes], tags: TiffImagePlugin.ImageFileDirectory_v2) -> bytes | None:
    """The strip when PDF's CCITTFaxDecode takes it as it is."""
    plain = (
        tags.get(259) == _G4
        and len(strips) == 1
        and tags.get(322) is None  # no tiles
        and tags.get(266, 1) == 1  # most significant bit first
        and tags.get(293, 0) == 0  # no uncompressed mode
        and tags.get(262) in (0, 1)
        and tags.get(277, 1) == 1
    )
    return strips[0] if plain else None


def _own_jpeg(
    strips: list[bytes], tags: TiffImagePlugin.ImageFileDirectory_v2
) -> tuple[bytes, JPEGHeader] | None:
    """A JPEG strip as a file of its own, with the tables that TIFF keeps apart put back."""
    if tags.get(259) != _JPEG_IN_TIFF or len(strips) != 1 or tags.get(262) not in (0, 1, 6):
        return None
    data, tables = strips[0], tags.get(347)
    if tables:
        data = tables[:-2] + data[2:]  # without the tables' end and the strip's start marker
    try:
        header = read_header(data)
    except ValueError:
        return None
    same = (header.width_px, header.height_px) == (int(tags[256]), int(tags[257]))
    return (data, header) if same and header.fits_pdf and tags.get(262) != 0 else None
