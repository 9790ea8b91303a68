"""Checks what clients send against its declared form, and says in Vietnamese what is wrong.

`require_form` and `read_json` raise the framework's own `RequestValidationError`, so whatever
finds a mistake, the answer is the same problem document with one entry a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from api.errors import UnsupportedMediaType
from api.web.body import too_large
from api.web.problem_documents import FieldError

if TYPE_CHECKING:
    from fastapi import Request

M = TypeVar("M", bound=BaseModel)
JSON_BYTES = 1 << 20
_SHOWN = 20  # mistakes named in one answer

_VIETNAMESE: Mapping[str, str] = {
    "missing": "thiếu mục này",
    "extra_forbidden": "không có mục này",
    "json_invalid": "không phải JSON hợp lệ",
    "model_type": "phải là một đối tượng JSON",
    "model_attributes_type": "phải là một đối tượng JSON",
    "dict_type": "phải là một đối tượng JSON",
    "list_type": "phải là một danh sách",
    "string_type": "phải là chuỗi ký tự",
    "string_too_short": "ngắn nhất {min_length} ký tự",
    "string_too_long": "dài nhất {max_length} ký tự",
    "string_pattern_mismatch": "không đúng khuôn dạng {pattern}",
    "string_unicode": "không phải văn bản Unicode hợp lệ",
    "too_short": "cần ít nhất {min_length} mục",
    "too_long": "nhiều nhất {max_length} mục",
    "int_type": "phải là số nguyên",
    "int_parsing": "phải là số nguyên",
    "int_parsing_size": "số quá lớn",
    "int_from_float": "phải là số nguyên",
    "float_type": "phải là số",
    "float_parsing": "phải là số",
    "finite_number": "phải là số hữu hạn",
    "bool_type": "phải là true hoặc false",
    "bool_parsing": "phải là true hoặc false",
    "greater_than": "phải lớn hơn {gt}",
    "greater_than_equal": "nhỏ nhất là {ge}",
    "less_than": "phải nhỏ hơn {lt}",
    "less_than_equal": "lớn nhất là {le}",
    "literal_error": "phải là một trong {expected}",
    "enum": "phải là một trong {expected}",
    "date_parsing": "phải là ngày dạng 2026-01-31",
    "date_type": "phải là ngày dạng 2026-01-31",
    "date_from_datetime_parsing": "phải là ngày dạng 2026-01-31",
    "date_from_datetime_inexact": "phải là ngày dạng 2026-01-31",
    "datetime_parsing": "phải là thời điểm dạng 2026-01-31T08:00:00+07:00",
    "datetime_type": "phải là thời điểm dạng 2026-01-31T08:00:00+07:00",
    "datetime_from_date_parsing": "phải là thời điểm dạng 2026-01-31T08:00:00+07:00",
    "timezone_aware": "thời điểm phải có múi giờ",
}


def field_errors(errors: Sequence[Any]) -> list[FieldError]:
    """The mistakes that pydantic found, in both languages. What was sent is not repeated."""
    found = []
    for entry in errors[:_SHOWN]:
        english = str(entry["msg"])
        template = _VIETNAMESE.get(str(entry["type"]), "không hợp lệ")
        try:
            vietnamese = template.format_map(entry.get("ctx") or {})
        except (KeyError, IndexError, ValueError):
            vietnamese = "không hợp lệ"
        place = ".".join(str(part) for part in entry["loc"])
        # neither half may hold the separator, else the languages cannot be told apart
        halves = [text.replace(" / ", " ∕ ") for text in (vietnamese, english)]
        found.append(FieldError(place, " / ".join(halves)))
    return found


def require_form(
    model: type[M], value: object, *, place: str = "body", strict: bool | None = None
) -> M:
    """`value` as `model`. Raises `RequestValidationError` that names each mistake."""
    try:
        if isinstance(value, bytes):
            return model.model_validate_json(value, strict=strict)
        return model.model_validate(value, strict=strict)
    except ValidationError as error:
        raise _refused(error, place) from error


async def read_json(request: Request, model: type[M], *, limit: int = JSON_BYTES) -> M:
    """The JSON body as `model`, at most `limit` bytes.

    For routes that look at the caller's rights before they read anything. Raises
    `RequestValidationError`, `UnsupportedMediaType`, `BodyTooLarge`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType(
            "Hãy gửi Content-Type: application/json. / Send Content-Type: application/json."
        )
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        pieces.append(piece)
    return require_form(model, b"".join(pieces), strict=True)


def _refused(error: ValidationError, place: str) -> RequestValidationError:
    entries = error.errors(include_url=False, include_input=False)
    return RequestValidationError([{**entry, "loc": (place, *entry["loc"])} for entry in entries])
