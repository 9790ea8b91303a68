"""`sohoa trust` end to end, and `sohoa verify --at` by what it imported."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import pytest

from api import cli
from api.settings import load_settings
from api.trusting import snapshot_of
from signer.statement import sign_statement
from tests.trust_parties import (
    DAY,
    NOW,
    YEAR,
    ListedService,
    Party,
    etsi_list,
    government_list,
    signed_by,
)

LONG = {"begins": NOW - 4000 * DAY, "ends": NOW + 4000 * DAY}
PINNED = Party.root("Gốc ghim Thử", **LONG)
OLD = Party.root("Gốc cũ Thử", **LONG)
NEW = Party.root("Gốc mới Thử", **LONG)
OPERATOR = Party.root("Điều hành lệnh Thử")


@pytest.fixture
def data(tmp_path) -> Path:
    """A data folder whose settings pin one root, and a signer of lists."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "root.pem").write_bytes(PINNED.pem)
    (folder / "operator.pem").write_bytes(OPERATOR.pem)
    (folder / "sohoa.toml").write_text(
        '[trust]\nanchors = ["root.pem"]\nlist_signers = ["operator.pem"]\n', "utf-8"
    )
    return folder


@pytest.fixture
def run(capsys, data):
    def call(*arguments, code=0, json_too=True):
        words = [*map(str, arguments), "--data", str(data), *(["--json"] if json_too else [])]
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        said = capsys.readouterr()
        assert caught.value.code == code, said.err
        return json.loads(said.out) if json_too else said.err

    return call


@pytest.fixture
def take_in(run, tmp_path):
    def call(name, octets, *options, code=0):
        path = tmp_path / hashlib.sha256(octets).hexdigest()[:12]
        path.write_bytes(octets)
        pin = ["--sha256", hashlib.sha256(octets).hexdigest()]
        return run("trust", "import", name, path, *(options or pin), code=code)

    return call


def test_import_list_show_history_export(run, take_in, tmp_path):
    first = take_in("government", government_list([OLD.certificate], issued=NOW - 9 * DAY))
    assert first["sequence"] == 1
    assert first["proof"]["kind"] == "SHA256"
    second = take_in(
        "government",
        government_list([OLD.certificate, NEW.certificate], sequence=2, issued=NOW - DAY),
    )
    xml = etsi_list([ListedService(NEW.certificate, "CA/QC", [("granted", NOW - YEAR)])], OPERATOR)
    (tmp_path / "tsl.xml").write_bytes(xml)
    national = run("trust", "import", "national", tmp_path / "tsl.xml")  # its signer is pinned
    assert national["proof"]["kind"] == "XADES"
    now = run("trust", "list")
    assert {one["id"] for one in now["lists"]} == {second["id"], national["id"]}
    sources = {one["subject"].split(",")[0]: one["source"] for one in now["anchors"]}
    assert sources["CN=Gốc ghim Thử"] == "settings"
    assert sources["CN=Gốc cũ Thử"] == "government/2"
    then = run("trust", "list", "--at", (NOW - 5 * DAY).isoformat())
    assert [one["id"] for one in then["lists"]] == [first["id"]]
    assert then["sha256"] != now["sha256"]
    shown = run("trust", "show", "national/1")
    assert shown["anchors"][0]["grants"][0]["services"] == ["SIGNING"]
    history = run("trust", "history")
    assert [(one["list"], one["sequence"], one["in_force"]) for one in history] == [
        ("government", 1, False), ("government", 2, True), ("national", 1, True),
    ]  # fmt: skip
    run("trust", "export", "national/1", tmp_path / "out.json")
    ours = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert ours["format"] == "sohoa-trust-list/1"
    run("trust", "export", "national/1", tmp_path / "out.xml", "--original")
    assert (tmp_path / "out.xml").read_bytes() == xml
    run("trust", "export", "national/1", tmp_path / "out.xml", code=4)  # never over a file


def test_people_read_it_too(run, take_in):
    take_in("government", government_list([OLD.certificate], issued=NOW - DAY))
    said = run("trust", "list", json_too=False)
    assert "government/1" in said
    assert "OFFICIAL_DUTY" in said
    said = run("trust", "rules", json_too=False)
    assert "ND68-2024" in said
    assert "government/1" in run("trust", "history", json_too=False)


def test_refusals_have_codes_and_advice(run, take_in, tmp_path):
    octets = government_list([OLD.certificate], sequence=5, issued=NOW - DAY)
    path = tmp_path / "list"
    path.write_bytes(octets)
    problem = run("trust", "import", "government", path, code=9)
    assert "--sha256" in problem["error"]["message"]
    run("trust", "import", "government", path, "--sha256", "00" * 32, code=9)
    take_in("government", octets)
    older = government_list([OLD.certificate], sequence=4, issued=NOW - DAY)
    problem = take_in("government", older, code=_conflict())
    assert "not rolled back" in problem["error"]["message"]
    run("trust", "show", "government/9", code=_not_found())
    run("trust", "import", "government", tmp_path / "gone", code=4)
    run("trust", "import", "x", path, "--domain", "NOBODY", code=4)


def _conflict() -> int:
    from api import problems
    from dossier.errors import StateConflict

    return problems.report(StateConflict("")).problem.exit_code


def _not_found() -> int:
    from api import problems
    from dossier.errors import NotFound

    return problems.report(NotFound("")).problem.exit_code


def test_a_detached_signature(run, tmp_path):
    octets = government_list([OLD.certificate], issued=NOW - DAY)
    path, proof = tmp_path / "list", tmp_path / "list.p7s"
    path.write_bytes(octets)
    proof.write_bytes(sign_statement(octets, OPERATOR.signing_key, None).signature)
    assert (
        run("trust", "import", "government", path, "--signature", proof)["proof"]["kind"] == "CMS"
    )
    stranger = Party.root("Người lạ lệnh Thử")
    proof.write_bytes(sign_statement(octets, stranger.signing_key, None).signature)
    run("trust", "import", "other", path, "--signature", proof, code=9)
    (tmp_path / "stranger.pem").write_bytes(stranger.pem)
    named = ("--signer", tmp_path / "stranger.pem")
    assert run("trust", "import", "other", path, "--signature", proof, *named)["anchors"] == 1


def test_production_takes_no_test_authority(run, data, tmp_path):
    text = (data / "sohoa.toml").read_text("utf-8")
    (data / "sohoa.toml").write_text('mode = "production"\n' + text, "utf-8")
    test = Party.root("Gốc – CHỈ DÙNG THỬ / TEST ONLY")
    path = tmp_path / "list"
    path.write_bytes(test.pem)
    pin = hashlib.sha256(test.pem).hexdigest()
    problem = run("trust", "import", "government", path, "--sha256", pin, code=9)
    assert "test anchor" in problem["error"]["message"]


def test_verify_by_what_was_in_force_then(run, take_in, tmp_path):
    """A root that left the list: still believed as of the day when it was in it."""
    document = tmp_path / "document.pdf"
    document.write_bytes(signed_by(OLD.certify("Cán bộ cũ Thử", **LONG)))
    said = run("verify", document, code=2)
    assert said["sub_indication"] == "NO_CERTIFICATE_CHAIN_FOUND"
    take_in("government", government_list([OLD.certificate], issued=NOW - 300 * DAY))
    take_in("government", government_list([NEW.certificate], sequence=2, issued=NOW - 20 * DAY))
    chains = {}
    for days in (400, 100, 10):
        at = (NOW - days * DAY).isoformat()
        said = run("verify", document, "--at", at, code=2)
        [signature] = said["signatures"]
        chains[days] = (said["trust"]["lists"], signature["trust_domain"], said["sub_indication"])
        assert said["integrity"] == "INTACT"
        assert said["verified_at"] == at
    assert chains == {
        400: ([], None, "NO_CERTIFICATE_CHAIN_FOUND"),
        100: (["government/1"], "OFFICIAL_DUTY", "TRY_LATER"),
        10: (["government/2"], None, "NO_CERTIFICATE_CHAIN_FOUND"),
    }
    named = run("verify", document, "--trust-version", "government/1", code=2)
    assert named["signatures"][0]["rule_set"]["id"] == "ND68-2024"
    assert run("verify", document, "--trust-version", "government/7", code=_not_found())


def test_rules_of_the_settings(run, data, tmp_path):
    built_in = Path(__file__).parents[3] / "signer/trust/rules.toml"
    text = built_in.read_text("utf-8").replace('"ND68-2024"', '"THU-NGHIEM"')
    (data / "rules.toml").write_text(text.replace("ND68-2024 2024", "THU-NGHIEM 2024"), "utf-8")
    settings = (data / "sohoa.toml").read_text("utf-8")
    (data / "sohoa.toml").write_text(settings + 'rules = "rules.toml"\n', "utf-8")
    assert run("trust", "rules")["OFFICIAL_DUTY"]["id"] == "THU-NGHIEM"
    before = run("trust", "rules", "--at", "2020-01-01T00:00")
    assert before["OFFICIAL_DUTY"]["id"] == "ND130-2018-OFFICIAL"
    document = tmp_path / "document.pdf"
    document.write_bytes(signed_by(PINNED.certify("Cán bộ ghim Thử", **LONG)))
    said = run("verify", document, code=2)
    assert said["signatures"][0]["rule_set"]["id"] == "EN319102-1"
    (data / "rules.toml").write_text("[[rule_set]]\n", "utf-8")
    run("trust", "rules", code=9)


def test_an_installation_without_a_database_believes_its_settings(data):
    settings = load_settings(data)
    snapshot = snapshot_of(settings)
    assert [one.certificate for one in snapshot.store.anchors] == [PINNED.certificate]
    assert not (data / "house.db").exists()
    assert tomllib.loads((data / "sohoa.toml").read_text("utf-8"))["trust"]["anchors"]
