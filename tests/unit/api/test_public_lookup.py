"""The page's other ways: a result code, a photograph of the code on a printout, a proof bundle."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from typing import Any

import httpx
import pytest
import segno
from PIL import Image

from api.public import lookup
from dossier.bundle.contents import DOCUMENT
from dossier.register.codes import printed
from dossier.register.entry import Event, Registration
from dossier.register.log import Register
from dossier.verifying.receipts import Receipts
from signer.sealing.levels import Level
from tests.citizens_papers import printed_code
from tests.fakes import SoftwareKey
from tests.fixtures_web import Web


def _issued(web: Web) -> tuple[bytes, str]:
    """A published document and its code."""
    record = web.published(number=17, symbol="QĐ-UBND")
    document = web.ask("GET", f"/v1/signatures/{record['id']}/result", as_="clerk").content
    code = Register(web.room.database).code_of(hashlib.sha256(document).hexdigest())
    assert code is not None
    return document, code


def _send(web: Web, path: str, field: str, content: bytes) -> httpx.Response:
    answer: httpx.Response = web.ask("POST", path, files={field: ("x", content)})
    return answer


def _told(web: Web, code: str, event: Event, **more: Any) -> None:
    register = Register(web.room.database)
    issued = register.of_code(code)[0].told
    with web.room.database.begin() as connection:
        told = Registration(event, code, issued.agency, issued.document_sha256, **more)
        register.append(connection, [told])


def test_a_code_tells_what_the_register_says(web: Web) -> None:
    _, code = _issued(web)
    for typed in (code, printed(code), printed(code).lower(), f"  {printed(code)} "):
        page = web.ask("GET", "/verify", params={"code": typed})
        assert page.status_code == 200, page.text
        assert 'class="verdict valid"' in page.text
        assert printed(code) in page.text
        assert "17/<bdi>QĐ-UBND</bdi>" in page.text
        assert re.search(r'href="/verify\?code=[^"]+&amp;lang=vi"', page.text)


@pytest.mark.parametrize(
    ("event", "tone", "said", "more"),
    [
        (Event.ANNULLED, "wrong", "Annulled", {"reason": "Cấp <b>nhầm</b>"}),
        (Event.SUPERSEDED, "doubt", "Superseded", {"by": "0" * 16}),
    ],
)
def test_what_is_no_longer_in_force(
    web: Web, event: Event, tone: str, said: str, more: dict[str, str]
) -> None:
    document, code = _issued(web)
    _told(web, code, event, **more)
    page = web.ask("GET", "/verify", params={"code": code})
    assert f'class="verdict {tone}"' in page.text
    assert said in page.text
    assert "<b>nhầm" not in page.text
    # a valid signature on a result that was withdrawn: the upload says so, too
    sent = _send(web, "/verify", "document", document)
    answer = web.ask("GET", sent.headers["location"])
    assert f'class="register {tone}"' in answer.text
    verdict = re.search('class="verdict ([a-z]+)"', answer.text)
    assert verdict is not None
    assert verdict[1] != "valid"


@pytest.mark.parametrize(
    ("typed", "status", "said"),
    [
        ("abc", 422, "A result code has 16 characters"),
        ("7K2M-9QXT-4AHW-C3RM", 422, "result code"),
        ("0" * 16, 404, "No result was issued with this code"),
        ("<script>alert(1)</script>", 422, "result code"),
        ("x" * 10_000, 422, "A result code has 16 characters"),
    ],
)
def test_codes_that_lead_nowhere(web: Web, typed: str, status: int, said: str) -> None:
    page = web.ask("GET", "/verify", params={"code": typed})
    assert page.status_code == status
    assert page.text.count(said) >= 2
    assert '<a href="#code">' in page.text
    assert "<script>alert" not in page.text
    assert len(page.text) < 40_000


def test_codes_cannot_be_tried_out(web: Web) -> None:
    statuses = {web.ask("GET", "/verify", params={"code": "0" * 16}).status_code for _ in range(14)}
    assert statuses == {404, 429}


def test_a_bundle_of_what_was_issued_here(web: Web, signed: dict[str, bytes]) -> None:
    document, code = _issued(web)
    place = _send(web, "/verify", "document", document).headers["location"]
    page = web.ask("GET", place)
    assert "Register of issued results" in page.text
    assert "bundle.zip" in page.text
    made = web.ask("GET", f"{place}/bundle.zip")
    assert made.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        assert archive.read(DOCUMENT) == document
        assert printed(code) in archive.read("README.txt").decode()
    other = _send(web, "/verify", "document", signed["B-B"]).headers["location"]
    assert "bundle.zip" not in web.ask("GET", other).text
    assert web.ask("GET", f"{other}/bundle.zip").status_code == 404


def test_a_photograph_of_the_code(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    document, code = _issued(web)
    key, stranger = SoftwareKey(label="proof"), SoftwareKey(label="other")
    monkeypatch.setattr(lookup, "proof_certificates", lambda *_: [key.certificate])
    claims = {"code": code, "holder": "N. V. <i>A</i>"}
    page = _send(web, "/verify/photo", "photo", printed_code(document, key, **claims))
    assert page.status_code == 200, page.text
    assert 'class="verdict valid"' in page.text
    assert "UBND xã Mẫu Sơn Thử" in page.text
    assert "N. V. &lt;i&gt;A&lt;/i&gt;" in page.text
    assert 'class="register valid"' in page.text
    forged = printed_code(document, key, forged=True, **claims)
    other = printed_code(document, stranger, **claims)
    greeting = io.BytesIO()
    segno.make("xin chao").save(greeting, kind="png", scale=6, border=6)
    for shown, tone in ((forged, "wrong"), (other, "none"), (greeting.getvalue(), "none")):
        page = _send(web, "/verify/photo", "photo", shown)
        assert f'class="verdict {tone}"' in page.text
        assert "UBND xã Mẫu Sơn Thử" not in page.text  # nothing that is not proved
    dot = io.BytesIO()
    Image.new("L", (1, 3)).save(dot, "PNG")
    assert "No QR code found" in _send(web, "/verify/photo", "photo", dot.getvalue()).text
    for content, said in ((b"", "Choose or take a photograph."), (b"x", "cannot be read")):
        page = _send(web, "/verify/photo", "photo", content)
        assert page.status_code == 422
        assert said in page.text
        assert '<a href="#photo">' in page.text


def test_a_receipt_where_the_service_has_a_key_for_it(web: Web, signed: dict[str, bytes]) -> None:
    place = _send(web, "/verify", "document", signed["B-LTA"]).headers["location"]
    assert "/receipt" not in web.ask("GET", place).text
    assert web.ask("POST", f"{place}/receipt").status_code == 422
    own = Receipts(web.room.audit, web.room.desk, own_key="officer", maker="Xã", level=Level.B_B)
    object.__setattr__(web.house, "receipts", own)
    assert f'action="{place}/receipt"' in web.ask("GET", place).text
    made = web.ask("POST", f"{place}/receipt")
    assert made.status_code == 200, made.text
    assert made.headers["content-disposition"] == 'attachment; filename="receipt.pdf"'
    again = _send(web, "/verify", "document", made.content).headers["location"]
    assert "Digital signatures (1)" in web.ask("GET", again).text
    assert web.ask("GET", f"{place}/receipt").status_code == 405  # each is one use of the key
