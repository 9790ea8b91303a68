"""Class 7 (NDSS 2021): files that different programs read differently."""

from __future__ import annotations

import re
import zlib

from signer.verification.attacks import Attack
from tests.fakes import SoftwareKey
from tests.forgery import paper as p
from tests.forgery.catalogue import Catalogue
from tests.forgery.paper import FORGED, text
from tests.forgery.save import Save, current, object_stream, stream, table_of

differentials = Catalogue()

_SPLIT = (Attack.PARSER_DIFFERENTIAL,)
_OR_CHANGED = (*_SPLIT, Attack.INCREMENTAL_SAVING, Attack.SHADOW_HIDE_AND_REPLACE,
               Attack.SHADOW_HIDE, Attack.SHADOW_REPLACE)  # fmt: skip
_EVIL = b"%d 0 obj\n%s\nendobj\n" % (p.CONTENTS, text(FORGED))
_INFO = b"<< /Title (Quyet dinh mau) /Producer (paper) /ModDate (D:20260302120000Z) >>"


def _harmless(data: bytes) -> Save:
    """A save that changes a date, which is allowed."""
    save = Save(data)
    save.put(p.INFO, _INFO)
    return save


def _junk(octets: bytes):
    def make(data: bytes, key: SoftwareKey) -> bytes:
        save = _harmless(data)
        save.junk = octets
        return save.table()

    return make


differentials.add("object_between_objects", _junk(_EVIL), *_OR_CHANGED)
differentials.add(
    "object_in_comments", _junk(b"%" + _EVIL.replace(b"\n", b"\n%")[:-1]), *_OR_CHANGED
)
differentials.add("trailer_in_a_comment", _junk(b"% trailer << /Root 27 0 R >>\n"), *_OR_CHANGED)
differentials.add("words_between_objects", _junk(b"null\n"), *_OR_CHANGED)
differentials.add("second_header", _junk(b"%PDF-1.4\n" + _EVIL), *_OR_CHANGED)
differentials.add("nul_between_objects", _junk(b"\0\0\0"), *_OR_CHANGED)


@differentials(*_OR_CHANGED)
def object_behind_the_trailer(data: bytes, key: SoftwareKey) -> bytes:
    save = _harmless(data)
    save.tail = _EVIL
    return save.table()


@differentials(*_OR_CHANGED)
def object_behind_the_end(data: bytes, key: SoftwareKey) -> bytes:
    return _harmless(data).table() + _EVIL


@differentials(*_OR_CHANGED)
def two_sections(data: bytes, key: SoftwareKey) -> bytes:
    """Two tables in a row, the second for those who search backwards for one."""
    save = _harmless(data)
    at = len(save.data)
    save.junk = _EVIL + table_of({p.CONTENTS: (1, at, 0)}) + b"trailer\n<< /Size 99 >>\n"
    return save.table()


@differentials(*_OR_CHANGED)
def two_ends(data: bytes, key: SoftwareKey) -> bytes:
    out = _harmless(data).table()
    return out + b"startxref\n%d\n%%%%EOF\n" % int(re.findall(rb"startxref\s+(\d+)", data)[-1])


@differentials(*_OR_CHANGED)
def startxref_beside_the_section(data: bytes, key: SoftwareKey) -> bytes:
    out = _harmless(data).table()
    start = int(re.findall(rb"startxref\s+(\d+)", out)[-1])
    head, _, tail = out.rpartition(b"startxref\n%d" % start)
    return head + b"startxref\n%d" % (start + 1) + tail


@differentials(*_OR_CHANGED)
def middle_startxref_lies(data: bytes, key: SoftwareKey) -> bytes:
    """Of two saves, the first one's startxref names another place: who cuts there sees it."""
    first = _harmless(data).table()
    start = int(re.findall(rb"startxref\s+(\d+)", first)[-1])
    old = int(re.findall(rb"startxref\s+(\d+)", data)[-1])
    lied = first.replace(b"startxref\n%d" % start, b"startxref\n%0*d" % (len(str(start)), old))
    save = _harmless(first)
    save.data = lied
    return save.table()


def _entries(edit):
    """The table of a harmless save, edited."""

    def make(data: bytes, key: SoftwareKey) -> bytes:
        out = _harmless(data).table()
        at = out.rindex(b"xref\n", 0, out.rindex(b"startxref"))
        return out[:at] + edit(out[at:])

    return make


def _replaced(old: bytes, new: bytes):
    def edit(tail: bytes) -> bytes:
        changed = re.sub(old, new, tail, count=1)
        assert changed != tail
        return changed

    return edit


for _name, _old, _new in (
    ("number_twice_in_the_table", rb"xref\n(\d+ 1\n\d{10} \d{5} n \n)", rb"xref\n\1\1"),
    ("entry_of_19_bytes", rb"( n) \n", rb"\1\n"),
    ("entry_with_letters", rb"(\d{9})\d( 00000 n)", rb"\1x\2"),
    ("subsection_with_a_comment", rb"xref\n", b"xref %c\n"),
    ("no_trailer_word", rb"trailer\n", b""),
    ("no_size", rb"/Size \d+", b""),
    ("size_as_a_reference", rb"/Size \d+", b"/Size 5 0 R"),
    ("size_too_small", rb"/Size \d+", b"/Size 3"),
    ("root_twice", rb"/Root 1 0 R", b"/Root 1 0 R /Root 27 0 R"),
    ("root_escaped_twice", rb"/Root 1 0 R", b"/Root 1 0 R /R#6fot 27 0 R"),
    ("root_of_another_generation", rb"/Root 1 0 R", b"/Root 1 1 R"),
    ("previous_twice", rb"/Prev (\d+)", rb"/Prev \1 /Prev 9"),
    ("previous_real", rb"/Prev (\d+)", rb"/Prev \1.0"),
    ("previous_signed", rb"/Prev (\d+)", rb"/Prev -\1"),
    ("trailer_without_an_end", rb" >>\nstartxref", b"\nstartxref"),
):
    differentials.add(_name, _entries(_replaced(_old, _new)), *_OR_CHANGED)


def _info(body: bytes):
    def make(data: bytes, key: SoftwareKey) -> bytes:
        save = Save(data)
        save.put(p.INFO, body)
        return save.table()

    return make


for _name, _body in {
    "key_twice": b"<< /ModDate (a) /ModDate (b) >>",
    "escaped_key_twice": b"<< /ModDate (a) /Mod#44ate (b) >>",
    "comment_in_a_reference": b"<< /ModDate 14 %x\n0 R >>",
    "string_without_an_end": b"<< /ModDate (a >>",
    "dictionary_without_an_end": b"<< /ModDate (a)",
    "unknown_word": b"<< /ModDate maybe >>",
    "nul_in_a_dictionary": b"<< /ModDate\0(a) >>",
    "value_missing": b"<< /ModDate >>",
    "two_values": b"<< /ModDate (a) >> << >>",
    "nested_too_deeply": b"<< /ModDate " + b"[" * 99 + b"]" * 99 + b" >>",
    "stream_of_a_wrong_length": b"<< /Length 1 >>\nstream\nabc\nendstream",
    "stream_without_a_length": b"<< /X 1 >>\nstream\nabc\nendstream",
    "information_that_is_a_stream": stream(b"x"),
}.items():
    differentials.add(_name, _info(_body), *_OR_CHANGED)


@differentials(*_OR_CHANGED)
def object_number_that_lies(data: bytes, key: SoftwareKey) -> bytes:
    """The table says 18, the object says 5: repairing readers go by the object."""
    out = _harmless(data).table()
    at = out.rindex(b"%d 0 obj" % p.INFO)
    return out[:at] + b"%02d 0 obj" % p.CONTENTS + out[at + 8 :]


@differentials(*_OR_CHANGED)
def object_in_the_data_of_another(data: bytes, key: SoftwareKey) -> bytes:
    """Listed contents inside the stream of a listed object."""
    save = _harmless(data)
    carrier = save.add(stream(_EVIL))
    head = len(save.body()[0]) - len(save.objects[carrier]) - len(b"\nendobj\n")
    at = head + save.objects[carrier].index(b"%d 0 obj" % p.CONTENTS)
    save.rows[p.CONTENTS] = (1, at, 0)
    return save.table()


def _hybrid(listed_twice: bool):
    def make(data: bytes, key: SoftwareKey) -> bytes:
        """Old readers see the signed contents, new ones what the hidden section names."""
        save = _harmless(data)
        if listed_twice:
            save.put(p.CONTENTS, p.objects()[p.CONTENTS])
        save.junk = _EVIL
        return save.hybrid({p.CONTENTS: (1, len(save.data), 0)})

    return make


differentials.add("hybrid_hidden_contents", _hybrid(False), *_OR_CHANGED)
differentials.add("hybrid_contradiction", _hybrid(True), *_OR_CHANGED)


def _container(objects, index: int, number: int = p.OUTLINE):
    """An object stream whose entries are read differently by number and by position."""

    def make(data: bytes, key: SoftwareKey) -> bytes:
        save = Save(data)
        holder = save.add(object_stream(objects))
        save.rows[number] = (2, holder, index)
        return save.stream()

    return make


_SAME = p.objects()[p.OUTLINE]
differentials.add(
    "container_with_a_number_twice", _container([(22, _SAME), (22, b"<< /Count 9 >>")], 0),
    *_OR_CHANGED,
)  # fmt: skip
differentials.add(
    "container_with_a_wrong_position", _container([(11, b"<< >>"), (22, _SAME)], 0), *_OR_CHANGED
)
differentials.add("container_without_the_number", _container([(99, _SAME)], 0), *_OR_CHANGED)
differentials.add(
    "container_shadowing_contents",
    _container([(p.RESOURCES, b"<< /Font << >> >>")], 0, p.RESOURCES), *_OR_CHANGED,
)  # fmt: skip


@differentials(*_OR_CHANGED)
def container_inside_itself(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    holder = save.add(object_stream([(p.OUTLINE, _SAME)]))
    save.rows |= {p.OUTLINE: (2, holder, 0), holder: (2, holder, 0)}
    return save.stream()


@differentials(*_OR_CHANGED)
def container_with_two_filters(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    packed = zlib.compress(zlib.compress(b"22 0 " + _SAME))
    holder = save.add(
        stream(packed, b"/Type /ObjStm /N 1 /First 5 /Filter [/FlateDecode /FlateDecode]")
    )
    save.rows[p.OUTLINE] = (2, holder, 0)
    return save.stream()


@differentials(*_OR_CHANGED)
def junk_before_the_header(data: bytes, key: SoftwareKey) -> bytes:
    return b"\n" + data


@differentials(*_OR_CHANGED)
def another_file_before_the_header(data: bytes, key: SoftwareKey) -> bytes:
    return p.paper() + data


@differentials(*_OR_CHANGED)
def another_file_behind(data: bytes, key: SoftwareKey) -> bytes:
    """A whole unsigned document behind the signed one, offsets and all."""
    return data + p.paper()


@differentials(*_OR_CHANGED)
def header_broken(data: bytes, key: SoftwareKey) -> bytes:
    return data.replace(b"%PDF-", b"%pdf-", 1)


@differentials(*_OR_CHANGED)
def page_with_a_key_twice(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    page = current(data, p.PAGE)
    save.put(p.PAGE, page.replace(b"<<", b"<< /Contents %d 0 R" % p.CONTENTS_2, 1))
    return save.table()


@differentials(*_OR_CHANGED)
def contents_as_a_list_of_one(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    page = current(data, p.PAGE)
    save.put(
        p.PAGE,
        re.sub(rb"/Contents \[?5 0 R\]?", b"/Contents [5 0 R 6 0 R]", page),
    )
    return save.table()


@differentials(*_OR_CHANGED)
def numbers_of_streams_reused(data: bytes, key: SoftwareKey) -> bytes:
    """The cross-reference stream takes the number of the page's contents."""
    save = _harmless(data)
    out, rows = save.body()
    at = len(out)
    rows = {**rows, p.CONTENTS: (1, at, 0)}
    entries = {b"/Size": b"%d" % save.size, **save.entries}
    body = save._stream_object(rows, entries)
    return bytes(out + b"%d 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (p.CONTENTS, body, at))
