"""`sohoa agencies|users|clients`, run as administrators run them, on a database of their own."""

from __future__ import annotations

import itertools
import json
import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dossier.audit.log import AuditLog
from dossier.errors import CredentialRefused
from dossier.identity import Identity
from dossier.storage.database import Database
from tests.fixtures_installation import Done, run_sohoa

Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The command line on an installation that has settings and nothing else."""
    (tmp_path / "sohoa.toml").write_text('[token]\nmodule = "/none.so"\nlabel = "none"\n')

    def run_here(*arguments: str) -> Done:
        return run_sohoa(*arguments, "--data", tmp_path)

    return run_here


@pytest.fixture
def identity(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'house.db'}")
    # what was looked up is believed for a second: here each look comes later than that
    later = itertools.count(step=2.0)
    yield Identity(database, AuditLog(database), monotonic=lambda: next(later))
    database.close()


def done(answer: Done) -> Any:
    assert answer.code == 0, answer.told
    return answer.json


def test_an_administrator_sets_an_agency_up(run: Run, identity: Identity, tmp_path: Path) -> None:
    agency = done(
        run("agencies", "add", "H00.01", "UBND xã Mẫu", "--set", "keys=leader,seal", "--json")
    )
    assert agency["policy"]["keys"] == ["leader", "seal"]
    changed = done(
        run("agencies", "policy", "H00.01", "--set", "two_person_batches=true", "--json")
    )
    assert changed["policy"]["two_person_batches"] is True
    assert changed["policy"]["keys"] == ["leader", "seal"]

    client = done(
        run(
            *("clients", "add", "Một cửa mẫu", "--agency", "H00.01", "--role", "clerk"),
            *("--key", "seal", "--limit", "burst=50", "--issue", "--json"),
        )
    )
    caller, limits = identity.authenticate_key(client["text"])
    assert (caller.agency_id, caller.keys, limits.burst) == ("H00.01", {"seal"}, 50)

    person = done(
        run(
            *("users", "add", "Nguyễn Văn Mẫu", "--agency", "H00.01", "--role", "leader"),
            *("--key", "leader", "--oidc", "https://id.example mau-7", "--json"),
        )
    )
    assert identity.by_oidc("https://id.example", "mau-7")[0].principal_id == person["id"]
    assert [one["id"] for one in done(run("users", "list", "--json"))] == [person["id"]]

    issued = done(run("users", "key", "issue", person["id"], "--expires", "30d", "--json"))
    rotated = done(run("users", "key", "rotate", issued["id"], "--json"))
    assert identity.authenticate_key(rotated["text"])
    done(run("users", "key", "revoke", rotated["id"], "--json"))
    with pytest.raises(CredentialRefused):
        identity.authenticate_key(rotated["text"])
    shown = done(run("users", "show", person["id"], "--json"))
    assert [key["revoked_at"] is None for key in shown["api_keys"]] == [True, False]
    assert "text" not in json.dumps(shown)

    told = done(run("users", "change", person["id"], "--role", "officer", "--no-keys", "--json"))
    assert (told["roles"], told["keys"]) == (["officer"], [])
    done(run("users", "disable", person["id"], "--json"))
    with pytest.raises(CredentialRefused):
        identity.authenticate_key(issued["text"])

    actors = {entry.actor for entry in AuditLog(identity._database).entries(None, 0, 100)}
    assert actors == {f"local:{pwd.getpwuid(os.getuid()).pw_name}"}
    secrets = [text.rpartition("_")[2] for text in (client["text"], issued["text"])]
    for path in tmp_path.rglob("*"):
        if stat.S_ISREG(path.stat().st_mode):
            assert not any(secret.encode() in path.read_bytes() for secret in secrets)


def test_people_read_vietnamese_first_and_a_key_alone_on_standard_output(run: Run) -> None:
    done_ = run("agencies", "add", "H00.01", "UBND xã Mẫu")
    assert done_.code == 0
    assert done_.told.startswith("Đã thêm cơ quan H00.01")
    made = run("clients", "add", "Mẫu", "--agency", "H00.01", "--role", "scanner", "--issue")
    assert made.code == 0, made.told
    assert len(made.out.split()) == 1
    assert made.out.startswith("sohoa_")
    assert made.out.strip() not in made.told


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("users", "add", "A", "--agency", "H00.09", "--role", "clerk"), 4, "H00.09"),
        (("users", "add", "A", "--agency", "*", "--role", "clerk"), 4, "*"),
        (("agencies", "add", "a b", "Mẫu"), 4, "H00.01"),
        (("agencies", "add", "H00.02", "Mẫu", "--set", "colour=red"), 4, "colour"),
        (("agencies", "add", "H00.02", "Mẫu", "--set", "keys"), 4, "NAME=VALUE"),
        (("users", "show", "prn_nobody"), 4, "prn_nobody"),
        (("users", "key", "revoke", "nothing"), 4, "nothing"),
        (("users", "key", "issue", "prn_x", "--expires", "soon"), 4, "90d"),
        (("users", "add", "A", "--agency", "H00.01", "--certificate", "/none.pem"), 4, "none.pem"),
    ],
    ids=lambda value: "-".join(value)[:40] if isinstance(value, tuple) else str(value),
)
def test_mistakes_are_explained(run: Run, arguments, code: int, says: str) -> None:
    answer = run(*arguments)
    assert answer.code == code, answer.told
    assert says in answer.told
    assert "Traceback" not in answer.told
