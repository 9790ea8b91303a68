"""The only door to a scanner's XML: no DTD, no entities, bounded in size, depth and elements.

Devices disagree on which of two namespaces an element belongs to, so elements are found by
their local name. Text is stripped of control characters before anybody prints it.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from dossier.errors import ScannerMisanswered

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 1 << 20
MAX_DEPTH = 24
MAX_ELEMENTS = 20_000
_MAX_TEXT = 300
_MAX_NUMBER = 1_000_000


def parse(content: bytes, root_name: str) -> Element:
    """The root element, which has to be `root_name`. Raises `ScannerMisanswered`."""
    if len(content) > MAX_BYTES:
        raise _not_escl(f"{len(content)} > {MAX_BYTES} B")
    depth = elements = 0
    opened: list[Element] = []
    try:
        for event, element in iterparse(
            io.BytesIO(content), ("start", "end"), forbid_dtd=True, forbid_entities=True
        ):
            if event == "end":
                depth -= 1
                continue
            depth, elements = depth + 1, elements + 1
            if not opened:
                opened.append(element)
            if depth > MAX_DEPTH or elements > MAX_ELEMENTS:
                raise _not_escl(f"> {MAX_DEPTH} levels or {MAX_ELEMENTS} elements")
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise _not_escl(f"{type(error).__name__}") from error
    if not opened or local_name(opened[0]) != root_name:
        raise _not_escl(f"not <{root_name}>")
    return opened[0]


def local_name(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: Element | None, *names: str) -> Iterator[Element]:
    """The direct children with one of `names`."""
    return (e for e in (() if element is None else element) if local_name(e) in names)


def child(element: Element | None, *names: str) -> Element | None:
    """The first direct child with one of `names`."""
    return next(children(element, *names), None)


def below(element: Element | None, *path: str) -> Element | None:
    """The element at the end of `path`, the first at each step."""
    for name in path:
        element = child(element, name)
    return element


def text_of(element: Element | None) -> str:
    """The element's text, in one line and printable; empty when there is none."""
    text = "" if element is None or element.text is None else element.text[: 4 * _MAX_TEXT]
    kept = (" " if c.isspace() else c for c in text if c.isspace() or _is_shown(c))
    return " ".join("".join(kept).split())[:_MAX_TEXT]


def number_of(element: Element | None) -> int | None:
    """A whole number from 0 to a million; None when there is none."""
    text = text_of(element)
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_MAX_NUMBER)):
        return None
    return min(int(text), _MAX_NUMBER)


def _is_shown(character: str) -> bool:
    return unicodedata.category(character)[0] != "C"  # escape sequences, bidirectional marks


def _not_escl(what: str) -> ScannerMisanswered:
    return ScannerMisanswered(
        f"Máy quét trả lời không đúng eSCL ({what}). Hãy kiểm tra địa chỉ máy, khởi động lại máy "
        "quét hoặc cập nhật phần mềm của máy. / The scanner's answer is not eSCL "
        f"({what}): check its address, restart it, or update its firmware."
    )
