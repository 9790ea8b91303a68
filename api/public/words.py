"""What the pages say: one catalogue a language, the same keys in both, no text in templates.

    words = catalogue("vi")
    words("upload.limit", mebibytes=50)

A text is chosen whole and never put together from pieces; what varies stands in braces.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from api.web.problem_documents import Language

LANGUAGES: tuple[Language, ...] = ("vi", "en")


class Words:
    """The catalogue of one language. Immutable."""

    def __init__(self, language: Language, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def __call__(self, key: str, /, **values: object) -> str:
        """The text of `key`. Raises `KeyError` for a key or a value that is not there."""
        text = self._texts[key]
        return text.format(**values) if values else text

    def __contains__(self, key: object) -> bool:
        return key in self._texts

    @property
    def keys(self) -> frozenset[str]:
        """All keys of the catalogue."""
        return frozenset(self._texts)


@cache
def catalogue(language: Language, package: str = "api.public") -> Words:
    """The words of `language` in the pages of `package`, read once."""
    file = resources.files(package) / "locale" / f"{language}.toml"
    return Words(language, dict(_flat("", tomllib.loads(file.read_text("utf-8")))))


def _flat(above: str, table: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        if isinstance(value, dict):
            found += _flat(f"{above}{name}.", value)
        else:
            found.append((above + name, str(value)))
    return found
