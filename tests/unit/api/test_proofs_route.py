"""POST /v1/proofs: the code in a photograph, for anybody."""

from __future__ import annotations

import dataclasses
import io

import pytest
from PIL import Image

from tests.fakes import pem
from tests.printed_codes import CODE, drawn
from tests.printout_cases import issued, proof_key


@pytest.fixture
def asked(web):
    """The door of a service that believes the tests' key for codes."""
    path = web.folder / "proof.pem"
    path.write_bytes(pem(proof_key().certificate))
    settings = web.house.settings
    trust = settings.trust.model_copy(update={"proof_keys": (path,)})
    settings = settings.model_copy(update={"trust": trust})
    web.app.state.house = dataclasses.replace(web.house, settings=settings)
    return web


def photo() -> bytes:
    out = io.BytesIO()
    Image.fromarray(drawn(issued(0).pdf, 150)).save(out, "JPEG", quality=80)
    return out.getvalue()


def test_the_code_in_a_photograph_is_verified_for_anybody(asked):
    answer = asked.ask(
        "POST", "/v1/proofs", content=photo(), headers={"Content-Type": "image/jpeg"}
    )
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["verdict"] == "code-genuine"
    assert said["code"]["status"] == "genuine"
    assert said["code"]["claims"]["code"] == CODE
    assert not list((asked.folder / "incoming").glob("*"))


def test_a_photograph_without_a_code_is_an_answer_too(asked):
    out = io.BytesIO()
    Image.new("L", (600, 800), 230).save(out, "PNG")
    answer = asked.ask("POST", "/v1/proofs", content=out.getvalue())
    assert (answer.status_code, answer.json()["code"]["status"]) == (200, "not-found")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_picture_is_a_problem(asked, content):
    answer = asked.ask("POST", "/v1/proofs", content=content)
    assert answer.status_code == 422
    assert "JPEG" in answer.json()["detail"]


def test_a_photograph_too_large_is_refused(asked, monkeypatch):
    from api.web.routes import proofs

    monkeypatch.setattr(proofs, "MAX_BYTES", 1000)
    assert asked.ask("POST", "/v1/proofs", content=bytes(2000)).status_code == 413
