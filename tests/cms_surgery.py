"""Cuts CMS structures in signed files open and sews others in: what an attacker's tool does."""

from __future__ import annotations

import re
from collections.abc import Callable

from asn1crypto import cms

_CONTENTS = re.compile(rb"/Contents <([0-9a-fA-F]+)>")
TOKEN = "signature_time_stamp_token"


def contents_of(data: bytes, position: int = -1) -> bytes:
    """The decoded /Contents of one signature, padding and all."""
    return bytes.fromhex(_CONTENTS.findall(data)[position].decode())


def put_contents(data: bytes, der: bytes, position: int = -1) -> bytes:
    """`data` with other octets in /Contents, padded with zeros to the same length."""
    found = list(_CONTENTS.finditer(data))[position]
    room = len(found[1]) // 2
    assert len(der) <= room, "the forged CMS must fit"
    return data[: found.start(1)] + der.ljust(room, b"\0").hex().encode() + data[found.end(1) :]


def operate(data: bytes, change: Callable[[cms.SignedData], None], position: int = -1) -> bytes:
    """`data` with its SignedData changed in place by `change`."""
    info = cms.ContentInfo.load(contents_of(data, position))
    change(info["content"])
    return put_contents(data, info.dump(force=True), position)


def token_of(data: bytes) -> cms.ContentInfo:
    """The signature timestamp of the last signature."""
    info = cms.ContentInfo.load(contents_of(data))
    for attribute in info["content"]["signer_infos"][0]["unsigned_attrs"]:
        if attribute["type"].native == TOKEN:
            return attribute["values"][0]
    raise LookupError("no timestamp")


def replace_token(data: bytes, token: cms.ContentInfo) -> bytes:
    """`data` with another signature timestamp."""

    def change(content: cms.SignedData) -> None:
        content["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes(
            [cms.CMSAttribute({"type": TOKEN, "values": [token]})]
        )

    return operate(data, change)
