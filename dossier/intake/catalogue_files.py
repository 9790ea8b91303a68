"""Reading catalogues from TOML: the bundled ones, and a deployment's own over them.

A file has any of ``[[type]]``, ``[[agency]]`` and ``[[procedure]]`` (with
``[[procedure.component]]``); ``catalogue_data/`` shows every key. Entries of another file replace
those of the same code and first day and stand beside all others; a file that says
``replaces = true`` drops the bundled entries of every kind that it has.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dossier.errors import CatalogueUnusable
from dossier.intake.catalogues import (
    CARD,
    FORM,
    Agency,
    AgencyLevel,
    Catalogues,
    DocumentType,
    Exclusion,
    PaperForm,
    Procedure,
    RequiredComponent,
    Validity,
)
from dossier.intake.dated_tables import flag_of, period_of, require_known, text_of
from ocr.fields.doctypes import bundled_catalogue

_BUNDLED = Path(__file__).with_name("catalogue_data")
_CODE = re.compile(r"^[\w.\-]{1,40}$")
_KINDS = ("type", "agency", "procedure")
_MOST_BYTES = 8_000_000
_MOST_COPIES = 50
_MOST_KIND = 5
_TYPE_KEYS = frozenset({"code", "name", "copy"})
_DATED = frozenset({"legal_basis", "valid_from", "valid_to"})
_AGENCY_KEYS = frozenset({"id", "name", "level", "symbol", "parent", "successors"})
_PROCEDURE_KEYS = frozenset({"code", "name", "sector", "component"})
_COMPONENT_KEYS = frozenset(
    {"code", "name", "count", "form", "needs_red_seal", "required", "mandatory_kind", "exclusion",
     "document_types", "titles", "keywords", "pages"}
)  # fmt: skip

_Entry = DocumentType | Agency | Procedure


@dataclass(frozen=True, slots=True)
class _File:
    """The entries of one file, each with what a message calls it."""

    name: str
    replaces: bool
    entries: tuple[tuple[str, str, _Entry], ...]  # kind, label, entry


def load_catalogues(path: Path | None = None) -> Catalogues:
    """The bundled catalogues, with those of `path` (a TOML file, or a folder of them) over them.

    Read once and keep what is returned. Raises `CatalogueUnusable`, which names file and entry.
    """
    files = [*_bundled(), *(map(_read, _files_of(path)) if path is not None else ())]
    kept: dict[tuple[str, str, dt.date], tuple[str, str, _Entry]] = {}
    for file in files:
        if file.replaces:
            told = {kind for kind, _, _ in file.entries}
            kept = {key: value for key, value in kept.items() if key[0] not in told}
        own: set[tuple[str, str, dt.date]] = set()
        for kind, label, entry in file.entries:
            key = (kind, _code_of(entry), entry.validity.first)
            if key in own:
                raise _unusable(file.name, label, "có hai mục như nhau", "it comes twice")
            own.add(key)
            kept[key] = (file.name, label, entry)
    everything = list(kept.values())
    _require_no_overlap(everything)
    book = Catalogues(
        (e for _, _, e in everything if isinstance(e, DocumentType)),
        (e for _, _, e in everything if isinstance(e, Agency)),
        (e for _, _, e in everything if isinstance(e, Procedure)),
    )
    _require_known(everything, book)
    return book


@functools.lru_cache(maxsize=1)
def _bundled() -> tuple[_File, ...]:
    own = bundled_catalogue()
    validity = Validity(own.valid_from, None, own.legal_basis)
    types = [DocumentType(c, n, is_copy=False, validity=validity) for c, n in own.types.items()]
    types += [DocumentType(c, n, is_copy=True, validity=validity) for c, n in own.copies.items()]
    listed = tuple(("type", f"type {t.code}", t) for t in types)
    files = (_read(file) for file in _files_of(_BUNDLED))
    return (_File("ocr/fields/assets/document_types.toml", False, listed), *files)


def _files_of(path: Path) -> list[Path]:
    """The file, or the TOML files of a folder in the order of their names."""
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*.toml"))
    if not files:
        raise _unusable(str(path), "", "thư mục không có tệp .toml nào", "no .toml file is there")
    return files


def _read(path: Path) -> _File:
    name = path.name
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _unusable(name, "", "tệp quá lớn", f"it is larger than {_MOST_BYTES} bytes")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unusable(name, "", "không đọc được tệp TOML", str(error)) from error
    unknown = sorted(set(data) - {*_KINDS, "replaces"})
    if unknown:
        raise _unusable(name, unknown[0], "khóa không có trong mẫu", "there is no such key")
    return _File(name, data.get("replaces") is True, tuple(_entries(name, data)))


def _entries(file: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str, _Entry]]:
    for kind in _KINDS:
        tables = data.get(kind, [])
        if not isinstance(tables, list):
            raise _unusable(file, kind, f"phải là bảng [[{kind}]]", f"write [[{kind}]] tables")
        for n, table in enumerate(tables, 1):
            label = f"{kind} {_label(table) or f'#{n}'}"
            try:
                entry: _Entry = _READERS[kind](table)
            except (ValueError, KeyError, TypeError) as error:
                said = f"thiếu khóa {error}" if isinstance(error, KeyError) else str(error)
                english = f"no key {error}" if isinstance(error, KeyError) else str(error)
                raise _unusable(file, label, said, english) from error
            yield kind, label, entry


def _label(table: object) -> str:
    if not isinstance(table, dict):
        return ""
    return str(table.get("code") or table.get("id") or "")


def _type(table: Mapping[str, Any]) -> DocumentType:
    require_known(table, _TYPE_KEYS | _DATED)
    copy = flag_of(table, "copy", default=False)
    return DocumentType(_code(table["code"]), text_of(table["name"]), copy, _validity(table))


def _agency(table: Mapping[str, Any]) -> Agency:
    require_known(table, _AGENCY_KEYS | _DATED)
    validity = _validity(table)
    successors = _texts(table, "successors")
    if successors and validity.last is None:
        raise ValueError("successors without valid_to: an agency in force has none")
    parent = table.get("parent", "")
    return Agency(
        _code(table["id"]), text_of(table["name"]), AgencyLevel(table["level"]),
        text_of(table["symbol"]), text_of(parent) if parent else "", successors, validity,
    )  # fmt: skip


def _procedure(table: Mapping[str, Any]) -> Procedure:
    require_known(table, _PROCEDURE_KEYS | _DATED)
    components = []
    for n, part in enumerate(table["component"], 1):
        try:
            components.append(_component(part))
        except (ValueError, KeyError, TypeError) as error:
            said = f"no key {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"component {_label(part) or f'#{n}'}: {said}") from error
    codes = [c.code for c in components]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice or not codes:
        raise ValueError(f"component {twice[0]} comes twice" if twice else "no component")
    return Procedure(
        _code(table["code"]), text_of(table["name"]), text_of(table["sector"]), tuple(components),
        _validity(table),
    )  # fmt: skip


def _component(table: Mapping[str, Any]) -> RequiredComponent:
    require_known(table, _COMPONENT_KEYS)
    count, pages = _number(table, "count", 1), _number(table, "pages", 0)
    kind = _number(table, "mandatory_kind", 0)
    if not 1 <= count <= _MOST_COPIES:
        raise ValueError(f"count is {count}, not 1 to {_MOST_COPIES}")
    if not 0 <= kind <= _MOST_KIND:
        raise ValueError(f"mandatory_kind is {kind}, not 1 to {_MOST_KIND} (0: on request)")
    form = PaperForm(table["form"])
    seal = flag_of(table, "needs_red_seal", default=False)
    if seal and form is not PaperForm.ORIGINAL:
        raise ValueError("needs_red_seal: only an original bears a red seal")
    component = RequiredComponent(
        _code(table["code"]), text_of(table["name"]), count, form, seal,
        flag_of(table, "required", default=True), kind,
        Exclusion(table["exclusion"]) if "exclusion" in table else None,
        _texts(table, "document_types"), _texts(table, "titles"), _texts(table, "keywords"),
        pages or None,
    )  # fmt: skip
    if not (component.document_types or component.titles or component.keywords):
        raise ValueError("document_types, titles or keywords: nothing tells this paper")
    return component


_READERS: Mapping[str, Any] = {"type": _type, "agency": _agency, "procedure": _procedure}


def _validity(table: Mapping[str, Any]) -> Validity:
    first, last = period_of(table)
    return Validity(first, last, text_of(table["legal_basis"]))


def _require_no_overlap(everything: Sequence[tuple[str, str, _Entry]]) -> None:
    """Two entries of one code on one day: nobody could say which holds."""
    by_code: dict[tuple[str, str], list[tuple[str, str, _Entry]]] = {}
    for file, label, entry in everything:
        by_code.setdefault((type(entry).__name__, _code_of(entry)), []).append((file, label, entry))
    for same in by_code.values():
        same.sort(key=lambda e: e[2].validity.first)
        for (_, _, one), (file, label, other) in itertools.pairwise(same):
            if one.validity.overlaps(other.validity):
                day = other.validity.first
                raise _unusable(
                    file, label, f"ngày {day} có hai mục cùng mã", f"two entries hold on {day}"
                )


def _require_known(everything: Sequence[tuple[str, str, _Entry]], book: Catalogues) -> None:
    """Successors and document types have to be entries themselves."""
    agencies = {a.id for a in book.agencies}
    types = {t.code for t in book.types} | {CARD, FORM}
    for file, label, entry in everything:
        if isinstance(entry, Agency):
            missing = [s for s in entry.successors if s not in agencies]
        elif isinstance(entry, Procedure):
            missing = [t for c in entry.components for t in c.document_types if t not in types]
        else:
            missing = []
        if missing:
            raise _unusable(
                file, label, f"{missing[0]!r} không có trong danh mục",
                f"{missing[0]!r} is in no catalogue",
            )  # fmt: skip


def _code_of(entry: _Entry) -> str:
    return entry.id if isinstance(entry, Agency) else entry.code


def _code(value: object) -> str:
    if not isinstance(value, str) or not _CODE.match(value):
        raise ValueError(f"{value!r} should be a code of 1 to 40 letters, digits, dots and hyphens")
    return value


def _texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise TypeError(f"{key} should be a list of texts")
    return tuple(text_of(v) for v in value)


def _number(table: Mapping[str, Any], key: str, default: int) -> int:
    value = table.get(key, default)
    if type(value) is not int or value < 0:
        raise ValueError(f"{key} is {value!r}, not a number")
    return value


def _unusable(file: str, entry: str, vi: str, en: str) -> CatalogueUnusable:
    return CatalogueUnusable(file, entry, vi, en)
