"""The Python client at the scanning station, against the application itself on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.client import Client
from api.client_errors import Conflict, Invalid, Missing, NotAllowed
from tests.arranged_stacks import read_and_split
from tests.drop_room import jpeg
from tests.fixtures_signing import AGENCY
from tests.fixtures_web import Web


def client_of(web: Web, address: str, who: str) -> Client:
    return Client(address, web.keys[who], patience_s=5, timeout_s=10)


def test_a_stack_from_open_to_undo(web: Web, address: str) -> None:
    with client_of(web, address, "scanner") as sohoa:
        order = {"station": "quay-3", "officer": "Nguyễn Thị Mẫu"}
        stack = sohoa.stacks.open(**order, urgent=True, idempotency_key="k")
        assert sohoa.stacks.open(**order, urgent=True, idempotency_key="k").id == stack.id
        for n in range(3):
            blob = sohoa.upload(jpeg(n), media_type="image/jpeg")
            for _ in range(2):
                scan = sohoa.stacks.add(stack, blob, f"{n}.jpg", n, side="front")
                assert (scan["position"], scan["side"]) == (n, "front")
        with pytest.raises(Conflict):
            sohoa.stacks.add(stack, blob, "x.jpg", 0)
        with pytest.raises(Conflict):
            sohoa.stacks.arrangement(stack)
        closed = sohoa.stacks.close(stack)
        assert (closed.state, closed["urgent"]) == ("reading", True)
        assert sohoa.stacks.prioritise(closed, urgent=False)["urgent"] is False
        pages = read_and_split(web, stack.id, AGENCY, picture=b"RIFF-webp")
        arranged = sohoa.stacks.wait(closed, timeout_s=5)
        assert arranged.state == "arranged"
        assert [page["id"] for page in sohoa.stacks.pages(arranged)] == pages
        assert [scan["name"] for scan in sohoa.stacks.scans(arranged)] == [
            "0.jpg",
            "1.jpg",
            "2.jpg",
        ]
        assert sohoa.stacks.picture(arranged, pages[0]) == b"RIFF-webp"
        turned = sohoa.stacks.edit(arranged, "rotate", page=pages[0], turns=1)
        with pytest.raises(Conflict):  # somebody has read an older one
            sohoa.stacks.edit(arranged, "rotate", page=pages[0], turns=1)
        undone = sohoa.stacks.undo(turned)
        redone = sohoa.stacks.redo(undone)
        paper = sohoa.stacks.arrangement(redone)["papers"][0]
        assert [page["turns"] for page in paper["pages"]] == [1, 0, 0]
        rescan = {"kind": "replace", "page": pages[1]}
        added = sohoa.stacks.add(redone, blob, "lại.jpg", 3, purpose=rescan)
        assert added["purpose"]["page"] == pages[1]
        with pytest.raises(Invalid):
            sohoa.stacks.edit(sohoa.stacks.get(stack.id), "burn", page=pages[0])
        assert sohoa.stacks.cancel(redone).state == "cancelled"
        assert [one.id for one in sohoa.stacks.list()] == [stack.id]
    with client_of(web, address, "officer@B") as other, pytest.raises(Missing):
        other.stacks.get(stack.id)


def test_cover_sheets(web: Web, address: str, tmp_path: Path) -> None:
    with client_of(web, address, "officer") as sohoa:
        components = [("TP01", "Đơn (mẫu)", 2), ("TP02", "Bản vẽ (mẫu)", 1)]
        sheet = sohoa.cover_sheets.issue("H22-1", "quay-3", components, idempotency_key="k")
        again = sohoa.cover_sheets.issue("H22-1", "quay-3", components, idempotency_key="k")
        assert sheet == again == sohoa.cover_sheets.get(sheet["serial"])
        assert sheet["pages"] == 3
        assert sohoa.cover_sheets.pdf(sheet).startswith(b"%PDF-")
        assert [one["serial"] for one in sohoa.cover_sheets.list("H22-1")] == [sheet["serial"]]
        assert list(sohoa.cover_sheets.list("H22-2")) == []
    with client_of(web, address, "auditor") as auditor, pytest.raises(NotAllowed):
        auditor.cover_sheets.issue("H22-1", "quay-3", components)
