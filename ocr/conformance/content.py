"""Content streams (ISO 19005-3 6.2.2): operators on the list, with the operands they take.

A page paints its images and shows text that cannot be seen; the form of a stamp shows an
image, filled rectangles and visible text. Whatever is painted, and in which font, is looked up
in the resources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ocr.conformance.rules import Examination, entry, is_number
from ocr.conformance.syntax import (
    PDFString,
    Scanner,
    StreamObject,
    SyntaxViolation,
    Value,
    Word,
)
from ocr.record.pdfwriter import Name, Ref

_CLAUSE = "6.2.2"
_MOST_NESTING = 28  # of q and Q, ISO 19005-3 6.1.13
_INVISIBLE = 3  # text rendering mode, ISO 32000-1 Table 106


def _numbers(count: int) -> Callable[[Sequence[Value]], bool]:
    return lambda operands: len(operands) == count and all(map(is_number, operands))


def _none(operands: Sequence[Value]) -> bool:
    return not operands


def _one_name(operands: Sequence[Value]) -> bool:
    return len(operands) == 1 and isinstance(operands[0], Name)


def _font_size(operands: Sequence[Value]) -> bool:
    return len(operands) == 2 and isinstance(operands[0], Name) and is_number(operands[1])


def _codes(value: Value) -> bool:
    return isinstance(value, PDFString) and bool(value.raw) and len(value.raw) % 2 == 0


def _one_string(operands: Sequence[Value]) -> bool:
    return len(operands) == 1 and _codes(operands[0])


def _word_array(operands: Sequence[Value]) -> bool:
    return (
        len(operands) == 1
        and isinstance(operands[0], list)
        and all(_codes(item) or is_number(item) for item in operands[0])
    )


def _invisible(operands: Sequence[Value]) -> bool:
    return list(operands) == [_INVISIBLE]


def _colour(operands: Sequence[Value]) -> bool:
    return _numbers(3)(operands) and all(
        0 <= v <= 1 for v in operands if isinstance(v, int | float)
    )


_EVERYWHERE: Mapping[str, Callable[[Sequence[Value]], bool]] = {
    "q": _none,
    "Q": _none,
    "cm": _numbers(6),
    "Do": _one_name,
    "rg": _colour,
    "BT": _none,
    "ET": _none,
    "Tf": _font_size,
    "Tm": _numbers(6),
}
_OPERATORS = {
    "page": {**_EVERYWHERE, "Tr": _invisible, "Tz": _numbers(1), "TJ": _word_array},
    "form": {**_EVERYWHERE, "Tj": _one_string, "re": _numbers(4), "f": _none},
}
_IN_TEXT = frozenset({"Tm", "TJ", "Tj", "Tr", "Tz"})
_OUT_OF_TEXT = frozenset({"q", "Q", "cm", "Do", "BT", "re", "f"})


def check_content(
    exam: Examination, stream: StreamObject, resources: Value | None, where: str, kind: str
) -> None:
    """Check a content stream; `kind` is ``page`` or ``form``. Notes which codes fonts show."""
    data = exam.decoded(stream, where)
    if data is not None:
        _Reader(exam, resources, where, kind).read(data)


class _Reader:
    """The state of one content stream while it is read."""

    def __init__(self, exam: Examination, resources: Value | None, where: str, kind: str) -> None:
        self._exam = exam
        self._resources = resources
        self._where = where
        self._kind = kind
        self._depth = 0
        self._in_text = False
        self._hidden = False
        self._font: Value | None = None
        self._used: set[tuple[str, str]] = set()

    def read(self, data: bytes) -> None:
        """Read it all."""
        scanner, operands = Scanner(data), list[Value]()
        while not scanner.exhausted():
            try:
                item = scanner.item()
            except SyntaxViolation as error:
                self._report("content.syntax", str(error))
                return
            if isinstance(item, Word):
                self._operator(str(item), operands)
                operands = []
            else:
                operands.append(item)
        if operands:
            self._report("content.syntax", "it ends with operands without an operator")
        if self._depth or self._in_text:
            self._report("content.nesting", "it ends inside q or BT")
        self._look_for_unused()

    def _operator(self, operator: str, operands: Sequence[Value]) -> None:
        fits = _OPERATORS[self._kind].get(operator)
        if fits is None:
            self._report("content.operator", f"the operator {operator} is not on the list")
            return
        if not fits(operands):
            self._report("content.operand", f"{operator} has operands that are not on the list")
            return
        if operator in (_OUT_OF_TEXT if self._in_text else _IN_TEXT):
            self._report("content.nesting", f"{operator} inside or outside of BT")
        match operator:
            case "q":
                self._depth += 1
                if self._depth > _MOST_NESTING:
                    self._report("content.nesting", "q is nested more than 28 levels deep")
            case "Q":
                self._depth -= 1
                if self._depth < 0:
                    self._report("content.nesting", "Q without q")
                    self._depth = 0
            case "BT":
                self._in_text, self._hidden, self._font = True, False, None
            case "ET":
                if not self._in_text:
                    self._report("content.nesting", "ET without BT")
                self._in_text = False
            case "Tr":
                self._hidden = True
            case "Tf":
                self._font = self._resource("Font", str(operands[0]))
            case "Do":
                self._resource("XObject", str(operands[0]))
            case "TJ" | "Tj":
                self._show(operands[0])

    def _show(self, shown: Value) -> None:
        if self._kind == "page" and not self._hidden:
            self._report("content.visible", "a page shows text that is not invisible")
        if not isinstance(self._font, Ref):
            self._report("content.font", "text is shown without a font")
            return
        strings = shown if isinstance(shown, list) else [shown]
        codes = self._exam.codes.setdefault(self._font.number, set())
        for string in strings:
            if isinstance(string, PDFString):
                raw = string.raw
                codes.update(int.from_bytes(raw[i : i + 2]) for i in range(0, len(raw), 2))

    def _resource(self, category: str, name: str) -> Value | None:
        listed = entry(self._exam, self._resources, category)
        found = listed.get(name) if isinstance(listed, Mapping) else None
        if found is None:
            self._report("content.resource", f"/{name} is not in the resources' /{category}")
        self._used.add((category, name))
        return found

    def _look_for_unused(self) -> None:
        for category in ("XObject", "Font"):
            listed = entry(self._exam, self._resources, category)
            for name in listed if isinstance(listed, Mapping) else ():
                if (category, name) not in self._used:
                    self._report("content.unused", f"the resource /{category} /{name} is not used")

    def _report(self, rule: str, message: str) -> None:
        self._exam.report(rule, _CLAUSE, self._where, message)
