"""The catalogues are complete, and nothing that people read stands outside them."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from api.public import stage
from api.public.words import LANGUAGES, catalogue
from dossier.printout.report import CodeStatus
from dossier.register.entry import Status

_PUBLIC = Path(stage.__file__).parent
_TEMPLATES = sorted((_PUBLIC / "templates").glob("*.html"))
_KEY = re.compile(r"""\bt\(\s*"([a-z][\w.-]*)"(?:\s*(~)\s*)?""")
_IN_PYTHON = re.compile(r'"((?:problem|refused|time|photo|lookup|take)\.[a-z0-9.-]+)"')
_OPEN_ENDED = {  # keys that templates choose by a value, which is a closed set
    "site.language.": LANGUAGES,
    "tone.": ("valid", "doubt", "wrong", "none"),
    "integrity.": ("INTACT", "CHANGED", "BROKEN", "MALFORMED", "UNKNOWN", "NONE"),
    "domain.": ("OFFICIAL_DUTY", "PUBLIC", "TEST", "PINNED", "none"),
    "time.month.": tuple(map(str, range(1, 13))),
    "issued.": tuple(status.value for status in Status),
    "issued.says-": tuple(status.value for status in Status),
    "photo.status-": tuple(status.value for status in CodeStatus),
}
_VIETNAMESE = re.compile("[ăâđêôơưĂÂĐÊÔƠƯ\u1ea0-\u1ef9]")


def _asked() -> set[str]:
    found: set[str] = set()
    for template in _TEMPLATES:
        for key, joined in _KEY.findall(template.read_text("utf-8")):
            if joined:
                found |= {key + str(end) for end in _OPEN_ENDED[key]}
            else:
                found.add(key)
    for module in _PUBLIC.glob("*.py"):
        asked = _IN_PYTHON.findall(module.read_text("utf-8"))
        found |= {key for key in asked if not key.endswith(".html")}
    return found | {f"time.month.{n}" for n in range(1, 13)}


def test_every_text_that_is_asked_for_is_there_and_no_other() -> None:
    for language in LANGUAGES:
        assert catalogue(language).keys == _asked()


@pytest.mark.parametrize("key", sorted(catalogue("vi").keys))
def test_both_languages_say_it_with_the_same_values(key: str) -> None:
    vi, en = catalogue("vi")._texts[key], catalogue("en")._texts[key]
    assert vi.strip() == vi
    assert en.strip() == en
    assert vi
    assert en
    if key != "time.moment":  # which names the month in one of them only
        assert _values(vi) == _values(en)
    if key != "site.language.vi":
        assert not _VIETNAMESE.search(en)


def _values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_most_vietnamese_texts_are_vietnamese() -> None:
    texts = [catalogue("vi")._texts[key] for key in catalogue("vi").keys]
    plain = {t for t in texts if not re.search("[^\x00-\x7f]", t)}
    assert plain <= {"English", "Trang {number}", "{day}/{month}/{year}"}


@pytest.mark.parametrize("template", _TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_words_of_their_own(template: Path) -> None:
    text = template.read_text("utf-8")
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", text, flags=re.DOTALL)
    spoken = re.findall(r'(?:alt|title|placeholder|aria-label)="([^"]*)"', text)
    spoken += re.sub(r"<[^>]*>", "\n", text).split("\n")
    assert [said for said in spoken if re.search(r"[^\W\d_]", said)] == []


@pytest.mark.parametrize("template", _TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_nothing_inline_and_nothing_from_elsewhere(template: Path) -> None:
    text = template.read_text("utf-8")
    assert not re.search(r"https?:|\bstyle\s*=|\bon[a-z]+\s*=|javascript:|\|\s*safe", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style", text)


def test_an_unknown_text_is_an_error() -> None:
    with pytest.raises(KeyError):
        catalogue("vi")("no.such.text")
    with pytest.raises(KeyError):
        catalogue("vi")("pages.page", other=1)
