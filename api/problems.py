"""The only table from error class to what a user sees: headline, exit code, HTTP status.

`api.web.problem_documents` makes RFC 9457 documents of it; the command line prints it. A new error
class gets a row here; its `code` follows from its name (NumberTaken: ``number-taken``).

Exit codes of the command line: 0 done (verify: TOTAL-PASSED), 1 TOTAL-FAILED,
2 INDETERMINATE or wrong usage, 3 an error of the program itself, 4 an input cannot be used,
5 token, PIN or key, 6 refused by a rule, 7 an outside service failed, 8 output cannot be
written, 9 settings.
"""

from __future__ import annotations

import errno
import math
import re
import uuid
from dataclasses import dataclass

from api import client_errors
from api import errors as api_errors
from dossier import errors as dossier_errors
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
    code: str = "unexpected"
    """The row's name in documents: never that of a class which has no row of its own."""
    retry_after_s: int | None = None

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


_RETRY_AFTER_S = 5  # where the error itself does not say
UNKNOWN = Problem("Lỗi của chương trình", "An error of the program itself", 3, 500)

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
    api_errors.MalformedRequest: Problem("Yêu cầu sai khuôn dạng", "Malformed request", 4, 400),
    api_errors.UnsupportedMediaType: Problem(
        "Loại nội dung không nhận", "Media type not accepted", 4, 415
    ),
    api_errors.BodyTooLarge: Problem("Nội dung quá lớn", "Content too large", 4, 413),
    api_errors.BodyTooSlow: Problem("Nội dung đến quá chậm", "The body came too slowly", 7, 408),
    api_errors.SigningFailed: Problem("Ký không thành", "Signing failed", 6, 409),
    api_errors.PreconditionRequired: Problem(
        "Thiếu điều kiện If-Match", "If-Match is required", 4, 428
    ),
    api_errors.RangeNotSatisfiable: Problem(
        "Khoảng byte nằm ngoài tệp", "Range not satisfiable", 4, 416
    ),
    api_errors.Unauthenticated: Problem("Chưa xác thực", "Not authenticated", 6, 401),
    api_errors.RateLimited: Problem("Quá nhiều yêu cầu", "Too many requests", 6, 429),
    api_errors.ProviderUnavailable: Problem(
        "Nhà cung cấp định danh không trả lời", "The identity provider does not answer", 7, 503
    ),
    client_errors.ClientError: Problem("Dịch vụ không làm được", "The service failed", 7, 502),
    client_errors.NoAnswer: Problem("Dịch vụ không trả lời", "The service does not answer", 7, 503),
    client_errors.Refused: Problem("Dịch vụ từ chối", "The service refused", 6, 409),
    dossier_errors.DossierError: Problem("Không thực hiện được", "The step failed", 3, 500),
    dossier_errors.InvalidOrder: Problem("Yêu cầu không hợp lệ", "Invalid order", 4, 422),
    dossier_errors.CatalogueUnusable: Problem(
        "Danh mục không dùng được", "A catalogue cannot be used", 9, 503
    ),
    dossier_errors.NotFound: Problem("Không tìm thấy", "Not found", 4, 404),
    dossier_errors.AccessRefused: Problem("Không có quyền", "Access refused", 6, 403),
    dossier_errors.CredentialRefused: Problem("Chưa xác thực", "Not authenticated", 6, 401),
    dossier_errors.StateConflict: Problem(
        "Trạng thái hiện tại không cho phép", "The present state does not allow this", 6, 409
    ),
    dossier_errors.VersionConflict: Problem(
        "Đã bị thay đổi từ khi đọc", "Changed since it was read", 6, 412
    ),
    dossier_errors.LeaseLost: Problem(
        "Việc không còn trong tay bạn", "It is not in your hands any more", 6, 409
    ),
    dossier_errors.NumberTaken: Problem(
        "Số văn bản đã được cấp", "The number was issued already", 6, 409
    ),
    dossier_errors.IdempotencyConflict: Problem(
        "Idempotency-Key đã dùng cho yêu cầu khác",
        "The Idempotency-Key belongs to another request",
        6,
        409,
    ),
    dossier_errors.QuotaExceeded: Problem("Đã hết hạn mức", "Allowance used up", 6, 403),
    dossier_errors.JobTooDemanding: Problem(
        "Văn bản vượt giới hạn xử lý", "The document exceeds the bounds of processing", 4, 422
    ),
    dossier_errors.VerificationStopped: Problem(
        "Không kiểm tra được tệp", "The file cannot be verified", 4, 422
    ),
    dossier_errors.TooManyOpen: Problem(
        "Quá nhiều yêu cầu đang chờ", "Too many orders under way", 6, 429
    ),
    dossier_errors.Overloaded: Problem("Hệ thống đang quá tải", "Too much is waiting", 3, 503),
    dossier_errors.StoreError: Problem("Kho dữ liệu không trả lời", "Storage failed", 8, 503),
    dossier_errors.BlobDamaged: Problem(
        "Dữ liệu không khớp mã băm", "Bytes do not match their digest", 8, 503
    ),
    dossier_errors.AuditUnavailable: Problem(
        "Không ghi được nhật ký nên không ký", "The audit log cannot be written", 8, 503
    ),
    dossier_errors.ChainBroken: Problem(
        "Nhật ký đã bị sửa", "The audit chain does not hang together", 6, 409
    ),
    dossier_errors.RegisterBroken: Problem(
        "Sổ đăng ký hoặc bằng chứng không đúng",
        "The register or a proof of it does not hold",
        6,
        409,
    ),
    dossier_errors.ScannerError: Problem("Quét không thành", "Scanning failed", 7, 503),
    dossier_errors.ScannerUnreachable: Problem(
        "Không liên lạc được với máy quét", "The scanner does not answer", 7, 503
    ),
    dossier_errors.ScannerBusy: Problem("Máy quét đang bận", "The scanner is busy", 7, 503),
    dossier_errors.ScannerNeedsHand: Problem(
        "Máy quét chờ người xử lý", "The scanner waits for a person", 7, 409
    ),
    dossier_errors.ScannerStopped: Problem(
        "Máy quét đã dừng việc quét", "The scanner stopped the job", 7, 409
    ),
    dossier_errors.ScannerMisanswered: Problem(
        "Máy quét trả lời sai", "The scanner answered wrongly", 7, 502
    ),
    dossier_errors.ScanCancelled: Problem("Đã hủy quét", "Scanning was cancelled", 7, 409),
    dossier_errors.BackupError: Problem("Sao lưu không thành", "Backup or restore failed", 8, 500),
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
    signer_errors.ClockRefused: Problem(
        "Không tin được đồng hồ của máy", "The clock is not to be trusted", 9, 503
    ),
    signer_errors.PolicyRefused: Problem("Quy tắc không cho phép", "Refused by policy", 6, 409),
    signer_errors.KeyUseRefused: Problem(
        "Chính sách khóa không cho phép", "Refused by the key policy", 6, 403
    ),
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
    signer_errors.StatementInvalid: Problem(
        "Bản xác nhận đã ký không đúng", "A signed statement is not genuine", 1, 409
    ),
    signer_errors.ProofInvalid: Problem(
        "Mã trên bản in không chứng minh được gì", "The code on the printout proves nothing", 4, 422
    ),
    signer_errors.CoverSheetInvalid: Problem(
        "Tờ bìa không được tin cậy", "The cover sheet is not believed here", 4, 422
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
            problem = PROBLEMS[kind]
            return Report(
                problem,
                type(error).__name__,
                _message(error),
                code=code_of(kind),
                retry_after_s=_retry_after_s(error, problem),
            )
    return Report(UNKNOWN, "Unexpected", type(error).__name__, uuid.uuid4().hex[:12])


def code_of(kind: type[BaseException]) -> str:
    """The stable machine name of an error class: ``number-taken`` for NumberTaken."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", kind.__name__).lower()


def _retry_after_s(error: BaseException, problem: Problem) -> int | None:
    """Whole seconds after which trying again makes sense; None where it makes none."""
    told = getattr(error, "retry_after_s", None)
    if isinstance(told, (int, float)):
        return max(1, math.ceil(told))
    return _RETRY_AFTER_S if problem.status in (429, 503) else None


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"disk full while writing {error.filename or 'the output'}: free some space"
    return str(error)
