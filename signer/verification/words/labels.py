"""Words for the values of a report, Vietnamese and English: integrity, verdict, times, periods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Words = tuple[str, str]

VERDICTS: Mapping[str, Words] = {
    "TOTAL-PASSED": ("HỢP LỆ", "VALID"),
    "INDETERMINATE": ("CHƯA XÁC ĐỊNH", "UNDETERMINED"),
    "TOTAL-FAILED": ("KHÔNG HỢP LỆ", "NOT VALID"),
}
INTEGRITY: Mapping[str, Words] = {
    "INTACT": ("còn nguyên vẹn", "intact"),
    "CHANGED": ("bị thay đổi sau khi ký", "changed after signing"),
    "BROKEN": ("không khớp với chữ ký", "does not match the signature"),
    "MALFORMED": ("sai cấu trúc", "malformed"),
    "UNKNOWN": ("không kiểm tra được", "cannot be checked"),
    "NONE": ("không có chữ ký", "not signed"),
}
DOMAINS: Mapping[str, Words] = {
    "OFFICIAL_DUTY": ("chữ ký số chuyên dùng công vụ", "official duty"),
    "PUBLIC": ("chữ ký số công cộng", "public"),
    "TEST": ("CHỈ DÙNG THỬ, không có giá trị pháp lý", "TEST ONLY, of no legal value"),
    "PINNED": ("do người kiểm tra chỉ định", "pinned by whoever asked"),
}
ENGINES: Mapping[str, Words] = {
    "AGREE": ("thấy cùng một văn bản", "sees the same document"),
    "DISAGREE": ("thấy nội dung KHÁC", "sees something ELSE"),
    "NOT_COMPARED": ("không so sánh", "not compared"),
}
_TIME_IS: Mapping[str, Words] = {
    "proved": ("dấu thời gian chứng minh", "proved by a timestamp"),
    "claimed": ("người ký tự khai, chưa được chứng minh", "claimed by the signer, not proved"),
    "none": ("không rõ", "unknown"),
}
_PERIOD: Mapping[str, Words] = {
    "WITHIN": ("trong thời hạn", "within its period"),
    "BEFORE": ("trước thời hạn", "before its period"),
    "AFTER": ("sau thời hạn", "after its period"),
    "UNKNOWN": ("không rõ thời hạn", "period unknown"),
}
_REVOCATION: Mapping[str, Words] = {
    "GOOD": ("chưa bị thu hồi", "not revoked"),
    "REVOKED": ("đã bị thu hồi", "revoked"),
    "UNKNOWN": ("chưa rõ tình trạng thu hồi", "revocation unknown"),
}


def time_basis(validity: Mapping[str, Any]) -> Words:
    """Where the time of signing comes from. `validity` is ``validity_at_signing`` of a report."""
    return _TIME_IS[validity["time_is"]]


def validity_words(validity: Mapping[str, Any]) -> Words:
    """Whether the certificate was valid when it was signed with, and why."""
    period, revocation = _PERIOD[validity["period"]], _REVOCATION[validity["revocation"]]
    return (
        f"{validity['vi']} ({period[0]}, {revocation[0]})",
        f"{validity['en']} ({period[1]}, {revocation[1]})",
    )


def trust_words(signature: Mapping[str, Any]) -> Words:
    """Trust domain and rule set of a signature; or that it leads to no known root."""
    domain = signature["trust_domain"]
    if domain is None:
        return "không thuộc gốc tin cậy nào đã biết", "leads to no trusted root"
    vi, en = DOMAINS.get(domain, (domain, domain))
    rules = signature.get("rule_set")  # a timestamp has none
    name = f", {rules['id']}" if rules else ""
    return vi + name, en + name
