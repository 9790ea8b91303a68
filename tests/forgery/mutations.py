"""Mutations of signed files: bytes, tokens and whole objects, from a seeded generator."""

from __future__ import annotations

import random
import re

_TOKENS = (
    b"0", b"-1", b"99999999999", b"1.5", b"null", b"true", b"<<", b">>", b"[", b"]", b"(", b")",
    b"<", b">", b"/", b"%", b"obj", b"endobj", b"stream", b"endstream", b"xref", b"trailer",
    b"startxref", b"%%EOF", b"/Type", b"/Length 0", b"/Prev 0", b"/Root 1 0 R", b"/Size 1",
    b"/ByteRange [0 1 2 3]", b"/Contents <00>", b"/Kids [2 0 R]", b"1 0 R", b"\0", b"\xff" * 9,
    b"/Filter /FlateDecode", b"/W [1 1 1]", b"/Index [0 1]", b"/Encrypt 1 0 R", b"/FT /Sig",
)  # fmt: skip
_TOKEN = re.compile(rb"/[A-Za-z0-9]+|\d+|<<|>>|\[|\]|[a-z]{3,}")
_OBJECT = re.compile(rb"(?<=\n)\d{1,6} 0 obj\b.*?endobj\b", re.DOTALL)


def mutated(data: bytes, seed: int) -> bytes:
    """One to four changes of `data`; the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = chance.choice(_CHANGES)(data, chance)
    return data


def _flip(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _overwrite(data: bytes, chance: random.Random) -> bytes:
    at, size = chance.randrange(len(data)), chance.choice((1, 2, 8, 64))
    return data[:at] + chance.randbytes(size) + data[at + size :]


def _delete(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.choice((1, 3, 20, 500, 5000)) :]


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.choice(_TOKENS) + data[at:]


def _duplicate(data: bytes, chance: random.Random) -> bytes:
    at, size = chance.randrange(len(data)), chance.choice((10, 200, 4000))
    return data[: at + size] + data[at : at + size] + data[at + size :]


def _truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(1, len(data))]


def _splice(data: bytes, chance: random.Random) -> bytes:
    """The beginning of the file before the end of itself."""
    return data[: chance.randrange(1, len(data))] + data[chance.randrange(len(data)) :]


def _token(data: bytes, chance: random.Random) -> bytes:
    """One token by another, in structure rather than in the data of streams."""
    found = list(_TOKEN.finditer(data))
    if not found:
        return _flip(data, chance)
    one, other = chance.choice(found), chance.choice(found)
    words = chance.choice((other[0], chance.choice(_TOKENS), b""))
    if chance.randrange(2):  # offsets stay true
        words = words[: len(one[0])].ljust(len(one[0]))
    return data[: one.start()] + words + data[one.end() :]


def _number(data: bytes, chance: random.Random) -> bytes:
    """A number, a little or much larger; offsets stay true where it fits."""
    found = list(re.finditer(rb"\d+", data))
    if not found:
        return _flip(data, chance)
    one = chance.choice(found)
    value = int(one[0][:12]) + chance.choice((-1, 1, 7, 1000, 10**7, -(10**9)))
    words = b"%0*d" % (len(one[0]), max(value, 0))
    return data[: one.start()] + words[: len(one[0])] + data[one.end() :]


def _objects(data: bytes, chance: random.Random) -> bytes:
    """Two objects exchanged, one dropped, one twice, or one put behind the end."""
    found = list(_OBJECT.finditer(data))
    if len(found) < 2:
        return _flip(data, chance)
    one, other = sorted(chance.sample(found, 2), key=lambda match: match.start())
    if one.end() > other.start():
        return _flip(data, chance)
    between = data[one.end() : other.start()]
    what = chance.randrange(4)
    if what == 0:
        return data[: one.start()] + other[0] + between + one[0] + data[other.end() :]
    if what == 1:
        return data[: one.start()] + data[one.end() :]
    if what == 2:
        return data[: one.end()] + b"\n" + other[0] + data[one.end() :]
    return data + one[0] + b"\n"


_CHANGES = (
    _flip, _overwrite, _delete, _insert, _duplicate, _truncate, _splice, _token, _token, _number,
    _number, _objects, _objects,
)  # fmt: skip
