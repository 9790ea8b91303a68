"""A second parser's view of the signatures: where two readers differ, someone is being fooled."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pikepdf

IS_HERE: bool = True
"""False where the verifier stands alone (`dossier.bundle`), without qpdf."""

_MAX_FIELDS = 20_000  # direct fields in an array that holds itself never repeat


def byte_ranges_seen(data: bytes, unlisted: Iterable[int] = ()) -> list[tuple[int, ...]] | None:
    """The /ByteRange of every signed field as qpdf sees them; None when it must repair.

    `unlisted` are fields that the form leaves out, by object number.
    """
    try:
        with pikepdf.open(io.BytesIO(data), attempt_recovery=False) as pdf:
            out: list[tuple[int, ...]] = []
            form = pdf.Root.get("/AcroForm")
            stack = list(form.get("/Fields", [])) if form is not None else []
            stack += [pdf.get_object(number, 0) for number in unlisted]
            seen: set[tuple[int, int]] = set()
            looked_at = 0
            while stack:
                looked_at += 1
                if looked_at > _MAX_FIELDS:
                    return None
                field = stack.pop()
                if not isinstance(field, pikepdf.Dictionary) or field.objgen in seen:
                    continue
                if field.objgen != (0, 0):
                    seen.add(field.objgen)
                stack += list(field.get("/Kids", []))
                value = field.get("/V")
                if isinstance(value, pikepdf.Dictionary) and "/ByteRange" in value:
                    out.append(tuple(int(n) for n in value["/ByteRange"]))
            return out
    except (pikepdf.PdfError, ValueError, TypeError, RuntimeError, KeyError, AttributeError):
        return None
