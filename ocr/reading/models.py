"""Where Tesseract's language models are."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from ocr.errors import EngineMissing

_PLACES = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/share/tesseract/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)


def languages_of(spoken: str) -> tuple[str, ...]:
    """``"vie+eng"`` as ("vie", "eng"). Raises EngineMissing on an empty or odd name."""
    names = tuple(spoken.split("+"))
    if not all(n.isidentifier() and n.isascii() for n in names):
        raise EngineMissing(f"'{spoken}' does not name languages: write for example 'vie+eng'")
    return names


def find_models(spoken: str, folder: Path | None = None) -> Path:
    """The folder that holds every model of `spoken`.

    `folder` is looked at alone when given; else the usual places of Debian, other Linux
    systems and macOS. Raises EngineMissing and says which package to install.
    """
    names = languages_of(spoken)
    places = [folder] if folder is not None else [Path(p) for p in _PLACES]
    for place in places:
        if all(model_file(place, n).is_file() for n in names):
            return place
    missing = [n for n in names if not any(model_file(p, n).is_file() for p in places)]
    packages = " ".join(f"tesseract-ocr-{n}" for n in missing or names)
    raise EngineMissing(
        f"no model for '{'+'.join(missing or names)}' in {', '.join(map(str, places))}: "
        f"install it (Debian: apt install {packages}) or set the model folder"
    )


def model_file(folder: Path, language: str) -> Path:
    """The model of one language."""
    return folder / f"{language}.traineddata"


def digests(folder: Path, languages: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """(language, SHA-256 of its model) for the provenance manifest."""
    return tuple((n, _digest(model_file(folder, n))) for n in languages)


@functools.cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
