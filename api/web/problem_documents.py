"""Problem documents (RFC 9457) in Vietnamese or English, and how OpenAPI describes them.

    @router.get("/v1/things/{id}", responses=problems(401, 403, 404))

A route only raises; `api.web.door` turns what it raised into a document by `answer_report`.
Messages are written
"Vietnamese / English", so the reader's language can be picked; Vietnamese is the default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from api.problems import Problem, Report

MEDIA_TYPE = "application/problem+json"
Language = Literal["vi", "en"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal, ready to be sent."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class FieldError:
    """One entry of a request that is wrong. `field` is its path, as ``query.limit``."""

    field: str
    message: str


def answer_report(
    told: Report,
    *,
    language: Language,
    request_id: str,
    errors: Sequence[FieldError] = (),
    csc: bool = False,
) -> Answer:
    """The problem document of an error, with the headers that belong to it.

    `csc` adds the members that clients of the CSC API look for (CSC API v2, 7.2).
    """
    problem = told.problem
    if told.error_id is None:
        detail = in_language(told.message, language)
    else:
        detail = in_language(
            f"Hãy báo cho quản trị mã lỗi {told.error_id}. / "
            f"Tell the administrator the error id {told.error_id}.",
            language,
        )
    body: dict[str, Any] = {
        "type": f"/problems/{told.code}",
        "title": title_of(problem, language),
        "status": problem.status,
        "detail": detail,
        "code": told.code,
        "instance": request_id,
    }
    if errors:
        body["errors"] = [
            {"field": entry.field, "message": in_language(entry.message, language)}
            for entry in errors
        ]
    if csc:
        body |= {"error": _csc_error(problem.status), "error_description": detail}
    headers = {"content-type": MEDIA_TYPE, "content-language": language, "vary": "accept-language"}
    if told.retry_after_s is not None:
        headers["retry-after"] = str(told.retry_after_s)
    if problem.status == 401:
        headers["www-authenticate"] = 'Bearer realm="sohoa"'
    return Answer(problem.status, headers, json.dumps(body, ensure_ascii=False).encode())


def _csc_error(status: int) -> str:
    if status in (429, 503):
        return "temporarily_unavailable"
    if status >= 500:
        return "server_error"
    return {401: "invalid_token", 403: "access_denied"}.get(status, "invalid_request")


def title_of(problem: Problem, language: Language) -> str:
    """The headline in `language`."""
    return problem.headline_vi if language == "vi" else problem.headline_en


def in_language(message: str, language: Language) -> str:
    """The half of "Vietnamese / English" that `language` asks for; the whole if it has no halves.

    A text with an odd number of parts cannot be divided, and is shown whole.
    """
    parts = message.split(" / ")
    half, odd = divmod(len(parts), 2)
    if odd:
        return message
    return " / ".join(parts[:half] if language == "vi" else parts[half:])


def preferred(accept_language: str | None) -> Language:
    """Pick by Accept-Language (RFC 9110 clause 12.5.4); Vietnamese unless English is preferred."""
    best: dict[str, float] = {}
    for entry in (accept_language or "").split(",")[:20]:
        tag, _, parameters = entry.partition(";")
        name = tag.strip().lower().partition("-")[0]
        weight = 1.0
        if "q=" in parameters:
            try:
                weight = float(parameters.partition("q=")[2].strip())
            except ValueError:
                weight = 0.0
        if name in ("vi", "en", "*"):
            best[name] = max(best.get(name, 0.0), weight)
    rest = best.get("*", 0.0)
    return "en" if best.get("en", rest) > best.get("vi", rest) else "vi"


def fields_of(error: BaseException) -> tuple[FieldError, ...]:
    """The entry that an error names by itself (`InvalidOrder.field`)."""
    field = getattr(error, "field", None)
    return (FieldError(field, str(error)),) if isinstance(field, str) else ()


_HTTP: Mapping[int, Report] = {
    404: Report(
        Problem("Không có địa chỉ này", "No such address", 4, 404),
        "HTTPException",
        "Xem các địa chỉ ở /openapi.json. / The addresses stand in /openapi.json.",
        code="no-such-address",
    ),
    405: Report(
        Problem("Phương thức không dùng ở đây", "Method not allowed here", 4, 405),
        "HTTPException",
        "Xem tiêu đề Allow. / See the Allow header.",
        code="method-not-allowed",
    ),
}
_MALFORMED = Report(
    Problem("Yêu cầu sai khuôn dạng", "Malformed request", 4, 400),
    "HTTPException",
    "Không đọc được yêu cầu. / The request cannot be read.",
    code="malformed-request",
)
INVALID = Report(
    Problem("Nội dung không hợp lệ", "Invalid content", 4, 422),
    "RequestValidationError",
    "Xem `errors` để biết mục nào sai. / `errors` names the entries that are wrong.",
    code="invalid-content",
)


def of_status(status: int) -> Report:
    """What the web framework itself refuses: no such address, no such method."""
    return _HTTP.get(status, _MALFORMED)


# --- OpenAPI ---------------------------------------------------------------------------------

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. `title`, `detail`: Accept-Language (vi, en).",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "pattern": "^[a-z0-9-]+$"},
        "instance": {"type": "string", "description": "Mã yêu cầu. / Request id."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

_MEANING: Mapping[int, str] = {
    400: "Yêu cầu sai khuôn dạng. / Malformed request.",
    401: "Chưa xác thực. / Not authenticated.",
    403: "Không có quyền. / Not allowed.",
    404: "Không tìm thấy. / Not found.",
    405: "Phương thức không dùng ở đây. / Method not allowed here.",
    408: "Nội dung đến quá chậm. / The body came too slowly.",
    409: "Trái trạng thái hoặc quy tắc. / Conflicts with a state or a rule.",
    411: "Thiếu độ dài. / A length is required.",
    412: "Đã bị thay đổi từ khi đọc. / Changed since it was read.",
    413: "Nội dung quá lớn. / Content too large.",
    415: "Loại nội dung không nhận. / Media type not accepted.",
    416: "Khoảng byte nằm ngoài tệp. / Range not satisfiable.",
    422: "Nội dung không hợp lệ. / Invalid content.",
    428: "Thiếu If-Match. / If-Match is required.",
    429: "Quá nhiều yêu cầu. / Too many requests.",
    500: "Lỗi của chương trình, có mã để tra. / An error of the program, with an id.",
    503: "Tạm thời không phục vụ được. / Not available for now.",
    507: "Hết chỗ lưu. / Out of space.",
}
_ALWAYS = (400, 500, 503)  # whatever the route: a head may be unreadable, a service in trouble


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may refuse with `statuses`; 400, 500 and 503 are added."""
    return {status: _described(status) for status in sorted({*statuses, *_ALWAYS})}


def _described(status: int) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": _MEANING[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in (429, 503):
        described["headers"] = {
            "Retry-After": {
                "description": "Giây. / Seconds.",
                "schema": {"type": "integer", "minimum": 1},
            }
        }
    return described
