"""Digitization codes (mã số hóa, D11) and file names (D14), by dated templates.

    template = code_templates().on(day)
    code = take_code(connection, agency_id, template, facts, day)     # in the caller's transaction
    file_name(template, "H22.12-260301-0001", 3)                      # H22.12-260301-0001.003.pdf

A code's last part counts the papers of one book, which are those whose codes are the same up to
it. A book is a row of `number_books`: when the transaction that gave a number is undone, so is the
number.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from importlib import resources
from itertools import pairwise
from string import Formatter
from typing import Any, Literal

import sqlalchemy as sa

from dossier.errors import CatalogueUnusable, InvalidOrder
from dossier.intake.dated_tables import period_of, require_known, text_of
from dossier.signing.numbers import next_number, take_back
from dossier.storage.station_tables import papers

_FILE = "codes.toml"
_PATTERN = "dossier/filing/codes.toml"
_CODE_FIELDS = frozenset({"owner", "type", "dossier", "agency", "year", "sequence"})
_NAME_FIELDS = frozenset({"file", "ordinal"})
_MOST_CODE = 128  # characters, as the column has
_MOST_NAME = 180  # bytes of a file's name before its ending
_MOST_BOOK = 64
_MOST_DIGITS = 9  # as `_COUNTED` reads them
_COUNTED = re.compile(r"(?P<before>.*[^0-9])(?P<number>[0-9]{1,9})", re.ASCII | re.DOTALL)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class CodeTemplate:
    """How codes and names are made within some dates (both included)."""

    id: str
    legal_basis: str
    valid_from: date
    code: str
    file_name: str
    valid_to: date | None = None
    sequence_digits: int = 1
    ordinal_digits: int = 3
    without_owner: Literal["demand", "note"] = "demand"

    @property
    def demands_owner(self) -> bool:
        """Whether a paper without the owner's identifier needs describing data (Điều 9.2.b)."""
        return self.without_owner == "demand"

    def in_force(self, day: date) -> bool:
        """Whether `day` lies within the dates."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What a code is made of, beside its number. `owner` empty: not known, the part stays blank."""

    owner: str
    type: str
    dossier: str
    agency: str


_KEYS = frozenset(field.name for field in fields(CodeTemplate))


class CodeTemplates:
    """Templates by day. Immutable."""

    def __init__(self, templates: Sequence[CodeTemplate], source: str = _FILE) -> None:
        """Raises `CatalogueUnusable` for none at all, or two for one day."""
        if not templates:
            raise _unusable(source, "", "không có mẫu nào", "there is no template in it")
        self._templates = tuple(sorted(templates, key=lambda one: one.valid_from))
        for earlier, later in pairwise(self._templates):
            if earlier.in_force(later.valid_from):
                raise _unusable(
                    source, later.id,
                    f"có hiệu lực cùng lúc với {earlier.id}; hãy đặt valid_to",
                    f"begins while {earlier.id} is in force; give that one a valid_to",
                )  # fmt: skip

    def on(self, day: date) -> CodeTemplate:
        """The template in force. Raises `InvalidOrder` when there is none."""
        for template in self._templates:
            if template.in_force(day):
                return template
        raise InvalidOrder(
            f"Không có mẫu mã số hóa nào có hiệu lực ngày {day}; hãy bổ sung. / No template of "
            "digitization codes is in force on this day; add one.",
            field="digitization_code",
        )


@cache
def code_templates() -> CodeTemplates:
    """Those that Sohoa ships. Read once a process."""
    text = resources.files("dossier.filing").joinpath(_FILE).read_text("utf-8")
    return read_templates(text, _FILE)


def read_templates(text: str, source: str) -> CodeTemplates:
    """Templates of a TOML text. Raises `CatalogueUnusable`, naming the entry."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unusable(source, "", "không phải TOML", f"this is no TOML: {error}") from error
    tables = tree.get("template")
    if set(tree) != {"template"} or not (
        isinstance(tables, list) and all(isinstance(one, dict) for one in tables)
    ):
        raise _unusable(
            source, "", "chỉ gồm các bảng [[template]]", "it holds [[template]] tables alone"
        )
    return CodeTemplates([_template(one, source) for one in tables], source)


def _template(entries: Mapping[str, Any], source: str) -> CodeTemplate:
    name = str(entries.get("id", "?"))
    try:
        require_known(entries, _KEYS)
        first, last = period_of(entries)
        template = CodeTemplate(
            id=text_of(entries["id"]),
            legal_basis=text_of(entries["legal_basis"]),
            valid_from=first,
            code=text_of(entries["code"]),
            file_name=text_of(entries["file_name"]),
            valid_to=last,
            sequence_digits=_digits_of(entries, "sequence_digits", 1),
            ordinal_digits=_digits_of(entries, "ordinal_digits", 3),
            without_owner=entries.get("without_owner", "demand"),
        )
    except KeyError as error:
        missing = error.args[0]
        raise _unusable(source, name, f"thiếu mục {missing}", f"{missing} is missing") from error
    except ValueError as error:
        raise _unusable(source, name, f"có mục lạ hoặc giá trị sai: {error}", str(error)) from error
    if template.without_owner not in ("demand", "note"):
        raise _unusable(source, name, "without_owner sai", "without_owner is demand or note")
    _require_fields(template.code, _CODE_FIELDS, source, name)
    _require_fields(template.file_name, _NAME_FIELDS, source, name)
    before, _, after = template.code.partition("{sequence}")
    if after or not before or before[-1] == "}" or before[-1].isalnum():
        raise _unusable(
            source, name, "code phải kết thúc bằng dấu ngăn và {sequence}",
            "code has to end with a separator and {sequence}",
        )  # fmt: skip
    if not {"{file}", "{ordinal}"} <= set(re.findall(r"\{[a-z]+\}", template.file_name)):
        raise _unusable(
            source, name, "file_name cần {file} và {ordinal}", "file_name needs both of its parts"
        )
    return template


def _digits_of(entries: Mapping[str, Any], key: str, default: int) -> int:
    """With how many digits a number is written."""
    value = entries.get(key, default)
    if type(value) is not int or not 1 <= value <= _MOST_DIGITS:
        raise ValueError(f"{key} is {value!r}, no number from 1 to {_MOST_DIGITS}")
    return value


def _require_fields(text: str, known: frozenset[str], source: str, name: str) -> None:
    told = ", ".join(sorted(known))
    try:
        parts = [part for part in Formatter().parse(text) if part[1] is not None]
    except ValueError as error:
        raise _unusable(source, name, "ngoặc nhọn sai", f"braces are wrong: {error}") from error
    for _, field, spec, conversion in parts:
        if field not in known or spec or conversion:
            raise _unusable(source, name, f"không có phần {{{field}}}", f"known parts: {told}")


# --- making ---------------------------------------------------------------------------------


def take_code(
    connection: sa.Connection, agency_id: str, template: CodeTemplate, facts: CodeFacts, day: date
) -> str:
    """The next code of its book, in the caller's transaction, which gives it to a paper.

    Holds the book's row until the transaction ends. A code that a paper of another agency has
    already (owners are known to all of them) is passed over. Two agencies that come to one code at
    one moment meet in the unique index: run it in `dossier.signing.numbers.despite_races`.
    """
    book, year = book_of(template, facts, day)
    while True:
        number = next_number(connection, agency_id, book, year)
        code = _before_sequence(template, facts, day) + f"{number:0{template.sequence_digits}d}"
        if len(code) > _MOST_CODE:
            raise InvalidOrder(
                f"Mã số hóa dài quá {_MOST_CODE} ký tự; hãy rút gọn mẫu. / The digitization code "
                "is too long; shorten the template.",
                field="digitization_code",
            )
        held = sa.select(papers.c.id).where(papers.c.digitization_code == code)
        if connection.execute(held).first() is None:
            return code


def still_fits(template: CodeTemplate, facts: CodeFacts, day: date, code: str) -> bool:
    """Whether a code that a paper has already is one of the book that it belongs to now."""
    found = _COUNTED.fullmatch(code)
    return found is not None and found["before"] == _before_sequence(template, facts, day)


def give_back_code(connection: sa.Connection, agency_id: str, code: str, day: date) -> bool:
    """Free the number of a code that no paper has any more; False when later ones were given."""
    found = _COUNTED.fullmatch(code)
    if found is None:
        return False
    number = int(found["number"])
    # the template of a code is not written in it: with a year its book has one, else none
    return any(
        take_back(connection, agency_id, _book(found["before"]), year, number)
        for year in (0, day.year)
    )


def book_of(template: CodeTemplate, facts: CodeFacts, day: date) -> tuple[str, int]:
    """Name and year of the book; year 0 where the numbers go on from year to year."""
    year = day.year if "{year}" in template.code else 0
    return _book(_before_sequence(template, facts, day)), year


def file_name(template: CodeTemplate, file_code: str, ordinal: int, ending: str = "pdf") -> str:
    """The name of a paper's file: safe on every disk. `ordinal` counts from 1.

    Raises `InvalidOrder` for a file without a code.
    """
    stem = template.file_name.format(
        file=safe(file_code), ordinal=f"{ordinal:0{template.ordinal_digits}d}"
    ).lstrip(".-")
    if not safe(file_code) or len(stem) > _MOST_NAME:
        raise InvalidOrder(
            "Mã hồ sơ trống hoặc quá dài nên không đặt được tên tệp; hãy sửa mã hồ sơ. / The "
            "dossier's code is empty or too long for a file's name; correct it.",
            field="dossier_code",
        )
    return f"{stem}.{ending}"


def safe(text: str) -> str:
    """Letters without marks, digits, dot, hyphen, underscore; a hyphen for anything else."""
    bare = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    kept = "".join(c for c in bare if unicodedata.category(c) != "Mn")
    return _UNSAFE.sub("-", kept).strip("-").replace("..", "-")


def _before_sequence(template: CodeTemplate, facts: CodeFacts, day: date) -> str:
    return template.code.removesuffix("{sequence}").format(
        owner=safe(facts.owner),
        type=safe(facts.type),
        dossier=safe(facts.dossier),
        agency=safe(facts.agency),
        year=day.year,
    )


def _book(before: str) -> str:
    name = f"SH {before}"
    if len(name) <= _MOST_BOOK:
        return name
    return f"SH {hashlib.sha256(before.encode()).hexdigest()[:40]}"


def _unusable(source: str, entry: str, vi: str, en: str) -> CatalogueUnusable:
    return CatalogueUnusable(source, entry, vi, en, _PATTERN)
