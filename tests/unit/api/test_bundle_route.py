"""GET /v1/records/{code}/bundle: the agency's own proof bundle of what it issued."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

from dossier.bundle.contents import DOCUMENT, read_contents
from dossier.bundle.judging import judge
from dossier.register.checkpoints import Checkpointer
from signer.trust import TrustStore
from tests.fixtures_web import Web


def test_the_agency_gets_its_bundle(web: Web) -> None:
    record = web.published(number=18, symbol="QĐ-UBND")
    path = f"/v1/records/{record['code']}/bundle"
    early = web.ask("GET", path, as_="clerk")
    assert early.status_code == 409  # no checkpoint yet
    key = web.agent.keys["register"]
    origin = web.house.register.origin()
    log = web.house.register.log
    assert Checkpointer(log, web.house.audit, key, None, origin=origin).make() is not None
    answer = web.ask("GET", path, as_="clerk")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="{record["code"]}.zip"'
    document = web.ask("GET", f"/v1/signatures/{record['id']}/result", as_="clerk").content
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read(DOCUMENT) == document
    place = web.folder / "goi.zip"
    place.write_bytes(answer.content)
    contents = read_contents(place)
    mine = TrustStore.of([key.certificate])  # the stand-in's key is certified by nobody
    found = judge(contents, mine)
    assert found.register_refused is None
    assert found.register is not None
    assert found.register.holds
    assert found.register.status == "in-force"
    # the proof of one result beside the document of another
    other = replace(contents, files={**contents.files, "document.pdf": b"%PDF-1.7"})
    assert judge(other, mine).indication == "TOTAL-FAILED"


def test_nobody_else_does(web: Web) -> None:
    record = web.published(number=19, symbol="QĐ-UBND")
    path = f"/v1/records/{record['code']}/bundle"
    assert web.ask("GET", path).status_code == 401
    assert web.ask("GET", path, as_="clerk@B").status_code == 404
    assert web.ask("GET", "/v1/records/xyz/bundle", as_="clerk").status_code == 422
    waiting = web.sign().json()
    unpublished = web.ask("GET", f"/v1/records/{waiting['code']}/bundle", as_="clerk")
    assert unpublished.status_code == 409
