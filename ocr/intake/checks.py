"""What the readers of all formats share: a page's place, its checks, its kept image."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocr.errors import DamagedFile, LimitExceeded
from ocr.intake.limits import Limits
from ocr.intake.resolution import trusted_dpi
from ocr.intake.typed_errors import reading_of
from ocr.page import ImageStream, PageImage, QuarterTurns
from ocr.reading.raster import Raster, store_flate, store_g4
from ocr.wholefile import output_error


@dataclass(frozen=True, slots=True)
class TakenPage:
    """A page and its decoded pixels (not turned), so that they are decoded once."""

    image: PageImage
    raster: Raster


@dataclass(frozen=True, slots=True)
class PagePlace:
    """Where a page comes from and where its kept image goes.

    `page` is its number in the file, `number` its number in the record, both from 1.
    """

    path: Path
    name: str
    source_sha256: str
    page: int
    number: int
    work: Path
    limits: Limits

    def check_size(self, width_px: int, height_px: int) -> None:
        """Refuse a page with too many pixels. Raises LimitExceeded or DamagedFile."""
        if width_px < 1 or height_px < 1:
            raise DamagedFile("the page has no pixels", source=self.name, page=self.page)
        limits = self.limits
        if max(width_px, height_px) > limits.page_side_px or (
            width_px * height_px > limits.page_pixels
        ):
            raise LimitExceeded(
                f"{width_px} × {height_px} pixels are more than allowed "
                f"({limits.page_side_px} a side, {limits.page_pixels} in all): "
                "scan at a lower resolution",
                source=self.name,
                page=self.page,
            )

    def reading(self) -> AbstractContextManager[None]:
        """Turn any error of the block into a typed one that names the page."""
        return reading_of(self.name, self.page)

    def keep_bytes(self, data: bytes, suffix: str) -> Path:
        """Write the scanner's own bytes into the work folder. Raises OutputError."""
        path = self._path(suffix)
        try:
            path.write_bytes(data)
        except OSError as error:
            raise output_error(path, error) from error
        return path

    def keep_raster(self, raster: Raster, *, bilevel: bool) -> ImageStream:
        """Write pixels losslessly: Group 4 when bilevel, else Flate. Raises OutputError."""
        path = self._path("g4" if bilevel else "flate")
        try:
            if bilevel:
                return store_g4(np.asarray(raster < 128), path)
            return store_flate(raster, path)
        except OSError as error:
            raise output_error(path, error) from error

    def taken(
        self,
        kept: ImageStream,
        raster: Raster,
        *,
        own_bytes: bool,
        original: bytes | None,
        dpi: tuple[float, float] | None,
        turns: QuarterTurns = 0,
    ) -> TakenPage:
        """The finished page. `original`: its encoded bytes, None where the page is the file."""
        trusted, assumed = trusted_dpi(dpi, kept.width_px, kept.height_px)
        digest = self.source_sha256 if original is None else hashlib.sha256(original).hexdigest()
        image = PageImage(
            number=self.number,
            source=self.name,
            source_page=self.page,
            source_sha256=self.source_sha256,
            original_sha256=digest,
            kept=kept,
            kept_is_original=own_bytes,
            dpi=trusted,
            dpi_assumed=assumed,
            exif_turns=turns,
        )
        return TakenPage(image, raster)

    def _path(self, suffix: str) -> Path:
        return self.work / f"page{self.number:05d}.{suffix}"
