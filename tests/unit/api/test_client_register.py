"""The Python client's way to the register, against the application itself on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.client import Client
from api.client_errors import Conflict, Missing, NotAllowed
from dossier.register import merkle
from dossier.register.checkpoint import SignedCheckpoint
from dossier.register.checkpoints import Checkpointer
from dossier.register.codes import new_code
from dossier.register.notes import NoteKey
from dossier.register.proof import check_proof
from tests.fixtures_web import Web


def client_of(web: Web, address: str, who: str | None) -> Client:
    return Client(address, None if who is None else web.keys[who], patience_s=5, timeout_s=10)


def checkpoint(web: Web) -> None:
    key = web.agent.keys["register"]
    log = web.house.register.log
    Checkpointer(log, web.room.audit, key, None, origin="so.example.vn/ket-qua").make()


def test_what_the_register_says(web: Web, address: str, tmp_path: Path) -> None:
    made = web.published(number=5, symbol="QĐ-UBND")
    other = web.published(number=6, symbol="QĐ-UBND")
    keys = [NoteKey.of("so.example.vn/ket-qua", web.agent.keys["register"])]
    with client_of(web, address, "leader") as leader, client_of(web, address, None) as anybody:
        record, second = leader.record(made["id"]), leader.record(other["id"])
        pdf = leader.read(record)
        with pytest.raises(Conflict):
            anybody.register.proof(record.code)
        checkpoint(web)
        found = anybody.register.result(record.code, pdf)
        assert found.is_in_force
        assert (found.code, found.comparison) == (record.code, "same")
        assert found.statement is not None
        document = tmp_path / "decision.pdf"
        document.write_bytes(pdf)
        again = anybody.register.find(document)
        assert again is not None
        assert again.code == record.code
        assert anybody.register.find(b"another") is None
        assert anybody.register.result(record.code, b"another").comparison == "differs"
        with pytest.raises(Missing):
            anybody.register.result(new_code())

        sidecar = leader.register.save_proof(record, document)
        assert sidecar.name == "decision.pdf.register.json"
        proved = check_proof(anybody.register.proof(record.code), [], keys=keys)
        assert proved.holds(str(record.result_sha256))

        signed = SignedCheckpoint.read(anybody.register.checkpoint()).checkpoint
        assert anybody.register.checkpoint(signed.size)["size"] == signed.size == 2
        leaves = [entry["index"] for entry in anybody.register.entries()]
        assert leaves == [0, 1]
        path = anybody.register.inclusion(1, 2)
        merkle.require_inclusion(
            bytes.fromhex(path["leaf_hash"]), 1, 2,
            [bytes.fromhex(one) for one in path["path"]], signed.root,
        )  # fmt: skip
        assert anybody.register.consistency(2, 2)["path"] == []

        done = leader.register.supersede(record, second, "Thay thế (mẫu)")
        assert done.state == "superseded"
        done = leader.register.annul(done, "Ban hành nhầm (mẫu)")
        assert (done.state, done.is_published) == ("annulled", True)
        assert leader.read(done) == pdf
        assert anybody.register.result(record.code).status == "annulled"
    with client_of(web, address, "officer") as officer, pytest.raises(NotAllowed):
        officer.register.annul(second, "x")
    with client_of(web, address, "auditor") as auditor:
        copied = auditor.register.export(tmp_path / "copy.jsonl")
        assert len(copied.read_bytes().splitlines()) == 3
