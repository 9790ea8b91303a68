"""How the lists are written down: an object's kind is the keys it may have and what each holds.

A check takes the examination, the value and its place, and reports what it finds; checks are
combined into dictionaries of keys. What no check expects is a finding: the world is closed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from ocr.conformance.findings import Finding
from ocr.conformance.layout import RecordFile
from ocr.conformance.syntax import PDFString, StreamObject, Value
from ocr.record.pdfwriter import Name, Ref

_DATE = re.compile(
    r"D:\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d"
    r"[+-]([01]\d|2[0-3])'[0-5]\d'"
)
_MOST_DECODED_BYTES = 1 << 26
_MOST_FINDINGS = 500


class Examination:
    """One run over one record: the file, what has been looked at, what was found."""

    def __init__(self, file: RecordFile) -> None:
        self.file = file
        self._findings: dict[Finding, None] = {}  # a set that keeps the order
        self.pages: list[Ref] = []
        self.signatures = 0
        self.codes: dict[int, set[int]] = {}  # font object → character codes shown with it

    def report(self, rule: str, clause: str, where: str, message: str) -> None:
        """Note a finding. A file with hundreds of them is no record: the rest is dropped."""
        if len(self._findings) < _MOST_FINDINGS:
            self._findings[Finding(rule, clause, where, message)] = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far, each once."""
        return tuple(self._findings)

    def resolve(self, value: Value, where: str) -> Value | None:
        """What a value stands for; None (with a finding) for a reference that leads nowhere."""
        if not isinstance(value, Ref):
            return value
        found = self.file.get(value)
        if found is None:
            self.report("object.missing", "6.1.9", where, f"object {value.number} is not there")
        return found

    def decoded(self, stream: StreamObject, where: str) -> bytes | None:
        """The bytes of a stream that is not filtered, or by FlateDecode alone."""
        data = self.file.read(stream.start, stream.length)
        if "Filter" not in stream.entries:
            return data
        engine = zlib.decompressobj()
        try:
            out = engine.decompress(data, _MOST_DECODED_BYTES)
        except zlib.error as error:
            self.report("stream.flate", "6.1.7.2", where, f"its data is broken: {error}")
            return None
        if not engine.eof or engine.unused_data:
            self.report("stream.flate", "6.1.7.2", where, "its data is cut off or followed by more")
            return None
        return out


Check: TypeAlias = Callable[[Examination, Value, str], None]


class Kind:
    """A kind of dictionary: the keys that it must have and those that it may have."""

    def __init__(
        self,
        rule: str,
        clause: str,
        required: Mapping[str, Check],
        optional: Mapping[str, Check] | None = None,
    ) -> None:
        self.rule = rule
        self.clause = clause
        self._required = required
        self._known = {**required, **(optional or {})}

    def __call__(self, exam: Examination, value: Value, where: str) -> None:
        """Check a dictionary, or a stream's dictionary."""
        entries = value.entries if isinstance(value, StreamObject) else value
        if not isinstance(entries, Mapping):
            exam.report(self.rule, self.clause, where, "is not a dictionary")
            return
        for key in self._required:
            if key not in entries:
                exam.report(self.rule, self.clause, where, f"/{key} is missing")
        for key, item in entries.items():
            check = self._known.get(key)
            if check is None:
                exam.report(self.rule, self.clause, where, f"/{key} is not on the list")
            else:
                check(exam, item, f"{where} /{key}")


def _fails(rule: str, clause: str, test: Callable[[Value], bool], expected: str) -> Check:
    def check(exam: Examination, value: Value, where: str) -> None:
        if not test(value):
            exam.report(rule, clause, where, f"is not {expected}")

    return check


def name(*allowed: str) -> Check:
    """One of these names."""
    return _fails(
        "value.name",
        "6.1.8",
        lambda v: isinstance(v, Name) and v in allowed,
        "/" + " or /".join(allowed),
    )


def integer(least: int, most: int) -> Check:
    """An integer within bounds."""
    return _fails(
        "value.integer",
        "6.1.13",
        lambda v: isinstance(v, int) and not isinstance(v, bool) and least <= v <= most,
        f"an integer from {least} to {most}",
    )


def boolean(*allowed: bool) -> Check:
    """One of these booleans."""
    return _fails(
        "value.boolean", "6.1.13", lambda v: isinstance(v, bool) and v in allowed, f"in {allowed}"
    )


def is_number(value: Value) -> bool:
    """Whether a value is an integer or a real."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def numbers(count: int) -> Check:
    """An array of so many numbers."""
    return _fails(
        "value.numbers",
        "6.1.13",
        lambda v: isinstance(v, list) and len(v) == count and all(map(is_number, v)),
        f"an array of {count} numbers",
    )


def integers(count: int) -> Check:
    """An array of so many integers that are not negative."""
    return _fails(
        "value.numbers",
        "6.1.13",
        lambda v: (
            isinstance(v, list)
            and len(v) == count
            and all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in v)
        ),
        f"an array of {count} integers",
    )


def string_text(value: Value) -> str | None:
    """The text of a string value; None when it is none."""
    if not isinstance(value, PDFString):
        return None
    try:
        return value.text()
    except ValueError:
        return None


text: Check = _fails("value.text", "6.1.6", lambda v: string_text(v) is not None, "a text string")
octets: Check = _fails("value.string", "6.1.6", lambda v: isinstance(v, PDFString), "a string")
date: Check = _fails(
    "value.date", "6.1.5", lambda v: bool(_DATE.fullmatch(string_text(v) or "")), "a date"
)


def exactly(expected: str, rule: str, clause: str) -> Check:
    """This text and no other."""
    return _fails(rule, clause, lambda v: string_text(v) == expected, f"({expected})")


def array(check: Check, least: int = 1, most: int = 1 << 20) -> Check:
    """An array whose items pass `check`."""

    def check_array(exam: Examination, value: Value, where: str) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            exam.report("value.array", "6.1.13", where, f"is not an array of {least} to {most}")
            return
        for index, item in enumerate(value):
            check(exam, item, f"{where}[{index}]")

    return check_array


def indirect(check: Check) -> Check:
    """A reference to something that passes `check`."""

    def check_reference(exam: Examination, value: Value, where: str) -> None:
        if not isinstance(value, Ref):
            exam.report("value.reference", "6.1.9", where, "is not an indirect reference")
            return
        found = exam.resolve(value, where)
        if found is not None:
            check(exam, found, f"{where} (object {value.number})")

    return check_reference


def anyhow(check: Check) -> Check:
    """Something that passes `check`, direct or indirect."""

    def check_either(exam: Examination, value: Value, where: str) -> None:
        (indirect(check) if isinstance(value, Ref) else check)(exam, value, where)

    return check_either


def named(check: Check, names: re.Pattern[str]) -> Check:
    """A dictionary whose keys match `names` and whose values pass `check`; not empty."""

    def check_named(exam: Examination, value: Value, where: str) -> None:
        if not isinstance(value, Mapping) or not value:
            exam.report("value.dictionary", "6.2.2", where, "is not a dictionary with entries")
            return
        for key, item in value.items():
            if not names.fullmatch(key):
                exam.report("value.dictionary", "6.2.2", where, f"/{key} is not on the list")
            check(exam, item, f"{where} /{key}")

    return check_named


def stream_of(check: Check) -> Check:
    """A stream whose dictionary (and data, if it looks) passes `check`."""

    def check_stream(exam: Examination, value: Value, where: str) -> None:
        if not isinstance(value, StreamObject):
            exam.report("value.stream", "6.1.7.1", where, "is not a stream")
            return
        check(exam, value, where)

    return check_stream


def entry(exam: Examination, value: Value | None, *path: str) -> Value | None:
    """Follow keys through dictionaries and references; None where the way ends. Reports nothing."""
    for key in path:
        if isinstance(value, Ref):
            value = exam.file.get(value)
        entries = value.entries if isinstance(value, StreamObject) else value
        if not isinstance(entries, Mapping) or key not in entries:
            return None
        value = entries[key]
    return exam.file.get(value) if isinstance(value, Ref) else value


def rectangle(value: Value | None) -> tuple[float, float, float, float] | None:
    """Four numbers as a rectangle with ordered corners; None when they are not."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 4:
        return None
    sides = [float(v) for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(sides) != 4 or sides[0] > sides[2] or sides[1] > sides[3]:
        return None
    return sides[0], sides[1], sides[2], sides[3]
