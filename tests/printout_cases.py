"""Issued results with their codes, and what their printouts look like when they come back."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import pikepdf
from PIL import Image

from signer.sealing.appearance.placement import POINTS_PER_MM
from signer.sealing.seal import Sealer, SealRequest
from tests.fakes import SoftwareKey
from tests.printed_codes import drawn, mark_of
from tests.stamped import A4, Typed, stamped_pdf
from tools.samples.fiction import Fiction
from tools.samples.groundtruth import PAGE_HEIGHT_MM
from tools.samples.kinds import KINDS
from tools.samples.layout import Sheet
from tools.samples.printouts import Alteration, Return, alter, reread
from tools.samples.typefaces import FAMILIES

_KINDS = ("quyet-dinh", "thong-bao", "cong-van", "giay-moi", "uy-quyen", "gioi-thieu", "bao-cao")


@cache
def proof_key() -> SoftwareKey:
    """The key that signs codes."""
    return SoftwareKey(label="proof")


@cache
def _agency_key() -> SoftwareKey:
    return SoftwareKey(label="agency")


@dataclass(frozen=True)
class Issued:
    """A record with its code, and the sheet that it was typed from."""

    pdf: bytes
    source: bytes
    sheet: Sheet
    typed: bool


def issued(number: int, *, typed: bool | None = None) -> Issued:
    """A made-up result of one page: typed (with its text), or a scan (an image alone)."""
    kind = _KINDS[number % len(_KINDS)]
    typed = number % 2 == 0 if typed is None else typed
    families = ["Liberation Serif"] if typed else ["Liberation Serif", "DejaVu Serif", "Arimo"]
    sheet = KINDS[kind](Fiction(f"printout/{number}"), FAMILIES[families[number % len(families)]])[
        -1 if number % 3 else 0
    ]
    source = _page(sheet, typed=typed)
    return Issued(_coded(source), source, sheet, typed)


def printed(result: Issued, how: Return, seed: int, sheet: Sheet | None = None) -> bytes:
    """What comes back (JPEG) of a print of the result, or of it with another sheet's words."""
    pdf = result.pdf
    if sheet is not None:
        pdf = _over(result, _page(sheet, typed=result.typed))
    return reread(255 - drawn(pdf, how.dpi), how, seed)


def altered(
    result: Issued, rng: random.Random, kind: Literal["digit", "name"]
) -> tuple[Sheet, Alteration]:
    """One digit or name changed, the other where the sheet has none of them."""
    try:
        return alter(result.sheet, rng, kind)
    except ValueError:
        return alter(result.sheet, rng, "name" if kind == "digit" else "digit")


def _coded(source: bytes) -> bytes:
    sealer = Sealer(precheck=lambda key, at: None)
    request = SealRequest(_agency_key())
    return sealer.seal_many_bytes(source, [request], mark_of(source, proof_key()))[0]


def _over(result: Issued, page: bytes) -> bytes:
    """The result's code and stamps on another page: what a forger prints."""
    with (
        pikepdf.open(io.BytesIO(result.pdf)) as pdf,
        pikepdf.open(io.BytesIO(page)) as other,
    ):
        taken = pdf.copy_foreign(other.pages[0].obj)
        pdf.pages[0].obj.Contents = taken.Contents
        pdf.pages[0].obj.Resources = taken.Resources
        out = io.BytesIO()
        pdf.save(out)
        return out.getvalue()


def _page(sheet: Sheet, *, typed: bool) -> bytes:
    return _typed(sheet) if typed else _scanned(sheet)


def _typed(sheet: Sheet) -> bytes:
    words = [
        Typed(
            piece.x * POINTS_PER_MM,
            (PAGE_HEIGHT_MM - piece.baseline) * POINTS_PER_MM,
            piece.text,
            piece.size_pt,
        )
        for piece in sheet.placed
    ]
    with pikepdf.open(io.BytesIO(stamped_pdf([], (A4,), words))) as opened:
        del opened.Root.AcroForm
        out = io.BytesIO()
        opened.save(out, deterministic_id=True)
    return out.getvalue()


def _scanned(sheet: Sheet) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.asarray(255 - sheet.draw_ink(300))).save(out, "PDF", resolution=300)
    return out.getvalue()
