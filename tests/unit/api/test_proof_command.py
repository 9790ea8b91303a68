"""`sohoa proof verify` end to end: exit codes, JSON, and words for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from api import cli
from tests.fakes import SoftwareKey, pem
from tests.printed_codes import CODE, drawn
from tests.printout_cases import altered, issued, proof_key


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs the command on a machine without an installation."""
    monkeypatch.setenv("SOHOA_DATA", str(tmp_path / "none"))

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main(["proof", "verify", *map(str, arguments)])
        said = capsys.readouterr()
        return caught.value.code, said.out, said.err

    return call


@pytest.fixture(scope="module")
def result():
    return issued(0)


@pytest.fixture
def keys(tmp_path) -> Path:
    path = tmp_path / "keys.pem"
    path.write_bytes(pem(proof_key().certificate))
    return path


@pytest.fixture
def photo(result, tmp_path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(drawn(result.pdf, 150)).save(path, dpi=(150, 150))
    return path


def test_a_genuine_code_passes_and_is_told_in_both_languages(run, photo, keys):
    code, out, told = run(photo, "--keys", keys, "--json")
    assert code == 0
    assert json.loads(out)["verdict"] == "code-genuine"
    assert json.loads(out)["record"] is None
    assert "Mã trên bản in là thật" in told
    assert "genuine" in told
    assert CODE in told
    assert "N. V. An" in told


def test_without_trusted_keys_nothing_can_be_said(run, photo, tmp_path):
    code, _, told = run(photo)
    assert code == 2
    assert "--keys" in told
    assert "CHƯA được xác nhận" in told
    other = tmp_path / "other.pem"
    other.write_bytes(pem(SoftwareKey().certificate))
    assert run(photo, "--keys", other)[0] == 2


def test_an_altered_paper_differs_at_a_place(run, result, keys, tmp_path):
    import random

    from tests.printout_cases import printed
    from tools.samples.degrade import Recipe
    from tools.samples.printouts import Return

    sheet, alteration = altered(result, random.Random(1), "digit")
    paper = tmp_path / "paper.jpg"
    paper.write_bytes(printed(result, Return(200, True, Recipe(), 0.5, False, 0.0), 1, sheet))
    record = tmp_path / "record.pdf"
    record.write_bytes(result.pdf)
    code, out, told = run(
        paper, "--record", record, "--keys", keys, "--crops", tmp_path / "places", "--json"
    )
    assert code == 1
    answer = json.loads(out)
    assert answer["verdict"] == "differs"
    assert answer["record"]["integrity"] == "INTACT"
    assert any(alteration.before in (p["expected"] or "") for p in answer["pages"][0]["places"])
    assert "KHÁC" in told
    assert list((tmp_path / "places").glob("*.png"))


def test_a_paper_like_an_original_that_nobody_vouches_for_cannot_be_said(
    run, result, photo, keys, tmp_path
):
    """The signer of the record is unknown to this machine."""
    record = tmp_path / "record.pdf"
    record.write_bytes(result.pdf)
    code, out, _ = run(photo, "--record", record, "--keys", keys, "--json")
    assert json.loads(out)["verdict"] == "same"
    assert json.loads(out)["record"]["indication"] == "INDETERMINATE"
    assert code == 2


def test_what_cannot_be_used_is_said(run, photo, keys, tmp_path):
    assert run(tmp_path / "missing.jpg", "--keys", keys)[0] == 4
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    assert run(photo, "--keys", keys, "--crops", blocked)[0] == 4
    (tmp_path / "text.jpg").write_bytes(b"no picture")
    assert run(tmp_path / "text.jpg", "--keys", keys)[0] == 4
