"""Image XObjects (ISO 19005-3 6.2.8): scans, ink masks, pictures of stamps with their soft mask."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping

from PIL import Image

from ocr.conformance.rules import (
    Check,
    Examination,
    Kind,
    boolean,
    entry,
    indirect,
    integer,
    name,
    stream_of,
)
from ocr.conformance.syntax import StreamObject, Value

_RULE, _CLAUSE = "image", "6.2.8"
_SIDE = integer(1, 1_000_000)
_LENGTH = integer(1, 2**31 - 1)
_JPEG_MODES = {"L": "DeviceGray", "RGB": "DeviceRGB"}
_COMPONENTS = {"DeviceGray": 1, "DeviceRGB": 3}
_INFLATE_CHUNK = 1 << 20


def _image(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Kind:
    return Kind(
        _RULE,
        _CLAUSE,
        {
            "Type": name("XObject"),
            "Subtype": name("Image"),
            "Width": _SIDE,
            "Height": _SIDE,
            "Length": _LENGTH,
            **required,
        },
        optional,
    )


_FAX_PARAMETERS = Kind(
    "image.fax",
    "6.1.7.2",
    {
        "K": integer(-1, -1),  # Group 4
        "Columns": _SIDE,
        "Rows": _SIDE,
        "BlackIs1": boolean(True, False),
    },
)
_COLOURS = name("DeviceGray", "DeviceRGB")


def _soft_mask(exam: Examination, value: Value, where: str) -> None:
    _SOFT_MASK(exam, value, where)
    if isinstance(value, StreamObject):
        _flate_size(exam, value, where, 1)


def _flate_image(exam: Examination, value: Value, where: str) -> None:
    _FLATE(exam, value, where)
    if isinstance(value, StreamObject):
        _flate_size(exam, value, where, _COMPONENTS.get(str(value.entries.get("ColorSpace")), 0))


_SOFT_MASK = _image(
    {
        "ColorSpace": name("DeviceGray"),
        "BitsPerComponent": integer(8, 8),
        "Filter": name("FlateDecode"),
    }
)
_KINDS: dict[str, Check] = {
    "DCTDecode": _image(
        {
            "ColorSpace": _COLOURS,
            "BitsPerComponent": integer(8, 8),
            "Filter": name("DCTDecode"),
        }
    ),
    "CCITTFaxDecode": _image(
        {
            "ColorSpace": name("DeviceGray"),
            "BitsPerComponent": integer(1, 1),
            "Filter": name("CCITTFaxDecode"),
            "DecodeParms": _FAX_PARAMETERS,
        }
    ),
    "FlateDecode": _flate_image,
}
_STENCIL = _image(
    {
        "ImageMask": boolean(True),
        "BitsPerComponent": integer(1, 1),
        "Filter": name("CCITTFaxDecode"),
        "DecodeParms": _FAX_PARAMETERS,
    }
)
_FLATE = _image(
    {
        "ColorSpace": _COLOURS,
        "BitsPerComponent": integer(8, 8),
        "Filter": name("FlateDecode"),
    },
    {"SMask": indirect(stream_of(_soft_mask))},
)


def check_image(exam: Examination, value: StreamObject, where: str) -> None:
    """Check an image XObject by its filter, and that its data is what its dictionary says."""
    kind = str(value.entries.get("Filter"))
    if "ImageMask" in value.entries:
        _STENCIL(exam, value, where)
    elif kind in _KINDS:
        _KINDS[kind](exam, value, where)
    else:
        exam.report("image.filter", "6.1.7.2", where, f"the filter {kind} is not on the list")
    if kind == "CCITTFaxDecode":
        _fax_size(exam, value, where)
    elif kind == "DCTDecode":
        _jpeg_header(exam, value, where)


def _fax_size(exam: Examination, value: StreamObject, where: str) -> None:
    for side, parameter in (("Width", "Columns"), ("Height", "Rows")):
        if value.entries.get(side) != entry(exam, value, "DecodeParms", parameter):
            exam.report("image.fax", _CLAUSE, where, f"/{side} is not /{parameter} of its data")


def _jpeg_header(exam: Examination, value: StreamObject, where: str) -> None:
    """The frame header has to agree; Pillow reads no pixel for that."""
    data = exam.file.read(value.start, value.length)
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            size, mode = image.size, image.mode
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        exam.report("image.jpeg", _CLAUSE, where, "its data is not a JPEG")
        return
    if size != (value.entries.get("Width"), value.entries.get("Height")):
        exam.report("image.jpeg", _CLAUSE, where, f"its data is an image of {size} pixels")
    if _JPEG_MODES.get(mode) != value.entries.get("ColorSpace"):
        exam.report("image.jpeg", "6.2.4.3", where, f"its data is {mode}, not its /ColorSpace")


def _flate_size(exam: Examination, value: StreamObject, where: str, components: int) -> None:
    width, height = value.entries.get("Width"), value.entries.get("Height")
    if not isinstance(width, int) or not isinstance(height, int):
        return
    engine, due, at = zlib.decompressobj(), width * height * components, value.start
    end = value.start + value.length
    try:
        while at < end and due >= 0:
            chunk = exam.file.read(at, min(_INFLATE_CHUNK, end - at))
            at += len(chunk)
            while chunk and due >= 0:
                due -= len(engine.decompress(chunk, _INFLATE_CHUNK))
                chunk = engine.unconsumed_tail
        due -= len(engine.flush())
    except zlib.error as error:
        exam.report("image.flate", "6.1.7.2", where, f"its data is broken: {error}")
        return
    if due or engine.unused_data:
        exam.report("image.flate", _CLAUSE, where, "its data does not have the image's size")
