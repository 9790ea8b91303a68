"""Images of visible signatures: a person's handwriting in blue, an agency's seal in red.

Only PNG with a transparent background is taken (NĐ 30/2020, Phụ lục I; S2). The margin is
cut off, so that a millimetre in a profile is a millimetre of ink, and the image is checked,
scaled and compressed once a process for each rule. What is read here comes from the operator,
but is treated as hostile: its size is known before a pixel is decoded.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from signer.errors import ProfileError
from signer.sealing.appearance.profiles import ImageRule, InkRule
from signer.sealing.appearance.typeface import flate_stream
from signer.sealing.stamp import ObjectSink

_PNG = b"\x89PNG\r\n\x1a\n"
_FAINT = 8  # an alpha below this is no ink but dirt of the scanner
_CACHED_IMAGES = 64

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class StampImages:
    """PNG files with alpha. `seal_width_mm` is the seal's real width, if not the profile's."""

    signature: bytes | None = None
    seal: bytes | None = None
    seal_width_mm: float | None = None

    def of(self, rule: ImageRule) -> bytes:
        """The image that `rule` asks for. Raises `ProfileError` when it was not given."""
        png = self.seal if rule.kind == "seal" else self.signature
        if png is None:
            raise ProfileError(f"the profile shows a {rule.kind} image: give one as PNG with alpha")
        return png


@dataclass(frozen=True, slots=True)
class Picture:
    """An image ready to be embedded: what is left when the transparent margin is cut off."""

    width_px: int
    height_px: int
    _colour: bytes  # the serialised image XObject behind its /SMask entry
    _alpha: bytes  # the serialised soft mask

    @property
    def proportion(self) -> float:
        """Height over width."""
        return self.height_px / self.width_px

    def embed(self, sink: ObjectSink) -> int:
        """Add image and soft mask; return the image XObject's number."""
        mask = sink.add(self._alpha)
        return sink.add(b"<< /SMask %d 0 R %s" % (mask, self._colour))


@lru_cache(_CACHED_IMAGES)
def prepare_picture(png: bytes, rule: ImageRule, width_mm: float) -> Picture:
    """Check `png` against `rule` and make it ready to be drawn `width_mm` wide.

    Cached by content. Raises `ProfileError` that says what to do: not a PNG, too large,
    no transparency, nothing drawn, the wrong colour.
    """
    pixels = _cropped(_decoded(png, rule), rule)
    pixels = _fined(pixels, round(width_mm / 25.4 * rule.max_dpi))
    _check_ink(pixels, rule)
    alpha = pixels[..., 3]
    colour = pixels[..., :3].copy()
    # what cannot be seen carries one colour: it compresses to nothing and bleeds nothing
    colour[alpha == 0] = np.average(
        colour.reshape(-1, 3), axis=0, weights=alpha.reshape(-1)
    ).astype(np.uint8)
    height, width = alpha.shape
    head = b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 " % (
        width,
        height,
    )
    return Picture(
        width,
        height,
        flate_stream(colour.tobytes(), head + b"/ColorSpace /DeviceRGB").removeprefix(b"<< "),
        flate_stream(alpha.tobytes(), head + b"/ColorSpace /DeviceGray"),
    )


def _decoded(png: bytes, rule: ImageRule) -> Pixels:
    named = f"the {rule.kind} image"
    if len(png) > rule.max_bytes:
        raise ProfileError(
            f"{named} has {len(png)} bytes, more than the {rule.max_bytes} that its profile "
            "allows: scale it down"
        )
    if not png.startswith(_PNG) or png[12:16] != b"IHDR" or len(png) < 33:
        raise ProfileError(f"{named} is not a PNG: save it as PNG with a transparent background")
    width, height = struct.unpack(">II", png[16:24])
    if width * height > rule.max_pixels:
        raise ProfileError(
            f"{named} has {width} × {height} pixels, more than the {rule.max_pixels} that its "
            "profile allows: scale it down"
        )
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            image.load()
            if not image.has_transparency_data:
                raise ProfileError(
                    f"{named} has no transparency: remove its background and save it as PNG "
                    "with alpha"
                )
            return np.asarray(image.convert("RGBA"))
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise ProfileError(f"{named} is damaged ({error}): export it again") from error


def _cropped(pixels: Pixels, rule: ImageRule) -> Pixels:
    inked = pixels[..., 3] >= _FAINT
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if not len(rows):
        raise ProfileError(f"the {rule.kind} image is wholly transparent: choose another file")
    if inked.all():
        raise ProfileError(
            f"the {rule.kind} image has an opaque background: remove it, so that the document "
            "shows through"
        )
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fined(pixels: Pixels, width_px: int) -> Pixels:
    height, width = pixels.shape[:2]
    if width <= width_px:
        return pixels
    size = (width_px, max(1, round(height * width_px / width)))
    return np.asarray(Image.fromarray(pixels, "RGBA").resize(size, Image.Resampling.LANCZOS))


def _check_ink(pixels: Pixels, rule: ImageRule) -> None:
    share = ink_share(pixels, rule.ink)
    if share < rule.ink.min_share:
        raise ProfileError(
            f"only {share:.0%} of the {rule.kind} image's ink is {rule.ink.name}, "
            f"{rule.ink.min_share:.0%} is required: scan the original in colour, or change the "
            "ink rule of the profile"
        )


def ink_share(pixels: Pixels, ink: InkRule) -> float:
    """The part of the ink of RGBA `pixels` (height × width × 4), by opacity, that is `ink`."""
    weights = pixels[..., 3].astype(np.float64)
    red, green, blue = (pixels[..., i].astype(np.float64) for i in range(3))
    value = np.maximum(np.maximum(red, green), blue)
    chroma = value - np.minimum(np.minimum(red, green), blue)
    safe = np.where(chroma == 0, 1, chroma)
    hue = np.select(
        [value == red, value == green],
        [(green - blue) / safe % 6, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    away = np.abs((hue * 60 - ink.hue_deg + 180) % 360 - 180)
    coloured = (chroma > 0) & (chroma >= ink.min_saturation * value)
    fits = coloured & (away <= ink.tolerance_deg)
    return float((weights * fits).sum() / weights.sum())
