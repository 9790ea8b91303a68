"""Appends incremental saves as signing libraries write them, object by object.

save = Increment(pdf)                      # or Increment(pdf, xref_stream=True, packed=True)
number = save.add(b"<< … >>")
save.put(save.page(0), edited_body)
save.close()                               # bytes
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable

import pikepdf


class Increment:
    """One incremental save on top of `pdf`."""

    def __init__(self, pdf: bytes, *, xref_stream: bool = False, packed: bool = False) -> None:
        """`packed` puts into an object stream what may stand in one; signatures stay outside."""
        self._base = pdf if pdf.endswith((b"\n", b"\r")) else pdf + b"\n"
        self._is_stream = xref_stream or packed
        self._is_packed = packed
        self._opened = pikepdf.open(io.BytesIO(pdf))
        self._objects: dict[int, bytes] = {}
        self.next = int(self._opened.trailer["/Size"])

    def add(self, body: bytes) -> int:
        """A new object."""
        number = self.next
        self.next += 1
        self._objects[number] = body
        return number

    def add_stream(self, entries: bytes, data: bytes) -> int:
        """A new stream with these dictionary entries."""
        return self.add(stream(entries, data))

    def put(self, number: int, body: bytes) -> None:
        """An object anew."""
        self._objects[number] = body
        self.next = max(self.next, number + 1)

    def body(self, number: int) -> bytes:
        """The dictionary as it is now."""
        if number in self._objects:
            return self._objects[number]
        return bytes(self._opened.get_object(number, 0).unparse(resolved=True))

    def edit(self, number: int, change: Callable[[bytes], bytes]) -> None:
        """The object anew, its dictionary changed."""
        before = self.body(number)
        after = change(before)
        assert after != before, number
        self.put(number, after)

    @property
    def root(self) -> int:
        return int(self._opened.Root.objgen[0])

    @property
    def info(self) -> int | None:
        info = self._opened.trailer.get("/Info")
        return int(info.objgen[0]) if info is not None else None

    def page(self, index: int = 0) -> int:
        return int(self._opened.pages[index].objgen[0])

    def has(self, number: int, key: str) -> bool:
        return key in self._opened.get_object(number, 0)

    def indirect(self, number: int, key: str) -> int | None:
        """The object that the value under `key` is; None for a direct or missing one."""
        value = self._opened.get_object(number, 0).get(key)
        number = value.objgen[0] if value is not None else 0
        return int(number) or None

    def close(self) -> bytes:
        """The file with the save behind it."""
        out = bytearray(self._base)
        places: dict[int, int] = {}
        inside = self._pack() if self._is_packed else {}
        for number, body in sorted(self._objects.items()):
            if number in inside:
                continue
            places[number] = len(out)
            out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
        start = len(out)
        entries = self._entries()
        if self._is_stream:
            out += self._stream_section(places, inside, start, entries)
        else:
            out += b"xref\n" + b"".join(
                b"%d 1\n%010d 00000 n \n" % item for item in sorted(places.items())
            )
            out += b"trailer\n<< /Size %d %s >>\n" % (self.next, entries)
        return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)

    def _entries(self) -> bytes:
        """Of the trailer, without /Size."""
        trailer = self._opened.trailer
        previous = int(re.findall(rb"startxref\s+(\d+)", self._base)[-1])
        out = b"/Root %d 0 R /Prev %d" % (self.root, previous)
        if "/ID" in trailer:
            out += b" /ID [%s]" % b"".join(
                b"<%s>" % bytes(part).hex().encode() for part in trailer["/ID"]
            )
        return out + (b" /Info %d 0 R" % self.info if self.info else b"")

    def _pack(self) -> dict[int, tuple[int, int]]:
        """Where packed objects are: (object stream, index); the stream itself is added."""
        numbers = [
            number
            for number, body in sorted(self._objects.items())
            if b"\nstream\n" not in body and b"/ByteRange" not in body
        ]
        bodies = [self._objects[number] for number in numbers]
        places = [sum(len(body) + 1 for body in bodies[:i]) for i in range(len(bodies))]
        head = b"".join(b"%d %d " % pair for pair in zip(numbers, places, strict=True))
        entries = b"/Type /ObjStm /N %d /First %d" % (len(numbers), len(head))
        holder = self.add_stream(entries, head + b" ".join(bodies))
        return {number: (holder, index) for index, number in enumerate(numbers)}

    def _stream_section(
        self, places: dict[int, int], inside: dict[int, tuple[int, int]], start: int, entries: bytes
    ) -> bytes:
        own = self.next
        rows = {
            n: b"\1" + place.to_bytes(4) + b"\0\0" for n, place in {**places, own: start}.items()
        }
        for number, (holder, at) in inside.items():
            rows[number] = b"\2" + holder.to_bytes(4) + at.to_bytes(2)
        data = b"".join(row for _, row in sorted(rows.items()))
        index = b" ".join(b"%d 1" % number for number in sorted(rows))
        head = b"/Type /XRef /W [1 4 2] /Index [%s] /Size %d %s" % (index, own + 1, entries)
        return b"%d 0 obj\n%s\nendobj\n" % (own, stream(head, data))


def stream(entries: bytes, data: bytes) -> bytes:
    """A compressed stream object."""
    packed = zlib.compress(data, 9)
    return b"<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (
        entries, len(packed), packed,
    )  # fmt: skip


def signed_save(
    save: Increment, dictionary: int, entries: bytes, make: Callable[[bytes], bytes], room: int,
    *, upper: bool = False,
) -> bytes:  # fmt: skip
    """Closes `save` with a signature dictionary at `dictionary`, whose CMS `make` builds."""
    save.put(
        dictionary,
        b"<< %s /ByteRange [0 %s] /Contents <%s> >>" % (entries, b"*" * 35, b"0" * 2 * room),
    )
    data = save.close()
    gap = data.rindex(b"/Contents <") + 10
    end = gap + 2 * room + 2
    data = data.replace(b"*" * 35, (b"%d %d %d" % (gap, end, len(data) - end)).ljust(35))
    made = make(data[:gap] + data[end:]).hex()
    assert len(made) <= 2 * room, "the CMS does not fit"
    text = (made.upper() if upper else made).ljust(2 * room, "0").encode()
    return data[: gap + 1] + text + data[end - 1 :]
