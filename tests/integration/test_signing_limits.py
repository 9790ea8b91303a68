"""Refusals and limits of signing over real parts, where no other test has the whole of one.

What each belongs to stands in docs/security.md.
"""

from __future__ import annotations

import io
import re
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pikepdf
import pytest
import sqlalchemy as sa

from api.web import readiness
from dossier.model import RecordState
from dossier.queue.worker import Worker
from dossier.storage.tables import records
from signer.clock import ClockGate
from signer.policy import PreSigningCheck
from signer.sealing.levels import Level
from signer.sealing.seal import FieldPlan, Sealer, SealRequest
from tests.fixtures_signed import plain_pdf, seal, sealer_of
from tests.fixtures_signing import SigningRoom
from tests.fixtures_web import Web, document

# --- locks of the document (12) -------------------------------------------------------------


def _with_fields(web: Web, tmp_path: Path, *fields: FieldPlan) -> bytes:
    source, target = tmp_path / "source.pdf", tmp_path / "fields.pdf"
    source.write_bytes(plain_pdf())
    sealer_of(web.room.pki).prepare_fields(source, target, fields)
    return target.read_bytes()


def _certified(web: Web, tmp_path: Path) -> tuple[bytes, dict[str, Any]]:
    pdf = _with_fields(web, tmp_path, FieldPlan("agency"))
    return seal(web.room.pki, pdf, web.room.pki.leader, certify=True), {}


def _closed(web: Web, tmp_path: Path) -> tuple[bytes, dict[str, Any]]:
    """The leader's field locks the agency's, which is empty (a SigFieldLock, then FieldMDP)."""
    pdf = _with_fields(web, tmp_path, FieldPlan("leader"), FieldPlan("agency"))
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        (field,) = (f for f in opened.Root.AcroForm.Fields if str(f.T) == "leader")
        field.Lock = pikepdf.Dictionary(
            Type=pikepdf.Name.SigFieldLock, Action=pikepdf.Name.Include, Fields=["agency"]
        )
        out = io.BytesIO()
        opened.save(out)
    request = SealRequest(web.room.pki.leader, Level.B_LT, "leader")
    return sealer_of(web.room.pki).seal_bytes(out.getvalue(), request)[0], {"field_name": "agency"}


@pytest.mark.parametrize("lock", [_certified, _closed], ids=["DocMDP", "FieldMDP"])
def test_a_document_that_forbids_it_is_not_signed(web: Web, tmp_path: Path, lock) -> None:
    """409 over HTTP, and no key is used."""
    pdf, order = lock(web, tmp_path)
    assert web.sign(pdf, idempotency_key="k", **order).status_code == 202
    web.room.work_off()
    answer = web.sign(pdf, idempotency_key="k", prefer="wait=1", **order)
    assert answer.status_code == 409, answer.text
    (record,) = web.room.records.list(web.room.caller, state=RecordState.FAILED)
    assert record.error is not None
    assert record.error["kind"] == "PolicyRefused"
    assert web.room.signatures == 0


# --- no audit log, no signature (16) --------------------------------------------------------

_BLOCK = (
    "CREATE TRIGGER no_audit BEFORE INSERT ON audit_entries "
    "BEGIN SELECT RAISE(ABORT, 'the disk of the audit log is full'); END"
)


def test_without_the_audit_log_nothing_is_accepted_and_verification_goes_on(web: Web) -> None:
    signed = seal(web.room.pki, plain_pdf(), web.room.pki.leader, Level.B_LT)
    with web.room.database.begin() as connection:
        connection.execute(sa.text(_BLOCK))
    refused = web.sign(document(1), idempotency_key="k")
    assert refused.status_code == 503, refused.text
    assert refused.json()["code"] == "audit-unavailable"
    assert int(refused.headers["retry-after"]) >= 1
    with web.room.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(records)) == 0
    verified = web.ask("POST", "/v1/verifications", content=signed)
    assert (verified.status_code, verified.json()["indication"]) == (200, "TOTAL-PASSED")
    with web.room.database.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER no_audit"))
    assert web.sign(document(1), idempotency_key="k").status_code == 202
    web.room.work_off()
    assert len(web.room.published()) == web.room.signatures == 1


# --- a clock that cannot be trusted (22) ----------------------------------------------------


def test_while_the_clock_is_wrong_orders_wait_and_no_key_is_used(sqlite_room: SigningRoom) -> None:
    """The wall clock jumps by an hour in a running worker; a restarted one signs."""
    room, wall = sqlite_room, [0.0]
    clock = ClockGate(wall_s=lambda: wall[0], running_s=lambda: 0.0)
    revocation = room.pki.new_revocation_client()
    check = PreSigningCheck(room.pki.anchors, revocation, clock=clock)
    desk = room.desk()
    doubtful = replace(
        desk,
        services=replace(
            desk.services, sealer=Sealer(room.pki.timestamper, revocation, precheck=check)
        ),
    )
    wall[0] = 3600.0
    record, _ = room.order(from_book=True, symbol="QĐ-UBND")
    worker = Worker(room.jobs, "seal", {"signature": room.work(desk=doubtful)})
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    until = time.monotonic() + 10
    while room.record(record.id).error is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    stop.set()
    thread.join(10)
    waiting = room.record(record.id)
    assert waiting.error is not None
    assert (waiting.state, waiting.error["kind"]) == (RecordState.ACCEPTED, "ClockRefused")
    assert room.signatures == 0
    room.work_off()
    done = room.record(record.id)
    assert (done.state, done.number, room.signatures) == (RecordState.PUBLISHED, 1, 1)


def test_with_a_clock_that_was_stepped_the_door_takes_no_order(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    offset = [0.0]
    monkeypatch.setattr(
        readiness, "ClockGate", lambda: ClockGate(wall_s=lambda: time.time() + offset[0])
    )
    web.app.state.readiness = readiness.Readiness(readiness.probes_of(web.house))
    offset[0] = -3600.0
    refused = web.sign(document(1))
    assert (refused.status_code, refused.json()["code"]) == (503, "clock-refused")
    assert "retry-after" in refused.headers
    ready = web.ask("GET", "/readyz")
    assert ready.status_code == 503
    assert "3600" in ready.json()["parts"]["clock"], ready.text
    with web.room.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(records)) == 0


# --- public verification asks nobody (20) ---------------------------------------------------


def test_verification_fetches_nothing(web: Web) -> None:
    """Certificates that name OCSP, CRL and CA addresses: none is asked, nothing is assumed."""
    signed = seal(web.room.pki, plain_pdf(), web.room.pki.leader, Level.B_B)
    asked = dict(web.room.pki.services.requests)
    answer = web.ask("POST", "/v1/verifications", content=signed)
    assert answer.status_code == 200
    assert answer.json()["indication"] == "INDETERMINATE"
    assert dict(web.room.pki.services.requests) == asked


# --- names from outside are no paths (23) ---------------------------------------------------

_NAMES = ("../../../x", "/etc/passwd", "..", "a/../../b", "C:\\x", "~root", "%2e%2e%2f", "a\x7fb")


@pytest.mark.parametrize("name", _NAMES)
def test_no_name_from_outside_becomes_a_path(web: Web, tmp_path: Path, name: str) -> None:
    """In every entry of an order that is free text: taken as text or refused, never as a path."""
    before = {path for path in tmp_path.rglob("*") if path.is_dir()}
    for entry in ("symbol", "reason", "location", "field_name", "key"):
        more = {"number": "3"} if entry == "symbol" else {}
        answer = web.sign(document(len(entry)), **{entry: name}, **more)
        assert answer.status_code in (202, 403, 404, 422), answer.text
    web.room.work_off()
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    for path in written:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", path.name), path
    assert not any("passwd" in str(path) for path in written)
    after = {path for path in tmp_path.rglob("*") if path.is_dir()} - before
    assert all(re.fullmatch("[0-9a-f]{2}|uploads|blobs|tmp", path.name) for path in after), after


# --- what a stamp says (24) -----------------------------------------------------------------


def _liar() -> bytes:
    """A document that claims another number in all the places where a stamp might look."""
    lie = "So: 999/QD-GIAMAO"
    with pikepdf.open(io.BytesIO(plain_pdf())) as pdf:
        pdf.docinfo["/Title"] = lie
        pdf.docinfo["/Author"] = lie
        pdf.docinfo["/number_symbol"] = lie
        with pdf.open_metadata() as meta:
            meta["dc:title"] = lie
        page = pdf.pages[0]
        page.contents_add(f"BT /F1 14 Tf 72 90 Td ({lie}) Tj ET".encode())
        page.obj.Annots.append(
            pdf.make_indirect(
                pikepdf.Dictionary(
                    Type=pikepdf.Name.Annot,
                    Subtype=pikepdf.Name.Link,
                    Rect=[0, 0, 9, 9],
                    Contents=lie,
                    NM=lie,
                )
            )
        )
        out = io.BytesIO()
        pdf.save(out)
    return out.getvalue()


def _shown(pdf: bytes, field: str, folder: Path) -> str:
    """The text that a reader sees in the rectangle of a signature field."""
    path = folder / "shown.pdf"
    path.write_bytes(pdf)
    with pikepdf.open(path) as opened:
        (found,) = (f for f in opened.Root.AcroForm.Fields if str(f.T) == field)
        left, low, right, high = (float(number) for number in found.Rect)
    box = {"-x": left, "-y": 842 - high, "-W": right - left, "-H": high - low}
    place = [word for name, value in box.items() for word in (name, str(round(value)))]
    command = ["pdftotext", "-r", "72", *place, str(path), "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_stamp_says_what_was_ordered_whatever_the_document_says(
    sqlite_room: SigningRoom, tmp_path: Path
) -> None:
    room = sqlite_room
    shown = []
    for source in (None, room.put(_liar())):
        record, _ = room.order(
            source=source, profiles=("P4",), number=7, symbol="QĐ-UBND", annex=True
        )
        room.work_off()
        done = room.record(record.id)
        assert done.state is RecordState.PUBLISHED, done.error
        pdf = room.blobs.get(done.result_sha256 or "")
        shown.append(_shown(pdf, "seal-P4", tmp_path))
    assert "Kèm theo văn bản số 07/QĐ-UBND" in shown[0]
    assert "GIAMAO" not in shown[1]
    without_time = [re.sub(r"\d\d:\d\d:\d\d", "", text) for text in shown]
    assert without_time[0] == without_time[1]
