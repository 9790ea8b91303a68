"""The XMP packet of a record, written by hand so that nothing unasked gets into it.

Every property outside the predefined schemas is described in a PDF/A extension schema
(ISO 19005-3 6.6.2.3), and its declared type is the type of its value.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

# An own name that needs no registration and no host: RFC 4122.
RECORD_NAMESPACE = "urn:uuid:6f0d3c0e-5d5b-4b0e-9a55-3a4c9c7e2f11#"
RECORD_PREFIX = "sohoa"


@dataclass(frozen=True, slots=True)
class RecordProperty:
    """One property of the extension schema; `category` as in ISO 19005-3 6.6.2.3.3."""

    name: str
    value_type: Literal["Text", "Integer", "Date"]
    category: Literal["internal", "external"]
    description: str


RECORD_PROPERTIES = (
    RecordProperty("RecordId", "Text", "external", "Identifier of the record in its dossier"),
    RecordProperty("PageCount", "Integer", "internal", "Number of pages"),
    RecordProperty("CapturedAt", "Date", "external", "Time of digitising"),
    RecordProperty(
        "ManifestSHA256", "Text", "internal", "SHA-256 of the attached provenance manifest"
    ),
    RecordProperty(
        "PagesRoot", "Text", "internal", "Root of the Merkle tree over the pages (RFC 9162)"
    ),
)


@dataclass(frozen=True, slots=True)
class PacketFacts:
    """What the packet says. `own` maps names of `RECORD_PROPERTIES` to their text."""

    part: int
    conformance: str
    title: str
    creator: str
    identifier: str
    language: str
    tool: str
    created: datetime
    own: dict[str, str]


def xmp_date(moment: datetime) -> str:
    """An aware time as an XMP date, to the second, in its own offset."""
    return moment.replace(microsecond=0).isoformat()


def xmp_packet(facts: PacketFacts) -> bytes:
    """The whole packet in UTF-8, without `bytes` and `encoding` in its header (6.6.2.1)."""
    when = xmp_date(facts.created)
    blocks = [
        _description(
            'xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"',
            f"<pdfaid:part>{facts.part}</pdfaid:part>",
            f"<pdfaid:conformance>{facts.conformance}</pdfaid:conformance>",
        ),
        _description(
            'xmlns:dc="http://purl.org/dc/elements/1.1/"',
            "<dc:format>application/pdf</dc:format>",
            f"<dc:identifier>{_escaped(facts.identifier)}</dc:identifier>",
            '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">'
            f"{_escaped(facts.title)}</rdf:li></rdf:Alt></dc:title>",
            f"<dc:creator><rdf:Seq><rdf:li>{_escaped(facts.creator)}</rdf:li></rdf:Seq></dc:creator>",
            f"<dc:language><rdf:Bag><rdf:li>{_escaped(facts.language)}</rdf:li></rdf:Bag>"
            "</dc:language>",
        ),
        _description(
            'xmlns:xmp="http://ns.adobe.com/xap/1.0/"',
            f"<xmp:CreateDate>{when}</xmp:CreateDate>",
            f"<xmp:ModifyDate>{when}</xmp:ModifyDate>",
            f"<xmp:MetadataDate>{when}</xmp:MetadataDate>",
            f"<xmp:CreatorTool>{_escaped(facts.tool)}</xmp:CreatorTool>",
        ),
        _description(
            'xmlns:pdf="http://ns.adobe.com/pdf/1.3/"',
            f"<pdf:Producer>{_escaped(facts.tool)}</pdf:Producer>",
        ),
    ]
    own = [p for p in RECORD_PROPERTIES if p.name in facts.own]
    values = (
        f"<{RECORD_PREFIX}:{p.name}>{_escaped(facts.own[p.name])}</{RECORD_PREFIX}:{p.name}>"
        for p in own
    )
    blocks.append(_description(f'xmlns:{RECORD_PREFIX}="{RECORD_NAMESPACE}"', *values))
    blocks.append(_extension_schema(own))
    body = "\n".join(blocks)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        f"{body}\n</rdf:RDF>\n</x:xmpmeta>\n"
        '<?xpacket end="w"?>'
    ).encode()


def _description(namespace: str, *elements: str) -> str:
    return (
        f'<rdf:Description rdf:about="" {namespace}>\n'
        + "\n".join(elements)
        + ("\n</rdf:Description>")
    )


def _extension_schema(properties: Iterable[RecordProperty]) -> str:
    listed = "\n".join(
        '<rdf:li rdf:parseType="Resource">'
        f"<pdfaProperty:name>{p.name}</pdfaProperty:name>"
        f"<pdfaProperty:valueType>{p.value_type}</pdfaProperty:valueType>"
        f"<pdfaProperty:category>{p.category}</pdfaProperty:category>"
        f"<pdfaProperty:description>{p.description}</pdfaProperty:description>"
        "</rdf:li>"
        for p in properties
    )
    return _description(
        'xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"'
        ' xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"'
        ' xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#"',
        '<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">',
        "<pdfaSchema:schema>Sohoa record schema</pdfaSchema:schema>",
        f"<pdfaSchema:namespaceURI>{RECORD_NAMESPACE}</pdfaSchema:namespaceURI>",
        f"<pdfaSchema:prefix>{RECORD_PREFIX}</pdfaSchema:prefix>",
        f"<pdfaSchema:property><rdf:Seq>\n{listed}\n</rdf:Seq></pdfaSchema:property>",
        "</rdf:li></rdf:Bag></pdfaExtension:schemas>",
    )


def _escaped(text: str) -> str:
    """Character data of XML (W3C XML 1.0, 2.4)."""
    return html.escape(text, quote=False)
