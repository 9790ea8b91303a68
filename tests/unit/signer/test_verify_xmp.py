"""XMP packets that tools save anew: the same properties, however they are spelt."""

from __future__ import annotations

import pytest

from signer.verification.changes.xmp import same_but_for_dates
from signer.verification.file.pdf_objects import Dictionary, Stream

HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{tool}"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/">'
)
FOOT = "</rdf:RDF></x:xmpmeta>"
TITLE = '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Mẫu</rdf:li></rdf:Alt></dc:title>'
ELEMENTS = (
    '<rdf:Description rdf:about=""><pdf:Producer>A</pdf:Producer>'
    "<xmp:ModifyDate>2026-01-01</xmp:ModifyDate></rdf:Description>"
    '<rdf:Description rdf:about=""><xmp:CreatorTool>Văn phòng</xmp:CreatorTool>'
    f"{TITLE}</rdf:Description>"
)
ATTRIBUTES = (
    '<rdf:Description rdf:about="" pdf:Producer="B" xmp:MetadataDate="2026-02-02" '
    f'xmp:CreatorTool="Văn phòng">{TITLE}</rdf:Description>'
)


def packet(body: str, tool: str = "một") -> Stream:
    return Stream(Dictionary(), (HEAD.format(tool=tool) + body + FOOT).encode())


def test_elements_and_attributes_say_the_same():
    assert same_but_for_dates(packet(ELEMENTS), packet(ATTRIBUTES, "hai"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Mẫu", "Khác"), ("Văn phòng", "Nhà khác"), ('rdf:about=""', 'rdf:about="uuid:1"'),
        ("x-default", "vi"), (TITLE, ""), (TITLE, TITLE + "<dc:format>x</dc:format>"),
        ("</rdf:Description>", "</rdf:Description><rdf:Bag/>"),
    ],
)  # fmt: skip
def test_what_a_reader_would_notice(old, new):
    changed = ATTRIBUTES.replace(old, new)
    assert changed != ATTRIBUTES
    assert not same_but_for_dates(packet(ELEMENTS), packet(changed))


def test_something_beside_the_properties():
    beside = Stream(
        Dictionary(), packet(ELEMENTS).raw.replace(b"</x:xmpmeta>", b"<a/></x:xmpmeta>")
    )
    assert not same_but_for_dates(packet(ELEMENTS), beside)


def test_a_bare_packet_without_wrapper():
    bare = packet(ELEMENTS).raw.split(b">", 1)[1].replace(b"</x:xmpmeta>", b"")
    assert same_but_for_dates(packet(ELEMENTS), Stream(Dictionary(), bare))


def test_what_is_no_packet():
    assert not same_but_for_dates(packet(ELEMENTS), Stream(Dictionary(), b"<x"))
