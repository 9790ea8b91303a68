"""Whether a certificate speaks for a person or for an organisation.

X.509 has no such field. Vietnamese authorities write the person's papers or title into the
subject, the organisation's tax code, or the organisation's own name as common name; where none
of this stands, the first word of the name tells a family from an office.
"""

from __future__ import annotations

import enum
import unicodedata

from signer.verification.signature.certificates import Certificate

_COMMON_NAME, _ORGANISATION, _UNIT = "2.5.4.3", "2.5.4.10", "2.5.4.11"
_PERSONAL = frozenset({"2.5.4.4", "2.5.4.12", "2.5.4.42"})  # surname, title, given name
_ORGANISATION_IDENTIFIER = "2.5.4.97"
_USER_ID = "0.9.2342.19200300.100.1.1"
_PERSONAL_PAPERS = ("cmnd:", "cccd:", "hc:", "gcn:", "sddd:")  # identity card, passport, …
_TAX_CODE = "mst:"
# read with their accents: without them "vụ" is the family Vũ, "bộ" is "bố"
_OFFICES = (
    "bộ ", "sở ", "cục ", "vụ ", "ban ", "chi cục", "tổng cục", "phòng ", "ủy ban", "uỷ ban",
    "hội đồng", "văn phòng", "trung tâm", "công ty", "tổng công ty", "tập đoàn", "ngân hàng",
    "trường ", "bệnh viện", "trạm y tế", "tòa án", "toà án", "viện ", "kho bạc", "cổng thông tin",
    "công báo", "công an", "báo ", "đài ", "thanh tra", "kiểm toán", "hội ", "liên đoàn", "quỹ ",
    "ubnd", "hđnd", "ban quản lý", "thuế ", "bảo hiểm xã hội", "hải quan", "chính phủ",
)  # fmt: skip
_OFFICES_UNACCENTED = (
    "uy ban", "ubnd", "hdnd", "hoi dong", "van phong", "trung tam", "cong ty", "chi cuc",
    "tong cuc", "ngan hang", "benh vien", "toa an", "kho bac", "cong thong tin", "cong bao",
    "cong an", "ban quan ly",
)  # fmt: skip
_FAMILIES = frozenset(
    {
        "nguyễn", "trần", "lê", "phạm", "hoàng", "huỳnh", "phan", "vũ", "võ", "đặng", "bùi", "đỗ",
        "hồ", "ngô", "dương", "lý", "đinh", "trịnh", "đoàn", "đào", "mai", "lương", "lâm", "hà",
        "trương", "tạ", "tô", "cao", "chu", "châu", "quách", "thái", "vương", "từ", "lưu", "phùng",
        "nông", "triệu", "ma", "giàng", "vàng", "sùng", "lò", "lường", "tăng", "tống",
    }
)  # fmt: skip


class Subject(enum.Enum):
    """For whom a certificate speaks."""

    PERSON = "person"
    ORGANISATION = "organisation"
    UNKNOWN = "unknown"


def subject_of(certificate: Certificate) -> Subject:
    """Person, organisation, or unknown when the certificate's subject does not tell."""
    names = certificate.names
    papers = [value.casefold() for oid, value in names if oid == _USER_ID]
    kinds = {oid for oid, _ in names}
    if _PERSONAL & kinds or any(value.startswith(_PERSONAL_PAPERS) for value in papers):
        return Subject.PERSON
    common = [_plain(value) for oid, value in names if oid == _COMMON_NAME]
    if _ORGANISATION_IDENTIFIER in kinds or any(is_office(value) for value in common):
        return Subject.ORGANISATION
    if any(value.split(" ")[0] in _FAMILIES and " " in value for value in common):
        return Subject.PERSON
    own = {_plain(value) for oid, value in names if oid in (_ORGANISATION, _UNIT)}
    if own & set(common) or any(value.startswith(_TAX_CODE) for value in papers):
        return Subject.ORGANISATION
    families = {unaccented(family) for family in _FAMILIES}
    if any(unaccented(value).split(" ")[0] in families and " " in value for value in common):
        return Subject.PERSON
    return Subject.UNKNOWN


def is_office(name: str) -> bool:
    """True when a name begins like that of an office, agency or company."""
    plain = _plain(name)
    return plain.startswith(_OFFICES) or unaccented(plain).startswith(_OFFICES_UNACCENTED)


def _plain(value: str) -> str:
    return " ".join(unicodedata.normalize("NFC", value).casefold().split())


def unaccented(value: str) -> str:
    """Lower case without Vietnamese accents."""
    split = unicodedata.normalize("NFD", value.casefold().replace("đ", "d"))
    return "".join(sign for sign in split if not unicodedata.combining(sign))
