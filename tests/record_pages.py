"""Synthetic pages with known words, so that records are tested without a recogniser."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ocr.page import Box, ImageStream, Line, PageImage, RecognisedPage, Word
from ocr.record.manifest import ModelFile, Provenance, RecordMetadata

SERIF = Path("/usr/share/fonts/truetype/liberation2/LiberationSerif-Regular.ttf")
HANOI = dt.timezone(dt.timedelta(hours=7))
NOON = dt.datetime(2026, 3, 2, 12, 0, 0, tzinfo=HANOI)

DECISION = (
    "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
    "Độc lập - Tự do - Hạnh phúc",
    "Số: 0123/QĐ-UBND",
    "QUYẾT ĐỊNH",
    "Về việc cấp giấy phép xây dựng nhà ở riêng lẻ",
    "Căn cứ Luật Tổ chức chính quyền địa phương;",
    "Xét đề nghị của ông Nguyễn Văn Mẫu, ở thôn Ví Dụ.",
)


@dataclass(frozen=True)
class PageSpec:
    """What to draw. `encoding`: jpeg, jpeg-grey, g4, g4-inverse (BlackIs1), flate."""

    lines: tuple[str, ...] = DECISION
    dpi: int = 150
    encoding: str = "jpeg"
    skew_degrees: float = 0.0
    turns: int = 0
    number: int = 1
    seal: bool = False


def draw_page(spec: PageSpec) -> tuple[Image.Image, list[Line]]:
    """The upright page and its lines, with boxes tight around the ink."""
    width, height = round(8.27 * spec.dpi), round(11.69 * spec.dpi)
    image = Image.new("RGB", (width, height), (250, 247, 238))
    size = round(13 / 72 * spec.dpi)
    font = ImageFont.truetype(str(SERIF), size)
    slope = math.tan(math.radians(spec.skew_degrees))
    lines = []
    if spec.seal:
        draw = ImageDraw.Draw(image)
        r = round(0.7 * spec.dpi)
        cx, cy = round(0.6 * width), round(0.42 * height)
        draw.ellipse((cx - r, cy - r, cx + r, cy + r), outline=(206, 32, 44), width=spec.dpi // 25)
    for row, text in enumerate(spec.lines):
        x0 = 0.9 * spec.dpi
        start = spec.dpi * (1.2 + 0.35 * row)  # baseline at x0
        baseline = start - slope * x0
        words = []
        x = x0
        for token in text.split():
            mask = Image.new("L", (math.ceil(font.getlength(token)) + 2 * size, 4 * size), 0)
            ImageDraw.Draw(mask).text((size, 2 * size), token, font=font, fill=255, anchor="ls")
            y = baseline + slope * x
            rotated = mask.rotate(
                -spec.skew_degrees, Image.Resampling.BICUBIC, center=(size, 2 * size)
            )
            place = (round(x) - size, round(y) - 2 * size)
            image.paste((20, 20, 24), place, rotated)
            left, top, right, bottom = rotated.point(lambda v: 255 * (v > 100)).getbbox()
            box = Box(place[0] + left, place[1] + top, place[0] + right, place[1] + bottom)
            words.append(Word(token, box, 96.0))
            cos = math.cos(math.radians(spec.skew_degrees))
            x += (font.getlength(token) + font.getlength(" ")) * cos
        hull = Box(
            min(w.box.left for w in words),
            min(w.box.top for w in words),
            max(w.box.right for w in words),
            max(w.box.bottom for w in words),
        )
        lines.append(Line(tuple(words), hull, baseline, slope, size * 1.107, row, 0))
    return image, lines


def encode(image: Image.Image, spec: PageSpec, path: Path) -> ImageStream:
    """Encode the image to `path` as its stream stands in a PDF."""
    out = io.BytesIO()
    w, h = image.size
    if spec.encoding.startswith("jpeg"):
        grey = spec.encoding == "jpeg-grey"
        image.convert("L" if grey else "RGB").save(out, "JPEG", quality=80)
        path.write_bytes(out.getvalue())
        return ImageStream(path, "DCTDecode", w, h, 1 if grey else 3, 8)
    if spec.encoding.startswith("g4"):
        inverse = spec.encoding == "g4-inverse"
        image.convert("L").point(lambda v: 255 * (v > 128)).convert("1").save(
            out, "TIFF", compression="group4", tiffinfo={278: h, 262: 1 if inverse else 0}
        )
        tiff = Image.open(io.BytesIO(out.getvalue()))
        (offset,), (length,) = tiff.tag_v2[273], tiff.tag_v2[279]
        path.write_bytes(out.getvalue()[offset : offset + length])
        return ImageStream(path, "CCITTFaxDecode", w, h, 1, 1, black_is_1=tiff.tag_v2[262] == 1)
    path.write_bytes(zlib.compress(image.convert("RGB").tobytes()))
    return ImageStream(path, "FlateDecode", w, h, 3, 8)


def make_page(folder: Path, spec: PageSpec = PageSpec()) -> RecognisedPage:
    """A page as recognition gives it on, its image encoded in `folder`."""
    upright, lines = draw_page(spec)
    scanned = upright.rotate(90 * spec.turns, expand=True)  # turning it clockwise rights it
    stream = encode(scanned, spec, folder / f"page-{spec.number}.bin")
    digest = hashlib.sha256(stream.path.read_bytes()).hexdigest()
    kept = PageImage(
        number=spec.number,
        source="quyet-dinh.jpg",
        source_page=1,
        source_sha256=digest,
        original_sha256=digest,
        kept=stream,
        kept_is_original=True,
        dpi=(spec.dpi, spec.dpi),
        dpi_assumed=False,
        exif_turns=0,
    )
    return RecognisedPage(
        image=kept,
        turns=spec.turns,
        width_px=upright.width,
        height_px=upright.height,
        dpi=(spec.dpi, spec.dpi),
        skew_degrees=spec.skew_degrees,
        blank=not lines,
        lines=tuple(lines),
    )


def text_page(folder: Path, words: Sequence[str], *, number: int = 1) -> RecognisedPage:
    """A page whose words need not be drawable: twelve a line in boxes of their own."""
    page = make_page(folder, PageSpec(lines=(), number=number, encoding="g4", dpi=100))
    lines = []
    for row, start in enumerate(range(0, len(words), 12)):
        y = 60 + 30 * row
        part = words[start : start + 12]
        boxes = [Box(40 + 62 * i, y - 18, 40 + 62 * i + 50, y + 5) for i in range(len(part))]
        line_words = tuple(Word(t, b, 90.0) for t, b in zip(part, boxes, strict=True))
        hull = Box(40, y - 18, boxes[-1].right, y + 5)
        lines.append(Line(line_words, hull, y, 0.0, 24.0, row, 0))
    return replace(page, lines=tuple(lines), blank=False)


META = RecordMetadata(
    title="Quyết định cấp phép xây dựng – hồ sơ mẫu",
    creator="Ủy ban nhân dân xã Ví Dụ",
    record_id="HS-2026/000127",
    created=NOON,
)

PROVENANCE = Provenance(
    engine="tesseract",
    engine_version="5.3.0",
    models=(ModelFile("vie", "ab" * 32),),
    settings={"mode": "faithful", "languages": "vie"},
    operator="Trần Thị Thử",
    station="quầy 1",
    time=NOON,
)
