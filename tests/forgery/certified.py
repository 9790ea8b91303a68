"""Class 3 (S&P 2021): evil annotations and sneaky signatures, on certified and on signed files."""

from __future__ import annotations

import re

from signer.verification.attacks import Attack
from tests.fakes import SoftwareKey
from tests.forgery import paper as p
from tests.forgery.catalogue import Catalogue
from tests.forgery.paper import form_xobject
from tests.forgery.save import Save, current, stream
from tests.forgery.shadows import later_signature

annotations, signatures = Catalogue(), Catalogue()

WORDS = b"1 g 0 0 200 30 re f BT 0 g /F1 14 Tf 4 8 Td (So tien: 9.000.000 dong) Tj ET"
OVER_THE_LINE = b"/Rect [70 694 270 714]"

# --- annotations that show content

_KINDS = {
    "free_text": b"/Subtype /FreeText /Contents (9.000.000) /DA (/Helv 14 Tf 1 g)",
    "stamp": b"/Subtype /Stamp",
    "square": b"/Subtype /Square /IC [1 1 1] /C [1 1 1]",
    "ink": b"/Subtype /Ink /InkList [[72 700 270 700]] /BS << /W 20 >> /C [1 1 1]",
    "line": b"/Subtype /Line /L [72 700 270 700] /BS << /W 20 >> /C [1 1 1]",
    "highlight": b"/Subtype /Highlight /QuadPoints [72 714 270 714 72 694 270 694] /C [0 0 0]",
    "strike_out": b"/Subtype /StrikeOut /QuadPoints [72 714 270 714 72 694 270 694]",
    "redact": b"/Subtype /Redact /IC [0 0 0] /OverlayText (9)",
    "caret": b"/Subtype /Caret",
    "text": b"/Subtype /Text /Contents (9.000.000) /Open true",
    "popup": b"/Subtype /Popup /Open true /Contents (9)",
    "link": b"/Subtype /Link /Border [0 0 30] /C [1 1 1]",
    "attachment": b"/Subtype /FileAttachment /FS << /F (a) >>",
    "watermark": b"/Subtype /Watermark",
    "button": b"/Subtype /Widget /FT /Btn /T (b) /Ff 65536 /MK << /BG [1 1 1] /CA (9) >>",
    "unknown": b"/Subtype /Sig",
}  # fmt: skip


def _annotation(entries: bytes):
    def make(data: bytes, key: SoftwareKey) -> bytes:
        save = Save(data)
        looks = save.add(form_xobject(WORDS))
        note = save.add(
            b"<< /Type /Annot %s %s /F 4 /AP << /N %d 0 R >> >>" % (entries, OVER_THE_LINE, looks)
        )
        listed = current(data, p.ANNOTS).removesuffix(b"]") + b" %d 0 R]" % note
        save.put(p.ANNOTS, listed)
        return save.table()

    return make


for _name, _entries in _KINDS.items():
    annotations.add(_name, _annotation(_entries), Attack.EVIL_ANNOTATION)


@annotations(Attack.EVIL_ANNOTATION)
def direct_annotation(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    listed = current(data, p.ANNOTS).removesuffix(b"]")
    save.put(p.ANNOTS, listed + b" << /Subtype /Square /Rect [0 0 99 99] /IC [1 1 1] >>]")
    return save.table()


@annotations(Attack.EVIL_ANNOTATION, Attack.SHADOW_REPLACE, Attack.SWAPPED_DICTIONARY)
def signature_looks_changed(data: bytes, key: SoftwareKey) -> bytes:
    """The appearance of the signature that is there draws something else."""
    field = re.search(rb"(\d+) 0 R", current(data, p.FORM)[::1].split(b"/Fields")[1][8:])
    number = int(field[1])
    save = Save(data)
    looks = save.add(form_xobject(WORDS))
    body = re.sub(rb"/AP << /N \d+ 0 R >>", b"", current(data, number))
    body = re.sub(rb"/Rect \[[^\]]*\]", OVER_THE_LINE, body)
    save.put(number, body.replace(b"<<", b"<< /AP << /N %d 0 R >>" % looks, 1))
    return save.table()


# --- signatures that show content

_SNEAKY = (Attack.SNEAKY_SIGNATURE,)


def _signature(widget: bytes, looks: bytes | None = None, **options):
    """One more signature by a trusted key; `looks` is its appearance."""

    def make(data: bytes, key: SoftwareKey) -> bytes:
        save = Save(data)
        entries = widget
        if looks is not None:
            entries += b" /AP << /N %d 0 R >>" % save.add(looks)
        return later_signature(save, data, key, entries, **options)

    return make


PAPER = form_xobject(WORDS)
BLOCK = form_xobject(b"0 g 0 0 200 30 re f")

signatures.add("words_over_the_line", _signature(OVER_THE_LINE, PAPER), *_SNEAKY)
signatures.add("block_over_the_line", _signature(OVER_THE_LINE, BLOCK), *_SNEAKY)
signatures.add(
    "one_digit", _signature(b"/Rect [124 696 134 712]", form_xobject(
        b"1 g 0 0 20 30 re f BT 0 g /F1 24 Tf 2 6 Td (9) Tj ET", b"0 0 20 30")), *_SNEAKY,
)  # fmt: skip
signatures.add("over_the_field", _signature(b"/Rect [72 500 272 530]", PAPER), *_SNEAKY)
signatures.add("over_the_stamp", _signature(b"/Rect [300 500 500 530]", PAPER), *_SNEAKY)
signatures.add("over_half_the_page", _signature(b"/Rect [0 400 595 842]", PAPER), *_SNEAKY)
signatures.add("over_all_the_page", _signature(b"/Rect [0 0 595 842]", PAPER), *_SNEAKY)
signatures.add("upside_down_box", _signature(b"/Rect [595 842 0 0]", PAPER), *_SNEAKY)
signatures.add("five_numbers", _signature(b"/Rect [0 400 595 842 0]", PAPER), *_SNEAKY)
signatures.add("no_numbers", _signature(b"/Rect [(0) (0) (595) (842)]", PAPER), *_SNEAKY)
signatures.add("without_a_box", _signature(b"", PAPER), *_SNEAKY)
signatures.add(
    "on_paper_only", _signature(b"/Rect [300 300 400 340] /F 36", PAPER), *_SNEAKY,
    Attack.PARSER_DIFFERENTIAL,
)  # fmt: skip
signatures.add(
    "no_view_flag", _signature(b"/Rect [300 300 400 340] /NM (x) /F 32", PAPER), *_SNEAKY,
    Attack.PARSER_DIFFERENTIAL,
)  # fmt: skip
signatures.add(
    "on_another_page_than_it_says",
    _signature(b"/Rect [0 400 595 842]", PAPER, page=p.PAGE_2), *_SNEAKY,
)  # fmt: skip
signatures.add(
    "empty_form_box", _signature(b"/Rect [300 300 400 340]", form_xobject(WORDS, b"0 0 0 0")),
    *_SNEAKY,
)  # fmt: skip
signatures.add(
    "form_without_a_box",
    _signature(b"/Rect [300 300 400 340]", stream(WORDS, b"/Subtype /Form")), *_SNEAKY,
)  # fmt: skip
signatures.add(
    "picture_instead_of_a_form",
    _signature(b"/Rect [300 300 400 340]", p.objects()[p.IMAGE]), *_SNEAKY,
)  # fmt: skip
signatures.add(
    "states", _signature(b"/Rect [300 300 400 340] /AP << /N << /On %d 0 R >> >>" % p.COVER),
    *_SNEAKY,
)  # fmt: skip
signatures.add(
    "another_look_under_the_pointer",
    _signature(b"/Rect [300 300 400 340] /AP << /N %d 0 R /R %d 0 R >>" % (p.COVER, p.NOTE_LOOKS)),
    *_SNEAKY,
)  # fmt: skip
for _key, _value in {
    "AA": b"<< /E << /S /JavaScript /JS (x) >> >>", "A": b"<< /S /URI /URI (x) >>",
    "OC": b"%d 0 R" % p.LAYER, "Kids": b"[]", "Popup": b"%d 0 R" % p.NOTE,
    "RV": b"(9)", "Parent": b"%d 0 R" % p.FIELD,
}.items():  # fmt: skip
    signatures.add(
        f"field_with_{_key}", _signature(b"/Rect [0 0 0 0] /%s %s" % (_key.encode(), _value)),
        *_SNEAKY, Attack.SWAPPED_DICTIONARY,
    )  # fmt: skip


@signatures(*_SNEAKY)
def on_both_pages(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    field = Save(data).size + 2  # behind looks and value
    looks = save.add(PAPER)
    save.put(p.PAGE_2, current(data, p.PAGE_2).replace(b"<<", b"<< /Annots [%d 0 R]" % field, 1))
    widget = b"/Rect [300 300 400 340] /AP << /N %d 0 R >>" % looks
    return later_signature(save, data, key, widget)


@signatures(*_SNEAKY)
def empty_field_that_shows(data: bytes, key: SoftwareKey) -> bytes:
    """No signature at all: a field for one, with words on it."""
    save = Save(data)
    looks = save.add(PAPER)
    field = save.add(
        b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (x) /F 4 %s /AP << /N %d 0 R >> >>"
        % (OVER_THE_LINE, looks)
    )
    form = current(data, p.FORM)
    save.put(p.FORM, re.sub(rb"/Fields \[([^\]]*)\]", rb"/Fields [\1 %d 0 R]" % field, form))
    save.put(p.ANNOTS, current(data, p.ANNOTS).removesuffix(b"]") + b" %d 0 R]" % field)
    return save.table()


@signatures(*_SNEAKY, Attack.SHADOW_REPLACE)
def a_value_beside_the_signature(data: bytes, key: SoftwareKey) -> bytes:
    """The list of fields gets a form value that is no object of its own."""
    save = Save(data)
    return later_signature(
        save, data, key, b"/Rect [0 0 0 0]", fields=b" << /FT /Tx /T (z) /V (9) >>"
    )


@signatures(*_SNEAKY, Attack.SHADOW_REPLACE, Attack.INCREMENTAL_SAVING)
def a_page_changed_by_the_signing_save(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    save.put(p.CONTENTS, p.text(p.FORGED))
    return later_signature(save, data, key, b"/Rect [0 0 0 0]")


@signatures(*_SNEAKY, Attack.SHADOW_REPLACE)
def fonts_brought_along(data: bytes, key: SoftwareKey) -> bytes:
    """The save of a signature replaces the resources that fields are drawn with."""
    save = Save(data)
    font = save.add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>")
    forged = later_signature(save, data, key, b"/Rect [0 0 0 0] /DA (/Helv 0 Tf)")
    again = Save(forged)
    form = current(forged, p.FORM)
    again.put(p.FORM, re.sub(rb"/Helv \d+ 0 R", b"/Helv %d 0 R" % font, form))
    return again.table()
