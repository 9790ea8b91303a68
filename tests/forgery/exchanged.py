"""Class 4 and 5: dictionaries exchanged between revisions, timestamps copied and replayed."""

from __future__ import annotations

import re

from signer.verification.attacks import Attack
from signer.verification.file.pdf_objects import Dictionary
from signer.verification.file.structure import Document
from tests.cms_surgery import contents_of, put_contents
from tests.fakes import SoftwareKey
from tests.forgery.byte_ranges import signature_object
from tests.forgery.catalogue import Catalogue
from tests.forgery.save import Save, written

dictionaries = Catalogue()

_SWAPPED = (Attack.SWAPPED_DICTIONARY,)
_VALUE = re.compile(rb"/V (\d+) 0 R")
_CONTENTS = re.compile(rb"/Contents <([0-9a-fA-F]+)>")


def _objects(data: bytes) -> dict[int, bytes]:
    """Every dictionary of the file as it is now."""
    document = Document(data)
    numbers = {n for revision in document.revisions for n in revision.entries}
    values = {n: document.current.get(n) for n in sorted(numbers)}
    return {n: written(v) for n, v in values.items() if isinstance(v, Dictionary)}


def _signed_fields(data: bytes) -> list[tuple[int, bytes]]:
    """Numbers and bodies of the signed fields, in the order of their numbers."""
    return [
        (number, body)
        for number, body in _objects(data).items()
        if b"/FT /Sig" in body and _VALUE.search(body)
    ]


@dictionaries(*_SWAPPED)
def contents_exchanged(data: bytes, key: SoftwareKey) -> bytes:
    """The CMS of the first signature in the second, and the other way round."""
    first, second = contents_of(data, 0), contents_of(data, 1)
    room = min(len(first), len(second))
    return put_contents(put_contents(data, second.rstrip(b"\0")[:room], 0), first.rstrip(b"\0"), 1)


@dictionaries(*_SWAPPED)
def first_contents_twice(data: bytes, key: SoftwareKey) -> bytes:
    return put_contents(data, contents_of(data, 0).rstrip(b"\0"), 1)


@dictionaries(*_SWAPPED)
def values_exchanged(data: bytes, key: SoftwareKey) -> bytes:
    """Two fields exchange their signatures by a save."""
    (one, first), (two, second), *_ = _signed_fields(data)
    save = Save(data)
    save.put(one, _VALUE.sub(_VALUE.search(second)[0], first))
    save.put(two, _VALUE.sub(_VALUE.search(first)[0], second))
    return save.table()


@dictionaries(*_SWAPPED)
def one_value_for_two_fields(data: bytes, key: SoftwareKey) -> bytes:
    (_, first), (two, second), *_ = _signed_fields(data)
    save = Save(data)
    save.put(two, _VALUE.sub(_VALUE.search(first)[0], second))
    return save.table()


@dictionaries(*_SWAPPED)
def dictionary_written_again(data: bytes, key: SoftwareKey) -> bytes:
    number, body = signature_object(data)
    save = Save(data)
    save.put(number, body)
    return save.table()


@dictionaries(*_SWAPPED)
def reason_rewritten(data: bytes, key: SoftwareKey) -> bytes:
    """The same signature with another reason, in a later revision."""
    number, body = signature_object(data)
    save = Save(data)
    save.put(number, body.replace(b"/Type", b"/Reason (Dong y) /Type", 1))
    return save.table()


@dictionaries(*_SWAPPED, Attack.INCREMENTAL_SAVING)
def signature_taken_out(data: bytes, key: SoftwareKey) -> bytes:
    """A signed field becomes an empty one."""
    (one, first), *_ = _signed_fields(data)
    save = Save(data)
    save.put(one, _VALUE.sub(b"", first))
    return save.table()


@dictionaries(*_SWAPPED, Attack.SHADOW_HIDE, Attack.INCREMENTAL_SAVING)
def field_taken_out(data: bytes, key: SoftwareKey) -> bytes:
    (one, _), *_ = _signed_fields(data)
    form, body = next((n, b) for n, b in _objects(data).items() if b"/Fields" in b)
    save = Save(data)
    save.put(form, re.sub(rb" ?(?<!\d)%d 0 R" % one, b"", body))
    return save.table()


@dictionaries(*_SWAPPED, Attack.UNIVERSAL_FORGERY, Attack.SIGNATURE_WRAPPING)
def dictionary_inside_the_field(data: bytes, key: SoftwareKey) -> bytes:
    (one, first), *_ = _signed_fields(data)
    _, body = signature_object(data)
    save = Save(data)
    save.put(one, _VALUE.sub(lambda _: b"/V " + body, first))
    return save.table()


@dictionaries(*_SWAPPED, Attack.UNIVERSAL_FORGERY, Attack.INCREMENTAL_SAVING)
def field_of_another_kind(data: bytes, key: SoftwareKey) -> bytes:
    """The signed field becomes a text field: readers that go by the kind see no signature."""
    (one, first), *_ = _signed_fields(data)
    save = Save(data)
    save.put(one, first.replace(b"/FT /Sig", b"/FT /Tx", 1))
    return save.table()
