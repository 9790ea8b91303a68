"""Whether two XMP packets say the same but for the dates of saving (ISO 16684-1)."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, canonicalize, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from signer.verification.file.pdf_objects import PDFSyntaxError, Stream
from signer.verification.file.xref import decode_stream

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_VOLATILE = frozenset(
    {
        "{http://ns.adobe.com/xap/1.0/}ModifyDate",
        "{http://ns.adobe.com/xap/1.0/}MetadataDate",
        "{http://ns.adobe.com/xap/1.0/mm/}InstanceID",
        "{http://ns.adobe.com/pdf/1.3/}Producer",
    }
)


def same_but_for_dates(old: Stream, new: Stream) -> bool:
    """True when both packets are readable and differ in nothing that a reader would notice."""
    try:
        return _essence(old) == _essence(new)
    except (PDFSyntaxError, ParseError, DefusedXmlException, ValueError):
        return False


def _essence(stream: Stream) -> list[tuple[str, str]]:
    """The properties with their values, however the packet spells them.

    RDF lets a simple property be an attribute or an element, in one rdf:Description or in
    several (ISO 16684-1, 7.9); tools that save a packet anew choose for themselves.
    """
    root: Element = fromstring(decode_stream(stream))
    listed = [root] if root.tag == f"{_RDF}RDF" else list(root)
    found: list[tuple[str, str]] = []
    for part in listed:
        if part.tag != f"{_RDF}RDF":
            found.append((part.tag, _canonical(part)))
            continue
        for described in part:
            found += _properties(described)
    return sorted(found)


def _properties(described: Element) -> list[tuple[str, str]]:
    if described.tag != f"{_RDF}Description":
        return [(described.tag, _canonical(described))]
    about = described.get(f"{_RDF}about", "")
    found = [(f"{_RDF}about", about)] if about else []
    found += [
        (key, value.strip())
        for key, value in described.attrib.items()
        if key not in _VOLATILE and key != f"{_RDF}about"
    ]
    for item in described:
        if item.tag not in _VOLATILE:
            is_simple = not item.attrib and not len(item)
            found.append((item.tag, (item.text or "").strip() if is_simple else _canonical(item)))
    return found


def _canonical(item: Element) -> str:
    return canonicalize(tostring(item, encoding="unicode"), strip_text=True)
