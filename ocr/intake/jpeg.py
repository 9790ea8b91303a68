"""What a JPEG says of itself, read from its markers without decoding (ITU-T T.81 Annex B)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended sequential, progressive (Huffman)
_OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})


@dataclass(frozen=True, slots=True)
class JPEGHeader:
    """The frame header and what decides the colour space.

    `component_ids` as in the frame; `adobe_transform` from the Adobe APP14 marker (None: no
    marker); `huffman` is False for lossless, hierarchical and arithmetic-coded files.
    """

    width_px: int
    height_px: int
    bits: int
    component_ids: tuple[int, ...]
    adobe_transform: int | None
    jfif: bool
    huffman: bool

    @property
    def fits_pdf(self) -> bool:
        """Whether a PDF viewer decodes these bytes to the same grey or RGB pixels.

        DCTDecode (ISO 32000-1, 7.4.8) takes three components as YCbCr unless the Adobe marker
        says otherwise, where decoders of files trust component names R, G, B.
        """
        if self.bits != 8 or not self.huffman:
            return False
        if len(self.component_ids) == 1:
            return True
        if len(self.component_ids) != 3:
            return False
        named_rgb = self.component_ids == (0x52, 0x47, 0x42)
        return self.adobe_transform is not None or self.jfif or not named_rgb


def read_header(data: bytes) -> JPEGHeader:
    """Parse up to the frame header. Raises ValueError on anything that is not a JPEG."""
    if data[:2] != b"\xff\xd8":
        raise ValueError("no start-of-image marker")
    at, adobe, jfif = 2, None, False
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError(f"no marker at byte {at}")
        kind = data[at + 1]
        if kind == 0xFF:  # fill byte
            at += 1
            continue
        if kind in _BARE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        if kind in _FRAMES or kind in _OTHER_FRAMES:
            return _frame(body, kind, adobe, jfif=jfif)
        if kind in (0xD9, 0xDA) or length < 2:
            break
        if kind == 0xE0 and body[:5] == b"JFIF\0":
            jfif = True
        if kind == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        at += 2 + length
    raise ValueError("no frame header")


def _frame(body: bytes, kind: int, adobe: int | None, *, jfif: bool) -> JPEGHeader:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise ValueError("the frame header is cut short")
    bits, height, width, count = struct.unpack_from(">BHHB", body)
    ids = tuple(body[6 + 3 * k] for k in range(count))
    return JPEGHeader(width, height, bits, ids, adobe, jfif, kind in _FRAMES)
