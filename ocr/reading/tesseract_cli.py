"""Tesseract as a program (pytesseract): slower, but needs no compiled binding.

The program is started once for all lines of a page: it takes a list of image files, so its
models are loaded once. Images are raw grey (PGM); encoding RGB as PNG, pytesseract's way with
images in memory, would more than double the time.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytesseract

from ocr._run import run
from ocr.errors import EngineMissing, EngineTimedOut, RecognitionError
from ocr.page import Box
from ocr.reading.models import digests, find_models, languages_of, model_file
from ocr.reading.raster import Grey
from ocr.reading.recognise import OSD_SURE, EngineInfo, LineMode, Reading, ReadWord

PROGRAM = "tesseract"
_WORD_LEVEL = "5"
_LEAST_SIDE_PX = 12  # Tesseract stops the whole list at an image that is too small


class PytesseractEngine:
    """`Recogniser` over the program. Safe in one thread at a time."""

    def __init__(
        self, languages: str = "vie", folder: Path | None = None, seconds: float = 100.0
    ) -> None:
        """Find program and models; `seconds` bounds one call. Raises EngineMissing."""
        self._folder = find_models(languages, folder)
        self._languages = languages_of(languages)
        self._seconds = seconds
        version = run([PROGRAM, "--version"], seconds=20).stdout.decode("utf-8", "replace")
        self._version = version.split("\n")[0].removeprefix("tesseract").strip()

    @property
    def info(self) -> EngineInfo:
        """Engine and models."""
        return EngineInfo("pytesseract", self._version, digests(self._folder, self._languages))

    def read(self, lines: Sequence[Grey], dpi: int, mode: LineMode) -> list[Reading]:
        """Read line images; see `Recogniser.read`."""
        found: list[list[ReadWord]] = [[] for _ in lines]
        places = [k for k, line in enumerate(lines) if min(line.shape) > 0]
        if not places:
            return [Reading(()) for _ in lines]
        with tempfile.TemporaryDirectory(prefix="sohoa-lines-") as name, _translated():
            folder = Path(name)
            names = [_store(lines[k], folder / f"{k}.pgm") for k in places]
            listing = folder / "lines.txt"
            listing.write_text("\n".join(names) + "\n", "utf-8")
            table = pytesseract.image_to_data(
                str(listing),
                lang="+".join(self._languages),
                config=self._config(dpi, mode.value),
                timeout=self._seconds,
            )
            rows = csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
            for row in rows:
                if row["level"] == _WORD_LEVEL and row["text"].strip():
                    found[places[int(row["page_num"]) - 1]].append(_word(row))
        return [Reading(tuple(words)) for words in found]

    def upside_down(self, page: Grey, dpi: int) -> bool | None:
        """Whether the page stands on its head; None when unsure or without the osd model."""
        if not model_file(self._folder, "osd").is_file():
            return None
        with tempfile.TemporaryDirectory(prefix="sohoa-osd-") as name, _translated():
            path = _store(page, Path(name) / "page.pgm")
            try:
                told = pytesseract.image_to_osd(
                    path, config=self._config(dpi, 0, engine=0), timeout=self._seconds
                )
            except pytesseract.TesseractError:  # too few characters to tell
                return None
        degrees = re.search(r"^Orientation in degrees: (\d+)", told, re.M)
        sure = re.search(r"^Orientation confidence: ([\d.]+)", told, re.M)
        if degrees is None or sure is None or float(sure[1]) <= OSD_SURE:
            return None
        return degrees[1] == "180"

    def close(self) -> None:
        """Nothing is held between calls."""

    def _config(self, dpi: int, mode: int, *, engine: int = 1) -> str:
        # quoted for pytesseract, which splits this line as a shell would
        # print is dark on white: reading unsure lines inverted as well only costs time
        return (
            f"--tessdata-dir '{self._folder}' --psm {mode} --oem {engine} --dpi {dpi} "
            "-c tessedit_do_invert=0"
        )


def _store(image: Grey, path: Path) -> str:
    height, width = image.shape
    below, beside = max(0, _LEAST_SIDE_PX - height), max(0, _LEAST_SIDE_PX - width)
    if below or beside:
        image = cv2.copyMakeBorder(  # type: ignore[assignment]  # cv2 stubs name any array
            image, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=(255,)
        )
        height, width = image.shape
    path.write_bytes(b"P5 %d %d 255\n" % (width, height) + image.tobytes())
    return str(path)


def _word(row: dict[str, str]) -> ReadWord:
    left, top = float(row["left"]), float(row["top"])
    box = Box(left, top, left + float(row["width"]), top + float(row["height"]))
    return ReadWord(row["text"].strip(), box, min(100.0, max(0.0, float(row["conf"]))))


@contextmanager
def _translated() -> Iterator[None]:
    """pytesseract's errors as ours."""
    try:
        yield
    except pytesseract.TesseractNotFoundError as error:
        raise EngineMissing(
            "the program tesseract is not installed (Debian: apt install tesseract-ocr)"
        ) from error
    except pytesseract.TesseractError as error:
        raise RecognitionError(f"Tesseract failed: {str(error.message)[:200]}") from error
    except RuntimeError as error:  # pytesseract's only sign of a timeout
        raise EngineTimedOut("Tesseract took too long and was stopped") from error
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise RecognitionError(f"Tesseract's answer cannot be used: {error}") from error
