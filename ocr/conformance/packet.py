"""The XMP packet (ISO 19005-3 6.6): known namespaces, declared properties, values of their type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ocr.conformance.rules import Examination, Kind, entry, integer, name, string_text
from ocr.conformance.syntax import StreamObject, Value
from ocr.record.xmp import RECORD_NAMESPACE, RECORD_PREFIX, RECORD_PROPERTIES

_RULE = "xmp"
_WRAPPER = re.compile(
    rb'<\?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"\?>\n'
    rb'(?P<body><x:xmpmeta.*</x:xmpmeta>)\n<\?xpacket end="w"\?>',
    re.DOTALL,
)
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_XMP = "{http://ns.adobe.com/xap/1.0/}"
_PDF = "{http://ns.adobe.com/pdf/1.3/}"
_ID = "{http://www.aiim.org/pdfa/ns/id/}"
_EXTENSION = "{http://www.aiim.org/pdfa/ns/extension/}"
_SCHEMA = "{http://www.aiim.org/pdfa/ns/schema#}"
_PROPERTY = "{http://www.aiim.org/pdfa/ns/property#}"
_OWN = "{" + RECORD_NAMESPACE + "}"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"
_TYPES = {"Text": r"(?s).+", "Integer": r"\d+", "Date": _DATE}

# property → (container or None, pattern of the text)
_SIMPLE: Mapping[str, str] = {
    _ID + "part": "3",
    _ID + "conformance": "U",
    _DC + "format": "application/pdf",
    _DC + "identifier": _TYPES["Text"],
    _XMP + "CreateDate": _DATE,
    _XMP + "ModifyDate": _DATE,
    _XMP + "MetadataDate": _DATE,
    _XMP + "CreatorTool": _TYPES["Text"],
    _PDF + "Producer": _TYPES["Text"],
    **{_OWN + p.name: _TYPES[p.value_type] for p in RECORD_PROPERTIES},
}
_CONTAINERS: Mapping[str, str] = {
    _DC + "title": "Alt",
    _DC + "creator": "Seq",
    _DC + "language": "Bag",
}
_REQUIRED = frozenset({*_SIMPLE, *_CONTAINERS, _EXTENSION + "schemas"})

_STREAM = Kind(
    "xmp.stream",
    "6.6.2.1",
    {"Type": name("Metadata"), "Subtype": name("XML"), "Length": integer(1, 1 << 20)},
)

# Info key → property that has to say the same (6.1.5 lets both stand side by side)
_SAME = {
    "Title": _DC + "title",
    "Author": _DC + "creator",
    "Creator": _XMP + "CreatorTool",
    "Producer": _PDF + "Producer",
    "CreationDate": _XMP + "CreateDate",
    "ModDate": _XMP + "ModifyDate",
}


@dataclass(slots=True)
class PacketValues:
    """What the packet says, by property; `own` without the namespace."""

    values: dict[str, str] = field(default_factory=dict)

    @property
    def own(self) -> dict[str, str]:
        """The record's own properties by their plain names."""
        return {k.removeprefix(_OWN): v for k, v in self.values.items() if k.startswith(_OWN)}


def check_packet(exam: Examination, value: Value, where: str) -> None:
    """Check the metadata stream alone."""
    read_packet(exam, value, where)


def read_packet(exam: Examination, value: Value | None, where: str) -> PacketValues:
    """Check the metadata stream and return its values."""
    found = PacketValues()
    if not isinstance(value, StreamObject):
        exam.report(_RULE, "6.6.2.1", where, "the metadata is no stream")
        return found
    _STREAM(exam, value, where)
    data = exam.file.read(value.start, value.length)
    packet = _WRAPPER.fullmatch(data)
    if packet is None:
        exam.report("xmp.packet", "6.6.2.1", where, "the packet's wrapper is not ours")
        return found
    try:
        root = fromstring(packet["body"].decode("utf-8"), forbid_dtd=True, forbid_entities=True)
    except (ParseError, DefusedXmlException, UnicodeDecodeError) as error:
        exam.report("xmp.xml", "6.6.2.1", where, f"the packet is not clean XML: {error}")
        return found
    if (
        root.tag != "{adobe:ns:meta/}xmpmeta"
        or root.attrib
        or [c.tag for c in root] != [_RDF + "RDF"]
    ):
        exam.report("xmp.rdf", "6.6.2.1", where, "the packet does not hold one rdf:RDF")
        return found
    _read_descriptions(exam, root[0], where, found)
    for missing in sorted(_REQUIRED - found.values.keys()):
        exam.report("xmp.missing", "6.6.2.1", where, f"{missing} is missing")
    return found


def check_information(
    exam: Examination, info: Value | None, packet: PacketValues, where: str
) -> None:
    """The document information dictionary has to say what the packet says."""
    for key, source in _SAME.items():
        stated = string_text(entry(exam, info, key) or "")
        if key.endswith("Date"):
            stated = _as_xmp_date(stated or "")
        if stated != packet.values.get(source):
            exam.report("info.differs", "6.6.3", where, f"/{key} does not say what the packet says")


def _as_xmp_date(date: str) -> str:
    return re.sub(
        r"D:(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([+-]\d\d)'(\d\d)'",
        r"\1-\2-\3T\4:\5:\6\7:\8",
        date,
    )


def _read_descriptions(exam: Examination, rdf: Element, where: str, found: PacketValues) -> None:
    for description in rdf:
        if description.tag != _RDF + "Description" or description.attrib != {_RDF + "about": ""}:
            exam.report("xmp.rdf", "6.6.2.1", where, f"{description.tag} is not on the list")
            continue
        for prop in description:
            if prop.tag in found.values:
                exam.report("xmp.twice", "6.6.2.1", where, f"{prop.tag} stands twice")
            found.values[prop.tag] = _property(exam, prop, where)


def _property(exam: Examination, prop: Element, where: str) -> str:
    tag = prop.tag
    if tag == _EXTENSION + "schemas":
        _check_schemas(exam, prop, where)
        return ""
    if tag in _CONTAINERS:
        return _contained(exam, prop, where)
    if tag not in _SIMPLE:
        exam.report("xmp.property", "6.6.2.3.1", where, f"{tag} is not on the list")
        return ""
    text = prop.text or ""
    if prop.attrib or len(prop) or not re.fullmatch(_SIMPLE[tag], text):
        exam.report("xmp.value", "6.6.2.3.1", where, f"{tag} does not have a value of its type")
    return text


def _contained(exam: Examination, prop: Element, where: str) -> str:
    container = _CONTAINERS[prop.tag]
    items = prop[0] if len(prop) == 1 else None
    expected = {_LANGUAGE: "x-default"} if container == "Alt" else {}
    if (
        items is None
        or prop.attrib
        or items.tag != _RDF + container
        or items.attrib
        or [i.tag for i in items] != [_RDF + "li"]
        or items[0].attrib != expected
        or len(items[0])
        or not items[0].text
    ):
        exam.report("xmp.value", "6.6.2.3.1", where, f"{prop.tag} is not one item in a {container}")
        return ""
    return items[0].text or ""


def _check_schemas(exam: Examination, prop: Element, where: str) -> None:
    """The extension schema has to describe each of our properties, and nothing else (6.6.2.3)."""
    schemas = prop.findall(f"{_RDF}Bag/{_RDF}li")
    # schemas, Bag, li, its four elements, Seq; then li and four elements for each property
    if len(list(prop.iter())) != 8 + 5 * len(RECORD_PROPERTIES) or any(
        e.attrib not in ({}, {_RDF + "parseType": "Resource"}) for e in prop.iter()
    ):
        exam.report("xmp.schema", "6.6.2.3.3", where, "the extension schema holds something else")
    described: dict[str, str | None] = {}
    for schema in schemas:
        tags = {
            _SCHEMA + "schema": None,
            _SCHEMA + "namespaceURI": RECORD_NAMESPACE,
            _SCHEMA + "prefix": RECORD_PREFIX,
            _SCHEMA + "property": None,
        }
        if [c.tag for c in schema] != list(tags) or any(
            text is not None and schema.findtext(tag) != text for tag, text in tags.items()
        ):
            exam.report("xmp.schema", "6.6.2.3.3", where, "an extension schema is not ours")
        for item in schema.findall(f"{_SCHEMA}property/{_RDF}Seq/{_RDF}li"):
            parts = {c.tag.removeprefix(_PROPERTY): c.text for c in item}
            if set(parts) != {"name", "valueType", "category", "description"}:
                exam.report("xmp.schema", "6.6.2.3.3", where, "a property is not fully described")
            elif parts["category"] not in {"internal", "external"} or not parts["description"]:
                exam.report("xmp.schema", "6.6.2.3.3", where, "a property has no category")
            described[parts.get("name") or ""] = parts.get("valueType")
    if len(schemas) != 1 or described != {p.name: p.value_type for p in RECORD_PROPERTIES}:
        exam.report(
            "xmp.schema", "6.6.2.3.3", where, "the extension schema does not declare our properties"
        )
