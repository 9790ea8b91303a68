"""The verdict as one sentence for a citizen: what it is, why, and what to do next.

No jargon, nothing that the checks do not bear out, and no blame: a damaged download looks like a
forgery. Vietnamese first; each sentence begins with its verdict in capitals.
"""

from __future__ import annotations

from collections.abc import Collection

Words = tuple[str, str]
"""Vietnamese, English."""

_VALID = ("HỢP LỆ", "VALID")
_NOT_VALID = ("KHÔNG HỢP LỆ", "NOT VALID")
_UNDETERMINED = ("CHƯA XÁC ĐỊNH", "UNDETERMINED")
_VERDICTS = {
    "TOTAL-PASSED": _VALID,
    "TOTAL-FAILED": _NOT_VALID,
    "INDETERMINATE": _UNDETERMINED,
}

_ASK = (
    "hãy liên hệ cơ quan ghi trên văn bản để xác nhận",
    "ask the agency named on it to confirm",
)
_FETCH = (
    "hãy tải lại tệp gốc hoặc xin lại từ cơ quan đã ban hành",
    "download the original again, or ask the agency that issued it for another copy",
)

_PASSED = (
    "văn bản còn nguyên vẹn như khi ký và mọi chữ ký đều được xác nhận; bạn có thể dùng tệp này",
    "the document is as it was when it was signed, and every signature is confirmed; you can use "
    "this file",
)
_PASSED_IN_TEST = (
    "văn bản còn nguyên vẹn và mọi chữ ký đều được xác nhận, nhưng bằng chứng thư thử nghiệm nên "
    "không có giá trị pháp lý; chỉ dùng tệp này để thử",
    "the document is intact and every signature is confirmed, but by test certificates, which have "
    "no legal value; use this file for tests only",
)
_UNSIGNED = (
    "tệp này không có chữ ký số nên không thể biết ai đã ban hành; nếu đây là bản chụp hoặc bản "
    "in, hãy tra mã kết quả in trên đó hoặc xin tệp gốc",
    "this file carries no digital signature, so nobody can tell who issued it; if it is a copy or "
    "a printout, look up the result code on it or ask for the original file",
)
_BY_INTEGRITY: dict[str, Words] = {
    "CHANGED": (
        "văn bản đã bị thay đổi sau khi ký; đừng dùng tệp này, hãy xin bản gốc từ cơ quan đã ban "
        "hành",
        "the document was changed after it was signed; do not use this file, ask the agency that "
        "issued it for the original",
    ),
    "BROKEN": (
        f"nội dung không còn khớp với chữ ký, do bị sửa hoặc hỏng trên đường gửi; {_FETCH[0]}",
        "the content no longer matches the signature, because it was altered or damaged on its "
        f"way; {_FETCH[1]}",
    ),
    "MALFORMED": (
        f"tệp bị hỏng hoặc được dựng sai cách nên không thể tin; {_FETCH[0]}",
        f"the file is damaged or built in a way that cannot be relied on; {_FETCH[1]}",
    ),
    "UNKNOWN": (
        f"văn bản được ký theo cách mà phần mềm này không kiểm tra được; {_ASK[0]}",
        f"the document is signed in a way that this program cannot check; {_ASK[1]}",
    ),
}
_BY_FINDING: dict[str, Words] = {
    "file.encrypted": (
        "tệp có mật khẩu nên không kiểm tra được; hãy kiểm tra chính tệp đã nhận, khi chưa đặt "
        "mật khẩu",
        "the file is protected by a password and cannot be checked; check the file as you received "
        "it, before the password was set",
    ),
    "agency.expected": (
        "văn bản còn nguyên vẹn, nhưng không có chữ ký nào của cơ quan mà bạn nêu; hãy xem lại tên "
        "người ký bên dưới",
        "the document is intact, but no signature is of the agency that you named; look at the "
        "signers' names below",
    ),
    "shown.engines": (
        "hai phần mềm đọc tệp này thấy nội dung khác nhau nên không biết chắc bản nào đã được ký; "
        "hãy xin bản gốc từ cơ quan đã ban hành",
        "two programs that read this file see different contents, so it is not certain which one "
        "was signed; ask the agency that issued it for the original",
    ),
    "shown.unfinished": (
        f"văn bản quá nặng để so sánh từng trang với bản đã ký; {_ASK[0]}",
        f"the document is too heavy to compare each page with what was signed; {_ASK[1]}",
    ),
}
"""Where one finding is the whole reason."""

_BECAUSE: dict[str, Words] = {
    "REVOKED": (
        f"chứng thư của người ký đã bị thu hồi trước khi ký; {_ASK[0]}",
        f"the signer's certificate had been revoked before it was signed; {_ASK[1]}",
    ),
    "EXPIRED": (
        f"chứng thư của người ký đã hết hạn trước khi ký; {_ASK[0]}",
        f"the signer's certificate had expired before it was signed; {_ASK[1]}",
    ),
    "NOT_YET_VALID": (
        f"văn bản được ký khi chứng thư của người ký chưa có hiệu lực; {_ASK[0]}",
        f"it was signed before the signer's certificate became valid; {_ASK[1]}",
    ),
    "NO_CERTIFICATE_CHAIN_FOUND": (
        f"ở đây chưa biết tổ chức đã cấp chứng thư cho người ký; {_ASK[0]}",
        f"who certified the signer is not known here; {_ASK[1]}",
    ),
    "NO_SIGNING_CERTIFICATE_FOUND": (
        f"tệp thiếu chứng thư của người ký; {_ASK[0]}",
        f"the signer's certificate is missing from the file; {_ASK[1]}",
    ),
    "TRY_LATER": (
        f"chưa có bằng chứng rằng chứng thư của người ký chưa bị thu hồi; {_ASK[0]}, hoặc kiểm tra "
        "lại sau",
        "there is no proof yet that the signer's certificate had not been revoked; "
        f"{_ASK[1]}, or check again later",
    ),
    "REVOKED_NO_POE": (
        f"chứng thư của người ký đã bị thu hồi và không rõ văn bản được ký trước hay sau đó; "
        f"{_ASK[0]}",
        "the signer's certificate was revoked, and whether it was signed before or after that is "
        f"not proved; {_ASK[1]}",
    ),
    "REVOKED_CA_NO_POE": (
        f"chứng thư của tổ chức đã chứng thực người ký bị thu hồi; {_ASK[0]}",
        f"the certificate of the authority that certified the signer was revoked; {_ASK[1]}",
    ),
    "OUT_OF_BOUNDS_NO_POE": (
        f"chứng thư của người ký nằm ngoài thời hạn và ngày ký không được chứng minh; {_ASK[0]}",
        "the signer's certificate is outside its period, and the day of signing is not proved; "
        f"{_ASK[1]}",
    ),
    "CRYPTO_CONSTRAINTS_FAILURE": (
        f"chữ ký được tạo bằng kỹ thuật cũ, nay không còn đủ an toàn; {_ASK[0]}",
        f"it was signed with an old technique that is no longer safe enough; {_ASK[1]}",
    ),
    "CHAIN_CONSTRAINTS_FAILURE": (
        f"chứng thư của người ký không được cấp cho việc ký văn bản như thế này; {_ASK[0]}",
        f"the signer's certificate was not issued for signing documents like this; {_ASK[1]}",
    ),
    "TIMESTAMP_ORDER_FAILURE": (
        f"các mốc thời gian trong văn bản mâu thuẫn với nhau; {_ASK[0]}",
        f"the times in the document contradict each other; {_ASK[1]}",
    ),
}
_BECAUSE["CRYPTO_CONSTRAINTS_FAILURE_NO_POE"] = _BECAUSE["CRYPTO_CONSTRAINTS_FAILURE"]
_OTHERWISE = (
    f"một điều kiện của chữ ký chưa được đáp ứng; {_ASK[0]}",
    f"a condition of the signature is not fulfilled; {_ASK[1]}",
)


def sentence(
    indication: str,
    integrity: str,
    has_signatures: bool,
    sub: str | None,
    findings: Collection[str] = (),
    domains: Collection[str] = (),
) -> Words:
    """The verdict as one plain sentence, Vietnamese and English.

    `findings` are the ids of checks that were not passed, `domains` where the signatures' paths
    end.
    """
    vi, en = _reason(indication, integrity, has_signatures, sub, findings)
    if indication == "TOTAL-PASSED" and "TEST" in domains:
        vi, en = _PASSED_IN_TEST
    verdict_vi, verdict_en = _VERDICTS[indication]
    return f"{verdict_vi}: {vi}.", f"{verdict_en}: {en}."


def _reason(
    indication: str, integrity: str, has_signatures: bool, sub: str | None,
    findings: Collection[str],
) -> Words:  # fmt: skip
    if "file.encrypted" in findings:
        return _BY_FINDING["file.encrypted"]
    if integrity == "UNKNOWN" and "shown.engines" in findings:
        is_open = sub == "SIG_CONSTRAINTS_FAILURE"  # drawing it would have cost too much
        return _BY_FINDING["shown.unfinished" if is_open else "shown.engines"]
    if integrity in _BY_INTEGRITY:
        return _BY_INTEGRITY[integrity]
    if not has_signatures:
        return _UNSIGNED
    if indication == "TOTAL-PASSED":
        return _PASSED
    if sub == "SIG_CONSTRAINTS_FAILURE" and "agency.expected" in findings:
        return _BY_FINDING["agency.expected"]
    vi, en = _BECAUSE.get(sub or "", _OTHERWISE)
    if indication == "INDETERMINATE":
        return f"văn bản còn nguyên vẹn, nhưng {vi}", f"the document is intact, but {en}"
    return vi, en
