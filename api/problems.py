"""The only table from error class to what a user sees: headline, exit code, HTTP status.

Exit codes of the command line: 0 done (verify: TOTAL-PASSED), 1 TOTAL-FAILED,
2 INDETERMINATE or wrong usage, 3 an error of the program itself, 4 an input cannot be used,
5 token, PIN or key, 6 refused by a rule, 7 an outside service failed, 8 output cannot be
written, 9 settings.
"""

from __future__ import annotations

import errno
import uuid
from dataclasses import dataclass

from api import errors as api_errors
from hsm import errors as hsm_errors
from ocr import errors as ocr_errors
from signer import errors as signer_errors


@dataclass(frozen=True, slots=True)
class Problem:
    """What a class of errors means to a user. `status` is the HTTP status (RFC 9457)."""

    headline_vi: str
    headline_en: str
    exit_code: int
    status: int


@dataclass(frozen=True, slots=True)
class Report:
    """One error, ready to be shown; `error_id` is set for unknown errors only."""

    problem: Problem
    kind: str
    message: str
    error_id: str | None = None

    def to_json(self) -> dict[str, object]:
        """The error as the command line prints it with ``--json``."""
        body: dict[str, object] = {
            "kind": self.kind,
            "headline": {"vi": self.problem.headline_vi, "en": self.problem.headline_en},
            "message": self.message,
            "exit_code": self.problem.exit_code,
        }
        if self.error_id:
            body["error_id"] = self.error_id
        return {"error": body}


_UNKNOWN = Problem("Lỗi của chương trình", "An error of the program itself", 3, 500)

# most derived class first wins: the table is searched along the class's own __mro__
PROBLEMS: dict[type[BaseException], Problem] = {
    api_errors.APIError: Problem("Yêu cầu không thực hiện được", "The request failed", 3, 500),
    api_errors.SettingsError: Problem("Cấu hình sai", "Wrong settings", 9, 500),
    api_errors.NotInitialised: Problem("Chưa khởi tạo", "Not initialised", 9, 503),
    api_errors.ProductionRefused: Problem(
        "Cấu hình thật không nhận thành phần thử nghiệm",
        "Production settings refuse what is for tests only",
        9,
        503,
    ),
    api_errors.InputUnusable: Problem("Tệp đầu vào không dùng được", "Unusable input", 4, 422),
    api_errors.PublishError: Problem("Không ghi được kết quả", "Output not written", 8, 507),
    hsm_errors.HSMError: Problem("Lỗi thiết bị lưu khóa", "Token error", 5, 503),
    hsm_errors.ModuleError: Problem(
        "Không nạp được mô-đun PKCS#11", "The PKCS#11 module cannot be loaded", 5, 503
    ),
    hsm_errors.TokenUnavailable: Problem("Không thấy thiết bị khóa", "No token", 5, 503),
    hsm_errors.PinError: Problem("Mã PIN sai (chỉ thử một lần)", "Wrong PIN (tried once)", 5, 503),
    hsm_errors.KeyNotFound: Problem("Không thấy khóa", "Key not found", 5, 404),
    hsm_errors.KeyMismatch: Problem(
        "Chứng thư không khớp với khóa", "Certificate and key do not match", 5, 409
    ),
    hsm_errors.KeyRefInvalid: Problem("Tham chiếu khóa sai", "Wrong key reference", 5, 422),
    hsm_errors.CeremonyRefused: Problem(
        "Bước tạo khóa bị từ chối", "Key ceremony step refused", 6, 409
    ),
    hsm_errors.SignatureFault: Problem(
        "Thiết bị trả chữ ký sai", "The token returned a wrong signature", 5, 503
    ),
    hsm_errors.DeviceError: Problem("Thiết bị báo lỗi", "The token reports a fault", 5, 503),
    hsm_errors.SchemeNotSupported: Problem(
        "Thuật toán ký không được hỗ trợ", "Signature scheme not supported", 6, 422
    ),
    ocr_errors.OCRError: Problem("Lỗi số hóa", "Digitizing failed", 4, 500),
    ocr_errors.IntakeError: Problem("Tệp quét không nhận được", "Scan not accepted", 4, 422),
    ocr_errors.UnreadableFile: Problem("Không đọc được tệp", "Unreadable file", 4, 422),
    ocr_errors.UnsupportedFile: Problem("Loại tệp không hỗ trợ", "Unsupported file type", 4, 415),
    ocr_errors.DamagedFile: Problem("Tệp hỏng", "Damaged file", 4, 422),
    ocr_errors.EncryptedFile: Problem("Tệp có mật khẩu", "Encrypted file", 4, 422),
    ocr_errors.LimitExceeded: Problem("Vượt giới hạn", "Limit exceeded", 4, 413),
    ocr_errors.RecognitionError: Problem("Nhận dạng không được", "Recognition failed", 3, 500),
    ocr_errors.EngineMissing: Problem(
        "Thiếu Tesseract hoặc mô hình ngôn ngữ", "Tesseract or a language model is missing", 9, 503
    ),
    ocr_errors.ConformanceError: Problem(
        "Kết quả chưa đạt PDF/A", "The result is not PDF/A", 3, 500
    ),
    ocr_errors.OutputError: Problem("Không ghi được kết quả", "Output not written", 8, 507),
    signer_errors.SignerError: Problem("Lỗi ký số", "Signing failed", 3, 500),
    signer_errors.UnsuitableDocument: Problem(
        "Văn bản không ký được", "The document cannot be signed", 4, 422
    ),
    signer_errors.CertificateRefused: Problem(
        "Chứng thư không được dùng để ký", "Certificate refused", 6, 409
    ),
    signer_errors.PolicyRefused: Problem("Quy tắc không cho phép", "Refused by policy", 6, 409),
    signer_errors.ProfileError: Problem(
        "Mẫu hiển thị chữ ký không dùng được", "Unusable appearance profile", 6, 422
    ),
    signer_errors.TimestampError: Problem("Không lấy được dấu thời gian", "No timestamp", 7, 503),
    signer_errors.RevocationError: Problem(
        "Không kiểm tra được thu hồi chứng thư", "No revocation evidence", 7, 503
    ),
    signer_errors.SignatureNotValid: Problem(
        "Chữ ký không được xác nhận là hợp lệ", "The signature is not proved valid", 1, 409
    ),
    signer_errors.TrustError: Problem(
        "Không đọc được chứng thư gốc tin cậy", "Unusable trust anchors", 9, 500
    ),
    PermissionError: Problem("Không có quyền", "Permission denied", 8, 500),
    OSError: Problem("Lỗi đọc ghi tệp", "A file could not be read or written", 8, 507),
}


def report(error: BaseException) -> Report:
    """Describe `error`; an unknown one gets an id and keeps its details to the log."""
    for kind in type(error).__mro__:
        if kind in PROBLEMS:
            return Report(PROBLEMS[kind], type(error).__name__, _message(error))
    return Report(_UNKNOWN, "Unexpected", type(error).__name__, uuid.uuid4().hex[:12])


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"disk full while writing {error.filename or 'the output'}: free some space"
    return str(error)
