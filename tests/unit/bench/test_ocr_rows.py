"""The rows of the digitizing bench, from made-up runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import ocr, ocr_programs
from bench.ocr_programs import ProgramFailed, Run
from tests.fixtures_samples import recognised
from tools.samples.degrade import CONDITIONS
from tools.samples.evalset import SetOptions, documents
from tools.samples.groundtruth import TruthPage


def _truth() -> TruthPage:
    _, _, _, sheets = next(documents(SetOptions(3, 1, fonts=("Tinos",), kinds=("cong-van",))))
    return sheets[0].truth("mau")


def _batch(dpi: int) -> ocr.Batch:
    truth = _truth()
    page = recognised(truth, dpi=dpi)
    scan = ocr.Scan(Path("x.jpg"), dpi, "skew", truth)
    ours = Run(2.0, 3.0, 300.0, 900, (truth.text,))
    theirs = Run(14.0, 24.0, 600.0, 1800, (truth.text.replace("a", "e"),))
    compact = Run(2.5, 3.5, 310.0, 150, (truth.text,))
    smallest = Run(20.0, 30.0, 600.0, 1200, (truth.text,))
    return ocr.Batch((scan,), ours, compact, theirs, smallest, (page,))


def test_rows_bear_the_names_of_the_issue_and_the_right_ratios():
    batches = [_batch(300), _batch(200)]
    rows = {
        m.name: m for step in (ocr.error_rates, ocr.field_rates, ocr.costs) for m in step(batches)
    }
    assert rows["ocr.cer.300"].value == 0.0
    assert (rows["ocr.cer.300"].other or 0) > 1.0
    assert rows["ocr.cer.200.skew"].runs == 1
    assert rows["ocr.speedup_over_ocrmypdf"].value == 7.0
    assert rows["ocr.compact.bytes_over_ocrmypdf"].value == pytest.approx(1 / 12)
    assert rows["ocr.compact.bytes_over_ocrmypdf_o3"].value == pytest.approx(1 / 8)
    assert rows["ocr.peak_memory_over_ocrmypdf"].value == 0.5
    assert rows["ocr.fields.headline"].value == 100.0
    assert rows["ocr.pages_a_minute"].value == 30.0
    assert rows["ocr.pages_lost"].value == 0.0


def test_a_limited_choice_takes_the_conditions_in_turn():
    truth = _truth()
    scans = [ocr.Scan(Path(f"{c}{n}"), 300, c, truth) for c in CONDITIONS for n in range(3)]
    chosen = ocr._choose(scans, 300, 9)
    assert {s.condition for s in chosen} == set(CONDITIONS)
    assert ocr._choose(scans, 200, 9) == []


def test_the_measured_tree_counts_cpu_and_memory_of_children():
    code = "import subprocess,sys; subprocess.run([sys.executable,'-c','x=bytearray(60<<20)\\n" \
           "import time\\nfor i in range(3): time.sleep(.1); sum(range(10**6))'])"  # fmt: skip
    wall, cpu, peak = ocr_programs._measured([sys.executable, "-c", code])
    assert wall > 0.3
    assert cpu > 0.02
    assert peak > 60


def test_a_failing_program_says_so():
    with pytest.raises(ProgramFailed, match="ended with 3"):
        ocr_programs._measured([sys.executable, "-c", "raise SystemExit(3)"])


def test_a_folder_without_a_manifest_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert ocr.main(["--samples", str(tmp_path)]) == 2
    assert "tools.samples" in capsys.readouterr().err
