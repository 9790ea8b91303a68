"""What the reports say, Vietnamese first. Ids are stable; words may be improved."""

from __future__ import annotations

_OUTCOMES = {
    "PASSED": ("đạt", "passed"),
    "WARNING": ("lưu ý", "note"),
    "INDETERMINATE": ("chưa xác định", "undetermined"),
    "FAILED": ("không đạt", "failed"),
    "ALLOWED": ("được phép", "allowed"),
    "CHANGED": ("thay đổi sau khi ký", "changed after signing"),
}

_CHECKS: dict[str, tuple[str, str]] = {
    "file.structure": ("Cấu trúc tệp PDF", "Structure of the PDF file"),
    "file.encrypted": ("Tệp không bị mã hóa", "The file is not encrypted"),
    "file.second-reader": (
        "Bộ đọc PDF thứ hai thấy cùng các chữ ký",
        "A second PDF reader sees the same signatures",
    ),
    "file.stray-signature": (
        "Không có chữ ký nằm ngoài biểu mẫu",
        "No signature outside the form",
    ),
    "file.usage-rights": ("Chữ ký quyền sử dụng", "Usage-rights signature"),
    "file.signatures": ("Tệp có chữ ký số", "The file carries signatures"),
    "file.covered-to-end": (
        "Chữ ký hoặc dấu thời gian cuối cùng phủ đến hết tệp",
        "The last signature or timestamp reaches the end of the file",
    ),
    "file.escape": ("Tệp làm bộ kiểm tra gặp lỗi", "The file made the verifier stumble"),
    "byterange": ("Phạm vi byte được ký", "Bytes that the signature covers"),
    "byterange.four-integers": ("ByteRange gồm bốn số", "ByteRange is four integers"),
    "byterange.from-zero": ("ByteRange bắt đầu từ 0", "ByteRange begins at 0"),
    "byterange.inside-file": ("ByteRange nằm trong tệp", "ByteRange stays inside the file"),
    "byterange.own-object": (
        "Từ điển chữ ký là đối tượng riêng",
        "The signature dictionary is an object of its own",
    ),
    "byterange.gap": (
        "Khoảng trống đúng bằng chuỗi Contents",
        "The gap is exactly the Contents string",
    ),
    "byterange.end-of-revision": (
        "Phạm vi kết thúc ở cuối phiên bản",
        "The range ends at the end of a revision",
    ),
    "byterange.own-revision": (
        "Chữ ký phủ đúng phiên bản chứa nó",
        "The signature covers the revision that holds it",
    ),
    "byterange.overlap": ("Các phạm vi không chồng lấn", "Ranges do not cross"),
    "contents.hex": ("Contents là chuỗi thập lục phân", "Contents is a hexadecimal string"),
    "contents.canonical-hex": (
        "Contents viết theo một kiểu chữ",
        "Contents is written in one case",
    ),
    "signature.sub-filter": ("Định dạng chữ ký", "Signature format"),
    "cms.structure": ("Cấu trúc CMS", "CMS structure"),
    "cms.algorithm": ("Thuật toán được hỗ trợ", "The algorithm is known"),
    "cms.canonical": (
        "Phần không được ký của CMS đúng chuẩn",
        "The unsigned parts of the CMS are as prescribed",
    ),
    "cms.certificates": (
        "Mọi chứng thư kèm theo đều được giải thích",
        "Every embedded certificate is explained",
    ),
    "cms.unsigned-attributes": (
        "Thuộc tính không được ký",
        "Unsigned attributes",
    ),
    "cms.signing-certificate": (
        "Thuộc tính chứng thư ký (ESS)",
        "Signing-certificate attribute (ESS)",
    ),
    "cms.signing-time": ("Thời gian ký được khai", "Claimed signing time"),
    "signature.certificate": (
        "Chứng thư người ký có trong tệp",
        "The signer's certificate is here",
    ),
    "signature.digest": ("Giá trị băm khớp với nội dung", "The digest matches the content"),
    "signature.value": ("Chữ ký đúng với chứng thư", "The signature verifies"),
    "signature.key-usage": ("Mục đích sử dụng khóa", "Key usage"),
    "signature.strength": ("Độ mạnh thuật toán", "Strength of the algorithms"),
    "signature.certification": ("Quyền sửa đổi (DocMDP)", "Certification (DocMDP)"),
    "path.found": ("Đường dẫn đến gốc tin cậy", "Path to a trusted root"),
    "path.validity": ("Hiệu lực chứng thư", "Validity period of the certificates"),
    "path.strength": ("Độ mạnh của đường dẫn", "Strength of the path"),
    "revocation": ("Tình trạng thu hồi", "Revocation status"),
    "timestamp.structure": ("Cấu trúc dấu thời gian", "Structure of the timestamp"),
    "timestamp.imprint": (
        "Dấu thời gian thuộc về đúng dữ liệu này",
        "The timestamp belongs to this data",
    ),
    "timestamp.value": ("Chữ ký của dấu thời gian", "The timestamp's signature"),
    "timestamp.authority": ("Chứng thư dịch vụ dấu thời gian", "The authority's certificate"),
    "timestamp.order": ("Thứ tự thời gian hợp lý", "Times are in order"),
    "timestamp.proof": ("Dấu thời gian dùng làm bằng chứng", "The timestamp serves as proof"),
    "changes": ("Thay đổi sau khi ký", "Changes after signing"),
    "change.dss": ("Dữ liệu kiểm tra (DSS)", "Validation data (DSS)"),
    "change.document-timestamp": ("Dấu thời gian tài liệu", "Document timestamp"),
    "change.signature": ("Chữ ký tiếp theo", "A later signature"),
    "change.metadata-dates": ("Ngày sửa trong siêu dữ liệu", "Modification date in the metadata"),
    "change.page": ("Nội dung trang", "Page content"),
    "change.annotation": ("Chú thích", "Annotation"),
    "change.form-value": ("Giá trị biểu mẫu", "Form value"),
    "change.form": ("Biểu mẫu", "Form"),
    "change.metadata": ("Siêu dữ liệu", "Metadata"),
    "change.attachment": ("Tệp đính kèm", "Attachment"),
    "change.catalogue": ("Danh mục tài liệu", "Document catalogue"),
    "change.signature-altered": ("Chữ ký trước bị sửa hoặc gỡ", "An earlier signature altered"),
    "change.appearance": ("Hình thức chữ ký bất thường", "Unusual signature appearance"),
    "change.object": ("Đối tượng khác", "Another object"),
    "change.hidden-bytes": ("Byte không giải thích được", "Unexplained bytes"),
}


def check_text(check: str, outcome: str) -> tuple[str, str]:
    """(Vietnamese, English) of a check's name and its outcome."""
    vi, en = _CHECKS.get(check, (check, check))
    outcome_vi, outcome_en = _OUTCOMES[outcome]
    return f"{vi}: {outcome_vi}", f"{en}: {outcome_en}"


def is_known(check: str) -> bool:
    """True when the id has words of its own."""
    return check in _CHECKS


_PARTS = {
    "leader": ("Người có thẩm quyền ký", "Authorised person"),
    "number": ("Số văn bản (văn thư)", "Document number (clerk)"),
    "date": ("Ngày văn bản (văn thư)", "Document date (clerk)"),
    "seal": ("Đóng dấu của cơ quan, tổ chức", "Seal of the agency"),
    "publisher": ("Cơ quan công báo đăng văn bản", "Published by the gazette office"),
    "annex": ("Cơ quan ký phụ lục", "Agency, on an annex"),
    "copy": (
        "Cơ quan ký bản sao điện tử, bản số hóa",
        "Agency, on an electronic or digitised copy",
    ),
    "officer": ("Người số hóa", "Digitising officer"),
    "other": ("Chữ ký khác", "Another signature"),
}


def part_text(part: str) -> tuple[str, str]:
    """The part that a signature plays, Vietnamese and English."""
    return _PARTS[part]


_BY_INTEGRITY = {
    "CHANGED": (
        "KHÔNG HỢP LỆ: tài liệu đã bị thay đổi sau khi ký.",
        "NOT VALID: the document was changed after it was signed.",
    ),
    "BROKEN": (
        "KHÔNG HỢP LỆ: nội dung không khớp với chữ ký hoặc dấu thời gian.",
        "NOT VALID: the content does not match a signature or timestamp.",
    ),
    "MALFORMED": (
        "KHÔNG HỢP LỆ: tệp hoặc chữ ký có cấu trúc sai, không thể tin cậy.",
        "NOT VALID: the file or a signature is malformed and cannot be relied on.",
    ),
    "UNKNOWN": (
        "CHƯA XÁC ĐỊNH: tài liệu được ký theo cách mà phần mềm này không tính được.",
        "UNDETERMINED: the document is signed in a way that this program cannot compute.",
    ),
}


def sentence(
    indication: str, integrity: str, has_signatures: bool, sub: str | None
) -> tuple[str, str]:
    """The verdict as one plain sentence."""
    if integrity in _BY_INTEGRITY:
        return _BY_INTEGRITY[integrity]
    if not has_signatures:
        return (
            "CHƯA XÁC ĐỊNH: tài liệu không có chữ ký số.",
            "UNDETERMINED: the document carries no digital signature.",
        )
    if indication == "TOTAL-PASSED":
        return (
            "HỢP LỆ: tài liệu còn nguyên vẹn và mọi chữ ký số đều hợp lệ.",
            "VALID: the document is intact and every signature is valid.",
        )
    because_vi, because_en = _because(sub)
    if indication == "TOTAL-FAILED":
        return (
            f"KHÔNG HỢP LỆ: {because_vi}.",
            f"NOT VALID: {because_en}.",
        )
    return (
        f"CHƯA XÁC ĐỊNH: tài liệu còn nguyên vẹn, nhưng {because_vi}.",
        f"UNDETERMINED: the document is intact, but {because_en}.",
    )


_BECAUSE = {
    "REVOKED": ("chứng thư đã bị thu hồi trước khi ký", "a certificate was revoked before signing"),
    "EXPIRED": ("chứng thư đã hết hạn trước khi ký", "a certificate had expired before signing"),
    "NOT_YET_VALID": ("chứng thư chưa có hiệu lực khi ký", "a certificate was not yet valid"),
    "NO_CERTIFICATE_CHAIN_FOUND": (
        "người ký không thuộc gốc tin cậy nào đã biết",
        "a signer leads to no trusted root",
    ),
    "NO_SIGNING_CERTIFICATE_FOUND": (
        "thiếu chứng thư của người ký",
        "a signer's certificate is missing",
    ),
    "TRY_LATER": (
        "chưa có bằng chứng về tình trạng thu hồi",
        "there is no evidence about revocation",
    ),
    "REVOKED_NO_POE": (
        "chứng thư đã bị thu hồi và thời điểm ký không được chứng minh",
        "a certificate is revoked and the time of signing is not proved",
    ),
    "REVOKED_CA_NO_POE": (
        "chứng thư của tổ chức cấp đã bị thu hồi",
        "an issuing authority's certificate is revoked",
    ),
    "OUT_OF_BOUNDS_NO_POE": (
        "chứng thư đã hết hạn và thời điểm ký không được chứng minh",
        "a certificate has expired and the time of signing is not proved",
    ),
    "CRYPTO_CONSTRAINTS_FAILURE": ("thuật toán ký quá yếu", "a signature algorithm is too weak"),
    "CRYPTO_CONSTRAINTS_FAILURE_NO_POE": (
        "thuật toán ký quá yếu",
        "a signature algorithm is too weak",
    ),
}


def _because(sub: str | None) -> tuple[str, str]:
    return _BECAUSE.get(
        sub or "", ("có điều kiện chưa được đáp ứng", "a condition is not fulfilled")
    )
