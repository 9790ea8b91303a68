"""Any Pillow image as grey or RGB pixels on white."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ocr.reading.raster import Raster


def flattened(image: Image.Image) -> tuple[Raster, bool]:
    """Decode to 8-bit grey or RGB; True with it when the image is bilevel.

    16 bits become 8 (the record holds 8; the original file keeps the rest), palettes are
    looked up, transparency is laid on white, CMYK goes through its ICC profile if it has one.
    RGB whose channels are equal becomes grey. Raises what Pillow raises on damaged bytes.
    """
    image.load()
    if image.mode == "1":
        return np.asarray(image.convert("L")), True
    if image.mode.startswith("I"):
        return _eight_bits(np.asarray(image)), False
    if image.mode == "F":
        raise ValueError("floating-point pixels are not a scan")
    if image.mode == "CMYK":
        image = _from_cmyk(image)
    elif "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        image = _on_white(image)
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if pixels.ndim == 3 and _is_grey(pixels):
        pixels = np.ascontiguousarray(pixels[:, :, 0])
    return pixels, False


def _eight_bits(deep: NDArray[np.integer]) -> Raster:
    return (np.clip(deep.astype(np.int32), 0, 65535) >> 8).astype(np.uint8)


def _from_cmyk(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        from PIL import ImageCms  # its library is loaded for the few scans that need it

        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None  # a broken profile: the plain formula still shows the page
        if converted is not None:
            return converted
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    layers = image.convert("RGBA")
    white = Image.new("RGBA", layers.size, "white")
    return Image.alpha_composite(white, layers).convert("RGB")


def _is_grey(pixels: Raster) -> bool:
    red = pixels[:, :, 0]
    sample = pixels[::16, ::16]  # colour shows in a sample: most pages are decided here
    if (sample[:, :, 0] != sample[:, :, 1]).any() or (sample[:, :, 0] != sample[:, :, 2]).any():
        return False
    return bool((red == pixels[:, :, 1]).all() and (red == pixels[:, :, 2]).all())
