"""`sohoa verify` end to end: exit codes, JSON, and words for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree

from api import cli
from api.commands import verify as verify_command
from dossier.verifying.checkers import Bounds
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


def test_the_parts_of_a_sequence_are_told_apart(run, record, root):
    _, out, err = run(record, "--trust", root, "--json")
    signatures = json.loads(out)["signatures"]
    assert [s["part"] for s in signatures] == ["officer", "leader", "seal"]
    assert signatures[1]["part_name"] == {
        "vi": "Người có thẩm quyền ký", "en": "Authorised person",
    }  # fmt: skip
    shown = " ".join(err.split())
    for word in ("Người số hóa", "Đóng dấu"):
        assert word in shown


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
        (["{folder}/empty"], 4, "directory without PDF files"),
        (["{record}", "{record}", "--xml"], 2, "take one file"),
        (["{folder}", "--receipt", "x.pdf"], 2, "take one file"),
        (["{record}", "--xml", "--json"], 2, "not both"),
        (["{record}", "--pdf", "/nowhere/x.pdf"], 8, "cannot write"),
        (["{record}", "--at", "soon"], 4, "is not a time"),
        (["{record}", "--trust", "/nowhere/root.pem"], 9, "cannot be read"),
        (["{record}", "--data", "/nowhere"], 9, "sohoa init"),
    ],
)
def test_errors_say_what_to_do(run, record, tmp_path, arguments, code, word):
    (tmp_path / "empty").mkdir()
    got, _, err = run(*(a.format(record=record, folder=tmp_path) for a in arguments))
    assert got == code
    assert word in " ".join(err.split())


def test_not_a_pdf(run, tmp_path, root):
    path = tmp_path / "x.pdf"
    path.write_bytes(b"hello")
    code, out, _ = run(path, "--trust", root, "--json")
    assert code == 1
    assert json.loads(out)["integrity"] == "MALFORMED"


def test_what_the_circular_asks_for_is_shown_in_vietnamese(run, record, root):
    """K4: of every signature, with its values."""
    _, out, err = run(record, "--trust", root, "--json")
    words = " ".join(err.split())
    for label in ("Người ký /", "Thời gian ký /", "Tính toàn vẹn /", "Chứng thư khi ký /",
                  "Tổ chức cấp chứng thư /", "Đơn vị quản lý chứng thư /",
                  "Thời hạn chứng thư /"):  # fmt: skip
        assert words.count(label) >= 3, label
    for one in json.loads(out)["signatures"]:
        for value in (
            one["signer"],
            one["certificate"]["issuer"],
            one["validity_at_signing"]["vi"],
        ):
            assert value in words


def test_the_expected_agency_decides(run, record, root):
    organisation = json.loads(run(record, "--trust", root, "--json")[1])["signatures"][0][
        "organisation"
    ]
    assert run(record, "--trust", root, "--agency", organisation)[0] == 0
    code, out, err = run(record, "--trust", root, "--agency", "Sở Khác", "--json")
    assert code == 2
    assert json.loads(out)["sub_indication"] == "SIG_CONSTRAINTS_FAILURE"
    assert "cơ quan mà bạn nêu" in err


def test_xml_and_pdf(run, record, root, tmp_path):
    target = tmp_path / "report.pdf"
    code, out, _ = run(record, "--trust", root, "--xml", "--pdf", target)
    assert code == 0
    assert etree.fromstring(out.encode()).tag.endswith("}ValidationReport")
    assert target.read_bytes().startswith(b"%PDF-1.7")


def test_several_files_and_folders_with_a_summary(run, record, root, signed, tmp_path):
    folder = tmp_path / "scans" / "inner"
    folder.mkdir(parents=True)
    (folder / "undecided.PDF").write_bytes(signed["B-B"])
    (folder / "notes.txt").write_bytes(b"no")
    code, out, err = run(record, folder.parent, "--trust", root, "--json")
    said = json.loads(out)
    assert code == 2
    assert said["summary"] == {
        "files": 2, "TOTAL-PASSED": 1, "INDETERMINATE": 1, "TOTAL-FAILED": 0, "unreadable": 0,
    }  # fmt: skip
    assert [Path(f["file"]).name for f in said["files"]] == ["record.pdf", "undecided.PDF"]
    assert "2 tệp: 1 hợp lệ, 1 chưa xác định" in err


def test_of_several_the_worst_decides(run, record, root, tmp_path):
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"hello")
    missing = tmp_path / "missing.pdf"
    assert run(record, missing, "--trust", root)[0] == 4
    code, out, _ = run(record, missing, broken, "--trust", root, "--json")
    assert code == 1
    assert "No such file" in json.loads(out)["files"][1]["error"]


def test_a_file_that_exceeds_its_bounds_is_malformed_with_an_id(
    run, record, root, monkeypatch, caplog
):
    monkeypatch.setattr(verify_command, "Bounds", lambda: Bounds(wall_s=0.001))
    code, out, err = run(record, "--trust", root, "--json")
    said = json.loads(out)
    assert (code, said["integrity"]) == (1, "MALFORMED")
    (check,) = said["checks"]
    assert check["check"] == "file.bounds"
    assert check["detail"].split()[1].rstrip(":") in caplog.text
    assert said["document"]["size"] == record.stat().st_size
    assert err.startswith("KHÔNG HỢP LỆ")
