"""RFC 9457 documents: languages, codes, fields, and what OpenAPI says of them."""

from __future__ import annotations

import json

import pytest

from api import errors as api_errors
from api.problems import PROBLEMS, code_of, report
from api.web.problem_documents import (
    INVALID,
    MEDIA_TYPE,
    FieldError,
    answer_report,
    fields_of,
    in_language,
    of_status,
    problems,
)
from api.web.validation import field_errors
from dossier.errors import InvalidOrder, NumberTaken, Overloaded
from hsm.errors import HSMError, TokenUnavailable


def _document(error: BaseException, language: str = "vi") -> dict:
    told = report(error)
    made = answer_report(told, language=language, request_id="r-1", errors=fields_of(error))
    return json.loads(made.body)


def test_a_document_has_every_member() -> None:
    error = NumberTaken("Số đã cấp; hãy thay thế. / The number is taken; supersede it.")
    assert _document(error) == {
        "type": "/problems/number-taken",
        "title": "Số văn bản đã được cấp",
        "status": 409,
        "detail": "Số đã cấp; hãy thay thế.",
        "code": "number-taken",
        "instance": "r-1",
    }
    assert _document(error, "en")["detail"] == "The number is taken; supersede it."


def test_a_field_is_named_in_the_readers_language() -> None:
    error = InvalidOrder("Thiếu khóa. / The key is missing.", field="key")
    assert _document(error, "en")["errors"] == [{"field": "key", "message": "The key is missing."}]


def test_when_to_come_back() -> None:
    def told(error: Exception) -> str | None:
        return answer_report(report(error), language="vi", request_id="r").headers.get(
            "retry-after"
        )

    assert told(Overloaded("x", retry_after_s=7)) == "7"
    assert told(TokenUnavailable("x", retry_after_s=2.2)) == "3"
    assert told(InvalidOrder("x")) is None


@pytest.mark.parametrize(
    ("message", "vietnamese", "english"),
    [
        ("Một. / One.", "Một.", "One."),
        ("only English", "only English", "only English"),
        ("a / b / c", "a / b / c", "a / b / c"),
        ("a/b. / c/d.", "a/b.", "c/d."),
        ("a / b / c / d", "a / b", "c / d"),
    ],
)
def test_halves(message: str, vietnamese: str, english: str) -> None:
    assert in_language(message, "vi") == vietnamese
    assert in_language(message, "en") == english


def test_codes_are_unique_and_stable_in_form() -> None:
    codes = [code_of(kind) for kind in PROBLEMS]
    assert len(codes) == len(set(codes))
    assert code_of(HSMError) == "hsm-error"
    assert code_of(api_errors.BodyTooLarge) == "body-too-large"


def test_a_class_without_a_row_goes_by_its_base() -> None:
    class Unheard(InvalidOrder):
        """Nobody wrote a row for it."""

    assert report(Unheard("x")).code == "invalid-order"


def test_mistakes_are_told_in_both_languages_without_what_was_sent() -> None:
    entries = [
        {"type": "missing", "loc": ("body", "key"), "msg": "Field required", "input": "secret"},
        {"type": "greater_than_equal", "loc": ("q",), "msg": "At least 1", "ctx": {"ge": 1}},
        {"type": "less_than", "loc": ("q",), "msg": "a / b", "ctx": {}},
        {"type": "never heard of", "loc": ("q", 0), "msg": "odd"},
    ]
    found = field_errors(entries)
    assert found[0] == FieldError("body.key", "thiếu mục này / Field required")
    assert found[1].message.startswith("nhỏ nhất là 1 / ")
    assert found[2].message.count(" / ") == 1
    assert found[3] == FieldError("q.0", "không hợp lệ / odd")
    assert "secret" not in str(found)


def test_the_frameworks_own_refusals() -> None:
    assert of_status(404).code == "no-such-address"
    assert of_status(405).problem.status == 405
    assert of_status(418).problem.status == 400
    assert INVALID.problem.status == 422


def test_openapi_names_what_the_door_may_say_of_every_route() -> None:
    described = problems(404)
    assert set(described) == {400, 404, 500, 503}
    assert "Retry-After" in described[503]["headers"]
    assert MEDIA_TYPE in described[404]["content"]


def test_clients_of_csc_find_their_members() -> None:
    for error, code in (
        (TokenUnavailable("x"), "temporarily_unavailable"),
        (ZeroDivisionError("x"), "server_error"),
        (InvalidOrder("x"), "invalid_request"),
    ):
        made = answer_report(report(error), language="en", request_id="r", csc=True)
        assert json.loads(made.body)["error"] == code
