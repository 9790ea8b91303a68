"""The rules of /ByteRange and /Contents (`security.md` 5; ISO 32000-2, 12.8.1).

A signature says which bytes it covers; forgers live in the freedom of that sentence (USF, SWA).
There is none here: four integers, from 0, the gap is exactly the /Contents string with its
angle brackets, the end is the end of the revision that holds the dictionary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from signer.verification.attacks import Attack
from signer.verification.file.pdf_objects import PDFString
from signer.verification.file.structure import Document, SignatureField

_LOWER = re.compile(rb"[0-9a-f]*")
_UPPER = re.compile(rb"[0-9A-F]*")


class ByteRangeError(ValueError):
    """A rule is broken; `rule` is the id of the check, `attack` what leaves such a trace."""

    def __init__(self, rule: str, message: str, attack: Attack | None = None) -> None:
        super().__init__(message)
        self.rule = rule
        self.attack = attack


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a signature covers: [0, gap_start) and [gap_end, end) of the file.

    `contents` are the decoded bytes of /Contents with their padding.
    """

    gap_start: int
    gap_end: int
    end: int
    revision: int
    contents: bytes


def read_coverage(document: Document, field: SignatureField) -> Coverage:
    """Apply all rules to one signature dictionary. Raises `ByteRangeError`."""
    data, dictionary = document.data, field.dictionary
    numbers = dictionary.get("ByteRange")
    if not isinstance(numbers, list) or len(numbers) != 4:
        raise ByteRangeError("byterange.four-integers", "/ByteRange is not four integers")
    integers = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and n >= 0]
    if len(integers) != 4:
        raise ByteRangeError("byterange.four-integers", "/ByteRange holds something else")
    start, first, second, length = integers
    end = second + length
    if start != 0:
        raise ByteRangeError("byterange.from-zero", f"/ByteRange begins at {start}, not at 0")
    if first >= second or end > len(data):
        raise ByteRangeError("byterange.inside-file", "/ByteRange overlaps or leaves the file")
    contents = dictionary.get("Contents")
    if not isinstance(contents, PDFString) or not contents.is_hex:
        raise ByteRangeError("contents.hex", "/Contents is not a hexadecimal string")
    if field.defined_in is None:
        raise ByteRangeError("byterange.own-object", "the signature dictionary is not an object")
    if (contents.start, contents.end) != (first, second):
        is_older = second <= document.revisions[field.defined_in].start
        raise ByteRangeError(
            "byterange.gap", f"the gap {first}-{second} is not the /Contents string "
            f"{contents.start}-{contents.end}", Attack.SWAPPED_DICTIONARY if is_older else None,
        )  # fmt: skip
    revision = document.revision_ending_at(end)
    if revision is None:
        raise ByteRangeError("byterange.end-of-revision", f"no revision ends at byte {end}")
    if revision != field.defined_in:
        raise ByteRangeError(
            "byterange.own-revision",
            f"the dictionary stands in revision {field.defined_in + 1}, "
            f"but covers up to revision {revision + 1}",
        )
    digits = data[first + 1 : second - 1]
    if len(digits) % 2 or not (_LOWER.fullmatch(digits) or _UPPER.fullmatch(digits)):
        raise ByteRangeError(
            "contents.canonical-hex", "/Contents mixes cases, has white space or an odd length"
        )
    return Coverage(first, second, end, revision, bytes.fromhex(digits.decode("ascii")))
