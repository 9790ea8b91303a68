"""Class 2 (NDSS 2021): shadow attacks, and content masked by fonts (USENIX Security 2017).

Each changes what is shown by a save behind the signature, some of them with material that the
author had put into the document before it was signed.
"""

from __future__ import annotations

import re

from signer.verification.attacks import Attack
from tests.fakes import SoftwareKey
from tests.forgery import paper as p
from tests.forgery.catalogue import Catalogue
from tests.forgery.paper import FORGED, form_xobject, text
from tests.forgery.save import Row, Save, current, object_stream, stream
from tests.forgery.signing import signature_dictionary, signed

hide, replace, hide_and_replace, masking = Catalogue(), Catalogue(), Catalogue(), Catalogue()


def saved(data: bytes, objects: dict[int, bytes], how: str = "table") -> bytes:
    """One save with these objects."""
    save = Save(data)
    for number, body in objects.items():
        save.put(number, body)
    return {"table": save.table, "stream": save.stream, "packed": save.packed}[how]()


def _put(number: int, body: bytes, how: str = "table"):
    return lambda data, key: saved(data, {number: body}, how)


def _edited(number: int, old: bytes, new: bytes):
    """An object of the file as it is now, with a word changed."""

    def make(data: bytes, key: SoftwareKey) -> bytes:
        body = current(data, number)
        changed = re.sub(old, new, body, count=1)
        assert changed != body, body
        return saved(data, {number: changed})

    return make


_HIDE = (Attack.SHADOW_HIDE,)
_ANY = (Attack.SHADOW_HIDE, Attack.SHADOW_REPLACE, Attack.SHADOW_HIDE_AND_REPLACE,
        Attack.INCREMENTAL_SAVING)  # fmt: skip

# --- hide: what covers or stands there goes

hide.add("cover_emptied", _put(p.COVER, form_xobject(b"")), *_HIDE)
hide.add("cover_null", _put(p.COVER, b"null"), *_HIDE, Attack.SHADOW_REPLACE)
hide.add("contents_emptied", _put(p.CONTENTS, stream(b"")), *_HIDE)
hide.add("contents_blank", _put(p.CONTENTS, stream(b" \n"), "packed"), *_HIDE)
hide.add("image_emptied", _put(p.IMAGE, stream(b"", b"/Subtype /Image")), *_HIDE)
hide.add("annotation_gone", _edited(p.ANNOTS, rb"%d 0 R" % p.NOTE, b""), *_HIDE)
hide.add("all_annotations_gone", _put(p.ANNOTS, b"[]"), *_HIDE)
hide.add("annotation_hidden", _edited(p.NOTE, rb"/F 4", b"/F 2"), *_HIDE, Attack.EVIL_ANNOTATION)
hide.add("layer_off", _edited(p.LAYERS, rb"/ON \[", b"/OFF ["), *_ANY)
hide.add("layer_of_another_kind", _put(p.LAYER, b"<< /Type /OCMD /P /AllOff >>"), *_HIDE)
hide.add("layers_removed", _edited(p.ROOT, rb"/OCProperties \d+ 0 R", b""), *_HIDE)
hide.add("box_cropped", _edited(p.PAGE, rb"<<", b"<< /CropBox [0 0 90 90]"), *_HIDE)
hide.add("page_turned", _edited(p.PAGE, rb"<<", b"<< /Rotate 180"), *_HIDE)
hide.add("own_resources", _edited(p.PAGE, rb"<<", b"<< /Resources << >>"), *_HIDE)
hide.add("inherited_box", _edited(p.PAGES, rb"595 842", b"200 90"), *_ANY)
hide.add("inherited_resources", _edited(p.PAGES, rb"/Resources \d+ 0 R", b""), *_ANY)
hide.add("resource_removed", _edited(p.RESOURCES, rb"/Cover \d+ 0 R", b""), *_ANY)
hide.add("page_dropped", _edited(p.PAGES, rb" ?4 0 R", b""), *_ANY)
hide.add("form_removed", _edited(p.FIELD, rb"/AP << /N \d+ 0 R >>", b""), *_ANY)


@hide(*_HIDE)
def object_freed(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    save.free(p.COVER)
    return save.table()


@hide(*_HIDE)
def object_freed_in_a_stream(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    save.free(p.CONTENTS)
    return save.stream()


@hide(*_HIDE)
def object_of_another_generation(data: bytes, key: SoftwareKey) -> bytes:
    """The same contents under another generation: who asks for 5 0 R finds nothing."""
    save = Save(data)
    save.put(p.CONTENTS, p.objects()[p.CONTENTS], generation=1)
    return save.table()


@hide(Attack.PARSER_DIFFERENTIAL, *_HIDE)
def size_lowered(data: bytes, key: SoftwareKey) -> bytes:
    """Objects from /Size on do not exist to many readers."""
    save = Save(data)
    save.put(p.PAGE_2, current(data, p.PAGE_2))
    save.entries[b"/Size"] = b"%d" % p.COVER
    return save.table()


@hide(*_HIDE, Attack.SHADOW_REPLACE)
def image_with_a_mask(data: bytes, key: SoftwareKey) -> bytes:
    """The picture stays, byte for byte, and a new mask makes it invisible."""
    save = Save(data)
    mask = save.add(stream(b"\0", b"/Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 "
                                  b"/ColorSpace /DeviceGray"))  # fmt: skip
    save.put(
        p.IMAGE,
        p.objects()[p.IMAGE].replace(b"/Width", b"/SMask %d 0 R /Width" % mask, 1),
    )
    return save.table()


# --- replace: the same objects show something else

_REPLACE = (Attack.SHADOW_REPLACE,)
replace.add("field_value", _edited(p.FIELD, rb"1000000", b"9000000"), *_REPLACE)
replace.add("field_looks", _put(p.FIELD_LOOKS, form_xobject(b"BT /F1 12 Tf (9) Tj ET")), *_REPLACE)
replace.add(
    "field_other_looks", _edited(p.FIELD, rb"/N %d" % p.FIELD_LOOKS, b"/N %d" % p.COVER), *_REPLACE
)
replace.add("field_moved", _edited(p.FIELD, rb"72 500", b"72 690"), *_REPLACE)
replace.add("note_looks", _put(p.NOTE_LOOKS, form_xobject(b"1 0 0 rg 0 0 99 9 re f")), *_REPLACE)
replace.add("cover_replaced", _put(p.COVER, form_xobject(b"0 0 99 9 re f"), "packed"), *_REPLACE)
replace.add(
    "image_replaced", _put(p.IMAGE, p.objects()[p.IMAGE].replace(b"\xc8", b"\0")), *_REPLACE
)
replace.add("form_defaults", _edited(p.FORM, rb"/Helv 0 Tf 0 g", b"/Helv 0 Tf 1 g"), *_REPLACE)
replace.add(
    "form_resources", _edited(p.FORM, rb"/Helv %d" % p.FONT, b"/Helv %d" % p.COVER), *_REPLACE
)
replace.add("appearances_wanted", _edited(p.FORM, rb"<<", b"<< /NeedAppearances true"), *_REPLACE)
replace.add("font_of_another_face", _edited(p.FONT, rb"/Helvetica", b"/ZapfDingbats"), *_REPLACE)
replace.add(
    "value_drawn_by_the_reader",
    _edited(p.FIELD, rb"/V \(1000000\)(.*)/AP << /N \d+ 0 R >>", rb"/V (9000000)\1"), *_REPLACE,
)  # fmt: skip


@replace(Attack.SHADOW_REPLACE)
def mask_that_is_one(data: bytes, key: SoftwareKey) -> bytes:
    """A number where a boolean stood: equal to a careless comparison, not to a reader."""
    body = p.objects()[p.IMAGE].replace(b"/Width 2", b"/Width 2.0", 1)
    return saved(data, {p.IMAGE: body})


# --- hide and replace: prepared or new material takes the place of what was shown

_SWAP = (Attack.SHADOW_HIDE_AND_REPLACE,)
hide_and_replace.add(
    "prepared_contents",
    _edited(p.PAGE, rb"/Contents \d+ 0 R", b"/Contents %d 0 R" % p.HIDDEN_CONTENTS), *_SWAP,
    prepared=True,
)  # fmt: skip
hide_and_replace.add(
    "prepared_page", _edited(p.PAGES, rb"/Kids \[ ?3 0 R", b"/Kids [%d 0 R" % p.HIDDEN_PAGE),
    *_SWAP, prepared=True,
)  # fmt: skip
hide_and_replace.add(
    "prepared_pages", _edited(p.ROOT, rb"/Pages 2 0 R", b"/Pages %d 0 R" % p.HIDDEN_PAGES),
    *_SWAP, prepared=True,
)  # fmt: skip
hide_and_replace.add(
    "prepared_list", _put(p.CONTENT_LIST, b"[%d 0 R]" % p.HIDDEN_CONTENTS), *_SWAP,
    Attack.INCREMENTAL_SAVING, prepared=True,
)  # fmt: skip
hide_and_replace.add("pages_swapped", _edited(p.PAGES, rb"(3 0 R) (4 0 R)", rb"\2 \1"), *_SWAP)
hide_and_replace.add(
    "contents_of_the_other_page",
    _edited(p.PAGE, rb"/Contents \[? ?\d+ 0 R ?\]?", b"/Contents 6 0 R"), *_SWAP,
)  # fmt: skip


@hide_and_replace(*_SWAP, prepared=True)
def prepared_catalogue(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    save.put(p.PAGE_2, current(data, p.PAGE_2))
    save.entries[b"/Root"] = b"%d 0 R" % p.HIDDEN_ROOT
    return save.table()


def _old_place(data: bytes, number: int) -> Row:
    return 1, re.search(rb"(?<!\d)%d 0 obj" % number, data).start(), 0


@hide_and_replace(*_SWAP, Attack.PARSER_DIFFERENTIAL)
def entry_to_signed_bytes(data: bytes, key: SoftwareKey) -> bytes:
    """The table says that the contents stand where the signed file has other ones."""
    save = Save(data)
    save.put(p.INFO, b"<< /Title (Quyet dinh mau) /Producer (paper) >>")
    save.rows[p.CONTENTS] = _old_place(data, p.CONTENTS_2)
    return save.table()


@hide_and_replace(*_SWAP, Attack.INCREMENTAL_SAVING)
def older_state_called_back(data: bytes, key: SoftwareKey) -> bytes:
    """Two saves: an honest one that a timestamp follows, then entries to the state before."""
    first = saved(data, {p.CONTENTS: text(FORGED)})
    save = Save(first)
    save.put(p.INFO, b"<< /ModDate (D:20260302120000Z) >>")
    save.rows[p.CONTENTS] = _old_place(data, p.CONTENTS)
    return save.table()


# a signed file that refers to nothing leaves a hole; everything that may come later can fill it


def _hole_filled(fill) -> Catalogue:
    def make(data: bytes, key: SoftwareKey) -> bytes:
        save = Save(data)
        save.put(p.NOTHING, text(FORGED))
        return fill(save, data, key)

    return make


def _by_information(save: Save, data: bytes, key: SoftwareKey) -> bytes:
    save.put(p.INFO, b"<< /Title (Quyet dinh mau) /Producer (paper) /ModDate %d 0 R >>" % p.NOTHING)
    return save.table()


def _by_validation_data(save: Save, data: bytes, key: SoftwareKey) -> bytes:
    """Octets that begin as DER and go on as page contents."""
    drawing = b"\nBT /F1 14 Tf 72 600 Td (%s) Tj ET\n%%" % FORGED
    inner = b"\x04\x82" + len(drawing).to_bytes(2) + drawing
    save.put(p.NOTHING, stream(b"\x30\x82" + len(inner).to_bytes(2) + inner))
    store = save.add(b"<< /Type /DSS /Certs [%d 0 R] >>" % p.NOTHING)
    root = re.sub(rb"/DSS \d+ 0 R", b"", current(data, p.ROOT))
    save.put(p.ROOT, root.replace(b"<<", b"<< /DSS %d 0 R" % store, 1))
    return save.table()


def _by_container(save: Save, data: bytes, key: SoftwareKey) -> bytes:
    """Contents that call themselves an object stream, which nobody needs to explain."""
    save.put(p.NOTHING, stream(b"BT /F1 14 Tf 72 600 Td (9) Tj ET", b"/Type /ObjStm /N 0 /First 0"))
    return save.table()


def _by_appearance(save: Save, data: bytes, key: SoftwareKey) -> bytes:
    """The appearance of a later signature, which the prepared page shows as well."""
    save.put(p.NOTHING, form_xobject(b"BT /F1 14 Tf 9 9 Td (9) Tj ET"))
    return later_signature(save, data, key, b"/Rect [9 9 90 90] /AP << /N %d 0 R >>" % p.NOTHING)


for _name, _fill in (
    ("information", _by_information), ("validation_data", _by_validation_data),
    ("container", _by_container), ("appearance", _by_appearance),
):  # fmt: skip
    hide_and_replace.add(f"hole_filled_by_{_name}", _hole_filled(_fill), *_SWAP, prepared=True)


def later_signature(
    save: Save, data: bytes, key: SoftwareKey, widget: bytes, *, page: int = p.PAGE,
    fields: bytes = b"", annotations: bytes | None = None,
) -> bytes:  # fmt: skip
    """`save` with one more signature; `widget` are entries of its field."""
    value = save.add(signature_dictionary(b"/M (D:20260302120000+07'00')"))
    field = save.add(
        b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Ke) /F 132 /P %d 0 R /V %d 0 R %s >>"
        % (page, value, widget)
    )
    form = current(data, p.FORM)
    listed = rb"/Fields [\1 %d 0 R" % field + fields + b"]"
    save.put(p.FORM, re.sub(rb"/Fields \[([^\]]*)\]", listed, form))
    if annotations is None:
        annotations = _refs(data, p.ANNOTS) + b" %d 0 R" % field
    if annotations:
        save.put(p.ANNOTS, b"[%s]" % annotations)
    return signed(save, key)


def _refs(data: bytes, number: int) -> bytes:
    return current(data, number).strip(b"[]")


# one object in two roles: the rule for the one role may not judge the other


@hide_and_replace(*_SWAP, prepared=True)
def list_of_validation_data_that_a_page_shows(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    save.put(p.CONTENT_LIST, b"[%d 0 R]" % p.HIDDEN_CONTENTS)
    save.put(p.STORE, b"<< /Type /DSS >>")
    return save.table()


@hide_and_replace(*_SWAP, Attack.INCREMENTAL_SAVING)
def metadata_in_place_of_contents(data: bytes, key: SoftwareKey) -> bytes:
    """The catalogue's metadata move to the number of the page's contents."""
    save = Save(data)
    save.put(p.CONTENTS, stream(p.XMP, b"/Type /Metadata /Subtype /XML"))
    root = re.sub(rb"/Metadata \d+ 0 R", b"/Metadata %d 0 R" % p.CONTENTS, current(data, p.ROOT))
    save.put(p.ROOT, root)
    return save.table()


@hide_and_replace(*_SWAP, prepared=True)
def fields_in_place_of_contents(data: bytes, key: SoftwareKey) -> bytes:
    """The form's list of fields moves to the number of the page's list of contents."""
    save = Save(data)
    with_fields = re.search(rb"/Fields \[([^\]]*)\]", current(data, p.FORM))
    save.put(p.CONTENT_LIST, b"[%s]" % with_fields[1])
    save.put(
        p.FORM,
        current(data, p.FORM).replace(with_fields[0], b"/Fields %d 0 R" % p.CONTENT_LIST),
    )
    return save.table()


@hide_and_replace(*_SWAP, prepared=True)
def annotations_in_place_of_contents(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    save.put(p.CONTENT_LIST, b"[%s]" % _refs(data, p.ANNOTS))
    page = re.sub(rb"/Annots \d+ 0 R", b"/Annots %d 0 R" % p.CONTENT_LIST, current(data, p.PAGE))
    save.put(p.PAGE, page)
    return save.table()


@hide_and_replace(*_SWAP, Attack.SHADOW_HIDE, Attack.PARSER_DIFFERENTIAL)
def form_that_is_a_stream(data: bytes, key: SoftwareKey) -> bytes:
    """The form moves into the dictionary of the page's contents."""
    save = Save(data)
    inner = current(data, p.FORM).strip().removeprefix(b"<<").removesuffix(b">>")
    save.put(p.CONTENTS, stream(b"BT /F1 14 Tf 72 700 Td (9) Tj ET", inner))
    root = re.sub(rb"/AcroForm \d+ 0 R", b"/AcroForm %d 0 R" % p.CONTENTS, current(data, p.ROOT))
    save.put(p.ROOT, root)
    return save.table()


_EXTENSIONS = re.compile(rb"/Extensions\s*<<(?:[^<>]|<<[^<>]*>>)*>>")  # pyHanko writes its own


def _catalogue_entry(entry: bytes):
    """Put into the catalogue, in the place of extensions that are there."""

    def forge(data: bytes, key: SoftwareKey) -> bytes:
        save = Save(data)
        root = _EXTENSIONS.sub(b"", current(data, p.ROOT))
        save.put(p.ROOT, root.replace(b"<<", b"<< " + entry, 1))
        return save.table()

    return forge


hide_and_replace.add("version_lowered", _catalogue_entry(b"/Version /0.9"), *_SWAP)
hide_and_replace.add(
    "extension_that_is_a_page", _catalogue_entry(b"/Extensions << /X 25 0 R >>"), *_SWAP,
    prepared=True,
)  # fmt: skip


@hide_and_replace(*_SWAP, prepared=True)
def hole_filled_by_an_extension(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    save.put(p.NOTHING, b"<< /BaseVersion /1.7 /ExtensionLevel 8 >>")
    root = _EXTENSIONS.sub(b"", current(data, p.ROOT))
    save.put(p.ROOT, root.replace(b"<<", b"<< /Extensions << /X %d 0 R >>" % p.NOTHING, 1))
    return save.table()


# --- content masking: the same bytes of text, other glyphs or another meaning

_MASK = (Attack.CONTENT_MASKING,)
masking.add(
    "to_unicode_replaced",
    _put(p.TO_UNICODE, stream(p.TO_UNICODE_MAP.replace(b"<20> <7e> <0020>", b"<20> <7e> <0021>"))),
    *_MASK,
)
masking.add(
    "encoding_with_differences",
    _put(p.ENCODING, b"<< /Type /Encoding /Differences [49 /nine] >>"), *_MASK,
)  # fmt: skip
masking.add("font_without_to_unicode", _edited(p.FONT, rb"/ToUnicode \d+ 0 R", b""), *_MASK)
masking.add(
    "font_with_own_encoding",
    _edited(p.FONT, rb"/Encoding \d+ 0 R", b"/Encoding << /Differences [49 /nine] >>"), *_MASK,
)  # fmt: skip


@masking(*_MASK, Attack.SHADOW_REPLACE)
def glyphs_drawn_anew(data: bytes, key: SoftwareKey) -> bytes:
    """A Type 3 font that draws a nine where the text says one."""
    save = Save(data)
    glyph = save.add(stream(b"500 0 d0 0 0 400 700 re f"))
    procs = b"/CharProcs << /one %d 0 R >> /Encoding << /Differences [49 /one] >>" % glyph
    save.put(
        p.FONT,
        b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 500 700] /FontMatrix [.001 0 0 .001 0 0] "
        b"%s /FirstChar 49 /LastChar 49 /Widths [500] >>" % procs,
    )
    return save.table()


@masking(*_MASK, Attack.SHADOW_HIDE_AND_REPLACE, Attack.INCREMENTAL_SAVING)
def font_in_an_object_stream(data: bytes, key: SoftwareKey) -> bytes:
    """The replaced encoding hides in an object stream beside harmless objects."""
    save = Save(data)
    holder = save.add(
        object_stream(
            [(p.OUTLINE, b"<< /Type /Outlines /Count 0 >>"),
             (p.ENCODING, b"<< /Type /Encoding /Differences [49 /nine] >>")]
        )
    )  # fmt: skip
    save.rows |= {p.OUTLINE: (2, holder, 0), p.ENCODING: (2, holder, 1)}
    return save.stream()
