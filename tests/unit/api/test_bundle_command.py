"""`sohoa bundle make` and `verify`, as people type them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from tests.fixtures_installation import run_sohoa
from tests.fixtures_signed import plain_pdf


def test_made_and_verified(signed: dict[str, bytes], test_pki: Any, tmp_path: Path) -> None:
    source, root, target = tmp_path / "a.pdf", tmp_path / "root.pem", tmp_path / "a.zip"
    source.write_bytes(signed["B-LTA"])
    root.write_bytes(test_pki.anchors[0].public_bytes(Encoding.PEM))
    data = ("--data", tmp_path / "none")
    made = run_sohoa("bundle", "make", source, "-o", target, "--trust", root, "--json")
    assert made.code == 0, made.told
    assert made.json["indication"] == "TOTAL-PASSED"
    mine = run_sohoa("bundle", "verify", target, "--trust", root, "--json")
    assert mine.code == 0, mine.told
    assert mine.json["bundle"]["agrees_with_manifest"] is True
    theirs = run_sohoa("bundle", "verify", target, "--bundle-roots", *data)
    assert theirs.code == 0
    assert "compare their digests" in theirs.told
    target.write_bytes(target.read_bytes()[:-100])
    broken = run_sohoa("bundle", "verify", target, "--bundle-roots", "--json")
    assert broken.code == 4
    assert broken.json["error"]["kind"] == "InputUnusable"


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    source = tmp_path / "a.pdf"
    source.write_bytes(plain_pdf())
    source.with_name("a.pdf.register.json").write_text("no proof")
    made = run_sohoa("bundle", "make", source, "-o", tmp_path / "a.zip", "--json")
    assert made.code == 4
    assert "register's proof" in made.told
