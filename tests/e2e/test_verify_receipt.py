"""A receipt from the command line: sealed with the installation's key, and itself verified."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures_installation import Sohoa
from tests.storm import decision


def test_a_receipt_is_a_signed_document_itself(sohoa: Sohoa, tmp_path: Path) -> None:
    source, signed, receipt = (tmp_path / f"{n}.pdf" for n in ("plain", "signed", "receipt"))
    source.write_bytes(decision(1))
    assert sohoa("sign", source, "-o", signed, "--invisible", "leader").code == 0
    done = sohoa("verify", signed, "--receipt", receipt, "--pdf", tmp_path / "report.pdf")
    assert done.code == 0, done.told
    said = sohoa("verify", receipt, "--json").json
    assert (said["indication"], said["integrity"]) == ("TOTAL-PASSED", "INTACT")
    (signature,) = said["signatures"]
    assert (signature["field"], signature["level"]) == ("receipt", "B-LTA")
    assert sohoa("verify", tmp_path / "report.pdf").code == 2  # a report alone proves nothing
