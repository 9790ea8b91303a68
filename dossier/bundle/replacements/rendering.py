"""Instead of `signer.verification.shown.rendering`: there is no second engine (PDFium) here.

Without it nothing is drawn. The verdict rests on the bytes: every object that a save replaced or
added is still judged (step 8), and what was signed is still what the digests say.
"""

from __future__ import annotations

from signer.verification.file.structure import Document
from signer.verification.report import Checklist
from signer.verification.shown.opinion import NOT_COMPARED, Shown
from signer.verification.signature.examination import Examined


def compare_shown(document: Document, items: list[Examined], checks: Checklist) -> Shown:
    """Say that nothing was compared."""
    if items:
        checks.warn(
            "shown.engines",
            f"no second engine on this machine: {len(document.revisions)} revisions not drawn",
        )
    return NOT_COMPARED
