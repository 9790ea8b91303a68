"""Records as a whole: reproducible, whole or not at all, within limits, compact or faithful."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import pytest

from ocr.conformance import require_conformant
from ocr.errors import DamagedFile, OutputError
from ocr.page import CompactImage, ImageStream
from ocr.reading.raster import decode, store_g4
from ocr.record.compact import encode_compact
from ocr.record.pdfa import PDFA_1B, page_scale, pdf_date, srgb_profile, write_record
from tests.record_pages import META, PROVENANCE, PageSpec, make_page
from tests.unit.ocr.test_wholefile import small_disk

SRGB_SHA256 = "2a92d4bae450b76d8b0aa42193df974d75f62738ecebf74f01c5e75b12a95796"

SCRIPT = """
import sys
from pathlib import Path
from tests.record_pages import META, PROVENANCE, PageSpec, make_page
from ocr.record.pdfa import write_record
folder = Path(sys.argv[1])
pages = [make_page(folder, PageSpec(number=n, dpi=75, skew_degrees=n)) for n in (1, 2)]
print(write_record(pages, folder / "r.pdf", META, PROVENANCE).sha256)
"""


def test_the_bytes_depend_on_the_arguments_alone(tmp_path):
    digests = set()
    for seed in ("1", "77"):
        folder = tmp_path / seed
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, folder],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC{seed}"},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            check=True,
            text=True,
        )
        digests.add(done.stdout)
        assert done.stdout.strip() == hashlib.sha256((folder / "r.pdf").read_bytes()).hexdigest()
    assert len(digests) == 1


def test_the_info_is_that_of_the_file(tmp_path):
    pages = [make_page(tmp_path, PageSpec(number=n, dpi=75)) for n in (1, 2, 3)]
    info = write_record(iter(pages), tmp_path / "r.pdf", META, PROVENANCE)
    assert info.sha256 == hashlib.sha256(info.path.read_bytes()).hexdigest()
    assert info.size_bytes == info.path.stat().st_size
    assert info.page_count == 3
    with pikepdf.open(info.path) as pdf:
        assert pdf.attachments["provenance.json"].get_file().read_bytes() == info.manifest


def test_a_twin_has_the_same_manifest_outside(tmp_path):
    page = make_page(tmp_path, PageSpec(dpi=75))
    record = write_record([page], tmp_path / "r.pdf", META, PROVENANCE)
    twin = write_record([page], tmp_path / "t.pdf", META, PROVENANCE, flavour=PDFA_1B)
    assert twin.manifest == record.manifest
    with pikepdf.open(twin.path) as pdf:
        assert not pdf.attachments
        assert "/AF" not in pdf.Root
        assert pdf.pdf_version == "1.4"
        with pdf.open_metadata() as packet:
            assert packet.pdfa_status == "1B"


def test_a_record_needs_a_page(tmp_path):
    with pytest.raises(OutputError, match="at least one page"):
        write_record([], tmp_path / "r.pdf", META, PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_pages_leaves_nothing_behind(tmp_path):
    work, out = tmp_path / "work", tmp_path / "out"
    work.mkdir()
    out.mkdir()

    def pages():
        yield make_page(work, PageSpec(dpi=75))
        raise DamagedFile("cut short", source="a.tif", page=2)

    with pytest.raises(DamagedFile):
        write_record(pages(), out / "r.pdf", META, PROVENANCE)
    assert list(out.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    page = make_page(tmp_path, PageSpec(dpi=75))
    out = tmp_path / "out"
    out.mkdir()
    with small_disk(4000), pytest.raises(OutputError, match="cannot be written"):
        write_record([page], out / "r.pdf", META, PROVENANCE)
    assert list(out.iterdir()) == []


def test_an_image_that_is_gone_is_named(tmp_path):
    page = make_page(tmp_path, PageSpec(dpi=75))
    page.image.kept.path.unlink()
    with pytest.raises(OutputError, match=r"page-1\.bin cannot be read again"):
        write_record([page], tmp_path / "r.pdf", META, PROVENANCE)
    assert not (tmp_path / "r.pdf").exists()


def test_titles_survive_whatever_they_hold(tmp_path):
    title = 'Tờ trình <b> & "ngoặc" (1) \\ \u200b\x07Tiê\u0301ng'
    meta = replace(META, title=title, creator="A & B", record_id="<1>")
    path = write_record([make_page(tmp_path)], tmp_path / "r.pdf", meta, PROVENANCE).path
    require_conformant(path)
    with pikepdf.open(path) as pdf, pdf.open_metadata() as packet:
        assert packet["dc:title"] == 'Tờ trình <b> & "ngoặc" (1) \\ Tiếng'
        assert str(pdf.docinfo["/Title"]) == packet["dc:title"]
        assert packet["dc:creator"] == ["A & B"]


@pytest.mark.parametrize(
    ("size", "dpi", "expected"),
    [
        ((2480, 3508), (300, 300), (595.2, 841.92)),
        ((1728, 1100), (204, 98), (609.882, 808.163)),
        ((10, 10), (600, 600), (3, 3)),
        ((30_000, 10), (50, 50), (14_400, 14.4)),
    ],
)
def test_pages_keep_to_the_limits(size, dpi, expected, tmp_path):
    page = make_page(tmp_path, PageSpec(lines=(), dpi=50))
    scale = page_scale(replace(page, width_px=size[0], height_px=size[1], dpi=dpi))
    assert (scale.width_pt, scale.height_pt) == expected
    assert scale.kx * size[0] == pytest.approx(expected[0])
    assert scale.ky * size[1] == pytest.approx(expected[1])


@pytest.mark.parametrize(
    ("offset", "expected"),
    [(7 * 60, "+07'00'"), (-(3 * 60 + 30), "-03'30'"), (0, "+00'00'")],
)
def test_dates_keep_their_offset(offset, expected):
    zone = dt.timezone(dt.timedelta(minutes=offset))
    assert pdf_date(dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)) == f"D:20260102030405{expected}"


def test_the_profile_is_the_one_that_its_licence_speaks_of():
    assert hashlib.sha256(srgb_profile()).hexdigest() == SRGB_SHA256


def compact_page(folder: Path, **spec: object):
    page = make_page(folder, PageSpec(**spec))
    raster = decode(page.image.kept)
    grey = raster if raster.ndim == 2 else raster.max(axis=2)
    return replace(page, compact=encode_compact(raster, grey, page.dpi, folder, "c"))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_compact_records_conform_and_name_what_they_left_out(turns, tmp_path):
    page = compact_page(tmp_path, turns=turns, seal=True)
    info = write_record([page], tmp_path / "r.pdf", META, PROVENANCE)
    require_conformant(info.path)
    (entry,) = json.loads(info.manifest)["pages"]
    assert [s["role"] for s in entry["stored"]] == ["background", "mask"]
    kept = hashlib.sha256(page.image.kept.path.read_bytes()).hexdigest()
    assert entry["kept_sha256"] == kept
    assert kept not in [s["sha256"] for s in entry["stored"]]


def test_a_bilevel_page_is_its_own_mask(tmp_path):
    page = compact_page(tmp_path, encoding="g4-inverse")
    assert page.compact.background is None
    info = write_record([page], tmp_path / "r.pdf", META, PROVENANCE)
    require_conformant(info.path)
    (entry,) = json.loads(info.manifest)["pages"]
    assert [s["role"] for s in entry["stored"]] == ["mask"]


@pytest.mark.parametrize("black_is_1", [False, True])
def test_a_mask_paints_what_is_black(black_is_1, tmp_path):
    """Whatever the polarity of the data: poppler shows the same page."""
    page = make_page(tmp_path, PageSpec(lines=(), dpi=50))
    ink = np.zeros((page.height_px, page.width_px), bool)
    ink[100:200, 100:200] = True
    mask = store_g4(ink != black_is_1, tmp_path / "m")
    mask = ImageStream(mask.path, mask.filter, mask.width_px, mask.height_px, 1, 1, black_is_1)
    page = replace(page, compact=CompactImage(mask, (0.0, 0.0, 0.0), None))
    path = write_record([page], tmp_path / "r.pdf", META, PROVENANCE).path
    subprocess.run(["pdftoppm", "-r", "50", "-gray", path, tmp_path / "o"], check=True)
    pgm = (tmp_path / "o-1.pgm").read_bytes()
    shown = np.frombuffer(pgm[-ink.size :], np.uint8).reshape(ink.shape)
    assert np.abs((shown < 128).astype(int) - ink).sum() < 500


MEMORY_SCRIPT = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from tests.record_pages import META, PROVENANCE, PageSpec, make_page
from ocr.conformance import require_conformant
from ocr.record.pdfa import write_record
folder, count = Path(sys.argv[1]), int(sys.argv[2])
page = make_page(folder, PageSpec(dpi=75, encoding="jpeg"))
kept = page.image.kept.path
kept.write_bytes(kept.read_bytes() + b"\\0" * 500_000)  # as heavy as a scan; decoders stop at EOI
def pages():
    for n in range(1, count + 1):
        yield replace(page, image=replace(page.image, number=n))
require_conformant(write_record(pages(), folder / "r.pdf", META, PROVENANCE).path)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_three_hundred_pages_need_no_more_memory_than_thirty(tmp_path):
    peaks = {}
    for count in (30, 300):
        folder = tmp_path / str(count)
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", MEMORY_SCRIPT, folder, str(count)],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            check=True,
            text=True,
        )
        peaks[count] = int(done.stdout)
        (folder / "r.pdf").unlink()
    assert peaks[300] <= 1.15 * peaks[30]
