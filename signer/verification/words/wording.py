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
    "file.unlisted-field": (
        "Biểu mẫu kê đủ các trường chữ ký",
        "The form lists every signature field",
    ),
    "file.usage-rights": ("Chữ ký quyền sử dụng", "Usage-rights signature"),
    "agency.expected": (
        "Chữ ký của cơ quan được nêu",
        "A signature of the agency that was named",
    ),
    "file.signatures": ("Tệp có chữ ký số", "The file carries signatures"),
    "file.covered-to-end": (
        "Chữ ký hoặc dấu thời gian cuối cùng phủ đến hết tệp",
        "The last signature or timestamp reaches the end of the file",
    ),
    "file.bounds": (
        "Tệp vượt giới hạn của việc kiểm tra",
        "The file exceeds what its verification may cost",
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
    "signature.profile": (
        "Định dạng và thuộc tính theo bộ quy tắc",
        "Format and attributes that the rule set asks for",
    ),
    "signature.timestamp": (
        "Thời điểm ký được dấu thời gian chứng minh",
        "A timestamp proves the time of signing",
    ),
    "signature.certification": ("Quyền sửa đổi (DocMDP)", "Certification (DocMDP)"),
    "path.found": ("Đường dẫn đến gốc tin cậy", "Path to a trusted root"),
    "path.anchor": (
        "Gốc tin cậy có hiệu lực theo danh sách",
        "The list of trust grants the root at that time",
    ),
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
    "shown.obscured": (
        "Hình chữ ký sau không che nội dung đã ký",
        "No later signature's picture hides what was signed",
    ),
    "shown.engines": (
        "Bộ đọc PDF thứ hai thấy cùng một văn bản",
        "A second engine sees the same document",
    ),
    "shown.revisions": (
        "Trang hiển thị đúng như khi ký",
        "The pages look as they did when signed",
    ),
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


def all_checks() -> dict[str, tuple[str, str]]:
    """Every id of a check or change with its words: for the documentation."""
    return dict(_CHECKS)


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
