"""Tesseract inside the worker process (tesserocr): models are loaded once, no image is encoded.

`OMP_THREAD_LIMIT=1` must be in the environment before this module is imported: the library
reads it when it is loaded, and without it is four times as slow on a busy machine. The worker
initialiser sees to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import tesserocr

from ocr.errors import EngineMissing, RecognitionError
from ocr.page import Box
from ocr.reading.models import digests, find_models, languages_of, model_file
from ocr.reading.raster import Grey
from ocr.reading.recognise import OSD_SURE, EngineInfo, LineMode, Reading, ReadWord

_API: TypeAlias = Any  # tesserocr.PyTessBaseAPI; the binding ships no usable types


class TesserocrEngine:
    """`Recogniser` over tesserocr. Not thread-safe; one a process."""

    def __init__(self, languages: str = "vie", folder: Path | None = None) -> None:
        """Load the models. Raises EngineMissing."""
        self._folder = find_models(languages, folder)
        self._languages = languages_of(languages)
        self._lines = _open(self._folder, languages, tesserocr.PSM.SINGLE_LINE)
        # print is dark on white: reading unsure lines inverted as well only costs time
        self._lines.SetVariable("tessedit_do_invert", "0")
        self._pages: _API = None

    @property
    def info(self) -> EngineInfo:
        """Engine and models."""
        version = tesserocr.tesseract_version().split("\n")[0].removeprefix("tesseract").strip()
        return EngineInfo("tesserocr", version, digests(self._folder, self._languages))

    def read(self, lines: Sequence[Grey], dpi: int, mode: LineMode) -> list[Reading]:
        """Read line images; see `Recogniser.read`."""
        self._lines.SetPageSegMode(mode.value)
        return [self._read_one(line, dpi) for line in lines]

    def _read_one(self, line: Grey, dpi: int) -> Reading:
        height, width = line.shape
        if not height or not width:
            return Reading(())
        api = self._lines
        api.SetImageBytes(np.ascontiguousarray(line).tobytes(), width, height, 1, width)
        api.SetSourceResolution(dpi)
        try:
            if not api.Recognize():
                return Reading(())
            return Reading(tuple(_words(api)))
        except RuntimeError as exc:
            raise RecognitionError(f"Tesseract failed on a line of {width}×{height} px") from exc
        finally:
            api.Clear()

    def upside_down(self, page: Grey, dpi: int) -> bool | None:
        """Whether the page stands on its head; None when unsure or without the osd model."""
        if self._pages is None:
            if not model_file(self._folder, "osd").is_file():
                return None
            self._pages = _open(self._folder, "osd", tesserocr.PSM.OSD_ONLY)
        height, width = page.shape
        self._pages.SetImageBytes(np.ascontiguousarray(page).tobytes(), width, height, 1, width)
        self._pages.SetSourceResolution(dpi)
        found = self._pages.DetectOrientationScript()
        self._pages.Clear()
        if not found or found["orient_conf"] <= OSD_SURE:
            return None
        return bool(found["orient_deg"] == 180)

    def close(self) -> None:
        """Free the engine's memory. Idempotent."""
        self._lines.End()
        if self._pages is not None:
            self._pages.End()
            self._pages = None

    def __enter__(self) -> TesserocrEngine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _open(folder: Path, languages: str, mode: int) -> _API:
    try:
        # LSTM only: Debian's models hold no legacy part. OSD needs the legacy engine.
        engine = tesserocr.OEM.DEFAULT if languages == "osd" else tesserocr.OEM.LSTM_ONLY
        return tesserocr.PyTessBaseAPI(path=f"{folder}/", lang=languages, psm=mode, oem=engine)
    except RuntimeError as exc:
        raise EngineMissing(
            f"Tesseract cannot load '{languages}' from {folder}: reinstall the language packages"
        ) from exc


def _words(api: _API) -> list[ReadWord]:
    """Words of the recognised image; words that the binding cannot give are left out."""
    iterator = api.GetIterator()
    out: list[ReadWord] = []
    if iterator is None:
        return out
    level = tesserocr.RIL.WORD
    for word in tesserocr.iterate_level(iterator, level):
        try:
            text = word.GetUTF8Text(level)
        except RuntimeError:  # raised on an empty word
            continue
        box = word.BoundingBox(level)
        if box is None or not text or not text.strip():
            continue
        left, top, right, bottom = (float(v) for v in box)
        confidence = min(100.0, max(0.0, float(word.Confidence(level))))
        out.append(ReadWord(text.strip(), Box(left, top, right, bottom), confidence))
    return out
