"""`sohoa verify` end to end: exit codes, JSON, and words for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api import cli
from tests.fakes import SoftwareKey, pem


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs the command on a machine without an installation."""
    monkeypatch.setenv("SOHOA_DATA", str(tmp_path / "none"))

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main(["verify", *map(str, arguments)])
        said = capsys.readouterr()
        return caught.value.code, said.out, said.err

    return call


@pytest.fixture
def root(test_pki, tmp_path) -> Path:
    path = tmp_path / "root.pem"
    path.write_bytes(b"Trust-Domain: TEST\n" + pem(test_pki.anchors[0]))
    return path


@pytest.fixture
def record(signed, tmp_path) -> Path:
    path = tmp_path / "record.pdf"
    path.write_bytes(signed["B-LTA"])
    return path


def test_passed(run, record, root):
    code, out, err = run(record, "--trust", root, "--json")
    said = json.loads(out)
    assert code == 0
    assert said["indication"] == "TOTAL-PASSED"
    assert {s["trust_domain"] for s in said["signatures"]} == {"TEST"}
    assert err.startswith("HỢP LỆ")


def test_without_json_nothing_on_standard_output(run, record, root):
    code, out, _ = run(record, "--trust", root)
    assert (code, out) == (0, "")


def test_failed(run, record, root):
    data = bytearray(record.read_bytes())
    data[300] ^= 1
    record.write_bytes(data)
    code, out, err = run(record, "--trust", root, "--json")
    assert code == 1
    assert json.loads(out)["integrity"] in ("BROKEN", "MALFORMED")
    assert err.startswith("KHÔNG HỢP LỆ")


def test_undetermined_under_other_roots(run, record, tmp_path):
    other = tmp_path / "other.pem"
    other.write_bytes(pem(SoftwareKey(label="khác").certificate))
    code, out, _ = run(record, "--trust", other, "--json")
    assert code == 2
    assert json.loads(out)["sub_indication"] == "NO_CERTIFICATE_CHAIN_FOUND"


def test_without_installation_nobody_is_trusted(run, record):
    code, out, err = run(record, "--json")
    assert code == 2
    assert json.loads(out)["integrity"] == "INTACT"
    assert "--trust" in err


def test_several_roots(run, record, root, tmp_path):
    other = tmp_path / "other.pem"
    other.write_bytes(pem(SoftwareKey(label="khác").certificate))
    assert run(record, "--trust", other, "--trust", root)[0] == 0


def test_at_a_time(run, record, root):
    code, out, _ = run(record, "--trust", root, "--at", "2060-01-01", "--json")
    assert code == 2
    assert json.loads(out)["verified_at"] == "2060-01-01T00:00:00+07:00"


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["/nowhere/x.pdf"], 4, "No such file"),
        (["/usr"], 4, "directory"),
        (["{record}", "--at", "soon"], 4, "is not a time"),
        (["{record}", "--trust", "/nowhere/root.pem"], 9, "cannot be read"),
        (["{record}", "--data", "/nowhere"], 9, "sohoa init"),
    ],
)
def test_errors_say_what_to_do(run, record, arguments, code, word):
    got, _, err = run(*(a.format(record=record) for a in arguments))
    assert got == code
    assert word in " ".join(err.split())


def test_not_a_pdf(run, tmp_path, root):
    path = tmp_path / "x.pdf"
    path.write_bytes(b"hello")
    code, out, _ = run(path, "--trust", root, "--json")
    assert code == 1
    assert json.loads(out)["integrity"] == "MALFORMED"
