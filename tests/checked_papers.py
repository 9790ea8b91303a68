"""What people made of a paper, for records that are written without any database."""

from __future__ import annotations

import datetime as dt

from ocr.page import RecognisedPage
from ocr.quality.findings import PageQuality
from ocr.record.checked import (
    AcceptedFinding,
    CheckedField,
    CheckedPaper,
    Confirmation,
    Owner,
    PaperCheck,
    Person,
    SetAside,
    SignedOriginal,
    WordCorrection,
)

AT = dt.datetime(2026, 3, 2, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=7)))
OFFICER = Person("prn_mau", "Nguyễn Thị Mẫu")
QUALITY = PageQuality("one-stop", (210.0, 297.0), True, None, ())


def checked_paper(page: RecognisedPage) -> CheckedPaper:
    """One page with a corrected word, a typed field, a page aside, a signed original."""
    word = page.lines[2].words[1]
    said = Confirmation(OFFICER, AT, "mờ / faint")
    return CheckedPaper(
        dossier="H22.12-260301-0001",
        component="KQ.01",
        digitization_code=".KQ.01.7",
        code_template="TT01-2023",
        owner=Owner("", "Lê Văn Thử", "1990-01-02"),
        checks=(PaperCheck(OFFICER, AT, 2),),
        fields=(
            CheckedField("doc_number", "0124", "0123", 1, word.box, 61.5, said),
            CheckedField("owner_name", "Lê Văn Thử", None),
        ),
        findings=(AcceptedFinding("SKEWED", said),),
        set_aside=(SetAside("mat-sau.jpg", 1, "ab" * 32, "blank"),),
        originals=(SignedOriginal("giay-phep.pdf", "cd" * 32, 2),),
        corrections={
            1: (
                WordCorrection(
                    12, False, word.box, "0123/QĐ-UBND", "0124/QĐ-UBND", OFFICER, AT, None, "quầy 1"
                ),
            )
        },
        notes_of={2: 1},
    )
