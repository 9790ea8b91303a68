"""The page's routes: an answer with an address, errors beside their inputs, refusals as pages."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from api.public import routes
from api.public.routes import public_page_of
from dossier.errors import VerificationStopped
from tests.fixtures_signed import append, objects_of, plain_pdf, seal
from tests.fixtures_web import Web


def _send(web: Web, content: bytes, path: str = "/verify", **headers: str) -> httpx.Response:
    files = {"document": ('"><script>../x.pdf', content, "application/pdf")}
    answer: httpx.Response = web.ask("POST", path, files=files, headers=headers)
    return answer


def _answer(web: Web, content: bytes, path: str = "/verify", **headers: str) -> httpx.Response:
    sent = _send(web, content, path, **headers)
    assert sent.status_code == 303, sent.text
    found: httpx.Response = web.ask("GET", sent.headers["location"], headers=headers)
    assert found.status_code == 200
    return found


def test_anybody_may_ask_and_scripts_from_elsewhere_may_not_run(web: Web) -> None:
    page = web.ask("GET", "/verify")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"
    assert "set-cookie" not in page.headers
    assert 'enctype="multipart/form-data"' in page.text


@pytest.mark.parametrize(
    ("path", "told", "language"),
    [
        ("/verify", "", "vi"),
        ("/verify", "en-GB,en;q=0.9,vi;q=0.3", "en"),
        ("/verify", "vi,en;q=0.5", "vi"),
        ("/verify?lang=en", "vi", "en"),
        ("/verify?lang=vi", "en", "vi"),
        ("/verify?lang=xx", "en", "en"),
    ],
)
def test_language(web: Web, path: str, told: str, language: str) -> None:
    page = web.ask("GET", path, headers={"accept-language": told})
    assert f'<html lang="{language}">' in page.text
    assert page.headers["content-language"] == language
    assert page.headers["vary"] == "accept-language"


def test_a_chosen_language_goes_along(web: Web, signed: dict[str, bytes]) -> None:
    sent = _send(web, signed["B-B"], "/verify?lang=en", **{"accept-language": "vi"})
    assert sent.headers["location"].endswith("?lang=en")
    page = web.ask("GET", sent.headers["location"], headers={"accept-language": "vi"})
    assert "Time of signing" in page.text
    place = sent.headers["location"].partition("?")[0]
    assert f'href="{place}?lang=vi"' in page.text  # and can be changed where one is
    own = set(re.findall(r'(?:href|action)="(/verify[^"]*)"', page.text))
    links = {link for link in own if "/static/" not in link and link != f"{place}?lang=vi"}
    assert links
    assert all(link.endswith("?lang=en") for link in links)


def test_a_valid_document(web: Web, signed: dict[str, bytes]) -> None:
    page = _answer(web, signed["B-LTA"], **{"accept-language": "vi"})
    assert 'class="verdict valid"' in page.text
    assert '<span class="word">HỢP LỆ</span>' in page.text
    assert page.text.count('<li class="card">') == 3
    assert "Được dấu thời gian chứng minh." in page.text
    assert "UBND xã Thử Nghiệm" in page.text
    place = str(page.url.path)
    report = web.ask("GET", f"{place}/report.json")
    assert report.json()["indication"] == "TOTAL-PASSED"
    assert report.headers["content-disposition"] == 'attachment; filename="report.json"'
    paper = web.ask("GET", f"{place}/report.pdf")
    assert paper.content.startswith(b"%PDF-")
    assert web.ask("GET", f"{place}/report.xml").content.startswith(b"<?xml")
    first = web.ask("GET", f"{place}/pages/now-0.webp")
    assert first.headers["content-type"] == "image/webp"
    assert first.content[:4] == b"RIFF"
    for other in ("now-9", "before-0", "other-0", "now--1"):
        assert web.ask("GET", f"{place}/pages/{other}.webp").status_code in (404, 422)


def test_a_changed_document_shows_where(web: Web, test_pki: Any) -> None:
    original = seal(test_pki, plain_pdf(), test_pki.seal)
    text = b"BT /F1 14 Tf 72 700 Td (Quyet dinh trang 1: so tien 9.000.000) Tj ET"
    stream = b"<< /Length %d >> stream\n%s\nendstream" % (len(text), text)
    page = _answer(web, append(original, {objects_of(original)["contents"]: stream}))
    assert 'class="verdict wrong"' in page.text
    assert "Page 1: changed" in page.text
    assert "<del><bdi>Quyet dinh trang 1: so tien 1.000.000</bdi></del>" in page.text
    assert "<ins><bdi>Quyet dinh trang 1: so tien 9.000.000</bdi></ins>" in page.text
    assert page.text.count("<rect ") == 2  # on the page as signed and as it is now
    assert "Page content: changed after signing" in page.text
    place = str(page.url.path)
    assert web.ask("GET", f"{place}/pages/before-0.webp").status_code == 200


def test_unsigned_and_malformed_documents(web: Web) -> None:
    assert 'class="verdict none"' in _answer(web, plain_pdf()).text
    assert 'class="verdict wrong"' in _answer(web, b"%PDF-1.7\nnothing").text


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "Choose a PDF file."), (b"hello", "This file is no PDF.")]
)
def test_errors_stand_beside_the_input(web: Web, content: bytes, said: str) -> None:
    page = _send(web, content)
    assert page.status_code == 422
    assert page.text.count(said) >= 2  # in the summary, which links to the input, and beside it
    assert '<a href="#document">' in page.text
    assert 'aria-invalid="true"' in page.text
    assert 'aria-describedby="document-hint document-error"' in page.text


def test_what_is_too_large_is_read_and_refused_as_a_page(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "MAX_BYTES", 1000)
    page = _send(web, b"%PDF-1.7\n" + b"x" * 80_000)
    assert page.status_code == 413
    assert "<h1>Content too large</h1>" in page.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/verify/nothing", 404),
        ("GET", "/verify/results/" + "A" * 43, 404),
        ("GET", "/verify/static/0/../../words.py", 404),
        ("DELETE", "/verify", 405),
        ("POST", "/verify", 415),
    ],
)
def test_refusals_are_pages(web: Web, method: str, path: str, status: int) -> None:
    page = web.ask(method, path)
    assert page.status_code == status
    if path.startswith("/verify"):
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "openapi" not in page.text
    vietnamese = web.ask(method, f"{path}?lang=vi")
    assert '<html lang="vi">' in vietnamese.text


def test_an_error_of_ours_has_an_id_and_nothing_else(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("secret-detail")

    monkeypatch.setattr(routes, "examine", broken)
    page = _send(web, plain_pdf())
    assert page.status_code == 500
    assert "secret-detail" not in page.text
    assert re.search(r"this id: [0-9a-f]{12}\.", page.text)


def test_pages_that_cannot_be_drawn_take_nothing_from_the_verdict(
    web: Web, signed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> bytes:
        raise VerificationStopped("Quá lâu. / Too long.")

    monkeypatch.setattr(type(web.house.verifier), "pages", stopped)
    page = _answer(web, signed["B-LTA"])
    assert 'class="verdict valid"' in page.text
    assert "The pages of this file cannot be shown." in page.text


def test_one_source_cannot_have_everything(web: Web) -> None:
    statuses = [_send(web, b"hello").status_code for _ in range(14)]
    assert statuses[0] == 422
    assert statuses[-1] == 429
    last = _send(web, b"hello")
    assert int(last.headers["retry-after"]) >= 1
    assert "<h1>Too many requests</h1>" in last.text
    assert web.ask("GET", "/verify").status_code == 200


def test_an_answer_can_be_forgotten(web: Web, signed: dict[str, bytes]) -> None:
    place = _send(web, signed["B-B"]).headers["location"]
    gone = web.ask("POST", f"{place}/forget")
    assert (gone.status_code, gone.headers["location"]) == (303, "/verify")
    assert web.ask("GET", place).status_code == 404
    assert len(public_page_of(web.app).results) == 0


def test_nothing_stays_on_disk(web: Web, signed: dict[str, bytes]) -> None:
    before = {path for path in web.folder.rglob("*") if path.is_file()}
    _answer(web, signed["B-LTA"])
    assert {path for path in web.folder.rglob("*") if path.is_file()} <= before


def test_static_files_are_kept_for_ever(web: Web) -> None:
    page = web.ask("GET", "/verify").text
    for address in re.findall(r'(?:href|src)="(/verify/static/[^"]+)"', page):
        file = web.ask("GET", address)
        assert file.status_code == 200
        assert "immutable" in file.headers["cache-control"]
        other = re.sub("static/[0-9a-f]+", "static/0", address)
        assert web.ask("GET", other).headers["cache-control"] == "no-store"
