"""Class 1 (CCS 2019): universal forgery, incremental saving, signature wrapping."""

from __future__ import annotations

import re

from signer.verification.attacks import Attack
from tests.fakes import SoftwareKey
from tests.forgery.catalogue import Catalogue
from tests.forgery.paper import CONTENTS, FORGED, PAGE, text
from tests.forgery.save import Save, table_of

universal, incremental, wrapping = Catalogue(), Catalogue(), Catalogue()

_RANGE = re.compile(rb"/ByteRange ?\[ ?(\d+) (\d+) (\d+) (\d+) *\] *")
_CONTENTS = re.compile(rb"/Contents ?<[0-9a-fA-F]+>")
_SIGNED = re.compile(
    rb"\n(\d{1,6}) 0 obj\s*<<(?:(?!endobj).)*?/ByteRange(?:(?!endobj).)*?endobj", re.DOTALL
)


def last(pattern: re.Pattern[bytes], data: bytes) -> re.Match[bytes]:
    """The last match: of the newest signature."""
    return list(pattern.finditer(data))[-1]


def overwritten(data: bytes, pattern: re.Pattern[bytes], words: bytes) -> bytes:
    """The file with the last match replaced in place; nothing else moves."""
    found = last(pattern, data)
    assert len(words) <= len(found[0])
    return data[: found.start()] + words.ljust(len(found[0])) + data[found.end() :]


def signature_object(data: bytes) -> tuple[int, bytes]:
    """Number and body of the newest signature dictionary."""
    found = last(_SIGNED, data)
    return int(found[1]), found[0].split(b"obj", 1)[1].removesuffix(b"endobj").strip()


# --- universal forgery: a signature that says nothing about any byte

_RANGES = {
    "missing": b"", "null": b"/ByteRange null", "empty": b"/ByteRange []",
    "zeros": b"/ByteRange [0 0 0 0]", "nulls": b"/ByteRange [null null null null]",
    "negative": b"/ByteRange [0 -1 -1 5]", "negative-start": b"/ByteRange [-1 9 5 5]",
    "reals": b"/ByteRange [0 1.5 5 5]", "pair": b"/ByteRange [0 9]",
    "six": b"/ByteRange [0 9 5 5 5 5]", "late": b"/ByteRange [1 9 5 5]",
    "string": b"/ByteRange (0 9)", "huge": b"/ByteRange [0 9 5 99999999999999999]",
    "overlapping": b"/ByteRange [0 90 5 50]", "reference": b"/ByteRange 5 0 R",
    "other-key": b"/Byterange [0 9 5 5]", "escaped-key": b"/Byte#20Range [0 9 5 5]",
    "names": b"/ByteRange [/a /b /c /d]", "true": b"/ByteRange true",
}  # fmt: skip
_VALUES = {
    "missing": b"", "null": b"/Contents null", "empty": b"/Contents <>",
    "empty-string": b"/Contents ()", "zero": b"/Contents <00>", "reference": b"/Contents 5 0 R",
    "dictionary": b"/Contents <<>>", "array": b"/Contents [<00>]", "white": b"/Contents < >",
    "text": b"/Contents (30)", "other-key": b"/contents <00>", "odd": b"/Contents <303>",
}  # fmt: skip
_FORGED_TRACES = (Attack.UNIVERSAL_FORGERY, Attack.SIGNATURE_WRAPPING)


def _in_place(pattern: re.Pattern[bytes], words: bytes):
    return lambda data, key: overwritten(data, pattern, words)


def _by_a_save(pattern: re.Pattern[bytes], words: bytes):
    """The dictionary written anew behind the signed bytes, and the page changed."""

    def make(data: bytes, key: SoftwareKey) -> bytes:
        number, body = signature_object(data)
        save = Save(data)
        save.put(number, pattern.sub(words, body, count=1))
        save.put(CONTENTS, text(FORGED))
        return save.table()

    return make


for _name, _words in _RANGES.items():
    universal.add(f"range-{_name}", _in_place(_RANGE, _words), *_FORGED_TRACES)
    universal.add(
        f"range-{_name}-saved", _by_a_save(_RANGE, _words), *_FORGED_TRACES,
        Attack.SWAPPED_DICTIONARY,
    )  # fmt: skip
for _name, _words in _VALUES.items():
    universal.add(f"contents-{_name}", _in_place(_CONTENTS, _words), *_FORGED_TRACES)
    universal.add(
        f"contents-{_name}-saved", _by_a_save(_CONTENTS, _words), *_FORGED_TRACES,
        Attack.SWAPPED_DICTIONARY,
    )  # fmt: skip


@universal(Attack.UNIVERSAL_FORGERY, Attack.AMBIGUOUS_ENCODING)
def contents_of_zeros(data: bytes, key: SoftwareKey) -> bytes:
    size = len(last(_CONTENTS, data)[0]) - len(b"/Contents <>")
    return overwritten(data, _CONTENTS, b"/Contents <" + b"0" * (size & ~1) + b">")


@universal(Attack.UNIVERSAL_FORGERY, Attack.SIGNATURE_WRAPPING)
def range_over_everything(data: bytes, key: SoftwareKey) -> bytes:
    return overwritten(data, _RANGE, b"/ByteRange [0 %d %d 0]" % (len(data), len(data)))


# --- incremental saving: content behind the signature


def _sections(how: str):
    def make(data: bytes, key: SoftwareKey) -> bytes:
        save = Save(data)
        save.put(CONTENTS, text(FORGED))
        return {"table": save.table, "stream": save.stream, "packed": save.packed}[how]()

    return make


for _name in ("table", "stream", "packed"):
    incremental.add(
        f"content_replaced_{_name}", _sections(_name),
        Attack.INCREMENTAL_SAVING, Attack.SHADOW_HIDE_AND_REPLACE,
    )  # fmt: skip


def _behind(data: bytes) -> tuple[bytearray, int]:
    """The file with forged contents behind it, and where these are."""
    out = bytearray(data)
    at = len(out)
    out += b"%d 0 obj\n%s\nendobj\n" % (CONTENTS, text(FORGED))
    return out, at


@incremental(Attack.INCREMENTAL_SAVING)
def objects_alone(data: bytes, key: SoftwareKey) -> bytes:
    """No section and no trailer: repairing readers take the newest object all the same."""
    return bytes(_behind(data)[0])


@incremental(Attack.INCREMENTAL_SAVING)
def trailer_alone(data: bytes, key: SoftwareKey) -> bytes:
    out, _ = _behind(data)
    save = Save(data)
    return bytes(out + b"trailer\n<< /Root " + save.entries[b"/Root"] + b" /Size 99 >>\n%%EOF\n")


@incremental(Attack.INCREMENTAL_SAVING)
def section_without_an_end(data: bytes, key: SoftwareKey) -> bytes:
    out, at = _behind(data)
    return bytes(out + table_of({CONTENTS: (1, at, 0)}) + b"trailer\n<< /Size 99 >>\n")


@incremental(Attack.INCREMENTAL_SAVING)
def startxref_of_the_signed_section(data: bytes, key: SoftwareKey) -> bytes:
    """The last startxref still names the signed section; the object is for repairers."""
    out, _ = _behind(data)
    return bytes(out + b"startxref\n" + Save(data).entries[b"/Prev"] + b"\n%%EOF\n")


@incremental(Attack.INCREMENTAL_SAVING, Attack.PARSER_DIFFERENTIAL)
def startxref_zero(data: bytes, key: SoftwareKey) -> bytes:
    out, at = _behind(data)
    out += table_of({CONTENTS: (1, at, 0)}) + b"trailer\n<< /Size 99 >>\n"
    return bytes(out + b"startxref\n0\n%%EOF\n")


@incremental(Attack.PARSER_DIFFERENTIAL, Attack.INCREMENTAL_SAVING)
def object_not_listed(data: bytes, key: SoftwareKey) -> bytes:
    """The section is right and empty; the object in front of it is for repairers."""
    save = Save(data)
    save.junk = b"%d 0 obj\n%s\nendobj\n" % (CONTENTS, text(FORGED))
    save.rows[0] = (0, 0, 65535)
    return save.table()


def _with_copied_signature(how: str):
    def make(data: bytes, key: SoftwareKey) -> bytes:
        number, body = signature_object(data)
        save = Save(data)
        save.put(CONTENTS, text(FORGED))
        if how == "same-number":
            save.put(number, body)
        else:
            save.add(body)
        return save.table()

    return make


incremental.add(
    "copied_signature_same_number", _with_copied_signature("same-number"),
    Attack.INCREMENTAL_SAVING, Attack.SWAPPED_DICTIONARY,
)  # fmt: skip
incremental.add(
    "copied_signature_new_number", _with_copied_signature("new"), Attack.INCREMENTAL_SAVING
)


@incremental(Attack.INCREMENTAL_SAVING)
def copied_signature_without_section(data: bytes, key: SoftwareKey) -> bytes:
    number, body = signature_object(data)
    return bytes(_behind(data)[0] + b"%d 0 obj\n%s\nendobj\n" % (number, body))


@incremental(Attack.INCREMENTAL_SAVING, Attack.SHADOW_HIDE_AND_REPLACE, Attack.SHADOW_HIDE)
def page_replaced(data: bytes, key: SoftwareKey) -> bytes:
    save = Save(data)
    new = save.add(text(FORGED))
    save.put(PAGE, b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R >>" % new)
    return save.table()


@incremental(Attack.INCREMENTAL_SAVING, Attack.SHADOW_HIDE_AND_REPLACE)
def previous_section_left_out(data: bytes, key: SoftwareKey) -> bytes:
    """The new section continues from the one before the signature."""
    starts = re.findall(rb"startxref\s+(\d+)", data)
    save = Save(data)
    save.put(CONTENTS, text(FORGED))
    save.entries[b"/Prev"] = starts[-2] if len(starts) > 1 else starts[0]
    if len(starts) == 1:
        del save.entries[b"/Prev"]
    return save.table()


# --- signature wrapping: the covered bytes elsewhere, others in their place


def _numbers(data: bytes) -> tuple[int, int, int, int]:
    a, b, c, d = (int(n) for n in last(_RANGE, data).groups())
    return a, b, c, d


def _with_range(data: bytes, *numbers: int) -> bytes:
    return overwritten(data, _RANGE, b"/ByteRange [%d %d %d %d]" % numbers)


def _shifted(first: int, second: int):
    def make(data: bytes, key: SoftwareKey) -> bytes:
        a, b, c, d = _numbers(data)
        return _with_range(data, a, b + first, c + second, d - second)

    return make


for _first, _second in ((-1, 0), (0, 1), (1, 0), (0, -1), (-30, -30), (0, 40), (-9, 12)):
    wrapping.add(
        f"gap_moved_{_first}_{_second}", _shifted(_first, _second), Attack.SIGNATURE_WRAPPING
    )


@wrapping(Attack.SIGNATURE_WRAPPING)
def end_before_the_end(data: bytes, key: SoftwareKey) -> bytes:
    a, b, c, d = _numbers(data)
    return _with_range(data, a, b, c, d - 9)


@wrapping(Attack.SIGNATURE_WRAPPING)
def end_behind_the_end(data: bytes, key: SoftwareKey) -> bytes:
    a, b, c, d = _numbers(data)
    return _with_range(data, a, b, c, d + 1)


def _evil(at: int, previous: bytes) -> bytes:
    """Forged contents and a section for them, as they stand from byte `at` on."""
    body = b"%d 0 obj\n%s\nendobj\n" % (CONTENTS, text(FORGED))
    table = table_of({CONTENTS: (1, at, 0)}) + b"trailer\n<< /Size 99 /Root 1 0 R /Prev %s >>\n" % (
        previous
    )
    return body + table + b"startxref\n%d\n%%%%EOF\n" % (at + len(body))


@wrapping(Attack.SIGNATURE_WRAPPING, Attack.PARSER_DIFFERENTIAL, Attack.INCREMENTAL_SAVING)
def second_range_moved_to_the_end(data: bytes, key: SoftwareKey) -> bytes:
    """Own objects between the signature and its covered tail; /ByteRange tells the truth."""
    a, b, c, _ = _numbers(data)
    tail = data[c:]
    evil = b"\n>>\nendobj\n" + _evil(c + 11, Save(data).entries[b"/Prev"])
    return _with_range(data[:c] + evil + tail, a, b, c + len(evil), len(tail))


@wrapping(Attack.SIGNATURE_WRAPPING, Attack.PARSER_DIFFERENTIAL, Attack.UNIVERSAL_FORGERY)
def padding_reused(data: bytes, key: SoftwareKey) -> bytes:
    """The zeros behind the CMS make room: nothing that is signed changes at all."""
    _, b, c, _ = _numbers(data)
    used = len(data[b + 1 : c - 1].rstrip(b"0")) | 1
    evil = b"> >>\nendobj\n%d 0 obj\n%s\nendobj\n98 0 obj\n<< /X <" % (CONTENTS, text(FORGED))
    room = c - 1 - (b + 2 + used)
    filler = evil[:room].ljust(room, b"0")
    return data[: b + 2 + used] + filler + data[c - 1 :]


@wrapping(Attack.SIGNATURE_WRAPPING, Attack.PARSER_DIFFERENTIAL, Attack.INCREMENTAL_SAVING)
def second_byte_range_in_the_gap(data: bytes, key: SoftwareKey) -> bytes:
    """A second /ByteRange behind /Contents, where no signature covers it, and a moved section."""
    _, b, c, _ = _numbers(data)
    tail = data[c:]
    head = data[:c] + b" /ByteRange [0 %d %s" % (b, b"*" * 24) + b"] >>\nendobj\n"
    evil = _evil(len(head), Save(data).entries[b"/Prev"])
    out = head + evil + b"97 0 obj\n<< /Tail "
    out = out.replace(b"*" * 24, b"%d %d" % (len(out), len(tail)), 1)
    return out + tail


@wrapping(Attack.SIGNATURE_WRAPPING, Attack.INCREMENTAL_SAVING, Attack.PARSER_DIFFERENTIAL)
def section_moved_to_its_old_place(data: bytes, key: SoftwareKey) -> bytes:
    """Padding puts a forged section where the signed startxref points; the tail follows."""
    a, b, c, _ = _numbers(data)
    tail = data[c:]
    named = int(re.findall(rb"startxref\s+(\d+)", data)[-1])
    head = data[:c] + b" >>\nendobj\n"
    body = b"%d 0 obj\n%s\nendobj\n" % (CONTENTS, text(FORGED))
    at = len(head)
    out = head + body + b"%" + b" " * max(0, named - at - len(body) - 2) + b"\n"
    out += table_of({CONTENTS: (1, at, 0)}) + b"trailer\n<< /Size 99 /Root 1 0 R >>\n"
    out += b"startxref\n%d\n%%%%EOF\n" % named
    return _with_range(out + tail, a, b, len(out), len(tail))
