"""The console's catalogues are complete, its templates hold no words and nothing from elsewhere."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from api.console import actions, checking, mounting, records
from api.console.strip import Where
from api.public.words import LANGUAGES, catalogue
from dossier.checking.looking import ItemState, ReuseGround
from dossier.checking.owners import OWNER_FIELDS
from dossier.stacks.arrangement import PageKind
from dossier.stacks.order import PROFILES
from dossier.stacks.values import PaperState, StackState
from ocr.fields.certainty import _GROUPS
from ocr.quality.findings import Severity

_CONSOLE = Path(mounting.__file__).parent
_PACKAGE = "api.console"
_TEMPLATES = sorted((_CONSOLE / "templates").glob("*.html"))
_KEY = re.compile(r"""\bt\(\s*"([a-z][\w.-]*)"(?:\s*(~)\s*)?""")
_IN_PYTHON = re.compile(r'"((?:entry|refused|day)\.[a-z0-9.-]+)"')
_SAID = re.compile(r"""(?:back_to|_back)\(.*?, "([a-z-]+)"(?:, \*\*more)?\)""")
_VIETNAMESE = re.compile("[ăâđêôơưĂÂĐÊÔƠƯ\u1ea0-\u1ef9]")
_KEYS = (
    *("next", "previous", "accept", "rotate", "aside", "rescan", "insert", "split", "search"),
    *("queue", "records", "retry", "finish", "doubtful", "zoom", "undo", "list"),
)
_OPEN_ENDED = {  # keys that templates choose by a value, which is a closed set
    "site.language.": LANGUAGES,
    "paper.": tuple(PaperState),
    "state.": tuple(StackState),
    "badge.": ("blank", "low", "turned", "doubt", "wrong", "patch"),
    "kind.": tuple(PageKind),
    "where.": tuple(where for where in Where if where not in (Where.PAPER, Where.WAITING)),
    "severity.": tuple(Severity),
    "profile.": PROFILES,
    "item.": tuple(ItemState),
    "reuse.": tuple(ReuseGround),
    "step.": records.STEPS,
    "progress.": ("done", "next", "failed", "later"),
    "keys.": (*_KEYS, *(f"{name}-key" for name in _KEYS)),
}
_BY_MACRO = {*(f"state.{state.value}" for state in StackState)}
_FIELDS = {f"field.{name}" for name in (*_GROUPS, *OWNER_FIELDS)}
_SAID_ONCE = {
    *("signed-out", "settings-kept", "stack-opened", "files-taken", "scan-begun"),
    *("scan-stopping", "stack-close", "stack-cancel", "stack-hurry", "stack-calm"),
    *("undone", "redone"),
    *(f"done-{action}" for action in actions.ACTIONS),
    *("check-none", "confirmed", "taken-back", "resolved"),
    *(f"paper-{step}" for step in checking._STEPS if step != "keep"),
}


def _asked() -> set[str]:
    found: set[str] = _BY_MACRO | _FIELDS | {f"said.{said}" for said in _SAID_ONCE}
    for template in _TEMPLATES:
        for key, joined in _KEY.findall(template.read_text("utf-8")):
            if not joined:
                found.add(key)
            elif key not in ("said.", "field."):
                found |= {key + str(end) for end in _OPEN_ENDED[key]}
    for module in _CONSOLE.glob("*.py"):
        asked = _IN_PYTHON.findall(module.read_text("utf-8"))
        found |= {key for key in asked if not key.endswith(".html")}
    return found


def test_every_text_that_is_asked_for_is_there_and_no_other() -> None:
    for language in LANGUAGES:
        assert catalogue(language, _PACKAGE).keys == _asked()


def test_what_routes_say_is_in_the_catalogue() -> None:
    said = {
        word
        for module in _CONSOLE.glob("*.py")
        for word in _SAID.findall(module.read_text("utf-8"))
    }
    assert {"settings-kept", "files-taken", "undone", "signed-out"} <= said
    assert said <= _SAID_ONCE


def test_both_languages_say_it_with_the_same_values() -> None:
    for key in catalogue("vi", _PACKAGE).keys:
        vi = catalogue("vi", _PACKAGE)._texts[key]
        en = catalogue("en", _PACKAGE)._texts[key]
        assert vi.strip() == vi, key
        assert en.strip() == en, key
        assert vi, key
        assert en, key
        assert _values(vi) == _values(en), key
        if key != "site.language.vi":
            assert not _VIETNAMESE.search(en), key


def _values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_most_vietnamese_texts_are_vietnamese() -> None:
    words = catalogue("vi", _PACKAGE)
    plain = {k for k in words.keys if not re.search("[^\x00-\x7f]", words._texts[k])}
    plain -= {key for key in plain if key.startswith("keys.")}
    assert {words._texts[key] for key in plain} <= _PLAIN


_PLAIN = {
    *("English", "Trang {number}", "trang {number}", "Trang", "{count} trang", "Sau"),
    *("Xem", "{count}/{of} ({percent} %)"),
}


@pytest.mark.parametrize("template", _TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_words_nothing_inline_and_nothing_from_elsewhere(template: Path) -> None:
    text = template.read_text("utf-8")
    assert not re.search(r"https?:|\bstyle\s*=|\bon[a-z]+\s*=|javascript:|\|\s*safe", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style", text)
    text = re.sub(r"\{% block kind %\}\w+", "", text)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", text, flags=re.DOTALL)
    text = re.sub(r"<kbd>.*?</kbd>|<option>.*?</option>", "", text)
    spoken = re.findall(r'(?:alt|title|placeholder|aria-label)="([^"]*)"', text)
    spoken += re.sub(r"<[^>]*>", "\n", text).split("\n")
    assert [said for said in spoken if re.search(r"[^\W\d_]", said)] == []


def test_own_files_name_no_foreign_host() -> None:
    for path in (_CONSOLE / "static").rglob("*"):
        if path.suffix in (".css", ".js", ".svg"):
            found = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", path.read_text("utf-8"))
            assert [link for link in found if "www.w3.org" not in link] == [], path.name
