"""Writes DER by hand, and BER where a test wants what real writers do: bare tags and lengths."""

from __future__ import annotations

from signer.der import oid, sequence, set_of, tlv

NULL = b"\x05\x00"


def indefinite(tag: int, *parts: bytes) -> bytes:
    """A constructed value of indefinite length, as streaming writers make them (BER)."""
    return bytes([tag, 0x80]) + b"".join(parts) + b"\0\0"


def algorithm(dotted: str, parameters: bytes = b"") -> bytes:
    """AlgorithmIdentifier."""
    return sequence(oid(dotted), parameters)


def attribute(kind: str, *values: bytes) -> bytes:
    """A CMS attribute."""
    return sequence(oid(kind), set_of(values))


# names

STRING_TAGS = {
    "utf8": (0x0C, "utf-8"), "printable": (0x13, "ascii"), "t61": (0x14, "latin-1"),
    "ia5": (0x16, "ascii"), "bmp": (0x1E, "utf-16-be"), "universal": (0x1C, "utf-32-be"),
}  # fmt: skip
NAME_OIDS = {
    "CN": "2.5.4.3", "O": "2.5.4.10", "OU": "2.5.4.11", "C": "2.5.4.6", "L": "2.5.4.7",
    "T": "2.5.4.12", "UID": "0.9.2342.19200300.100.1.1", "E": "1.2.840.113549.1.9.1",
}  # fmt: skip


def name(*parts: tuple[str, str], encoding: str = "utf8") -> bytes:
    """A Name of single-valued RDNs: `("CN", "…")`, all in one string type."""
    tag, codec = STRING_TAGS[encoding]
    return sequence(
        *(
            set_of([sequence(oid(NAME_OIDS[kind]), tlv(tag, value.encode(codec)))])
            for kind, value in parts
        )
    )
