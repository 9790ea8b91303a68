"""What a save did to the interactive form: later signatures and their fields, nothing else.

Threats: shadow attacks through form values, appearances and the resources that appearances are
made from; sneaky signatures, which show content instead of a seal.
"""

from __future__ import annotations

from signer.verification.attacks import Attack
from signer.verification.changes.ledger import Ledger
from signer.verification.changes.resources import has_undrawn_text, judge_resources
from signer.verification.file.pdf_objects import Dictionary, PDFString, Ref, Value, same
from signer.verification.file.references import Reference

# keys that signing an empty field may set; /AS means nothing beside the one appearance allowed
_FILLED = frozenset({"V", "AP", "F", "M", "AS", "DA", "MK", "P"})
_SHOWN = frozenset({"AP", "F", "M"})  # of these, what its widget may get where it is a kid
_FIELD_KEYS = frozenset(
    {"Type", "Subtype", "FT", "T", "TU", "TM", "V", "F", "Ff", "Rect", "P", "AP", "MK", "DA", "DR",
     "Q", "BS", "Border", "Lock", "SV", "M", "NM", "StructParent", "Contents", "C", "H", "AS", "DV"}
)  # fmt: skip
_FIELD_SLOTS = frozenset({"Fields", "Kids", "Annots", "Parent", "Obj", "V"})


def judge_form(ledger: Ledger) -> None:
    """Compare the forms; notes new signature widgets in `ledger.new_widgets`."""
    old, new = ledger.old.acro_form, ledger.new.acro_form
    if old and ledger.new.root.get("AcroForm") is None:
        ledger.guilty("form", "the form was removed", Attack.SHADOW_HIDE)
        return
    ledger.take(ledger.old.root.get("AcroForm"), ledger.new.root.get("AcroForm"), _is_form)
    ledger.take(old.get("Fields"), new.get("Fields"), _is_field_list)
    for key in sorted(old.keys() | new.keys()):
        if key not in ("Fields", "SigFlags", "DR") and not same(old.get(key), new.get(key)):
            _judge_form_key(ledger, key, old.get(key), new.get(key))
    judge_resources(ledger, old.get("DR"), new.get("DR"))
    before, after = ledger.old.array(old.get("Fields")), ledger.new.array(new.get("Fields"))
    if not same(after[: len(before)], before):
        ledger.guilty("form", "fields were removed or reordered", Attack.SHADOW_HIDE)
    _, added = ledger.touched
    for item in after[len(before) :]:
        if not isinstance(item, Ref) or item.number not in added:
            ledger.guilty("form", "something else than a new field was put into the form")
    _judge_fields(ledger)


def _is_form(reference: Reference) -> bool:
    return reference.keys == ("AcroForm",)


def _is_field_list(reference: Reference) -> bool:
    return reference.keys in (("Fields",), ("AcroForm", "Fields"))


def is_field_place(reference: Reference) -> bool:
    """Where a field or widget may be referred to from; no page draws what stands there."""
    return not reference.keys or reference.keys[-1] in _FIELD_SLOTS


def _judge_form_key(ledger: Ledger, key: str, before: Value, after: Value) -> None:
    """Defaults may be added where no existing field is drawn with them."""
    is_free = not has_undrawn_text(ledger.old)
    is_new_default = key == "DA" and before is None and isinstance(after, PDFString)
    is_harmless = key == "NeedAppearances" and (after is None or after is False)
    if not is_free or not (is_new_default or is_harmless):
        ledger.guilty("form", f"/{key} of the form changed")


def _judge_fields(ledger: Ledger) -> None:
    modified, added = ledger.touched
    filled: set[int] = set()  # fields that this save signed
    for name, number, field, kind in ledger.new.fields():
        if number in added:
            if kind == "Sig":
                _judge_new_signature(ledger, name, number, field)
            else:
                ledger.explained.add(number)
                ledger.guilty("form", f"the field {name!r} was added")
        elif number in modified:
            ledger.judge(Ref(number, 0), is_field_place)
            _judge_modified_field(ledger, name, number, field, kind, filled)
    for signature in ledger.old.signatures():
        if signature.object_number in modified:
            ledger.judge(Ref(signature.object_number, 0), is_field_place)
            ledger.guilty("signature-altered", f"the signature {signature.name!r} was replaced")


def _judge_modified_field(
    ledger: Ledger, name: str, number: int, field: Dictionary, kind: str, filled: set[int]
) -> None:
    before = ledger.old.dictionary(Ref(number, 0)) or Dictionary()
    differing = {
        key
        for key in before.keys() | field.keys()
        if not same(before.get(key), field.get(key), loosely=True)
    }
    parent = field.get("Parent")
    if kind == "Sig" and before.get("V") is None and field.get("V") is not None:
        filled.add(number)
        if differing <= _FILLED and (before.get("P") is None or "P" not in differing):
            _judge_new_signature(ledger, name, number, field)
        else:
            key = min(differing - _FILLED, default="P")
            ledger.guilty("annotation", f"/{key} of {name!r} changed")
    elif kind == "Sig" and isinstance(parent, Ref) and parent.number in filled and (
        differing <= _SHOWN and "T" not in field
    ):  # fmt: skip
        _take_widget(ledger, number, field)
    elif kind == "Sig":
        ledger.guilty("signature-altered", f"the signature field {name!r} changed")
    elif "V" in differing or "AS" in differing:
        ledger.guilty("form-value", f"the value of {name!r} changed")
    else:
        ledger.guilty("annotation", f"the appearance of {name!r} changed", Attack.SHADOW_REPLACE)


def _judge_new_signature(ledger: Ledger, name: str, number: int, field: Dictionary) -> None:
    """A field signed (or made empty) by this save, with its appearance and nothing else."""
    _take_widget(ledger, number, field)
    _, added = ledger.touched
    if number in added and field.keys() - _FIELD_KEYS:
        extra = min(field.keys() - _FIELD_KEYS)
        ledger.guilty("appearance", f"the new signature field {name!r} has /{extra}")
    if field.get("V") is None:
        ledger.guilty(
            "form", f"an empty signature field {name!r} was added", Attack.SNEAKY_SIGNATURE
        )
        return
    signature = ledger.new.dictionary(field.get("V")) or Dictionary()
    is_time = signature.get("SubFilter") == "ETSI.RFC3161"
    ledger.allowed("document-timestamp" if is_time else "signature", name)


def _take_widget(ledger: Ledger, number: int, field: Dictionary) -> None:
    ledger.new_widgets.add(number)
    ledger.explained.add(number)
    for key, value in field.items():
        if key not in ("P", "Parent", "Kids"):
            ledger.explain(value)
