"""Mutations of signed files that know what a PDF and a CMS look like.

    mutate(data, random.Random(7), others)      # other bytes, mostly still a PDF

A blind flip seldom gets past the first check. These change one thing and leave the file around it
whole: a number, a name, an object in a new save, an element of a signature's DER.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Sequence

Mutation = Callable[[bytes, random.Random, Sequence[bytes]], bytes]

_NUMBER = re.compile(rb"(?<=[ \[\n/])-?\d{1,10}(?=[ \]\n>/])")
_NAME = re.compile(rb"/[A-Za-z][A-Za-z0-9.]*")
_OBJECT = re.compile(rb"(?<=\n)(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_CONTENTS = re.compile(rb"/Contents ?<([0-9a-fA-F]{200,})>")
_END = re.compile(rb"%%EOF[\r\n]*")
_NUMBERS = (0, 1, -1, 2, 255, 65_535, 65_536, 2**31 - 1, 2**31, 2**32, 9_999_999_999)
_WORDS = (
    b"/Type", b"/Sig", b"/Annots", b"/AcroForm", b"/Fields", b"/Kids", b"/Parent", b"/ByteRange",
    b"/Contents", b"/DSS", b"/VRI", b"/Prev", b"/XRefStm", b"/Size", b"/Root", b"/Length", b"/AP",
    b"/Rect", b"/FT", b"/V", b"/OCProperties", b"/ObjStm", b"/XRef", b"/W", b"/Index", b"/Filter",
    b"obj", b"endobj", b"stream", b"endstream", b"xref", b"trailer", b"startxref", b"%%EOF",
    b"<<", b">>", b"[", b"]", b"(", b")", b"<", b">", b"%", b"null", b"true", b"R", b"\x00",
    b"/ETSI.RFC3161", b"/adbe.pkcs7.detached", b"/ETSI.CAdES.detached", b"/DocMDP", b"/FieldMDP",
)  # fmt: skip
_TAGS = (0x02, 0x03, 0x04, 0x05, 0x06, 0x0C, 0x13, 0x17, 0x18, 0x30, 0x31, 0x80, 0xA0, 0xA1, 0x24)


def mutate(data: bytes, chance: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """One to three mutations of `data`; `others` are files to take parts from."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data = chance.choice(MUTATIONS)(data, chance, others)
    return data


def flipped(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """Some bits."""
    out = bytearray(data)
    for _round in range(chance.choice((1, 1, 2, 8))):
        if out:
            out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def renumbered(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A number becomes another one."""
    found = _pick(_NUMBER, data, chance)
    if found is None:
        return data
    near = int(found[0]) + chance.choice((-1, 1, 10, -10, 20))
    new = b"%d" % chance.choice((near, near, *_NUMBERS))
    return data[: found.start()] + new + data[found.end() :]


def renamed(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A name becomes another one of the file, or a well-known one."""
    found, other = _pick(_NAME, data, chance), _pick(_NAME, data, chance)
    if found is None or other is None:
        return data
    return data[: found.start()] + chance.choice((other[0], *_WORDS)) + data[found.end() :]


def worded(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A word is put in."""
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice((b"", b" ", b"\n")) + chance.choice(_WORDS) + data[at:]


def cut(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """A part is taken out, said twice, or the rest is missing."""
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + chance.choice((1, 2, 20, 500, 20_000)))
    kind = chance.randrange(4)
    if kind == 0:
        return data[:start] + data[end:]
    if kind == 1:
        return data[:end] + data[start:]
    ends = [found.end() for found in _END.finditer(data)]
    return data[: chance.choice(ends)] if kind == 2 and ends else data[:start]


def spliced(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """A part of another file."""
    other = chance.choice([data, *others])
    start = chance.randrange(len(other) + 1)
    part = other[start : start + chance.choice((10, 300, 5_000))]
    at = chance.randrange(len(data) + 1)
    return data[:at] + part + data[at + chance.choice((0, len(part))) :]


def saved(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """One more incremental save, whose objects are altered ones of the file."""
    known = list(_OBJECT.finditer(data))
    if not known:
        return data
    objects: dict[int, bytes] = {}
    for _round in range(chance.choice((1, 1, 2, 4))):
        source = chance.choice(known)
        body = source[2]
        for _again in range(chance.randrange(3)):
            body = chance.choice((renamed, renumbered, worded, flipped))(body, chance, others)
        number = int(chance.choice(known)[1]) if chance.random() < 0.3 else int(source[1])
        objects[number + chance.choice((0, 0, 0, 500))] = body
    return appended(data, objects, chance)


def appended(data: bytes, objects: dict[int, bytes], chance: random.Random) -> bytes:
    """`data` with a save, mostly in order: a table, sometimes with a lie in its trailer."""
    previous = re.findall(rb"startxref\s+(\d+)", data)
    trailers = re.findall(rb"/Root (\d+ \d+ R)", data)
    if not previous or not trailers:
        return data
    out = bytearray(data if data.endswith(b"\n") else data + b"\n")
    rows = b""
    for number, body in sorted(objects.items()):
        at = len(out) + chance.choice((0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
        rows += b"%d 1\n%010d 00000 n \n" % (number, at)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    size = max(500, *(n + 1 for n in objects)) if chance.random() < 0.9 else chance.randrange(20)
    more = chance.choice((b"", b"", b"", b"/XRefStm %d" % start, b"/Encrypt 5 0 R", b"/Info 1 0 R"))
    out += b"xref\n%strailer\n<< /Size %d /Root %s /Prev %s %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        rows, size, trailers[-1], previous[-1], more, start,
    )  # fmt: skip
    return bytes(out)


def recoded(data: bytes, chance: random.Random, _: Sequence[bytes]) -> bytes:
    """An element of a signature's DER is altered; the string keeps its length."""
    found = _pick(_CONTENTS, data, chance)
    if found is None:
        return data
    digits = found[1][: len(found[1]) // 2 * 2]
    cms = bytearray.fromhex(digits.decode())
    room = len(cms)
    used = len(bytes(cms).rstrip(b"\0"))
    for _round in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(max(1, min(used, len(cms))))
        if not cms:
            break
        kind = chance.randrange(5)
        if kind == 0:
            cms[at] = chance.choice(_TAGS)
        elif kind == 1:
            cms[at] = (cms[at] + chance.choice((1, -1, 0x80))) % 256
        elif kind == 2:
            del cms[at : at + chance.choice((1, 2, 32))]
        elif kind == 3:
            cms[at:at] = cms[at : at + chance.choice((1, 2, 64))]
        else:
            cms[at : at + 2] = chance.choice((b"\x30\x80", b"\x84\xff", b"\x06\x00", b"\x05\x00"))
    digits = bytes(cms[:room]).ljust(room, b"\0").hex().encode()
    return data[: found.start(1)] + digits + data[found.start(1) + len(digits) :]


def repacked(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """A compressed stream holds something else; its object is written again in a new save."""
    streams = [found for found in _OBJECT.finditer(data) if b"/FlateDecode" in found[2]]
    if not streams:
        return data
    found = chance.choice(streams)
    head, opening, rest = found[2].partition(b"stream\n")
    try:
        content = zlib.decompressobj().decompress(rest, 1 << 20)
    except zlib.error:
        return data
    content = chance.choice((flipped, renumbered, renamed, worded, cut))(content, chance, others)
    packed = zlib.compress(content)
    head = re.sub(rb"/Length \d+", b"/Length %d" % len(packed), head)
    body = head + opening + packed + b"\nendstream"
    return appended(data, {int(found[1]): body}, chance)


MUTATIONS: tuple[Mutation, ...] = (
    flipped, renumbered, renumbered, renamed, worded, cut, spliced, saved, saved, recoded, recoded,
    repacked,
)  # fmt: skip


def _pick(pattern: re.Pattern[bytes], data: bytes, chance: random.Random) -> re.Match[bytes] | None:
    """A match at or behind a random place, else the first."""
    if not data:
        return None
    at = chance.randrange(len(data))
    return pattern.search(data, at) or pattern.search(data)
