"""What a save did to the form's /DR, the resources that seals and fields are drawn with.

Tools add fonts for the seals that they draw. Threat: a font under a name that a field, or a page
that shares the dictionary, asks for already and did not find until now.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from signer.verification.changes.ledger import Ledger
from signer.verification.file.pdf_objects import (
    Dictionary,
    Name,
    PDFString,
    PDFSyntaxError,
    Ref,
    Stream,
    Value,
    same,
)
from signer.verification.file.references import Reference
from signer.verification.file.structure import View
from signer.verification.file.xref import decode_stream

MAX_READ = 64 * 1024 * 1024  # bytes of content that are looked through
_VARIABLE_TEXT = frozenset({"Tx", "Ch", "Btn"})
_PICTURES = frozenset({"DCTDecode", "JPXDecode", "CCITTFaxDecode", "JBIG2Decode"})
# where a field names no font, readers take one of these (ISO 32000-2, 12.7.4.3; Acrobat's names)
_FALLBACKS = frozenset(
    {"Helv", "HeBo", "HeOb", "HeBO", "Cour", "CoBo", "TiRo", "TiBo", "Symb", "ZaDb"}
)
_NAME = re.compile(rb"/([^\x00\t\n\x0c\r ()<>\[\]{}/%]+)")
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")


def judge_resources(ledger: Ledger, before: Value, after: Value) -> None:
    """Every resource keeps its name and value; what is added, nothing has asked for so far."""
    modified, _ = ledger.touched
    old, new = ledger.old.dictionary(before), ledger.new.dictionary(after)
    parts = [before, after, *(old or {}).values(), *(new or {}).values()]
    own = {part.number for part in parts if isinstance(part, Ref)}
    if same(before, after) and not own & modified:
        return
    if new is None or not _has_more(ledger, old, new):
        ledger.guilty("form", "/DR of the form changed")
        return
    added = _added(ledger, old, new)
    names = {name for _, name in added}
    asked = has_undrawn_text(ledger.old) and (names & _of_fields(ledger.old) or not names)
    if asked:
        ledger.guilty("form", "/DR of the form changed, which a field is drawn with")
        return
    # an indirect dictionary may serve pages too
    if own & modified and not _is_unused(ledger.old, added):
        ledger.guilty("form", "/DR of the form got what a page may ask for")
        return
    for part in parts:
        if isinstance(part, Ref) and part.number in modified:
            ledger.judge(part, _is_anywhere)
    ledger.explain(after)
    for value in new.values():
        for item in (ledger.new.dictionary(value) or Dictionary()).values():
            ledger.explain(item)


def _is_anywhere(_: Reference) -> bool:
    """Pages may share the dictionary: nothing that they draw names what is new in it."""
    return True


def has_undrawn_text(view: View) -> bool:
    """Whether a reader has to draw a field's text itself, with the form's fonts and defaults."""
    is_asked = view.resolve(view.acro_form.get("NeedAppearances")) is not None
    return any(
        kind in _VARIABLE_TEXT and (is_asked or "AP" not in field)
        for _, _, field, kind in view.fields()
    )


def _has_more(ledger: Ledger, old: Dictionary | None, new: Dictionary) -> bool:
    for kind, value in (old or Dictionary()).items():
        kept, found = ledger.old.dictionary(value), ledger.new.dictionary(new.get(kind))
        if kept is None or found is None:
            if not same(value, new.get(kind)):
                return False
        elif any(not same(item, found.get(name)) for name, item in kept.items()):
            return False
    return True


def _added(ledger: Ledger, old: Dictionary | None, new: Dictionary) -> set[tuple[str, str]]:
    """Kind and name of each new resource."""
    found: set[tuple[str, str]] = set()
    for kind, value in new.items():
        before = ledger.old.dictionary((old or Dictionary()).get(kind)) or Dictionary()
        after = ledger.new.dictionary(value)
        if after is not None:
            found |= {(kind, name) for name in before.keys() ^ after.keys()}
        elif not same((old or Dictionary()).get(kind), value):
            found.add((kind, ""))
    return found


def _of_fields(view: View) -> set[str]:
    """The resources that the form's default appearances ask for, or readers by themselves."""
    defaults = [view.acro_form.get("DA"), *(field.get("DA") for _, _, field, _ in view.fields())]
    found: set[str] = set(_FALLBACKS)
    for value in map(view.resolve, defaults):
        if isinstance(value, PDFString):
            found |= set(_names(value.value))
    return found


def _is_unused(view: View, added: set[tuple[str, str]]) -> bool:
    """Whether fonts alone were added, and no content of the file names one of them."""
    names = {name for _, name in added}
    if any(kind != "Font" for kind, _ in added):
        return False  # a /DefaultRGB is used without being named
    read = 0
    for content in _contents(view):
        if content is None:
            return False
        read += len(content)
        if read > MAX_READ or not names.isdisjoint(_names(content)):
            return False
    return True


def _contents(view: View) -> Iterator[bytes | None]:
    """The data of every stream that a reader could take for content; None: it cannot be read."""
    for number in view.numbers():
        try:
            value = view.get(number)
            if isinstance(value, Stream) and not _is_picture(value):
                yield decode_stream(value)
        except PDFSyntaxError:
            yield None


def _is_picture(stream: Stream) -> bool:
    found = stream.dictionary.get("Filter")
    filters = found if isinstance(found, list) else [found]
    return any(isinstance(item, Name) and item in _PICTURES for item in filters)


def _names(content: bytes) -> Iterator[str]:
    for found in _NAME.finditer(content):
        raw = _ESCAPE.sub(lambda code: bytes([int(code[1], 16)]), found[1])
        yield raw.decode("latin-1")
