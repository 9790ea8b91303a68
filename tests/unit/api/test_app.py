"""The HTTP door: health, readiness, verification, errors that tell nothing they should not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import httpx
import pytest

from api import app as app_module
from api.app import AppServices, create_app
from hsm.errors import TokenUnavailable
from signer.trust import TrustStore
from signer.verification.verify import Verifier


class Broken:
    """A verifier that fails in a way nobody foresaw."""

    def verify(self, path: Path) -> None:
        raise ZeroDivisionError("secret detail")


class Client:
    """Asks the application without a socket."""

    def __init__(self, verifier: object | None = None, **probes) -> None:
        verifier = verifier or Verifier(TrustStore())
        app = create_app(AppServices(cast("Verifier", verifier), probes))
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def get(self, path: str) -> httpx.Response:
        return self._ask("GET", path, None)

    def post(self, path: str, content: bytes) -> httpx.Response:
        return self._ask("POST", path, content)

    def _ask(self, method: str, path: str, content: bytes | None) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://127.0.0.1"
            ) as http:
                return await http.request(method, path, content=content)

        return asyncio.run(ask())


def test_health() -> None:
    http = Client()
    assert http.get("/healthz").json() == {"status": "ok"}


def test_readiness_names_each_part() -> None:
    def gone() -> None:
        raise TokenUnavailable("removed")

    http = Client(token=gone, tsa=lambda: None)
    answer = http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "parts": {"token": "No token", "tsa": "ok"}}
    assert Client(token=lambda: None).get("/readyz").status_code == 200


def test_an_unsigned_upload_is_indeterminate() -> None:
    http = Client()
    answer = http.post("/v1/verifications", content=b"%PDF-1.7 and no more")
    assert answer.status_code == 200
    assert answer.json()["indication"] != "TOTAL-PASSED"


def test_uploads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "MAX_UPLOAD_BYTES", 10)
    http = Client()
    answer = http.post("/v1/verifications", content=b"x" * 11)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_unknown_errors_stay_opaque() -> None:
    http = Client(Broken())
    answer = http.post("/v1/verifications", content=b"x")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["detail"].startswith("id ")
