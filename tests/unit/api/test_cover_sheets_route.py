"""/v1/cover-sheets: made once, listed, printed; and what is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.serialization import Encoding

from api.pinned import cover_sheet_keys
from api.settings import KeySettings, Settings, TrustSettings
from dossier.intake.cover_sheet import AnnouncedComponent, CoverSheetOrder, make_cover_sheet
from dossier.intake.sheet_codes import Signature, judge_codes
from dossier.intake.sheet_reading import read_sheets
from ocr.separators.codes import find_page_codes
from signer.coversheet import CoverSheetKeys, unverified_cover_sheet
from tests.fakes import SoftwareKey, pem
from tests.fixtures_web import Web
from tests.printed_codes import drawn

FORM: dict[str, Any] = {
    "dossier_code": "000.00.15.H99-261123-0004",
    "procedure_code": "1.004122",
    "station": "quay-3",
    "components": [
        {"code": "1.004122-TP01", "name": "Đơn đề nghị (mẫu)", "pages": 2},
        {"code": "1.004122-TP02", "name": "Bản vẽ (mẫu)", "pages": 3},
    ],
}


def post(web: Web, form: Any = FORM, as_: str = "officer", key: str = "k-1") -> httpx.Response:
    headers = {"idempotency-key": key}
    return web.ask("POST", "/v1/cover-sheets", json=form, as_=as_, headers=headers)


def test_made_once_and_printed_the_same_each_time(web: Web) -> None:
    answer = post(web)
    assert answer.status_code == 201, answer.text
    sheet = answer.json()
    assert answer.headers["location"] == sheet["links"]["self"]
    assert (sheet["pages"], sheet["stack_id"]) == (5, None)
    assert sheet["printed_serial"].replace("-", "").lower() == sheet["serial"]
    assert post(web).json() == sheet
    assert web.agent.keys["proof"].calls == 1
    assert web.agent.contexts[-1]["purpose"] == "cover-sheet"
    shown = web.ask("GET", sheet["links"]["self"], as_="scanner")
    assert shown.json() == sheet
    etag = {"if-none-match": shown.headers["etag"]}
    assert web.ask("GET", sheet["links"]["self"], as_="clerk", headers=etag).status_code == 304
    page = web.ask("GET", sheet["links"]["sheet"], as_="clerk")
    assert page.headers["content-type"] == "application/pdf"
    assert page.content == web.ask("GET", sheet["links"]["sheet"], as_="clerk").content
    codes = [code.data for code in find_page_codes(drawn(page.content, 150), 150)]
    keys = CoverSheetKeys([web.agent.keys["proof"].certificate])
    [reading] = judge_codes(codes, keys)
    assert reading.signature is Signature.GENUINE
    assert reading.claims.serial.hex() == sheet["serial"]
    assert reading.claims.station == "quay-3"


def test_the_printed_sheet_is_read_back(web: Web, tmp_path: Path) -> None:
    sheet = post(web).json()
    path = tmp_path / "sheet.pdf"
    path.write_bytes(web.ask("GET", sheet["links"]["sheet"], as_="clerk").content)
    der = web.agent.keys["proof"].certificate.public_bytes(Encoding.DER)
    [page] = read_sheets(path, [der], tmp_path)
    assert [reading.claims.serial.hex() for reading in page.sheets] == [sheet["serial"]]


def test_lists_by_dossier_and_page(web: Web) -> None:
    made = {post(web, key=str(n)).json()["serial"] for n in range(3)}
    other = post(web, FORM | {"dossier_code": "H99-khac"}, key="o").json()["serial"]
    first = web.ask("GET", "/v1/cover-sheets", as_="officer", params={"limit": "3"}).json()
    assert len(first["items"]) == 3
    after = {"limit": "3", "after": first["next"]}
    rest = web.ask("GET", "/v1/cover-sheets", as_="officer", params=after).json()
    assert rest["next"] is None
    assert {item["serial"] for item in first["items"] + rest["items"]} == made | {other}
    one = web.ask("GET", "/v1/cover-sheets", as_="officer", params={"dossier": "H99-khac"})
    assert [item["serial"] for item in one.json()["items"]] == [other]


REFUSED: list[dict[str, Any]] = [
    {"components": []},
    {"components": [{"code": "a", "name": "b", "pages": 0}]},
    {"components": [{"code": "x" * 64, "name": "b", "pages": 9}] * 40},
    {"dossier_code": ""},
    {"dossier_code": "dòng\nhai"},
    {"valid_hours": 0},
    {"printer": "x"},
]


def test_what_is_no_sheet_is_refused(web: Web) -> None:
    for change in REFUSED:
        answer = post(web, FORM | change)
        assert answer.status_code == 422, answer.text
    assert web.ask("GET", "/v1/cover-sheets", as_="officer").json()["items"] == []


def test_who_may_and_when_the_key_is_away(web: Web) -> None:
    for as_ in ("leader", "auditor", "admin"):
        assert post(web, as_=as_).status_code == 403
    web.agent.gone = True
    refused = post(web)
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    web.agent.gone = False
    assert post(web).status_code == 201
    assert web.ask("GET", "/v1/cover-sheets/" + "0" * 20, as_="clerk").status_code == 404
    assert web.ask("GET", "/v1/cover-sheets/khong-co", as_="clerk").status_code == 422


def test_whose_sheets_are_believed(tmp_path: Path) -> None:
    """The keys of printed codes, unless sheets have keys of their own: then those alone."""
    codes, own = SoftwareKey(label="ma-in"), SoftwareKey(label="to-bia")
    paths = []
    for key in (codes, own):
        paths.append(tmp_path / f"{key.label}.pem")
        paths[-1].write_bytes(pem(key.certificate))
    order = CoverSheetOrder(
        "H22.12", "UBND xã Mẫu", "H22-1", "quay-3", (AnnouncedComponent("TP1", "Đơn", 1),)
    )
    now = dt.datetime.now(dt.UTC)
    by_codes, by_own = (make_cover_sheet(order, key, now).payload for key in (codes, own))

    def believed(**trust: Any) -> list[bytes]:
        settings = Settings(data_dir=tmp_path, trust=TrustSettings(**trust))
        keys = cover_sheet_keys(settings)
        readings = judge_codes([by_codes, by_own], keys)
        return [
            reading.claims.serial for reading in readings if reading.signature is Signature.GENUINE
        ]

    serials = [unverified_cover_sheet(payload).serial for payload in (by_codes, by_own)]
    assert believed(proof_keys=(paths[0],)) == serials[:1]
    assert believed(proof_keys=(paths[0],), sheet_keys=(paths[1],)) == serials[1:]
    assert believed() == []
    assert Settings(data_dir=tmp_path).sheet_label == "proof"
    named = Settings(data_dir=tmp_path, keys=KeySettings(sheet="to-bia"))
    assert named.sheet_label == "to-bia"
