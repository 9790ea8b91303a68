"""Putting encoded pages into files: multi-page TIFF and PDF, without a date or a random id."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pikepdf
from PIL import Image, TiffImagePlugin

from tools.samples.degrade import Float, Recipe, Scan


def write_tiff(path: Path, pages: Sequence[tuple[Float, Recipe]], dpi: int) -> None:
    """A multi-page TIFF as office scanners write it: JPEG in TIFF, Group 4 for bilevel pages."""
    out = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(out, True) as writer:
        for page, recipe in pages:
            pixels = np.clip(page, 0, 255).astype(np.uint8)
            pixels = np.ascontiguousarray(np.rot90(pixels, recipe.turns))
            image = Image.fromarray(pixels)
            if recipe.bitonal:
                bilevel = image.convert("L").point(lambda v: 255 if v > 150 else 0).convert("1")
                bilevel.save(writer, "TIFF", compression="group4", dpi=(dpi, dpi))
            else:
                colour = "L" if image.mode == "L" else "YCbCr"
                image.convert(colour).save(
                    writer, "TIFF", compression="jpeg", quality=recipe.quality, dpi=(dpi, dpi),
                    strip_size=1 << 30, tiffinfo={278: image.height},  # one strip a page
                )  # fmt: skip
            writer.newFrame()
    path.write_bytes(out.getvalue())


def write_pdf(path: Path, scans: Sequence[Scan]) -> None:
    """A PDF of JPEG pages at their real size, as a scanner's own software makes it."""
    pdf = pikepdf.new()
    for scan in scans:
        with Image.open(io.BytesIO(scan.data)) as image:
            width, height = image.size
        stream = pdf.make_stream(
            scan.data,
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=width,
            Height=height,
            ColorSpace=pikepdf.Name.DeviceRGB,
            BitsPerComponent=8,
            Filter=pikepdf.Name.DCTDecode,
        )
        points = 72 / scan.geometry.dpi
        w, h = round(width * points, 2), round(height * points, 2)
        page = pdf.add_blank_page(page_size=(w, h))
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=stream))
        page.Contents = pdf.make_stream(f"q {w} 0 0 {h} 0 0 cm /Im0 Do Q".encode())
    pdf.save(path, deterministic_id=True)
