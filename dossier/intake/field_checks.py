"""A paper's fields against the catalogues and against the form that rules give them.

    for finding in check_fields(fields, book, today):
        print(finding.field, finding.vi)

Pure. Nothing is changed: a finding says what disagrees and, where it is known, what would agree
(`suggestion`), and a person decides. Fields are proposals until then.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dossier.intake.catalogues import Agency, AgencyLevel, Catalogues, same_spelling
from dossier.intake.citizen_numbers import number_faults
from ocr.fields.card_reading import CardReading
from ocr.fields.consensus import names_agency
from ocr.fields.extract import DocumentFields, Field
from ocr.page import Box

Severity = Literal["warn", "note"]

_FIRST_DAY = dt.date(1945, 9, 2)  # no agency of this State issued anything before
_NUMBER = re.compile(r"^\d{1,6}$", re.ASCII)
_SYMBOL = re.compile(r"^(?:\d{4}/)?[^\W\d_]{1,12}(?:-[^\W\d_&]+(?:&[^\W\d_]+)?)*$")
_MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class FieldFinding:
    """What disagrees about one field, Vietnamese first.

    Codes: TYPE_UNKNOWN, TYPE_NOT_IN_FORCE, AGENCY_UNKNOWN, AGENCY_SPELLING, AGENCY_NOT_IN_FORCE,
    AGENCY_ENDED, NUMBER_SHAPE, NUMBER_ZERO, SYMBOL_SHAPE, SYMBOL_TYPE, SYMBOL_AGENCY,
    SYMBOL_YEAR, DATE_IMPOSSIBLE, DATE_FUTURE, COPY_BEFORE_ORIGINAL, CITIZEN_NUMBER,
    CITIZEN_NOT_ON_CARD.
    `page` counts from 1, `box` is in pixels of its upright image, as the field has them.
    `suggestion` is a value that would agree, empty when none is known.
    """

    code: str
    severity: Severity
    field: str
    value: str
    vi: str
    en: str
    page: int
    box: Box
    suggestion: str = ""


def check_fields(
    fields: DocumentFields, book: Catalogues, today: dt.date, card: CardReading | None = None
) -> tuple[FieldFinding, ...]:
    """All that disagrees in one paper's fields; `today` is the day in Vietnam.

    Agencies and types are judged on the day that the paper bears, or on `today` where it bears
    none. With `card`, the applicant's, the paper's citizen numbers are compared with its number.
    """
    issued, copied = fields.get("issued_date"), fields.get("copy_date")
    day = _day_of(issued) or today
    return (
        *_dates(issued, copied, today),
        *_types(fields, book, day, _day_of(copied) or day),
        *_agency(fields.get("agency"), fields.get("parent_agency"), book, day, today),
        *_agency(fields.get("copy_agency"), None, book, _day_of(copied) or today, today),
        *_numbering(fields, "doc", "doc_type", "agency", issued, book, day),
        *_numbering(fields, "copy", "copy_form", "copy_agency", copied, book, day),
        *_citizens(fields, today, card),
    )


# -- dates ----------------------------------------------------------------------------------------


def _dates(issued: Field | None, copied: Field | None, today: dt.date) -> Iterator[FieldFinding]:
    for field in filter(None, (issued, copied)):
        day = _day_of(field)
        if day is None or day < _FIRST_DAY:
            yield _finding(
                field, "DATE_IMPOSSIBLE", "warn",
                f"Ngày {field.value} không thể là ngày ban hành; hãy xem lại trên giấy.",
                f"{field.value} cannot be a date of issue; look at the paper again.",
            )  # fmt: skip
        elif day > today:
            yield _finding(
                field, "DATE_FUTURE", "warn",
                f"Ngày ban hành {day:%d/%m/%Y} ở sau ngày hôm nay; hãy xem lại trên giấy.",
                f"The date of issue {day} is after today; look at the paper again.",
            )  # fmt: skip
    first, second = _day_of(issued), _day_of(copied)
    if copied is not None and first is not None and second is not None and second < first:
        yield _finding(
            copied, "COPY_BEFORE_ORIGINAL", "warn",
            f"Ngày sao {second:%d/%m/%Y} trước ngày ban hành {first:%d/%m/%Y}.",
            f"The copy's date {second} is before that of the original, {first}.",
        )  # fmt: skip


def _day_of(field: Field | None) -> dt.date | None:
    """The date in a field; None without one, or when it is none."""
    if field is None:
        return None
    try:
        return dt.date.fromisoformat(field.value)
    except ValueError:
        return None


# -- types and agencies ---------------------------------------------------------------------------


def _types(
    fields: DocumentFields, book: Catalogues, day: dt.date, copy_day: dt.date
) -> Iterator[FieldFinding]:
    for field, when in ((fields.get("doc_type"), day), (fields.get("copy_form"), copy_day)):
        if field is None or book.document_type(field.value, when) is not None:
            continue
        if any(t.code == field.value for t in book.types):
            yield _finding(
                field, "TYPE_NOT_IN_FORCE", "note",
                f"Loại “{field.value}” chưa hoặc không còn trong danh mục ngày {when:%d/%m/%Y}.",
                f"Type “{field.value}” is not in the catalogue that held on {when}.",
            )  # fmt: skip
        else:
            yield _finding(
                field, "TYPE_UNKNOWN", "warn",
                f"Không có loại văn bản “{field.value}” trong danh mục; hãy chọn lại loại.",
                f"No document type “{field.value}” is in the catalogue; choose the type again.",
            )  # fmt: skip


def _agency(
    field: Field | None, above: Field | None, book: Catalogues, day: dt.date, today: dt.date
) -> Iterator[FieldFinding]:
    if field is None:
        return
    found = book.agencies_named(field.value, above.value if above is not None else "")
    if above is None and found and all(a.level is AgencyLevel.UNIT for a in found):
        return  # every commune has its office of this name: whose this is, nobody said
    if not found:
        yield _finding(
            field, "AGENCY_UNKNOWN", "note",
            f"Cơ quan “{field.value}” chưa có trong danh mục; hãy xem lại tên trên giấy.",
            f"No agency “{field.value}” is in the catalogue; look at the name on the paper again.",
        )  # fmt: skip
        return
    if len(found) == 1 and not same_spelling(found[0].name, field.value):
        printed = _as_printed(found[0].name, field.value)
        yield _finding(
            field, "AGENCY_SPELLING", "note",
            f"Tên “{field.value}” khác dấu với “{printed}” trong danh mục; hãy xem lại trên giấy.",
            f"The name “{field.value}” differs in its marks from “{printed}” in the catalogue; "
            "look at the paper again.",
            printed,
        )  # fmt: skip
    then = [a for a in found if a.validity.holds(day)]
    if not then:
        heirs = _heirs(found, book, day)
        yield _finding(
            field, "AGENCY_NOT_IN_FORCE", "warn",
            f"Cơ quan “{found[0].name}” không có hiệu lực ngày {day:%d/%m/%Y} "
            f"({_period_vi(found)}){_listed('; kế tục', heirs)}. Hãy xem lại ngày và tên.",
            f"The agency “{found[0].name}” was not in force on {day} ({_period_en(found)})"
            f"{_listed('; succeeded by', heirs)}. Look at date and name again.",
            heirs[0].name if len(heirs) == 1 else "",
        )  # fmt: skip
    elif not any(a.validity.holds(today) for a in found):
        heirs = _heirs(then, book, today)
        yield _finding(
            field, "AGENCY_ENDED", "note",
            f"Cơ quan “{then[0].name}” nay đã kết thúc ({_period_vi(then)})"
            f"{_listed('; kế tục', heirs)}.",
            f"The agency “{then[0].name}” has ended since ({_period_en(then)})"
            f"{_listed('; succeeded by', heirs)}.",
        )  # fmt: skip


def _as_printed(name: str, like: str) -> str:
    """A name of the catalogue as a paper prints it: in capitals, abbreviated, as `like` is."""
    text = name.upper() if like.isupper() else name
    for short, words in (("UBND", "ỦY BAN NHÂN DÂN"), ("HĐND", "HỘI ĐỒNG NHÂN DÂN")):
        if short in like.upper().split():
            text = re.sub(words, short, text, flags=re.IGNORECASE)
    return text


def _heirs(
    found: tuple[Agency, ...] | list[Agency], book: Catalogues, day: dt.date
) -> list[Agency]:
    heirs = {heir.id: heir for agency in found for heir in book.successors(agency, day)}
    return list(heirs.values())


def _listed(lead: str, agencies: list[Agency]) -> str:
    names = ", ".join(a.name for a in agencies[:_MOST_SHOWN])
    more = ", …" if len(agencies) > _MOST_SHOWN else ""
    return f"{lead}: {names}{more}" if names else ""


def _period_vi(found: tuple[Agency, ...] | list[Agency]) -> str:
    first, last = found[0].validity.first, found[-1].validity.last
    until = f" đến {last:%d/%m/%Y}" if last is not None else ""
    return f"từ {first:%d/%m/%Y}{until}"


def _period_en(found: tuple[Agency, ...] | list[Agency]) -> str:
    first, last = found[0].validity.first, found[-1].validity.last
    return f"from {first}{f' to {last}' if last is not None else ''}"


# -- number and symbol (NĐ 30/2020, Appendix I, II.3) ---------------------------------------------


def _numbering(
    fields: DocumentFields, whose: str, type_name: str, agency_name: str, dated: Field | None,
    book: Catalogues, day: dt.date,
) -> Iterator[FieldFinding]:  # fmt: skip
    number, symbol = fields.get(f"{whose}_number"), fields.get(f"{whose}_symbol")
    if number is not None:
        yield from _number(number)
    if symbol is None:
        return
    if not _SYMBOL.match(symbol.value):
        yield _finding(
            symbol, "SYMBOL_SHAPE", "warn",
            f"Ký hiệu “{symbol.value}” sai thể thức: các nhóm chữ nối bằng gạch nối, không có "
            "dấu cách (NĐ 30/2020/NĐ-CP, Phụ lục I).",
            f"The symbol “{symbol.value}” is not of its form: groups of letters joined by hyphens, "
            "no blanks (NĐ 30/2020, Appendix I).",
        )  # fmt: skip
        return
    year, _, rest = symbol.value.rpartition("/")
    code, _, issuer = rest.partition("-")
    when = _day_of(dated)
    if year and when is not None and int(year) != when.year:
        yield _finding(
            symbol, "SYMBOL_YEAR", "warn",
            f"Năm {year} trong ký hiệu khác năm ban hành {when.year}.",
            f"The year {year} in the symbol is not that of the date, {when.year}.",
            symbol.value.replace(f"{year}/", f"{when.year}/", 1),
        )  # fmt: skip
    typed = book.document_type(code, day) is not None and bool(issuer)
    told = fields.get(type_name)
    if told is not None and code != told.value:
        agrees = "/".join(filter(None, (year, f"{told.value}-{issuer if typed else rest}")))
        yield _finding(
            symbol, "SYMBOL_TYPE", "warn",
            f"Ký hiệu “{symbol.value}” không mang mã loại “{told.value}” của văn bản.",
            f"The symbol “{symbol.value}” does not bear the paper's type code “{told.value}”.",
            agrees,
        )  # fmt: skip
    agency = fields.get(agency_name)
    if agency is not None:
        parts = (issuer if typed else rest).split("-")
        yield from _symbol_agency(symbol, parts, agency, book)


def _number(number: Field) -> Iterator[FieldFinding]:
    if not _NUMBER.match(number.value) or int(number.value) == 0:
        yield _finding(
            number, "NUMBER_SHAPE", "warn",
            f"Số “{number.value}” không phải số văn bản (1 đến 6 chữ số).",
            f"“{number.value}” is no document number (1 to 6 digits).",
        )  # fmt: skip
        return
    written = f"{int(number.value):02d}"
    if number.value != written:
        yield _finding(
            number, "NUMBER_ZERO", "note",
            f"Số “{number.value}” viết không đúng thể thức: số nhỏ hơn 10 có một số 0 đứng trước, "
            "số khác thì không; hãy xem có sót chữ số không.",
            f"The number “{number.value}” is not written as the rule asks: one zero before a "
            "number below 10, none before others; see whether a digit was lost.",
            written,
        )  # fmt: skip


def _symbol_agency(
    symbol: Field, parts: list[str], agency: Field, book: Catalogues
) -> Iterator[FieldFinding]:
    """The issuing agency's part: its symbol in the catalogue, else letters of its name in order."""
    known = {a.symbol for a in book.agencies_named(agency.value)}
    if known & set(parts) or (parts and names_agency(parts[0], agency.value)):
        return
    suggestion = ""
    if len(known) == 1:
        suggestion = symbol.value.removesuffix("-".join(parts)) + "-".join([*known, *parts[1:]])
    yield _finding(
        symbol, "SYMBOL_AGENCY", "note",
        f"Phần cơ quan “{'-'.join(parts)}” trong ký hiệu không khớp “{agency.value}”.",
        f"The agency's part “{'-'.join(parts)}” of the symbol does not fit “{agency.value}”.",
        suggestion,
    )  # fmt: skip


# -- citizen numbers ------------------------------------------------------------------------------


def _citizens(
    fields: DocumentFields, today: dt.date, card: CardReading | None
) -> Iterator[FieldFinding]:
    mine = card.get("number") if card is not None else None
    for field in (f for f in fields.fields if f.name == "citizen_number"):
        for vi, en in number_faults(field.value, today):
            yield _finding(
                field, "CITIZEN_NUMBER", "warn", f"Số định danh “{field.value}”: {vi}.",
                f"The personal number “{field.value}”: {en}.",
            )  # fmt: skip
    numbers = fields.values("citizen_number")
    if mine is not None and numbers and mine.value not in numbers:
        first = fields.get("citizen_number")
        if first is not None:
            yield _finding(
                first, "CITIZEN_NOT_ON_CARD", "note",
                f"Giấy này không ghi số trên thẻ căn cước ({mine.value}).",
                f"This paper does not bear the number of the identity card ({mine.value}).",
                mine.value,
            )  # fmt: skip


def _finding(
    field: Field, code: str, severity: Severity, vi: str, en: str, suggestion: str = ""
) -> FieldFinding:
    return FieldFinding(
        code, severity, field.name, field.value, vi, en, field.page, field.box, suggestion
    )
