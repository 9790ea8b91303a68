"""Is a PDF page nothing but one scan? Read from its drawing instructions.

The page may also hold an older text layer (text in invisible mode): it is dropped, since the
page is read anew.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pikepdf

from ocr.errors import LimitExceeded
from ocr.intake.checks import PagePlace

_COLOUR = ["g", "G", "rg", "RG", "k", "K", "cs", "CS", "sc", "SC", "scn", "SCN", "ri"]
_STROKE = ["w", "J", "j", "M", "d", "i", "n"]
_MARKED = ["BMC", "BDC", "EMC", "MP", "DP"]
_TEXT = ["BT", "ET", "Tc", "Tw", "Tz", "TL", "Tf", "Ts", "Td", "TD", "Tm", "T*"]
_STATE = frozenset([*_COLOUR, *_STROKE, *_MARKED, *_TEXT])  # operators that paint nothing
_SHOWING = frozenset(["Tj", "TJ", "'", '"'])
_INVISIBLE = 3
_CROPPED_AT_MOST = 0.03  # of the page's side; scanners' page boxes are rounded
_COVERED_AT_LEAST = 0.5  # of the page's area; less is a letterhead, not a scan
_FORM_DEPTH = 8


@dataclass(frozen=True, slots=True)
class SoleImage:
    """The one image of a page, and what its dictionary says. `dpi` is horizontal, vertical."""

    stream: pikepdf.Object
    width_px: int
    height_px: int
    bits: int
    components: int  # 0 where the colour space is neither grey nor RGB
    dpi: tuple[float, float]
    masked: bool

    @property
    def fits_dct(self) -> bool:
        """A grey or RGB JPEG without anything that changes its colours."""
        return (
            self._filters() == ["/DCTDecode"]
            and self.components in (1, 3)
            and self.bits == 8
            and not self.masked
            and not self._params()
            and self._plain_decode()
        )

    @property
    def fits_g4(self) -> bool:
        """A Group 4 strip with the ordinary parameters."""
        params = self._params()
        return (
            self._filters() == ["/CCITTFaxDecode"]
            and self.components == 1
            and self.bits == 1
            and not self.masked
            and int(params.get("/K", 0)) < 0
            and int(params.get("/Columns", 1728)) == self.width_px
            and not bool(params.get("/EncodedByteAlign", False))
            and not bool(params.get("/EndOfLine", False))
        )

    @property
    def black_is_1(self) -> bool:
        """BlackIs1, with an inverting Decode array taken into account."""
        told = bool(self._params().get("/BlackIs1", False))
        return told if self._plain_decode() else not told

    def _filters(self) -> list[str]:
        return filters_of(self.stream)

    def _params(self) -> dict[str, pikepdf.Object]:
        params = self.stream.get("/DecodeParms")
        if isinstance(params, pikepdf.Array):
            params = params[0] if len(params) else None
        return dict(params.items()) if isinstance(params, pikepdf.Dictionary) else {}

    def _plain_decode(self) -> bool:
        array = self.stream.get("/Decode")
        return array is None or [float(v) for v in array] == [0.0, 1.0] * self.components


def check_page(page: pikepdf.Page, place: PagePlace) -> None:
    """Refuse a page that unpacks to more than the limits. Raises LimitExceeded or DamagedFile."""
    left = place.limits.content_bytes
    for stream in _contents(page):
        left -= _unpacked_size(stream, left)
        if left < 0:
            raise LimitExceeded(
                f"its drawing instructions unpack to more than {place.limits.content_bytes} "
                "bytes: the file may be built to exhaust memory",
                source=place.name,
                page=place.page,
            )
    for image in _images(page.obj.get("/Resources"), 0):
        place.check_size(int(image.get("/Width", 0)), int(image.get("/Height", 0)))


def sole_image(page: pikepdf.Page) -> SoleImage | None:
    """The image that is all the page shows, or None."""
    if len(page.obj.get("/Annots", ())):
        return None
    drawn = _only_drawn(page)
    if drawn is None:
        return None
    name, (a, b, c, d, e, f) = drawn
    if b or c or a <= 0 or d <= 0:  # turned, mirrored or slanted on the page: render it
        return None
    left, bottom, right, top = (float(v) for v in page.cropbox)
    width, height = right - left, top - bottom
    outside = max((left - e) / width, (bottom - f) / height)
    outside = max(outside, (e + a - right) / width, (f + d - top) / height)
    if outside > _CROPPED_AT_MOST or a * d < _COVERED_AT_LEAST * width * height:
        return None
    stream = page.resources["/XObject"][name]
    width_px, height_px = int(stream["/Width"]), int(stream["/Height"])
    unit = float(page.obj.get("/UserUnit", 1)) / 72
    return SoleImage(
        stream,
        width_px,
        height_px,
        1 if stream.get("/ImageMask", False) else int(stream.get("/BitsPerComponent", 8)),
        _components(stream.get("/ColorSpace")),
        (width_px / (a * unit), height_px / (d * unit)),
        bool(stream.get("/ImageMask", False)) or "/SMask" in stream or "/Mask" in stream,
    )


Matrix = tuple[float, float, float, float, float, float]


def _only_drawn(page: pikepdf.Page) -> tuple[str, Matrix] | None:
    """Name and matrix of the image, when one image and nothing else visible is drawn."""
    matrix: Matrix = (1, 0, 0, 1, 0, 0)
    saved: list[tuple[Matrix, int]] = []
    text_mode = 0
    found: tuple[str, Matrix] | None = None
    for instruction in pikepdf.parse_content_stream(page):
        if isinstance(instruction, pikepdf.ContentStreamInlineImage):
            return None
        operands, operator = instruction.operands, str(instruction.operator)
        if operator == "q":
            saved.append((matrix, text_mode))
        elif operator == "Q":
            matrix, text_mode = saved.pop() if saved else (matrix, text_mode)
        elif operator == "cm":
            matrix = _times(operands, matrix)
        elif operator == "Tr":
            text_mode = int(operands[0])
        elif operator == "Do":
            name = str(operands[0])
            drawn = page.resources["/XObject"][name]
            if found is not None or drawn.get("/Subtype") != "/Image":
                return None
            found = name, matrix
        elif operator in _SHOWING:
            if text_mode != _INVISIBLE:
                return None
        elif operator not in _STATE:
            return None
    return found


def _times(operands: Iterable[pikepdf.Object], base: Matrix) -> Matrix:
    a, b, c, d, e, f = (float(v) for v in operands)
    p, q, r, s, t, u = base
    return (
        a * p + b * r,
        a * q + b * s,
        c * p + d * r,
        c * q + d * s,
        e * p + f * r + t,
        e * q + f * s + u,
    )


def _components(space: pikepdf.Object | None) -> int:
    if isinstance(space, pikepdf.Array) and len(space):
        family = str(space[0])
        if family == "/ICCBased":
            return {1: 1, 3: 3}.get(int(space[1].get("/N", 0)), 0)
        return {"/CalGray": 1, "/CalRGB": 3}.get(family, 0)
    return {"/DeviceGray": 1, "/DeviceRGB": 3}.get(str(space), 0)


def filters_of(stream: pikepdf.Object) -> list[str]:
    """The names of a stream's filters, outermost first."""
    told = stream.get("/Filter")
    if told is None:
        return []
    return [str(f) for f in told] if isinstance(told, pikepdf.Array) else [str(told)]


def _contents(page: pikepdf.Page) -> Iterator[pikepdf.Object]:
    contents = page.obj.get("/Contents")
    if isinstance(contents, pikepdf.Array):
        yield from (s for s in contents if isinstance(s, pikepdf.Stream))
    elif isinstance(contents, pikepdf.Stream):
        yield contents


def _unpacked_size(stream: pikepdf.Object, at_most: int) -> int:
    """What a stream unpacks to; more than `at_most` is told as soon as it is known."""
    data = bytes(stream.read_raw_bytes())
    for name in filters_of(stream):
        if name not in ("/FlateDecode", "/Fl"):
            # no other filter's bombs pass the limit by more than this
            return len(data) * 64
        data = zlib.decompressobj().decompress(data, max(1, at_most + 1))
    return len(data)


def _images(resources: pikepdf.Object | None, depth: int) -> Iterator[pikepdf.Object]:
    if not isinstance(resources, pikepdf.Dictionary) or depth > _FORM_DEPTH:
        return
    for stream in dict(resources.get("/XObject", {})).values():
        if not isinstance(stream, pikepdf.Stream):
            continue
        if stream.get("/Subtype") == "/Image":
            yield stream
        else:
            yield from _images(stream.get("/Resources"), depth + 1)
