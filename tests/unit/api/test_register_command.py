"""`sohoa register` as its users run it, in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.commands import register as command
from api.errors import InputUnusable
from dossier.errors import InvalidOrder, NotFound, RegisterBroken, StateConflict
from dossier.register.checkpoints import Checkpointer
from dossier.register.codes import new_code, printed
from dossier.register.entry import Registration
from dossier.register.log import Register
from dossier.register.notes import NoteKey
from dossier.storage.migrations import upgrade
from tests.fakes import SoftwareKey, pem
from tests.fixtures_pki import RunningPKI
from tests.fixtures_signing import SigningRoom
from tests.register_entries import digest, issued

SETTINGS = """
[token]
module = "/nowhere/module.so"
label = "none"

[trust]
anchors = ["root.pem"]

[results]
origin = "so.example.vn/ket-qua"
"""
ORIGIN = "so.example.vn/ket-qua"


@dataclass
class House:
    """A data folder with a register, and the key of its checkpoints."""

    folder: Path
    room: SigningRoom
    key: SoftwareKey

    def enter(self, *told: Registration) -> None:
        with self.room.database.begin() as connection:
            Register(self.room.database).append(connection, told)

    def checkpoint(self) -> None:
        register = Register(self.room.database)
        Checkpointer(register, self.room.audit, self.key, None, origin=ORIGIN).make()

    def run(self, *arguments: object, code: int | None = 0) -> Any:
        """Run the command; its standard output."""
        texts = [str(one) for one in arguments]
        if texts[0] not in ("check", "audit") or "--anchor" not in texts:
            texts += ["--data", str(self.folder)]
        done = CliRunner().invoke(command.app, texts)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert code is None or done.exit_code == code, done.output
        return done.stdout

    def json(self, *arguments: object, code: int | None = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code))


@pytest.fixture
def house(tmp_path: Path, open_database: Any, test_pki: RunningPKI) -> House:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "sohoa.toml").write_text(SETTINGS, "utf-8")
    key = SoftwareKey(label="register")
    (folder / "root.pem").write_bytes(
        b"".join(b"Trust-Domain: TEST\n" + pem(c) for c in (*test_pki.anchors, key.certificate))
    )
    database = open_database(f"sqlite:///{folder}/house.db")
    upgrade(database)
    return House(folder, SigningRoom(database, folder, test_pki), key)


def test_show_says_what_a_result_is_worth(house: House, tmp_path: Path) -> None:
    first = issued(5)
    house.enter(first)
    told = house.json("show", printed(first.code).lower())
    assert (told["status"], told["number"], told["comparison"]) == ("in-force", 5, None)
    document = tmp_path / "decision.pdf"
    document.write_text("published 5", "utf-8")
    assert house.json("show", first.code, "--file", document)["comparison"] == "same"
    document.write_text("handed in 5", "utf-8")
    assert house.json("show", first.code, "--file", document, code=1)["comparison"] == "source"
    document.write_text("another", "utf-8")
    assert house.json("show", first.code, "--file", document, code=1)["comparison"] == "differs"
    with pytest.raises(NotFound):
        house.run("show", new_code())
    with pytest.raises(InvalidOrder):
        house.run("show", "7K2M")
    with pytest.raises(InputUnusable):
        house.run("show", first.code, "--file", tmp_path / "none.pdf")


def test_a_proof_is_written_and_checked_without_an_installation(
    house: House, tmp_path: Path
) -> None:
    first, second = issued(5), issued(6)
    house.enter(first)
    with pytest.raises(StateConflict):
        house.run("prove", first.code)
    house.checkpoint()
    sidecar = tmp_path / "decision.pdf.register.json"
    house.run("prove", first.code, "-o", sidecar)
    assert json.loads(house.run("prove", first.code)) == json.loads(sidecar.read_text("utf-8"))
    with pytest.raises(InputUnusable, match="exists"):
        house.run("prove", first.code, "-o", sidecar)
    root = house.folder / "root.pem"
    told = house.json("check", sidecar, "--anchor", root)
    assert (told["code"], told["status"]) == (printed(first.code), "in-force")
    assert told["document_sha256"] == first.document_sha256
    key = str(NoteKey.of(ORIGIN, house.key))
    assert house.json("check", sidecar, "--key", key) == told
    document = tmp_path / "decision.pdf"
    document.write_text("published 5", "utf-8")
    house.run("check", sidecar, "--file", document, "--anchor", root)
    document.write_text("forged", "utf-8")
    with pytest.raises(RegisterBroken, match="another document"):
        house.run("check", sidecar, "--file", document, "--anchor", root)
    with pytest.raises(RegisterBroken):
        house.run("check", sidecar, "--key", str(NoteKey.of(ORIGIN, SoftwareKey(label="x"))))
    with pytest.raises(InputUnusable, match="--key"):
        house.run("check", sidecar, "--key", "none")
    sidecar.write_text("{", "utf-8")
    with pytest.raises(InputUnusable, match="no JSON"):
        house.run("check", sidecar, "--anchor", root)
    assert second.code != first.code


def test_two_checkpoints_and_a_copy_show_what_was_done(house: House, tmp_path: Path) -> None:
    told = [issued(number) for number in range(1, 8)]
    with pytest.raises(NotFound):
        house.run("checkpoint")
    house.enter(*told[:4])
    house.checkpoint()
    old, new = tmp_path / "old.json", tmp_path / "new.txt"
    old.write_text(json.dumps(house.json("checkpoint")), "utf-8")
    kept, copied = tmp_path / "kept.jsonl", tmp_path / "copy.jsonl"
    house.run("copy", kept)
    house.enter(*told[4:])
    house.checkpoint()
    new.write_text(house.run("checkpoint"), "utf-8")  # a bare note
    assert house.json("checkpoint", "--size", 4)["note"] == json.loads(old.read_text())["note"]
    with pytest.raises(NotFound):
        house.run("checkpoint", "--size", 5)
    house.run("copy", copied)
    key = str(NoteKey.of(ORIGIN, house.key))
    sound = house.json("audit", copied, "--old", old, "--new", new, "--kept", kept, "--key", key)
    assert (sound["verdict"], sound["entries"], sound["findings"]) == ("sound", 7, [])
    assert house.json("audit", copied, "--new", new, "--key", key, code=2)["verdict"] == "unproved"
    partial = tmp_path / "partial.jsonl"
    house.run("copy", partial, "--agency", "H22.99")
    hashes = house.json("audit", partial, "--old", old, "--new", new, "--key", key)
    assert (hashes["entries"], hashes["hashes"]) == (0, 7)

    lines = copied.read_text("utf-8").splitlines(keepends=True)
    forged = tmp_path / "forged.jsonl"
    forged.write_text(
        "".join(lines).replace("published", "x").replace(digest("published 2"), digest("forged")),
        "utf-8",
    )
    broken = house.json(
        "audit", forged, "--old", old, "--new", new, "--kept", kept, "--key", key, code=1
    )
    assert {(f["code"], f["index"]) for f in broken["findings"]} >= {
        ("rewritten", None), ("altered", 1),
    }  # fmt: skip
    with pytest.raises(RegisterBroken, match="no certificate"):
        house.run("audit", copied, "--new", new)  # a bare note needs its key
    with pytest.raises(InputUnusable):
        house.run("audit", copied, "--new", tmp_path / "none", "--key", key)
    with pytest.raises(InputUnusable):
        house.run("audit", tmp_path / "none", "--new", new, "--key", key)
    with pytest.raises(InvalidOrder, match="no copy"):
        house.run("audit", copied, "--new", new, "--key", key, "--kept", new)


def test_the_machines_administrator_ends_results(house: House) -> None:
    first, second = (house.room.order(number=number, symbol="QĐ-UBND")[0] for number in (5, 6))
    house.room.work_off()
    done = house.json("supersede", first.code, "--by", second.code)
    assert (done["state"], done["ending"]["by"]) == ("superseded", second.id)
    done = house.json("annul", first.code, "--reason", "Ban hành nhầm (mẫu)")
    assert (done["state"], done["ending"]["reason"]) == ("annulled", "Ban hành nhầm (mẫu)")
    assert done["ending"]["principal"].startswith("local:")
    assert house.json("show", first.code, code=1)["status"] == "annulled"
    with pytest.raises(NotFound):
        house.run("annul", new_code(), "--reason", "x")
