"""Cuts CMS structures in signed files open and sews others in: what an attacker's tool does.

Works on bare tags and lengths: asn1crypto, once pyHanko has taught it the ESS attributes, takes
minutes to encode a changed SignedData.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_CONTENTS = re.compile(rb"/Contents <([0-9a-fA-F]+)>")
TIMESTAMP = bytes.fromhex("060b2a864886f70d010910020e")


@dataclass
class Tree:
    """A DER value that can be changed: `value` is a list when the tag says constructed."""

    tag: int
    value: list[Tree] | bytes

    def __getitem__(self, index: int) -> Tree:
        return self.value[index]

    def dump(self) -> bytes:
        body = self.value
        if isinstance(body, list):
            body = b"".join(child.dump() for child in body)
        size = len(body)
        if size < 128:
            return bytes([self.tag, size]) + body
        octets = size.to_bytes((size.bit_length() + 7) // 8)
        return bytes([self.tag, 0x80 | len(octets)]) + octets + body


def grow(der: bytes) -> tuple[Tree, bytes]:
    """The first value and what follows it."""
    size, at = der[1], 2
    if size & 0x80:
        at = 2 + (size & 0x7F)
        size = int.from_bytes(der[2:at])
    body, rest = der[at : at + size], der[at + size :]
    if not der[0] & 0x20:
        return Tree(der[0], body), rest
    children = []
    while body:
        child, body = grow(body)
        children.append(child)
    return Tree(der[0], children), rest


def contents_of(data: bytes, position: int = -1) -> bytes:
    """The decoded /Contents of one signature, padding and all."""
    return bytes.fromhex(_CONTENTS.findall(data)[position].decode())


def put_contents(data: bytes, der: bytes, position: int = -1) -> bytes:
    """`data` with other octets in /Contents, padded with zeros to the same length."""
    found = list(_CONTENTS.finditer(data))[position]
    room = len(found[1]) // 2
    assert len(der) <= room, "the forged CMS must fit"
    return data[: found.start(1)] + der.ljust(room, b"\0").hex().encode() + data[found.end(1) :]


def operate(data: bytes, change: Callable[[Tree], None], position: int = -1) -> bytes:
    """`data` with its SignedData changed in place by `change`."""
    info, _ = grow(contents_of(data, position))
    change(info[1][0])
    return put_contents(data, info.dump(), position)


def signer_of(content: Tree) -> Tree:
    """The first SignerInfo."""
    return content[-1][0]


def token_of(data: bytes) -> Tree:
    """The signature timestamp of the last signature."""
    info, _ = grow(contents_of(data))
    for attribute in signer_of(info[1][0])[-1].value:
        if attribute[0].dump() == TIMESTAMP:
            return attribute[1][0]
    raise LookupError("no timestamp")


def replace_token(data: bytes, token: Tree) -> bytes:
    """`data` with another signature timestamp."""

    def change(content: Tree) -> None:
        for attribute in signer_of(content)[-1].value:
            if attribute[0].dump() == TIMESTAMP:
                attribute[1].value = [token]

    return operate(data, change)
