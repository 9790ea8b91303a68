"""Pixels in memory and the encoded streams that hold them.

A raster is ``uint8``: (height, width) for grey and bilevel pages (0 black, 255 white), or
(height, width, 3) in the order red, green, blue.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from ocr.page import ImageStream, QuarterTurns

Raster = NDArray[np.uint8]
Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def decode(stream: ImageStream) -> Raster:
    """The pixels of an image of the record. Raises OSError or ValueError on damaged bytes."""
    data = stream.path.read_bytes()
    if stream.filter == "FlateDecode":
        return _decode_flate(data, stream)
    if stream.filter == "CCITTFaxDecode":
        data = tiff_around_g4(data, stream.width_px, stream.height_px)
        white_is_zero = decode_bilevel(data)
        return np.bitwise_not(white_is_zero) if stream.black_is_1 else white_is_zero
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return np.asarray(image)


def _decode_flate(data: bytes, stream: ImageStream) -> Raster:
    shape: tuple[int, ...] = (stream.height_px, stream.width_px)
    if stream.components == 3:
        shape = (*shape, 3)
    size = int(np.prod(shape))
    pixels = zlib.decompressobj().decompress(data, size)
    if len(pixels) != size:
        raise ValueError("the Flate stream is shorter than the image it belongs to")
    return np.frombuffer(pixels, np.uint8).reshape(shape)


def decode_bilevel(tiff: bytes) -> Grey:
    """A bilevel TIFF as grey pixels, 0 and 255."""
    with Image.open(io.BytesIO(tiff), formats=("TIFF",)) as image:
        return np.asarray(image.convert("L"))


def tiff_around_g4(strip: bytes, width_px: int, height_px: int) -> bytes:
    """A one-strip Group 4 TIFF (white is zero), so that libtiff can decode a bare strip."""
    entries = [
        (256, 4, width_px),
        (257, 4, height_px),
        (258, 3, 1),  # BitsPerSample
        (259, 3, 4),  # Compression: T.6
        (262, 3, 0),  # PhotometricInterpretation: WhiteIsZero
        (273, 4, 8),  # StripOffsets
        (277, 3, 1),  # SamplesPerPixel
        (278, 4, height_px),  # RowsPerStrip
        (279, 4, len(strip)),  # StripByteCounts
    ]
    padded = strip + b"\0" * (len(strip) % 2)
    directory = struct.pack("<H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack("<HHII", tag, kind, 1, value)
    return struct.pack("<2sHI", b"II", 42, 8 + len(padded)) + padded + directory + b"\0" * 4


def encode_g4(ink: Mask) -> bytes:
    """One CCITT Group 4 strip whose black runs are the true pixels (BlackIs1 false)."""
    image = Image.fromarray(ink.astype(np.uint8) * 255).convert("1", dither=Image.Dither.NONE)
    out = io.BytesIO()
    # one strip whatever the height: PDF's filter takes a single strip
    image.save(out, "TIFF", compression="group4", strip_size=1 << 30)
    data = out.getvalue()
    with Image.open(io.BytesIO(data), formats=("TIFF",)) as written:
        assert isinstance(written, TiffImagePlugin.TiffImageFile)  # noqa: S101 - narrows the type
        (start,) = written.tag_v2[TiffImagePlugin.STRIPOFFSETS]
        (length,) = written.tag_v2[TiffImagePlugin.STRIPBYTECOUNTS]
    return data[start : start + length]


def store_g4(ink: Mask, path: Path) -> ImageStream:
    """Write a bilevel page (true is black) as one Group 4 strip."""
    path.write_bytes(encode_g4(ink))
    height, width = ink.shape
    return ImageStream(path, "CCITTFaxDecode", width, height, 1, 1)


def store_flate(raster: Raster, path: Path) -> ImageStream:
    """Write grey or colour pixels losslessly.

    Level 2 because scanner noise hardly packs: higher levels take up to nine times as long
    for a few per cent.
    """
    path.write_bytes(zlib.compress(np.ascontiguousarray(raster).tobytes(), 2))
    height, width = raster.shape[:2]
    return ImageStream(path, "FlateDecode", width, height, 3 if raster.ndim == 3 else 1, 8)


def turned(raster: Raster, turns: QuarterTurns) -> Raster:
    """The raster after clockwise quarter turns."""
    return np.ascontiguousarray(np.rot90(raster, -turns)) if turns else raster
