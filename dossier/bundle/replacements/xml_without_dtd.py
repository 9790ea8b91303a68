"""Instead of `defusedxml`: XML by the standard library, refused when it has a DTD.

Entities, and what bombs are made of, can be declared in a DTD only (XML 1.0, 4.2).
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat


class DefusedXmlException(ValueError):
    """The text has a document type declaration."""


def fromstring(text: bytes | str, **options: Any) -> ElementTree.Element:  # noqa: ANN401, ARG001
    """The root element. Raises `DefusedXmlException` and `ElementTree.ParseError`."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise ElementTree.ParseError(str(error)) from error
    return ElementTree.fromstring(text)  # noqa: S314 - it has no DTD


def _refuse(*_: object) -> None:
    raise DefusedXmlException("a document type declaration")
