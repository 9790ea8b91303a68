"""What is printed on a page before anybody signs it: the QR code of an issued result.

It is put on in the revision of the first signature, so that every signature covers it. On a
document that is signed already it would be a change after signing, and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from signer.errors import PolicyRefused
from signer.sealing.session import SealingRun
from signer.sealing.stamp import StampPlan
from signer.sealing.syntax import Ref


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to print: how it looks, and what it shows, in words (ISO 19005-3 6.3.3)."""

    stamp: StampPlan
    told: str


def mark_page(run: SealingRun, mark: Mark) -> None:
    """Put `mark` on its page; it appears with the next commit.

    Fields that this run created are there already and keep their places. Raises `PolicyRefused`
    for a document that has a signature, and `ProfileError` where no place is left.
    """
    if run.fields.signed:
        raise PolicyRefused(
            "Văn bản đã có chữ ký nên không in thêm mã QR được; hãy ký không kèm mã, hoặc dùng bản "
            "chưa ký. / The document is signed already, and a code added now would be a change "
            "after signing; sign without the code, or take the unsigned document."
        )
    placed = mark.stamp.resolve(run.fields)
    appearance = Ref(placed.draw(run.revisions))
    run.fields.mark(placed.page_index, placed.rect, appearance, mark.told)
