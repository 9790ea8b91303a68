"""The document that attacks are made on: small, and with all that attackers use.

Object numbers are fixed, so that an attack says what it means: `PAGE`, `CONTENTS`, `FONT`, …
`paper()` is an honest document. `paper(prepared=True)` is what the author of a shadow attack
gives to the signer: hidden pages, a reference to nothing, one array in two roles.
"""

from __future__ import annotations

from tests.forgery.save import Save, stream

ROOT, PAGES, PAGE, PAGE_2, CONTENTS, CONTENTS_2 = 1, 2, 3, 4, 5, 6
RESOURCES, ANNOTS, FORM, FIELD, FONT, COVER, IMAGE, FIELD_LOOKS = 7, 8, 9, 10, 11, 12, 13, 14
TO_UNICODE, ENCODING, LAYER, INFO, METADATA, NOTE, NOTE_LOOKS = 15, 16, 17, 18, 19, 20, 21
OUTLINE, LAYERS, COUNT = 22, 23, 24
# in the prepared document only
HIDDEN_CONTENTS, HIDDEN_PAGE, HIDDEN_PAGES, HIDDEN_ROOT = 24, 25, 26, 27
CONTENT_LIST, STORE, NOTHING = 28, 29, 90

HONEST = b"1.000.000"
FORGED = b"9.000.000"


def text(words: bytes, y: int = 700) -> bytes:
    """A content stream with one line."""
    return stream(b"BT /F1 14 Tf 72 %d Td (So tien: %s dong) Tj ET" % (y, words))


def form_xobject(drawing: bytes, box: bytes = b"0 0 200 30", entries: bytes = b"") -> bytes:
    """A form XObject that draws with the document's font."""
    return stream(
        drawing,
        b"/Type /XObject /Subtype /Form /BBox [%s] /Resources << /Font << /F1 %d 0 R >> >> %s"
        % (box, FONT, entries),
    )


XMP = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Quyết định mẫu</rdf:li></rdf:Alt></dc:title>'
    "</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
).encode()

TO_UNICODE_MAP = (
    b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /M def\n"
    b"1 begincodespacerange <00> <ff> endcodespacerange\n"
    b"1 beginbfrange <20> <7e> <0020> endbfrange endcmap end end"
)


def objects(*, prepared: bool = False, store: bool = False) -> dict[int, bytes]:
    """Every object of the document; `store` puts a list of contents among validation data."""
    first = b"[%d 0 R]" % CONTENTS
    if prepared:
        first = b"%d 0 R" % CONTENT_LIST
    found = {
        ROOT: b"<< /Type /Catalog /Pages %d 0 R /AcroForm %d 0 R /Metadata %d 0 R "
        b"/OCProperties %d 0 R /Outlines %d 0 R %s >>"
        % (PAGES, FORM, METADATA, LAYERS, OUTLINE, b"/DSS %d 0 R" % STORE if store else b""),
        PAGES: b"<< /Type /Pages /Kids [%d 0 R %d 0 R] /Count 2 /MediaBox [0 0 595 842] "
        b"/Resources %d 0 R >>" % (PAGE, PAGE_2, RESOURCES),
        PAGE: b"<< /Type /Page /Parent %d 0 R /Contents %s /Annots %d 0 R >>"
        % (PAGES, first, ANNOTS),
        PAGE_2: b"<< /Type /Page /Parent %d 0 R /Contents %s >>"
        % (
            PAGES,
            b"[%d 0 R %d 0 R]" % (CONTENTS_2, NOTHING) if prepared else b"%d 0 R" % CONTENTS_2,
        ),
        CONTENTS: stream(
            b"BT /F1 14 Tf 72 700 Td (So tien: %s dong) Tj ET\n"
            b"q 1 0 0 1 72 640 cm /Cover Do Q\nq 60 0 0 60 400 600 cm /Image Do Q\n"
            b"/OC /Layer BDC BT /F1 12 Tf 72 560 Td (Da kiem tra) Tj ET EMC" % HONEST
        ),
        CONTENTS_2: text(b"trang hai"),
        RESOURCES: b"<< /Font << /F1 %d 0 R >> /XObject << /Cover %d 0 R /Image %d 0 R >> "
        b"/Properties << /Layer %d 0 R >> >>" % (FONT, COVER, IMAGE, LAYER),
        ANNOTS: b"[%d 0 R %d 0 R]" % (FIELD, NOTE),
        FORM: b"<< /Fields [%d 0 R] /DR << /Font << /Helv %d 0 R >> >> /DA (/Helv 0 Tf 0 g) >>"
        % (FIELD, FONT),
        FIELD: b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (amount) /V (1000000) /F 4 "
        b"/DA (/Helv 12 Tf 0 g) /Rect [72 500 272 530] /P %d 0 R /AP << /N %d 0 R >> >>"
        % (PAGE, FIELD_LOOKS),
        FONT: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding %d 0 R "
        b"/ToUnicode %d 0 R >>" % (ENCODING, TO_UNICODE),
        COVER: form_xobject(b"1 g 0 0 200 30 re f BT 0 g /F1 12 Tf 4 8 Td (Bang chu) Tj ET"),
        IMAGE: stream(
            bytes([200, 40, 40]) * 4,
            b"/Type /XObject /Subtype /Image /Width 2 /Height 2 /BitsPerComponent 8 "
            b"/ColorSpace /DeviceRGB",
        ),
        FIELD_LOOKS: form_xobject(b"BT /F1 12 Tf 4 8 Td (1000000) Tj ET"),
        TO_UNICODE: stream(TO_UNICODE_MAP),
        ENCODING: b"<< /Type /Encoding /BaseEncoding /WinAnsiEncoding >>",
        LAYER: b"<< /Type /OCG /Name (Lop) >>",
        INFO: b"<< /Title (Quyet dinh mau) /Producer (paper) >>",
        METADATA: stream(XMP, b"/Type /Metadata /Subtype /XML"),
        NOTE: b"<< /Type /Annot /Subtype /Stamp /Rect [300 500 500 530] /F 4 "
        b"/AP << /N %d 0 R >> /P %d 0 R >>" % (NOTE_LOOKS, PAGE),
        NOTE_LOOKS: form_xobject(b"BT /F1 12 Tf 4 8 Td (Dau den) Tj ET"),
        OUTLINE: b"<< /Type /Outlines /Count 0 >>",
        LAYERS: b"<< /OCGs [%d 0 R] /D << /ON [%d 0 R] /Order [%d 0 R] >> >>"
        % (LAYER, LAYER, LAYER),
    }
    if prepared:
        found |= {
            HIDDEN_CONTENTS: text(FORGED),
            HIDDEN_PAGE: b"<< /Type /Page /Parent %d 0 R /Contents %d 0 R /Annots %d 0 R >>"
            % (PAGES, HIDDEN_CONTENTS, ANNOTS),
            HIDDEN_PAGES: b"<< /Type /Pages /Kids [%d 0 R] /Count 1 /MediaBox [0 0 595 842] "
            b"/Resources %d 0 R >>" % (HIDDEN_PAGE, RESOURCES),
            HIDDEN_ROOT: b"<< /Type /Catalog /Pages %d 0 R /AcroForm %d 0 R >>"
            % (HIDDEN_PAGES, FORM),
            CONTENT_LIST: b"[%d 0 R]" % CONTENTS,
            STORE: b"<< /Type /DSS /VRI << /X << /Cert %d 0 R >> >> >>" % CONTENT_LIST,
        }
    return found


def paper(*, prepared: bool = False, packed: bool = False, info: bool = True) -> bytes:
    """The document as a file with one revision."""
    save = Save(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", size=1)
    for number, body in objects(prepared=prepared, store=prepared and not packed).items():
        if info or number != INFO:
            save.put(number, body)
    save.rows[0] = (0, 0, 65535)
    save.entries[b"/Root"] = b"%d 0 R" % ROOT
    if info:
        save.entries[b"/Info"] = b"%d 0 R" % INFO
    save.entries[b"/ID"] = b"[<%s> <%s>]" % (b"0123456789abcdef" * 2, b"0123456789abcdef" * 2)
    return save.packed() if packed else save.table()
