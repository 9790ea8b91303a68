"""Images: what is refused and why, what is embedded, and that it happens once."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pikepdf
import pytest
from PIL import Image, ImageDraw

from signer.errors import ProfileError
from signer.sealing.appearance import pictures
from signer.sealing.appearance.pictures import StampImages, ink_share, prepare_picture
from signer.sealing.appearance.plan import specimen_images
from signer.sealing.appearance.profiles import ImageRule, InkRule
from tests.stamped import PikepdfSink

BLUE = InkRule(name="blue", hue_deg=225.0, tolerance_deg=35.0)
RED = InkRule(name="red", hue_deg=355.0, tolerance_deg=25.0)
SIGNATURE = ImageRule(kind="signature", ink=BLUE)
SEAL = ImageRule(kind="seal", width_mm=36.0, ink=RED)


def png(image: Image.Image, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()


def drawn(colour, size=(200, 100), mode="RGBA") -> Image.Image:
    image = Image.new(mode, size, 0)
    ImageDraw.Draw(image).ellipse((50, 25, 149, 74), fill=colour)
    return image


def test_the_margin_is_cut_off_so_that_millimetres_are_ink():
    picture = prepare_picture(png(drawn((30, 60, 170, 255))), SIGNATURE, 50.0)
    assert (picture.width_px, picture.height_px) == (100, 50)
    assert picture.proportion == 0.5


def test_it_is_embedded_with_its_alpha_as_a_soft_mask():
    source = drawn((206, 17, 38, 200))
    picture = prepare_picture(png(source), SEAL, 36.0)
    sink = PikepdfSink(pikepdf.new())
    image = sink[picture.embed(sink)]
    assert (image.Subtype, image.ColorSpace, int(image.BitsPerComponent)) == (
        "/Image", "/DeviceRGB", 8,
    )  # fmt: skip
    mask = image.SMask
    assert (mask.Subtype, mask.ColorSpace) == ("/Image", "/DeviceGray")
    assert (int(mask.Width), int(mask.Height)) == (int(image.Width), int(image.Height)) == (100, 50)
    assert mask.read_bytes() == source.crop((50, 25, 150, 75)).getchannel("A").tobytes()
    # what is transparent carries the ink's colour: no fringe where viewers interpolate
    assert set(zip(*[iter(image.read_bytes())] * 3, strict=True)) == {(206, 17, 38)}
    assert not {"/Interpolate", "/Matte", "/Group"} & (set(image.keys()) | set(mask.keys()))


def test_images_are_prepared_once(monkeypatch):
    data = png(drawn((40, 60, 180, 255), (210, 100)))
    first = prepare_picture(data, SIGNATURE, 50.0)

    def never(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(pictures, "_decoded", never)
    assert prepare_picture(bytes(bytearray(data)), SIGNATURE, 50.0) is first


def test_fine_images_are_scaled_to_what_paper_can_show():
    image = Image.new("RGBA", (1600, 900), 0)
    ImageDraw.Draw(image).rectangle((100, 50, 1499, 749), fill=(206, 17, 38, 230))
    picture = prepare_picture(png(image), SEAL.model_copy(update={"max_dpi": 300}), 25.4)
    assert (picture.width_px, picture.height_px) == (300, 150)


def test_pale_and_palette_transparency_is_transparency():
    image = drawn((30, 60, 170), mode="RGB").quantize(8)
    assert prepare_picture(png(image, transparency=image.getpixel((0, 0))), SIGNATURE, 50.0)


def crc_png(width: int, height: int) -> bytes:
    """The head of a PNG that declares a size and holds nothing."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


WHOLE = png(drawn((30, 60, 170, 255)))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is not a PNG: save it as PNG"),
        (b"\xff\xd8\xff\xe0 not a PNG" * 4, "is not a PNG"),
        (WHOLE[:20], "is not a PNG"),
        (WHOLE[:60], "is damaged .*: export it again"),
        (WHOLE[:200].replace(b"IDAT", b"IDAX") + WHOLE[200:], "is damaged"),
        (crc_png(60_000, 60_000), "60000 × 60000 pixels, more than the 4000000"),
        (crc_png(100, 100), "is damaged"),
        (png(drawn((30, 60, 170), mode="RGB")), "has no transparency: remove its background"),
        (png(Image.new("RGBA", (50, 50), (30, 60, 170, 255))), "has an opaque background"),
        (png(Image.new("RGBA", (50, 50), (30, 60, 170, 3))), "is wholly transparent"),
        (png(drawn((206, 17, 38, 255))), "only 0% of the signature image's ink is blue, 90%"),
        (png(drawn((20, 20, 20, 255))), "ink is blue"),
        (png(drawn((235, 238, 250, 255))), "ink is blue"),
    ],
    ids=[
        "empty", "JPEG", "cut in its head", "cut", "bad chunk", "bomb", "no data", "no alpha",
        "opaque", "blank", "red", "black", "pale",
    ],
)  # fmt: skip
def test_a_wrong_image_is_refused_with_advice(data, complaint):
    with pytest.raises(ProfileError, match=complaint):
        prepare_picture(data, SIGNATURE, 50.0)


def test_a_file_beyond_the_limit_is_not_even_looked_at():
    rule = SIGNATURE.model_copy(update={"max_bytes": 100})
    with pytest.raises(ProfileError, match="more than the 100 that its profile allows"):
        prepare_picture(WHOLE, rule, 50.0)


@pytest.mark.parametrize("hue", range(0, 360, 15))
def test_the_colour_check_has_the_tolerance_that_is_configured(hue):
    pixel = Image.new("HSV", (1, 1), (round(hue / 360 * 255), 200, 180)).convert("RGB")
    colour = np.array([[[*pixel.getpixel((0, 0)), 255]]], np.uint8)
    for ink in (RED, BLUE):
        away = abs((hue - ink.hue_deg + 180) % 360 - 180)
        if abs(away - ink.tolerance_deg) > 2:  # HSV in bytes is coarse
            assert ink_share(colour, ink) == (away < ink.tolerance_deg)


def test_ink_is_weighed_by_its_opacity():
    pixels = np.array([[[30, 60, 170, 200], [20, 20, 20, 50]]], np.uint8)
    assert ink_share(pixels, BLUE) == pytest.approx(0.8)
    lenient = SIGNATURE.model_copy(update={"ink": BLUE.model_copy(update={"min_share": 0.1})})
    mixed = drawn((30, 60, 170, 255))
    ImageDraw.Draw(mixed).rectangle((0, 0, 40, 99), fill=(10, 10, 10, 255))
    with pytest.raises(ProfileError, match="ink is blue"):
        prepare_picture(png(mixed), SIGNATURE, 50.0)
    assert prepare_picture(png(mixed), lenient, 50.0)


def test_a_missing_image_is_asked_for():
    with pytest.raises(ProfileError, match="shows a seal image: give one as PNG"):
        StampImages(signature=WHOLE).of(SEAL)
    with pytest.raises(ProfileError, match="shows a signature image"):
        StampImages(seal=WHOLE).of(SIGNATURE)


@pytest.mark.parametrize("person", [1, 2])
def test_the_specimens_keep_the_rules_and_are_small(person):
    images = specimen_images(person)
    seal = prepare_picture(images.seal, SEAL, 38.8)
    assert seal.proportion == pytest.approx(1, abs=0.01)
    assert prepare_picture(images.signature, SIGNATURE, 52.9)
    assert len(images.seal) + len(images.signature) < 75_000
    assert images.signature != specimen_images(3 - person).signature
