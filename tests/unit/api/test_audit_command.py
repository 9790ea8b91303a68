"""`sohoa audit`, `sohoa backup` and `sohoa restore` as their users run them, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from api.commands import audit
from api.commands.backup import backup, restore
from api.errors import InputUnusable
from dossier.audit.heads import HeadSealer
from dossier.audit.log import AuditLog
from dossier.errors import BackupError, NotFound
from dossier.model import AuditEvent
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.migrations import upgrade
from tests.audit_forgery import Forged
from tests.fakes import pem

whole = typer.Typer()
whole.command()(backup)
whole.command()(restore)

SETTINGS = """
[token]
module = "/nowhere/module.so"
label = "none"

[trust]
anchors = ["root.pem"]
"""


@pytest.fixture
def root(tmp_path, test_pki) -> Path:
    path = tmp_path / "root.pem"
    path.write_bytes(b"".join(pem(c) for c in test_pki.anchors))
    return path


def new_installation(folder: Path, root: Path) -> Path:
    folder.mkdir()
    (folder / "sohoa.toml").write_text(SETTINGS, "utf-8")
    (folder / "root.pem").write_bytes(root.read_bytes())
    return folder


@pytest.fixture
def installation(tmp_path, root, test_pki) -> Path:
    """A data folder with both chains: one record published, each head sealed."""
    folder = new_installation(tmp_path / "data", root)
    (folder / "agent").mkdir()
    house = Database(f"sqlite:///{folder}/house.db")
    agent = Database(f"sqlite:///{folder}/agent/keys.db")
    for database in (house, agent):
        upgrade(database)
    service, keys = AuditLog(house), AuditLog(agent, "keys")
    details = {"attempt": 1, "purpose": "document", "credential": "seal", "digest": "d"}
    service.write(AuditEvent("signature.accepted", "prn_1", "H22", "rec_1"))
    intent = keys.write(AuditEvent("key.intent", "prn_1", "H22", "rec_1", details))
    outcome = {"intent": intent, "ok": True, "called": True, "released": True}
    keys.write(AuditEvent("key.outcome", "agent", "H22", "rec_1", outcome))
    published = {"attempt": 1, "digests": ["d"]}
    service.write(AuditEvent("signature.published", "w", "H22", "rec_1", published))
    HeadSealer(service, test_pki.seal, test_pki.timestamper, witnesses=[keys]).seal()
    HeadSealer(keys, test_pki.seal, test_pki.timestamper, witnesses=[service]).seal()
    FolderBlobs(folder / "blobs").put(b"a blob")
    (folder / "key-policy.toml").write_text("[keys]\n", "utf-8")
    house.close()
    agent.close()
    return folder


def run(app, *arguments, code: int = 0):
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return (
        json.loads(done.stdout)
        if "--json" in arguments or done.stdout
        else " ".join(done.stderr.split())
    )


@pytest.fixture
def exports(installation, tmp_path) -> tuple[Path, Path]:
    paths = tmp_path / "service.jsonl", tmp_path / "keys.jsonl"
    run(audit.app, "export", paths[0], "--data", installation)
    run(audit.app, "export", paths[1], "--chain", "keys", "--data", installation)
    return paths


def test_an_export_is_verified_offline(exports, root):
    told = run(
        audit.app, "verify", exports[0], "--with", exports[1], "--anchor", root, "--json"
    )  # no installation is asked
    assert told["verdict"] == "sound"
    assert [c["chain"] for c in told["chains"]] == ["service", "keys"]
    assert told["between"] == []


def test_tampering_is_named_in_both_languages(exports, root):
    forged = Forged(exports[0].read_bytes())
    forged.edit(2, actor="x")
    exports[0].write_bytes(b"\n".join(forged.lines))
    told = run(audit.app, "verify", exports[0], "--anchor", root, "--json", code=1)
    [finding] = told["chains"][0]["findings"]
    assert (finding["code"], finding["seq"]) == ("edited", 2)
    said = run(audit.app, "verify", exports[0], "--anchor", root, code=1)
    assert "service 2: nội dung mục đã bị sửa / the entry was edited" in said


def test_a_cut_chain_is_found_with_the_other_and_with_a_kept_head(
    exports, installation, root, tmp_path
):
    kept = tmp_path / "head.json"
    kept.write_text(json.dumps(run(audit.app, "head", "--data", installation)), "utf-8")
    forged = Forged(exports[0].read_bytes())
    forged.cut(1)
    exports[0].write_bytes(b"\n".join(forged.lines))
    verify = ("verify", exports[0], "--anchor", root, "--json")
    assert run(audit.app, *verify, code=2)["verdict"] == "unproved"
    assert run(audit.app, *verify, "--head", kept, code=1)["verdict"] == "broken"
    told = run(audit.app, *verify, "--with", exports[1], code=1)
    assert told["between"][0]["code"] == "truncated"


def test_another_audit_key_is_named(exports, root):
    verify = ("verify", exports[0], "--anchor", root, "--json")
    told = run(audit.app, *verify, "--key", "0" * 64, code=1)
    assert {f["code"] for f in told["chains"][0]["findings"]} == {"wrong-key"}
    [key] = told["chains"][0]["keys"]
    assert run(audit.app, *verify, "--key", key)["verdict"] == "sound"


def test_each_use_of_a_key_is_explained(exports, installation):
    here = run(audit.app, "explain", "--json", "--data", installation)
    there = run(audit.app, "explain", "--service", exports[0], "--keys", exports[1], "--json")
    assert here == there
    assert here["reasons"] == {"published": 1}
    forged = Forged(exports[0].read_bytes())
    forged.cut(1)
    exports[0].write_bytes(b"\n".join(forged.lines))
    told = run(audit.app, "explain", "--service", exports[0], "--keys", exports[1], "--json")
    assert told["reasons"] == {"under-way": 1}


def test_one_entry_is_proved(installation, root, tmp_path):
    proof = tmp_path / "proof.json"
    proof.write_text(json.dumps(run(audit.app, "prove", 2, "--data", installation)), "utf-8")
    told = run(audit.app, "check", proof, "--anchor", root, "--json")
    assert told["entry"]["event"] == "signature.published"
    assert told["sealed_at"] is not None


def test_bad_input_says_what_to_do(installation, exports, root, tmp_path):
    with pytest.raises(InputUnusable, match="another name"):
        run(audit.app, "export", exports[0], "--data", installation)
    assert not list(tmp_path.glob("*.part"))
    with pytest.raises(InputUnusable, match="check the path"):
        run(audit.app, "verify", tmp_path / "none", "--anchor", root)
    no_head = tmp_path / "x.json"
    no_head.write_text("{}", "utf-8")
    with pytest.raises(InputUnusable, match="sohoa audit head"):
        run(audit.app, "verify", exports[0], "--head", no_head, "--anchor", root)
    with pytest.raises(InputUnusable, match="no JSON"):
        run(audit.app, "check", root, "--anchor", root)
    (installation / "agent" / "keys.db").unlink()
    with pytest.raises(InputUnusable, match="agent's machine"):
        run(audit.app, "head", "--chain", "keys", "--data", installation)


def test_a_chain_without_a_head_has_none_to_print(tmp_path, root):
    folder = new_installation(tmp_path / "new", root)
    with pytest.raises(NotFound, match="chưa được niêm phong"):
        run(audit.app, "head", "--data", folder)


def test_backup_and_restore(installation, root, tmp_path):
    file, other = tmp_path / "one.tar", new_installation(tmp_path / "other", root)
    made = run(whole, "backup", file, "--data", installation, "--json")
    back = run(whole, "restore", file, "--data", other, "--json")
    assert made == back
    assert made["has_keys"]
    assert made["blobs"] == 1
    assert (other / "key-policy.toml").read_text("utf-8") == "[keys]\n"
    told = run(audit.app, "explain", "--json", "--data", other)
    assert told["reasons"] == {"published": 1}
    house = Database(f"sqlite:///{other}/house.db")
    [entry] = AuditLog(house).entries(None, made["chains"]["service"]["seq"], 9)
    house.close()
    assert (entry.event, entry.actor.partition(":")[0]) == ("house.restored", "local")
    ends = {chain: {k: end[k] for k in ("seq", "link")} for chain, end in made["chains"].items()}
    assert entry.details["chains"] == ends
    with pytest.raises(BackupError, match="trống"):
        run(whole, "restore", file, "--data", other)


def test_a_backup_says_what_is_not_in_it(installation, tmp_path):
    said = run(whole, "backup", tmp_path / "one.tar", "--data", installation)
    assert "mã PIN" in said
    (installation / "agent" / "keys.db").unlink()
    said = run(whole, "backup", tmp_path / "two.tar", "--data", installation)
    assert "back up there as well" in said
