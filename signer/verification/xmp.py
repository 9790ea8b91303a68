"""Whether two XMP packets say the same but for the dates of saving (ISO 16684-1)."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, canonicalize, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from signer.verification.pdf_objects import PDFSyntaxError, Stream
from signer.verification.xref import decode_stream

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


def _essence(stream: Stream) -> str:
    root: Element = fromstring(decode_stream(stream))
    for parent in root.iter():
        for key in [k for k in parent.attrib if k in _VOLATILE]:
            del parent.attrib[key]
        for child in [c for c in parent if c.tag in _VOLATILE]:
            parent.remove(child)
    return canonicalize(tostring(root, encoding="unicode"), strip_text=True)
