"""The HTTP door: request ids, admission, languages, errors that tell nothing they should not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from api.app import create_app
from api.routes import verifications
from signer.trust import TrustStore
from signer.verification.verify import Verifier


class Broken:
    """A verifier that fails in a way nobody foresaw."""

    def verify(self, path: Path) -> None:
        raise ZeroDivisionError("secret detail")


class Client:
    """Asks the application without a socket."""

    def __init__(self, verifier: object | None = None, *, max_waiting: int = 8) -> None:
        house = SimpleNamespace(
            verifier=verifier or Verifier(TrustStore()),
            settings=SimpleNamespace(web=SimpleNamespace(max_waiting=max_waiting)),
        )
        self._transport = httpx.ASGITransport(create_app(house), raise_app_exceptions=False)

    def ask(self, method: str, path: str, **options: object) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://127.0.0.1"
            ) as http:
                return await http.request(method, path, **options)

        return asyncio.run(ask())


def test_health() -> None:
    assert Client().ask("GET", "/healthz").json() == {"status": "ok"}


def test_an_unsigned_upload_is_indeterminate() -> None:
    answer = Client().ask("POST", "/v1/verifications", content=b"%PDF-1.7 and no more")
    assert answer.status_code == 200
    assert answer.json()["indication"] != "TOTAL-PASSED"


def test_uploads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifications, "MAX_BYTES", 10)
    answer = Client().ask("POST", "/v1/verifications", content=b"x" * 11)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "body-too-large"
    assert answer.json()["type"] == "/problems/body-too-large"


def test_unknown_errors_stay_opaque() -> None:
    answer = Client(Broken()).ask("POST", "/v1/verifications", content=b"x")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["code"] == "unexpected"


@pytest.mark.parametrize(
    ("accept", "language", "title"),
    [
        (None, "vi", "Không có địa chỉ này"),
        ("en", "en", "No such address"),
        ("en;q=0.3, vi;q=0.9", "vi", "Không có địa chỉ này"),
        ("fr, en-GB;q=0.5", "en", "No such address"),
        ("de;q=nonsense", "vi", "Không có địa chỉ này"),
    ],
)
def test_the_reader_chooses_the_language(accept, language, title) -> None:
    headers = {"accept-language": accept} if accept else {"accept-language": ""}
    answer = Client().ask("GET", "/nowhere", headers=headers)
    assert answer.status_code == 404
    assert answer.headers["content-language"] == language
    assert answer.json()["title"] == title
    assert " / " not in answer.json()["detail"]


def test_a_wrong_method_names_the_right_ones() -> None:
    answer = Client().ask("PUT", "/v1/verifications")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_every_answer_has_a_request_id_and_security_headers() -> None:
    http = Client()
    answer = http.ask("GET", "/nowhere", headers={"x-request-id": "case-0001"})
    assert answer.headers["x-request-id"] == answer.json()["instance"] == "case-0001"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    forged = http.ask("GET", "/nowhere", headers={"x-request-id": "a b\tc{}<script>"})
    assert forged.headers["x-request-id"].startswith("req_")


def test_who_finds_no_place_is_told_to_come_back() -> None:
    http = Client(max_waiting=0)
    answer = http.ask("POST", "/v1/verifications", content=b"x")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert http.ask("GET", "/healthz").status_code == 200
