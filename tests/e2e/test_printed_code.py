"""Signed with a code, printed, photographed, and checked on a machine without a network."""

from __future__ import annotations

from PIL import Image

from tests.clerical import decision
from tests.fixtures_installation import Sohoa
from tests.printed_codes import drawn


def test_a_printout_is_checked_with_the_network_cut_off(sohoa: Sohoa, tmp_path) -> None:
    source, record = tmp_path / "decision.pdf", tmp_path / "record.pdf"
    source.write_bytes(decision(number="Số: 12"))
    made = sohoa(
        "sign", source, "-o", record, "--seal", "P1", "--qr", "--number", "12/QĐ-UBND",
        "--holder", "Nguyễn Văn An", "--json",
    )  # fmt: skip
    assert made.code == 0, made.told
    code = made.json["code"]
    paper = tmp_path / "paper.jpg"
    turned = Image.fromarray(drawn(record.read_bytes(), 150)).rotate(
        92, Image.Resampling.BICUBIC, expand=True, fillcolor=250
    )
    turned.save(paper, quality=80, dpi=(150, 150))
    alone = sohoa("proof", "verify", paper, "--json", prefix=("unshare", "-rn"))
    assert alone.code == 0, alone.told
    assert alone.json["code"]["claims"]["code"] == code
    assert alone.json["code"]["claims"]["holder"] == "N. V. A."
    with_record = sohoa(
        "proof", "verify", paper, "--record", record, "--json", prefix=("unshare", "-rn")
    )
    assert with_record.code == 0, with_record.told
    assert with_record.json["verdict"] == "same"
    assert with_record.json["same_code"] is True
