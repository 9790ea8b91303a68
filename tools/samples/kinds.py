"""All kinds of paper, by name."""

from __future__ import annotations

from tools.samples import documents, forms

KINDS: dict[str, documents.Builder] = {
    "quyet-dinh": documents.decision,
    "to-trinh": documents.submission,
    "don": forms.application,
    "cong-van": documents.official_letter,
    "bao-cao": documents.report,
    "thong-bao": documents.notice,
    "ke-hoach": documents.plan,
    "tiep-nhan": forms.receipt,
    "danh-sach": forms.roster,
    "bien-ban": forms.minutes,
    "nghi-quyet": documents.resolution,
    "uy-quyen": forms.authorization,
    "giay-moi": documents.invitation,
    "chi-thi": documents.directive,
    "huong-dan": documents.guidance,
    "gioi-thieu": forms.introduction,
    "sao-y": documents.copy_certified,
}
