"""The closed-world checker is proved by what it refuses: every mutation is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ocr.conformance import check_conformance, require_conformant
from tests.pdf_surgery import bodies, edited, restreamed, sewn, trailer
from tests.record_mutations import (
    CATALOG,
    CIDFONT,
    DESCRIPTOR,
    EMBEDDED,
    FAX,
    FILESPEC,
    FLATE_IMAGE,
    INFO,
    INTENT,
    JPEG,
    METADATA,
    PAGE,
    PAGES,
    PROFILE,
    PROGRAM,
    TYPE0,
    Mutation,
    add,
    appended,
    broken_program,
    cmap,
    contents,
    extra_object,
    first_offsets_swapped,
    first_width,
    flate_garbage,
    flate_tail,
    kid_twice,
    manifest_edit,
    mapped,
    new_trailer,
    other_jpeg,
    other_profile,
    raw,
    recounted,
    restricted_program,
    shifted,
    short_flate,
    stream,
    swap,
)

MUTATIONS: dict[str, tuple[str, Mutation]] = {
    # the file
    "old version": ("file.header", raw(b"%PDF-1.7", b"%PDF-1.4")),
    "no binary comment": ("file.header", raw(b"%\xc7\xa7\xe2\xa7", b"%abcd")),
    "leading junk": ("file.header", lambda pdf: b"\n" + pdf),
    "trailing junk": ("file.end", lambda pdf: pdf + b"junk"),
    "truncated": ("file.end", lambda pdf: pdf[:-20]),
    "wrong startxref": (
        "file.xref",
        lambda pdf: re.sub(rb"startxref\n\d+", b"startxref\n100", pdf),
    ),
    "startxref beyond the end": (
        "file.startxref",
        lambda pdf: re.sub(rb"startxref\n\d+", b"startxref\n99999999", pdf),
    ),
    "comment between objects": (
        "file.object",
        lambda pdf: shifted(pdf, b"\n3 0 obj\n", b"\n% hidden"),
    ),
    "bytes before the first object": (
        "file.gap",
        lambda pdf: shifted(pdf, b"2 0 obj\n", b"% hidden\n"),
    ),
    "carriage returns in the table": ("file.xref", raw(b" 00000 n \n", b" 00000 n\r\n")),
    "free object": ("file.xref", raw(b" 00000 n \n", b" 00000 f \n")),
    "shadowed generation": ("file.xref", raw(b" 00000 n \n", b" 00001 n \n")),
    "malformed subsection": ("file.xref", raw(b"xref\n0 ", b"xref\n0x")),
    "overlapping objects": (
        "file.xref",
        lambda pdf: re.sub(
            rb"(\d{10}) 00000 n \n(\d{10})", rb"\1 00000 n \n\1", pdf, count=1
        ),
    ),
    "table points elsewhere": (
        "file.object",
        first_offsets_swapped,
    ),
    "no identifier": ("file.trailer", new_trailer(b"/ID", b"/Other")),
    "short identifier": (
        "file.id",
        lambda pdf: sewn(
            pdf, bodies(pdf), re.sub(rb"/ID \[<..", b"/ID [<", trailer(pdf))
        ),
    ),
    "encrypted": ("file.trailer", new_trailer(b"/Root", b"/Encrypt 1 0 R /Root")),
    "wrong size": ("file.trailer", new_trailer(b"/Size ", b"/Size 1")),
    "trailer is no dictionary": ("file.trailer", new_trailer(b"<<", b"<< /A")),
    "previous table nowhere": ("file.prev", new_trailer(b"/Root", b"/Prev 3 /Root")),
    "root is no catalog": (
        "catalog",
        lambda pdf: sewn(
            pdf, bodies(pdf), re.sub(rb"/Root \d+ 0 R", b"/Root 999 0 R", trailer(pdf))
        ),
    ),
    "hidden object": ("object.unused", extra_object(b"<< /Secret (text) >>")),
    "null object": ("file.object", extra_object(b"null")),
    "wrong length": (
        "file.object",
        lambda pdf: edited(
            pdf, METADATA, lambda head: re.sub(rb"/Length (\d+)", rb"/Length 1\1", head)
        ),
    ),
    "odd hexadecimal string": ("file.object", swap(EMBEDDED, b"/CheckSum <", b"/CheckSum <A")),
    "duplicate key": ("file.object", add(PAGE, b"/Type /Page")),
    "comment in an object": ("file.object", swap(PAGE, b"/Type", b"%x\n/Type")),
    "generation of a reference": ("file.object", swap(PAGE, b" 0 R", b" 1 R")),
    "number out of range": ("file.object", swap(PAGE, b"[0 0 ", b"[0 99999999999 ")),
    # the document
    "javascript": ("catalog", add(CATALOG, b"/OpenAction << /S /JavaScript /JS (x) >>")),
    "optional content": ("catalog", add(CATALOG, b"/OCProperties << >>")),
    "additional actions": ("catalog", add(CATALOG, b"/AA << >>")),
    "outlines": ("catalog", add(CATALOG, b"/Outlines 1 0 R")),
    "unknown catalog key": ("catalog", add(CATALOG, b"/Sohoa true")),
    "no language": ("catalog", swap(CATALOG, b"/Lang", b"/Long")),
    "other language": ("catalog.language", swap(CATALOG, b"(vi-VN)", b"(en-US)")),
    "no title shown": ("value.boolean", swap(CATALOG, b"true", b"false")),
    "named destinations": ("catalog.names", swap(CATALOG, b"/Names <<", b"/Names << /Dests 1 0 R")),
    "attachment not associated": ("catalog", swap(CATALOG, b"/AF", b"/AX")),
    "attachment under another name": (
        "attachment",
        swap(CATALOG, b"(provenance.json)", b"(provenance.exe)"),
    ),
    "alternate relationship": ("value.name", swap(FILESPEC, b"/Data", b"/Source")),
    "no unicode file name": ("attachment", swap(FILESPEC, b"/UF", b"/UX")),
    "file name differs": ("attachment", swap(FILESPEC, b"/UF (prov", b"/UF (Prov")),
    "attachment without type": ("attachment", swap(EMBEDDED, b"/Subtype", b"/Subtipe")),
    "attachment of another type": (
        "value.name",
        swap(EMBEDDED, b"/application#2Fjson", b"/text#2Fhtml"),
    ),
    "attachment size": ("attachment", swap(EMBEDDED, b"/Size ", b"/Size 1")),
    "attachment date": ("value.date", swap(EMBEDDED, b"/ModDate (D:2026", b"/ModDate (D:26")),
    "info key": ("info", add(INFO, b"/Trapped /False")),
    "info differs": ("info.differs", swap(INFO, b"/Creator (Sohoa)", b"/Creator (Other)")),
    "info date differs": ("info.differs", swap(INFO, b"/ModDate (D:2026", b"/ModDate (D:2025")),
    "intent of another kind": ("value.name", swap(INTENT, b"/GTS_PDFA1", b"/GTS_PDFX")),
    "intent names another": ("intent", swap(INTENT, b"(sRGB IEC61966-2.1)", b"(Other)")),
    "intent refers outside": ("intent", add(INTENT, b"/DestOutputProfileRef 1 0 R")),
    "intent profile components": ("value.integer", swap(PROFILE, b"/N 3", b"/N 4")),
    "intent profile changed": ("intent.profile", other_profile),
    "rotated page": ("page", add(PAGE, b"/Rotate 90")),
    "page actions": ("page", add(PAGE, b"/AA << >>")),
    "transparency group": ("page", add(PAGE, b"/Group << /S /Transparency >>")),
    "page box": ("page.size", swap(PAGE, b"/MediaBox [0 0 ", b"/MediaBox [0 0 30")),
    "page box inverted": ("page.size", swap(PAGE, b"/MediaBox [0 0 ", b"/MediaBox [9000 0 ")),
    "colour spaces": ("page.resources", swap(PAGE, b"/XObject", b"/ColorSpace << >> /XObject")),
    "odd resource name": ("value.dictionary", swap(PAGE, b"/Im0", b"/Picture")),
    "link annotation": (
        "widget",
        add(PAGE, b"/Annots [1 0 R]"),
    ),
    "page count": ("pages", swap(PAGES, b"/Count 4", b"/Count 3")),
    "page twice": ("pages", kid_twice),
    "tree key": ("pages", add(PAGES, b"/Rotate 0")),
    "inherited resources": ("pages", add(PAGES, b"/Resources << >>")),
    # content
    "visible text": ("content.visible", contents(b" 3 Tr", b"")),
    "painted text": ("content.operand", contents(b"3 Tr", b"0 Tr")),
    "unknown operator": ("content.operator", contents(b"BT", b"/GS0 gs BT")),
    "shading": ("content.operator", contents(b"BT", b"/Sh0 sh BT")),
    "inline image": ("content.operator", contents(b"BT", b"BI BT")),
    "marked content": ("content.operator", contents(b"BT", b"/OC /MC0 BDC BT")),
    "path": ("content.operator", contents(b"BT", b"0 0 9 9 re BT")),
    "grey level": ("content.operator", contents(b"BT", b"0 g BT")),
    "colour beyond one": ("content.operand", contents(b"BT", b"2 0 0 rg BT")),
    "unbalanced q": ("content.nesting", contents(b" Q", b"")),
    "Q without q": ("content.nesting", contents(b"BT", b"Q BT")),
    "deep nesting": ("content.nesting", contents(b"BT", b"q " * 29 + b"Q " * 29 + b"BT")),
    "text outside BT": ("content.nesting", contents(b"ET", b"ET 9 Tz")),
    "ET alone": ("content.nesting", contents(b"ET", b"ET ET")),
    "operands left": ("content.syntax", appended(b" 1 2")),
    "binary in content": ("content.syntax", contents(b"BT", b"\x00 BT")),
    "missing image": ("content.resource", contents(b"/Im0", b"/Im7")),
    "missing font": ("content.resource", contents(b"/F0", b"/F7")),
    "odd code length": ("content.operand", contents(b"[<", b"[<41> <")),
    "unused resource": ("content.unused", contents(b"/Im0 Do", b"")),
    "text without font": ("content.font", contents(b"/F0", b"1 0 0 1 0 0 Tm [<0001>] TJ /F0")),
    "unmapped code": ("font.unicode", contents(b"[<", b"[<7FFF")),
    "code without glyph": ("font.glyph", contents(b"[<", b"[<7FFF")),
    "notdef shown": ("font.glyph", contents(b"[<", b"[<0000")),
    "data behind the stream": ("stream.flate", flate_tail),
    # fonts
    "simple font": ("value.name", swap(TYPE0, b"/Type0", b"/Type1")),
    "other encoding": ("value.name", swap(TYPE0, b"/Identity-H", b"/WinAnsiEncoding")),
    "no unicode map": ("font", swap(TYPE0, b"/ToUnicode", b"/ToAscii")),
    "font name differs": ("font.name", swap(DESCRIPTOR, b"/SohoaText", b"/Helvetica")),
    "subset tag": ("font.name", swap(DESCRIPTOR, b"/SohoaText", b"/ABCDEF+SohoaText")),
    "not embedded": ("font.descriptor", swap(DESCRIPTOR, b"/FontFile2", b"/FontFile9")),
    "character set": ("font.descriptor", add(DESCRIPTOR, b"/CIDSet 1 0 R")),
    "vertical metrics": ("font.descendant", add(CIDFONT, b"/DW2 [880 -1000]")),
    "other collection": ("font.system", swap(CIDFONT, b"(Identity)", b"(Japan1)")),
    "glyph map": ("value.name", swap(CIDFONT, b"/CIDToGIDMap /Identity", b"/CIDToGIDMap /Other")),
    "width": ("font.width", first_width),
    "widths malformed": ("font.widths", swap(CIDFONT, b"/W [1 [", b"/W [2 [")),
    "program length": ("font.program", swap(PROGRAM, b"/Length1 ", b"/Length1 1")),
    "program broken": ("font.program", broken_program),
    "program restricted": ("font.licence", restricted_program),
    "map of another kind": ("font.tounicode", cmap(b"/CMapType 2", b"/CMapType 1")),
    "map range": ("font.tounicode", cmap(b"beginbfchar", b"beginbfrange")),
    "map block count": ("font.tounicode", recounted),
    "map entry malformed": ("font.tounicode", cmap(b"<0002> <", b"<0002> <FEFF> <")),
    "map to U+FEFF": ("font.unicode", mapped(b"FEFF")),
    "map to NUL": ("font.unicode", mapped(b"0000")),
    "map to half a pair": ("font.unicode", mapped(b"D800")),
    # images
    "four colours": ("value.name", swap(JPEG, b"/DeviceRGB", b"/DeviceCMYK")),
    "JPEG colours differ": ("image.jpeg", swap(JPEG, b"/DeviceRGB", b"/DeviceGray")),
    "JPEG size differs": ("image.jpeg", swap(JPEG, b"/Width 1", b"/Width 2")),
    "not a JPEG": ("image.jpeg", lambda pdf: restreamed(pdf, JPEG, lambda d: b"\0" * len(d))),
    "JPEG replaced": ("manifest", other_jpeg),
    "JPEG 2000": ("image.filter", swap(JPEG, b"/DCTDecode", b"/JPXDecode")),
    "LZW": ("image.filter", swap(FLATE_IMAGE, b"/FlateDecode", b"/LZWDecode")),
    "interpolated": ("image", add(JPEG, b"/Interpolate true")),
    "alternate images": ("image", add(JPEG, b"/Alternates []")),
    "rendering intent": ("image", add(JPEG, b"/Intent /Perceptual")),
    "external stream": ("image", add(JPEG, b"/F (file)")),
    "16 bits": ("value.integer", swap(FLATE_IMAGE, b"Component 8", b"Component 16")),
    "flate too short": ("image.flate", short_flate),
    "flate broken": ("image.flate", flate_garbage),
    "predictor": ("image", add(FLATE_IMAGE, b"/DecodeParms << /Predictor 15 >>")),
    "fax size differs": ("image.fax", swap(FAX, b"/Rows 1", b"/Rows 2")),
    "fax group 3": ("value.integer", swap(FAX, b"/K -1", b"/K 0")),
    # the packet
    "no packet": ("xmp", swap(CATALOG, b"/Metadata ", b"/Metadata 1 0 R /M ")),
    "packet filtered": ("xmp.stream", add(METADATA, b"/Filter /FlateDecode")),
    "packet encoding": ("xmp.packet", stream(METADATA, b'id="W5M0', b'encoding="UTF-8" id="W5M0')),
    "packet end": ("xmp.packet", stream(METADATA, b'end="w"', b'end="x"')),
    "broken XML": ("xmp.xml", stream(METADATA, b"</dc:format>", b"</dc:formal>")),
    "not UTF-8": ("xmp.xml", stream(METADATA, b"application/pdf", b"application\xff")),
    "entity": (
        "xmp.packet",
        stream(METADATA, b"<x:xmpmeta", b'<!DOCTYPE x [<!ENTITY e "x">]><x:xmpmeta'),
    ),
    "other part": ("xmp.value", stream(METADATA, b"<pdfaid:part>3", b"<pdfaid:part>2")),
    "other level": ("xmp.value", stream(METADATA, b"conformance>U", b"conformance>B")),
    "unknown property": (
        "xmp.property",
        stream(METADATA, b"<dc:format>", b"<dc:rights>x</dc:rights><dc:format>"),
    ),
    "unknown namespace": (
        "xmp.property",
        stream(METADATA, b"<dc:format>", b'<a:b xmlns:a="urn:a">x</a:b><dc:format>'),
    ),
    "property missing": (
        "xmp.missing",
        stream(METADATA, b"<dc:format>application/pdf</dc:format>", b""),
    ),
    "property twice": (
        "xmp.twice",
        stream(METADATA, b"<dc:format>", b"<dc:format>application/pdf</dc:format><dc:format>"),
    ),
    "property type": ("xmp.value", stream(METADATA, b"PageCount>4", b"PageCount>four")),
    "container": ("xmp.value", stream(METADATA, b"x-default", b"vi-VN")),
    "attribute form": ("xmp.rdf", stream(METADATA, b'rdf:about=""', b'rdf:about="x"')),
    "two RDF": ("xmp.rdf", stream(METADATA, b"</rdf:RDF>", b"</rdf:RDF><x:more/>")),
    "undeclared property": (
        "xmp.schema",
        stream(METADATA, b"name>PagesRoot<", b"name>OtherRoot<"),
    ),
    "declared with another type": (
        "xmp.schema",
        stream(METADATA, b"valueType>Integer<", b"valueType>Text<"),
    ),
    "other prefix": ("xmp.schema", stream(METADATA, b"prefix>sohoa<", b"prefix>other<")),
    "description left out": (
        "xmp.schema",
        stream(METADATA, b"pdfaProperty:description>Number of pages</pdfaProperty:description",
               b"pdfaProperty:note>Number of pages</pdfaProperty:note"),
    ),
    "no category": ("xmp.schema", stream(METADATA, b"category>internal<", b"category>other<")),
    "schema attribute": (
        "xmp.schema",
        stream(METADATA, b"<pdfaExtension:schemas><rdf:Bag>",
               b'<pdfaExtension:schemas><rdf:Bag rdf:ID="x">'),
    ),
    # the manifest
    "manifest edited": ("manifest", manifest_edit(b'"turns":1', b'"turns":2')),
    "manifest not canonical": ("manifest", manifest_edit(b'{"digitised"', b'{ "digitised"')),
    "manifest unreadable": ("manifest", manifest_edit(b'{"digitised"', b'["digitised"')),
    "manifest without pages": ("manifest", manifest_edit(b'"pages":', b'"sheets":')),
    "page count in the packet": ("manifest", stream(METADATA, b"PageCount>4", b"PageCount>5")),
    "root in the packet": (
        "manifest",
        lambda pdf: restreamed(
            pdf,
            METADATA,
            lambda data: re.sub(rb"PagesRoot>[0-9a-f]{64}", b"PagesRoot>" + b"0" * 64, data),
        ),
    ),
    "digest in the packet": (
        "manifest",
        lambda pdf: restreamed(
            pdf,
            METADATA,
            lambda data: re.sub(rb"SHA256>[0-9a-f]{64}", b"SHA256>" + b"0" * 64, data),
        ),
    ),
}  # fmt: skip


def rules(folder: Path, pdf: bytes) -> set[str]:
    path = folder / "mutant.pdf"
    path.write_bytes(pdf)
    return {finding.rule for finding in check_conformance(path).findings}


def test_the_good_record_has_no_findings(record):
    report = require_conformant(record)
    assert (report.findings, report.revisions, report.pages, report.signatures) == ((), 1, 4, 0)


def test_surgery_alone_changes_nothing(record, tmp_path):
    pdf = record.read_bytes()
    assert rules(tmp_path, sewn(pdf, bodies(pdf))) == set()


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_found(name, record, tmp_path):
    rule, mutate = MUTATIONS[name]
    pdf = mutate(record.read_bytes())
    assert pdf != record.read_bytes()
    assert rule in rules(tmp_path, pdf)


def test_there_are_enough_mutations():
    assert len(MUTATIONS) >= 60
