"""The sample generator: the same bytes each time, truth over ink, scans as they are described."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pikepdf
import pytest
from PIL import Image

from tools import make_samples
from tools.samples import __main__ as command
from tools.samples import idcard, typefaces
from tools.samples.degrade import CONDITIONS, Condition, scan
from tools.samples.dossier import write_dossier
from tools.samples.evalset import SetOptions, documents, families, write_set
from tools.samples.fiction import Fiction
from tools.samples.groundtruth import ScanGeometry, page_from_json
from tools.samples.kinds import KINDS
from tools.samples.layout import Sheet
from tools.samples.typefaces import FAMILIES, Family, FontMissing

TINOS = FAMILIES["Tinos"]


def _sheet(kind: str = "to-trinh", seed: str = "s") -> Sheet:
    return KINDS[kind](Fiction(seed), TINOS)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_papers_fit_their_page_and_name_who_signs(kind: str):
    for n in range(4):
        sheets = KINDS[kind](Fiction(f"fit/{n}"), TINOS)
        words = [w for s in sheets for line in s.truth("x").lines for w in line.words]
        assert all(0 < w.left < w.right < 210 and 0 < w.top <= w.bottom < 297 for w in words)
        assert "signer_name" in sheets[-1].fields
        assert sum(len(w.text) for w in words) > 500


def test_truth_boxes_hold_all_ink_and_each_box_has_some():
    sheet, dpi = _sheet("cong-van"), 150
    ink = sheet.draw_ink(dpi) > 60
    covered = np.zeros_like(ink)
    scale = dpi / 25.4
    for line in sheet.truth("x").lines:
        for w in line.words:
            y0, y1 = int(w.top * scale) - 1, int(w.bottom * scale) + 2
            x0, x1 = int(w.left * scale) - 1, int(w.right * scale) + 2
            assert ink[y0:y1, x0:x1].any(), w
            covered[y0:y1, x0:x1] = True
    for rule in sheet._rules:
        y, half = round(rule.y0 * scale), 3
        covered[y - half : y + half + 1] = True
    assert not (ink & ~covered).any()


@pytest.mark.parametrize("condition", ["skew", "combo"])
def test_boxes_on_the_scan_follow_the_skew(condition: Condition):
    sheet = _sheet("don")
    made = scan(sheet, condition, 150, 5)
    grey = np.asarray(Image.open(io.BytesIO(made.data)).convert("L"), dtype=np.int16)
    paper = cv2.medianBlur(grey.astype(np.uint8), 31).astype(np.int16)
    dark = paper - grey > 40
    words = [w for line in sheet.truth("x").lines for w in line.words if len(w.text) > 3]
    hits = 0
    for w in words:
        box = made.geometry.on_scan(w)
        hits += dark[int(box.top) : int(box.bottom), int(box.left) : int(box.right)].mean() > 0.04
    assert abs(made.geometry.skew_degrees) > 0.5
    assert hits > 0.95 * len(words)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    sheet = _sheet()
    first, again = scan(sheet, "stamp", 100, 9), scan(_sheet(), "stamp", 100, 9)
    assert first.data == again.data
    assert first.data != scan(sheet, "stamp", 100, 10).data
    assert _sheet().truth("x").to_json() != _sheet(seed="other").truth("x").to_json()


def test_truth_survives_json():
    truth = _sheet("ke-hoach").truth("mau")
    again = page_from_json(truth.to_json())
    assert again.to_json() == truth.to_json()
    assert (again.text, dict(again.fields)) == (truth.text, dict(truth.fields))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_scans_are_what_their_recipe_says(condition: Condition):
    made = scan(_sheet(), condition, 100, 3)
    image = Image.open(io.BytesIO(made.data))
    assert round(image.info["dpi"][0]) == 100
    assert (image.mode == "1") == (condition == "fax") == (made.suffix == ".png")
    sideways = made.geometry.turns % 2 == 1
    assert (image.width > image.height) == sideways
    if condition == "rot":
        assert made.geometry.turns in (1, 2, 3)


def test_clockwise_turns_make_a_page_upright():
    sheet = _sheet()
    seed = next(s for s in range(50) if scan(sheet, "rot", 50, s).geometry.turns == 1)
    image = Image.open(io.BytesIO(scan(sheet, "rot", 72, seed).data)).convert("L")
    upright = np.asarray(image.rotate(-90, expand=True))
    ink = (upright < 128).mean(axis=1)
    assert ink[: len(ink) // 2].sum() > ink[len(ink) // 2 :].sum()  # text stands at the top


def test_stamped_pages_show_red_and_blue():
    pixels = np.asarray(
        Image.open(io.BytesIO(scan(_sheet(), "stamp", 100, 3).data)), dtype=np.int16
    )
    red = (pixels[:, :, 0] - pixels[:, :, 2] > 60).sum()
    blue = (pixels[:, :, 2] - pixels[:, :, 0] > 50).sum()
    assert red > 1500
    assert blue > 150


def test_all_people_and_numbers_are_plainly_fictitious():
    for n in range(40):
        story = Fiction(n)
        assert story.citizen_number().startswith("000")
        name = story.person()
        assert any(name.endswith(given) for given in ("Mẫu", "Thử", "Nháp", "Dụ", "Định", "Họa",
                   "Điểm", "Dượt", "Chế", "Danh"))  # fmt: skip


def test_the_card_bears_a_qr_of_its_number():
    sheet, code = idcard.card_sheet(Fiction("c"), "Lê Văn Mẫu", "000123456789")
    assert code.startswith("000123456789||Lê Văn Mẫu|")
    assert "LÊ VĂN MẪU" in sheet.truth("x").text


def test_a_set_has_a_manifest_of_its_images(tmp_path: Path):
    entries = write_set(tmp_path, SetOptions(4, 2, (72,), per_page=2, fonts=("Tinos",)))
    assert entries == json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert len(entries) == 6  # a decision of two pages, a letter of one, each twice
    for entry in entries:
        assert (tmp_path / str(entry["file"])).stat().st_size > 1000
        assert page_from_json((tmp_path / str(entry["gt"])).read_text(encoding="utf-8")).lines


def test_a_set_uses_every_condition_in_turn():
    options = SetOptions(4, len(KINDS) * 2, fonts=("Tinos", "Arimo"))
    made = list(documents(options))
    assert {kind for _, kind, _, _ in made} == set(KINDS)
    assert {family.name for _, _, family, _ in made} == {"Tinos", "Arimo"}


def test_a_missing_font_names_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(typefaces, "FONT_ROOTS", (tmp_path,))
    with pytest.raises(FontMissing, match="apt-get install"):
        families(())
    with pytest.raises(FontMissing, match="fonts-croscore"):
        TINOS.path("bold")
    with pytest.raises(FontMissing, match="unknown font"):
        families(("Vắng Mặt",))


def test_the_commands_report_a_missing_font(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(typefaces, "FONT_ROOTS", (tmp_path,))
    assert command.main(["--out", str(tmp_path / "o"), "--count", "1"]) == 2
    assert make_samples.main([str(tmp_path / "d")]) == 2
    assert "apt-get install" in capsys.readouterr().err


def test_the_command_writes_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["--out", str(tmp_path), "--count", "1", "--dpi", "72", "--per-page", "1",
                 "--fonts", "Tinos", "--kinds", "don"]  # fmt: skip
    assert command.main(arguments) == 0
    assert "1 images of 1 pages" in capsys.readouterr().out


def test_the_vietnamese_probe_is_drawn_by_the_committed_fonts():
    for name in ("Tinos", "Liberation Serif", "Liberation Sans"):
        family: Family = FAMILIES[name]
        font = typefaces.load(family.path("regular"), 40)
        missing = font.getmask("\U0010fffd").getbbox()
        drawn = {c: font.getmask(c).getbbox() for c in typefaces.PROBE}
        assert all(box and box != missing for box in drawn.values())


def test_the_committed_dossier_is_what_the_program_writes(tmp_path: Path):
    committed = Path(__file__).parents[3] / "samples" / "dossier"
    write_dossier(tmp_path)
    for path in sorted(p for p in tmp_path.rglob("*") if p.is_file()):
        other = committed / path.relative_to(tmp_path)
        if path.suffix in (".json", ".txt"):
            assert path.read_bytes() == other.read_bytes(), path.name
    with pikepdf.open(committed / "thanh-phan" / "03-to-trinh.pdf") as pdf:
        assert len(pdf.pages) == 2
    with Image.open(committed / "quyet-dinh" / "quyet-dinh.tif") as tiff:
        assert getattr(tiff, "n_frames", 1) == 2
    total = sum(p.stat().st_size for p in committed.rglob("*") if p.is_file())
    assert total < 4_000_000


def test_a_page_without_skew_keeps_its_boxes():
    word = _sheet().truth("x").lines[0].words[0]
    box = ScanGeometry(254).on_scan(word)
    assert (box.left, box.bottom) == pytest.approx((word.left * 10, word.bottom * 10))
