"""Cross-reference sections and the revisions that they delimit (ISO 32000-2, 7.5.4-7.5.8).

Threats answered here: incremental saving attacks (a revision that points back into signed
bytes), /Prev loops, hidden sections, sections of absurd size, decompression bombs.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from signer.verification.attacks import Attack
from signer.verification.file.pdf_objects import (
    Dictionary,
    Name,
    PDFSyntaxError,
    Stream,
    Value,
    parse_indirect,
    parse_value,
    skip,
)

MAX_REVISIONS = 1000
MAX_OBJECTS = 2_000_000
MAX_DECODED = 64 * 1024 * 1024  # bytes of one cross-reference or object stream

_UNNAMED = -1  # in place of the offset behind startxref, where there is none
_TAIL = re.compile(rb"startxref[\r\n \t]+(\d{1,12})[\r\n \t]+%%EOF[\r\n]*\Z")
_MARK = re.compile(rb"startxref[\r\n \t]+(\d{1,12})[\r\n \t]+%%EOF[\r\n]*")
_TABLE = re.compile(rb"xref[ \t]*(?:\r\n|\n|\r)")
_SUBSECTION = re.compile(rb"[\r\n \t]*(\d{1,10}) (\d{1,10})[ \t]*(?:\r\n|\n|\r)")
_TRAILER = re.compile(rb"[\r\n \t]*trailer(?![A-Za-z])")
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])(?: \r| \n|\r\n)")


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an object is: at `offset`, or at `index` of the object stream `container`.

    ``offset < 0`` without a container means free: -1 less the next free number of a table.
    """

    offset: int = -1
    generation: int = 0
    container: int = 0
    index: int = 0

    @property
    def is_free(self) -> bool:
        """True when the number is not in use."""
        return self.offset < 0 and not self.container


@dataclass(frozen=True, slots=True)
class Section:
    """One cross-reference section with its trailer dictionary."""

    offset: int
    entries: dict[int, Entry]
    trailer: Dictionary
    end: int  # behind the section's %%EOF and the line ends that follow
    mark_end: int  # behind the letters of %%EOF
    named: int  # the offset that its startxref names
    stream_number: int = 0  # its own object number when it is a stream


@dataclass(frozen=True, slots=True)
class Revision:
    """One incremental save: bytes [start, end) and what they define.

    A linearised first revision has two sections; all others have one.
    """

    index: int
    start: int
    end: int
    mark_end: int
    entries: dict[int, Entry]
    trailer: Dictionary
    offset: int
    stream_numbers: frozenset[int]


def read_revisions(data: bytes) -> tuple[Revision, ...]:
    """The revisions, oldest first. Raises `PDFSyntaxError`."""
    tail = _TAIL.search(data, max(0, len(data) - 2048))
    if tail is None:
        # a save without a section of its own: repairing readers find its objects all the same
        is_signed = b"/ByteRange" in data and _MARK.search(data) is not None
        raise PDFSyntaxError(
            "the file does not end with startxref and %%EOF",
            Attack.INCREMENTAL_SAVING if is_signed else None,
        )
    sections: list[Section] = []
    seen: set[int] = set()
    offset: int | None = int(tail[1])
    while offset is not None:
        if offset in seen or len(seen) >= MAX_REVISIONS:
            raise PDFSyntaxError("the chain of cross-reference sections loops or is too long")
        seen.add(offset)
        section = _read_section(data, offset)
        sections.append(section)
        offset = _integer(section.trailer.get("Prev"), "Prev")
    if max(section.end for section in sections) != len(data):
        raise PDFSyntaxError(
            "the last cross-reference section is not at the end of the file",
            Attack.INCREMENTAL_SAVING,
        )
    return _group(data, sections[::-1])


def _group(data: bytes, oldest_first: list[Section]) -> tuple[Revision, ...]:
    """Sections to revisions: ends must rise, but for the two sections of a linearised file."""
    revisions: list[Revision] = []
    highest = 0
    for position, section in enumerate(oldest_first):
        previous = revisions[-1] if revisions else None
        highest = max(highest, *(n for n, e in section.entries.items() if not e.is_free), 0)
        _check_size(section, highest)
        if previous is not None and section.end <= previous.end:
            if position != 1 or not _is_linearised(data):
                raise PDFSyntaxError(
                    "a newer cross-reference section lies inside an older one",
                    Attack.SHADOW_HIDE_AND_REPLACE,
                )
            revisions[-1] = Revision(
                0, 0, previous.end, previous.mark_end,
                {**previous.entries, **section.entries}, section.trailer, section.offset,
                previous.stream_numbers | {section.stream_number},
            )  # fmt: skip
            continue
        start = previous.end if previous else 0
        if previous is not None and section.offset < start:
            raise PDFSyntaxError(
                "a newer cross-reference section lies inside an older revision",
                Attack.SHADOW_HIDE_AND_REPLACE,
            )
        if section.named == _UNNAMED:
            raise PDFSyntaxError(f"no startxref and %%EOF behind the section at {section.offset}")
        if section.named != section.offset and not (position == 0 and _is_linearised(data)):
            raise PDFSyntaxError(
                f"startxref names byte {section.named}, the section stands at {section.offset}",
                Attack.PARSER_DIFFERENTIAL,
            )
        revisions.append(
            Revision(
                len(revisions), start, section.end, section.mark_end, section.entries,
                section.trailer, section.offset, frozenset({section.stream_number}),
            )
        )  # fmt: skip
    return tuple(revisions)


def _is_linearised(data: bytes) -> bool:
    return b"/Linearized" in data[:2048]


def _check_size(section: Section, highest: int) -> None:
    """What stands beyond /Size does not exist to some readers (ISO 32000-2, 7.5.5)."""
    size = _integer(section.trailer.get("Size"), "Size")
    if size is None or size <= highest:
        raise PDFSyntaxError(
            f"/Size is {size}, but object {highest} is in use", Attack.PARSER_DIFFERENTIAL
        )


def _read_section(data: bytes, offset: int) -> Section:
    if not 0 < offset < len(data):
        raise PDFSyntaxError(f"startxref or /Prev points outside the file: {offset}")
    if _TABLE.match(data, offset):
        return _read_table(data, offset)
    return _read_stream_section(data, offset)


def _close(data: bytes, here: int) -> tuple[int, int, int]:
    """The ends of the section whose trailer ends at `here`, and the offset named there.

    The first end is behind the line ends, the second before them.
    """
    mark = _MARK.match(data, skip(data, here))
    if mark is None:
        raise PDFSyntaxError(f"no startxref and %%EOF behind the trailer at byte {here}")
    end = mark.end()
    return end, end - (len(mark[0]) - len(mark[0].rstrip(b"\r\n"))), int(mark[1])


def _read_table(data: bytes, offset: int) -> Section:
    found = _TABLE.match(data, offset)
    here = found.end() if found else offset
    entries: dict[int, Entry] = {}
    while header := _SUBSECTION.match(data, here):
        first, count = int(header[1]), int(header[2])
        here = header.end()
        if count > MAX_OBJECTS or here + count * 20 > len(data):
            raise PDFSyntaxError(f"the cross-reference table at byte {offset} is too large")
        for number in range(first, first + count):
            entry = _ENTRY.match(data, here)
            if entry is None:
                raise PDFSyntaxError(f"a damaged cross-reference entry at byte {here}")
            if number in entries:
                raise PDFSyntaxError(
                    f"object {number} stands twice in one cross-reference table",
                    Attack.PARSER_DIFFERENTIAL,
                )
            in_use = entry[3] == b"n"
            entries[number] = Entry(int(entry[1]) if in_use else -1 - int(entry[1]), int(entry[2]))
            here = entry.end()
    trailer_word = _TRAILER.match(data, here)
    if trailer_word is None:
        raise PDFSyntaxError(f"no trailer behind the cross-reference table at byte {offset}")
    trailer, here = parse_value(data, trailer_word.end())
    if not isinstance(trailer, Dictionary):
        raise PDFSyntaxError(f"the trailer at byte {here} is not a dictionary")
    numbers: int = 0
    hybrid = _integer(trailer.get("XRefStm"), "XRefStm")
    if hybrid is not None:
        extra, _, numbers, _ = _decode_xref_stream(data, hybrid)
        entries = _hybrid(entries, extra)
    return Section(offset, entries, trailer, *_close(data, here), numbers)


def _hybrid(table: dict[int, Entry], stream: dict[int, Entry]) -> dict[int, Entry]:
    """Both sections of a hybrid file, which may not contradict each other."""
    for number, entry in stream.items():
        other = table.get(number, entry)
        if not other.is_free and other != entry:
            raise PDFSyntaxError(
                f"the two cross-reference sections disagree about object {number}",
                Attack.PARSER_DIFFERENTIAL,
            )
    return {**stream, **{n: e for n, e in table.items() if not e.is_free or n not in stream}}


def _read_stream_section(data: bytes, offset: int) -> Section:
    entries, dictionary, number, here = _decode_xref_stream(data, offset)
    if _is_linearised(data) and _MARK.match(data, skip(data, here)) is None:
        # the first page's section of a linearised file: qpdf writes no startxref behind a stream
        # (Annex F shows one behind a table only); where it may stand, `_group` decides
        return Section(offset, entries, dictionary, here, here, _UNNAMED, number)
    return Section(offset, entries, dictionary, *_close(data, here), number)


def _decode_xref_stream(data: bytes, offset: int) -> tuple[dict[int, Entry], Dictionary, int, int]:
    item = parse_indirect(data, offset)
    stream = item.value
    if not isinstance(stream, Stream) or stream.dictionary.get("Type") != "XRef":
        raise PDFSyntaxError(f"no cross-reference section at byte {offset}")
    dictionary = stream.dictionary
    widths = _integers(dictionary.get("W"), "W")
    if len(widths) != 3 or not all(0 <= w <= 8 for w in widths) or not sum(widths):
        raise PDFSyntaxError(f"unusable /W in the cross-reference stream at byte {offset}")
    size = _integer(dictionary.get("Size"), "Size") or 0
    index = _integers(dictionary["Index"], "Index") if "Index" in dictionary else [0, size]
    if len(index) % 2 or sum(index[1::2]) > MAX_OBJECTS or min(index, default=0) < 0:
        raise PDFSyntaxError(f"unusable /Index in the cross-reference stream at byte {offset}")
    rows = decode_stream(stream)
    step = sum(widths)
    if len(rows) != step * sum(index[1::2]):
        raise PDFSyntaxError(f"the cross-reference stream at byte {offset} has a wrong length")
    entries: dict[int, Entry] = {}
    here = 0
    for first, count in zip(index[::2], index[1::2], strict=True):
        for number in range(first, first + count):
            row = rows[here : here + step]
            here += step
            if number in entries:
                raise PDFSyntaxError(
                    f"object {number} stands twice in one cross-reference stream",
                    Attack.PARSER_DIFFERENTIAL,
                )
            entries[number] = _row_entry(row, widths)
    return entries, dictionary, item.number, item.end


def _row_entry(row: bytes, widths: list[int]) -> Entry:
    one, two = widths[0], widths[0] + widths[1]
    kind = int.from_bytes(row[:one]) if one else 1
    second, third = int.from_bytes(row[one:two]), int.from_bytes(row[two:])
    if kind == 0:
        return Entry(-1, third)
    if kind == 1:
        return Entry(second, third)
    if kind == 2 and second > 0:
        return Entry(-1, 0, second, third)
    raise PDFSyntaxError(f"unknown type {kind} in a cross-reference stream")


def decode_stream(stream: Stream) -> bytes:
    """The decoded bytes of a cross-reference or object stream: Flate (with PNG rows) or plain.

    Bounded by `MAX_DECODED`. Raises `PDFSyntaxError` for other filters and for bombs.
    """
    filters = stream.dictionary.get("Filter")
    parameters = stream.dictionary.get("DecodeParms")
    if isinstance(filters, list):
        if len(filters) > 1:
            raise PDFSyntaxError("more than one filter on a structural stream")
        filters = filters[0] if filters else None
        if isinstance(parameters, list):
            parameters = parameters[0] if parameters else None
    if filters is None:
        return stream.raw
    if filters != Name("FlateDecode"):
        raise PDFSyntaxError("a structural stream has a filter other than FlateDecode")
    inflater = zlib.decompressobj()
    try:
        out = inflater.decompress(stream.raw, MAX_DECODED)
    except zlib.error as error:
        raise PDFSyntaxError(f"a compressed stream is damaged: {error}") from error
    if inflater.unconsumed_tail or not inflater.eof:
        raise PDFSyntaxError("a compressed stream is truncated or too large")
    if isinstance(parameters, Dictionary):
        predictor = _integer(parameters.get("Predictor"), "Predictor") or 1
        columns = _integer(parameters.get("Columns"), "Columns") or 1
        if predictor >= 10:
            return _undo_png(out, columns)
        if predictor != 1:
            raise PDFSyntaxError("a structural stream uses an unusual predictor")
    return out


def _undo_png(data: bytes, columns: int) -> bytes:
    """Undo PNG row filters for one-byte samples."""
    if not 0 < columns <= 4096 or len(data) % (columns + 1):
        raise PDFSyntaxError("predictor rows of a structural stream have a wrong length")
    out = bytearray()
    above = bytes(columns)
    for at in range(0, len(data), columns + 1):
        kind, row = data[at], bytearray(data[at + 1 : at + 1 + columns])
        for i in range(columns):
            left = row[i - 1] if i else 0
            corner = above[i - 1] if i else 0
            row[i] = (row[i] + _png_guess(kind, left, above[i], corner)) & 0xFF
        out += row
        above = bytes(row)
    return bytes(out)


def _png_guess(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 0:
        return 0
    if kind == 1:
        return left
    if kind == 2:
        return up
    if kind == 3:
        return (left + up) // 2
    if kind != 4:
        raise PDFSyntaxError(f"unknown PNG row filter {kind}")
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))


def _integer(value: Value, key: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise PDFSyntaxError(f"/{key} is not an integer")
    return value


def _integers(value: Value, key: str) -> list[int]:
    if not isinstance(value, list):
        raise PDFSyntaxError(f"/{key} is not an array of integers")
    return [_integer(item, key) or 0 for item in value]
