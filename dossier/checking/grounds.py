"""Why a paper is not digitized (D7), each with what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dossier.intake.catalogues import Exclusion


@dataclass(frozen=True, slots=True)
class Ground:
    """A ground in words, and its legal basis."""

    vi: str
    en: str
    legal_basis: str


_CIRCULAR = "TT 01/2023/TT-VPCP"
GROUNDS: Mapping[Exclusion, Ground] = {
    Exclusion.SHARED_DATA: Ground(
        "Đã có dữ liệu điện tử được chia sẻ, có giá trị pháp lý",
        "already shared as data of legal value",
        _CIRCULAR,
    ),
    Exclusion.PHOTOCOPY: Ground(
        "Bản chụp, hoặc bản sao giấy không phải bản sao chứng thực điện tử",
        "a photocopy, or a paper copy that is not electronically certified",
        _CIRCULAR,
    ),
    Exclusion.SHOW_ONLY: Ground(
        "Giấy tờ chỉ xuất trình để đối chiếu", "only shown, to be compared", _CIRCULAR
    ),
    Exclusion.STATE_SECRET: Ground(
        "Thuộc danh mục bí mật nhà nước",
        "a state secret",
        f"{_CIRCULAR}; Luật Bảo vệ bí mật nhà nước 29/2018/QH14",
    ),
}
