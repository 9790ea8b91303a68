"""How well marks on pages are found, over more degraded pages than every run can pay for.

    python -m tests.proof_cover_sheets

Cover sheets and forgeries printed, stained and scanned; patch codes; blank backs with print shining
through, and with pencil; rescans, notes and other people's forms. Prints JSON; exit 1 when a
forgery splits, a good sheet or patch is missed, writing is set aside, or another page is called the
same.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import sys
import time

import numpy as np

from dossier.intake.cover_sheet import AnnouncedComponent, CoverSheetOrder, make_cover_sheet
from dossier.intake.duplicates import alike_pairs
from dossier.intake.observations import Likeness, PageObservation
from dossier.intake.page_trace import trace_of
from dossier.intake.sheet_codes import judge_codes
from dossier.intake.splitting import SplitRules, split_stack
from ocr.separators.blanks import look_for_writing
from ocr.separators.codes import find_page_codes
from ocr.separators.patch_codes import PatchCode
from ocr.separators.patches import find_patches
from signer.coversheet import CoverSheetKeys
from tests.fakes import SoftwareKey
from tests.printed_codes import drawn
from tests.scanned_sheets import blank_back, patch_sheet, pencil, scanned, with_note
from tools.samples.documents import decision, report
from tools.samples.fiction import Fiction
from tools.samples.forms import application
from tools.samples.layout import Sheet
from tools.samples.typefaces import FAMILIES

FAMILY = FAMILIES["Liberation Serif"]
RESOLUTIONS = (150, 200, 300)


def main() -> int:
    """Measure, print, judge."""
    found = {
        "sheets": sheets(),
        "patches": patches(),
        "backs": backs(),
        "duplicates": duplicates(),
    }
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    good = (
        found["sheets"]["split"] == found["sheets"]["genuine"]
        and found["sheets"]["forgeries_that_split"] == 0
        and found["patches"]["read"] == found["patches"]["sheets"]
        and found["backs"]["writing_set_aside"] == 0
        and found["duplicates"]["different_called_alike"] == 0
    )
    return 0 if good else 1


def sheets() -> dict[str, float]:
    """Genuine sheets, and the same by a key that is not pinned."""
    key, stranger = SoftwareKey(label="sheets"), SoftwareKey(label="stranger")
    keys = CoverSheetKeys([key.certificate])
    now = dt.datetime.now(dt.UTC)
    components = tuple(AnnouncedComponent(f"TP-{n:02d}", "Giấy tờ mẫu", n) for n in range(1, 7))
    order = CoverSheetOrder("ubnd-xa-thu", "UBND xã Thử", "HS-0001", "quay-3", components)
    rules = SplitRules("ubnd-xa-thu", "quay-3", now)
    rng = random.Random(7)
    split, forged, total, spent = 0, 0, 0, 0.0
    for signer in (key, stranger):
        pdf = make_cover_sheet(order, signer, now).pdf
        for dpi in RESOLUTIONS:
            page = drawn(pdf, dpi)
            for seed in range(8 if signer is key else 3):
                scan = scanned(
                    page, dpi, seed, skew=rng.uniform(-5, 5), turns=rng.randrange(4),
                    ring=seed % 2 == 0, noise=rng.uniform(3, 12), density=rng.uniform(0.45, 0.95),
                )  # fmt: skip
                start = time.process_time()
                codes = find_page_codes(scan, dpi)
                spent += time.process_time() - start
                readings = judge_codes([code.data for code in codes], keys)
                accepted = len(split_stack([PageObservation(sheets=readings)], rules).sheets)
                total += 1
                split += accepted if signer is key else 0
                forged += accepted if signer is stranger else 0
    genuine = 8 * len(RESOLUTIONS)
    return {
        "genuine": genuine,
        "split": split,
        "forgeries": total - genuine,
        "forgeries_that_split": forged,
        "cpu_s_a_page": round(spent / total, 3),
    }


def patches() -> dict[str, float]:
    """Every pattern at every resolution, and pages of print that bear none."""
    rng = random.Random(1)
    read, total, spent = 0, 0, 0.0
    for code in PatchCode:
        for dpi in RESOLUTIONS:
            for seed in range(3):
                page = scanned(
                    patch_sheet(code, dpi), dpi, seed, skew=rng.uniform(-4, 4), ring=seed > 0,
                    noise=(3.0, 11.0)[seed % 2], density=(0.9, 0.9, 0.5)[seed],
                )  # fmt: skip
                start = time.process_time()
                read += [found.code for found in find_patches(page, dpi)] == [code]
                spent += time.process_time() - start
                total += 1
    return {"sheets": total, "read": read, "cpu_s_a_page": round(spent / total, 3)}


def backs() -> dict[str, float]:
    """Blank backs by how much shines through; the same with two or three digits in pencil."""
    papers = ({}, {"noise": 11.0, "specks": 900}, {"yellow": True, "shadow": 0.4}, {"grey": True})
    kept = dict.fromkeys((0.0, 0.06, 0.12, 0.18), 0)
    aside, notes = 0, 0
    for dpi in RESOLUTIONS:
        fronts = [k(Fiction(k.__name__), FAMILY)[0].draw_ink(dpi) for k in (decision, report)]
        for seed, paper in enumerate(papers):
            front = fronts[seed % 2]
            for show in kept:
                page = blank_back(front, dpi, seed, show=show, **paper)
                kept[show] += not look_for_writing(page, dpi).blank
            for strength, text in ((0.25, "12"), (0.25, "379"), (0.6, "12")):
                mark = [pencil(text, seed, dpi, strength)]
                page = blank_back(front, dpi, seed, show=0.06, patches=mark, **paper)
                aside += look_for_writing(page, dpi).blank
                notes += 1
    of_each = len(RESOLUTIONS) * len(papers)
    return {
        "backs_of_each": of_each,
        **{f"kept_as_written_at_{show}": number for show, number in kept.items()},
        "pencil_notes": notes,
        "writing_set_aside": aside,
    }


def duplicates() -> dict[str, float]:
    """Two scans and one with a note of ten pages; five are one form filled in by five people."""
    rng = random.Random(5)
    named: list[tuple[str, Sheet]] = [
        (f"form-{n}", application(Fiction(f"form-{n}"), FAMILY, form=0)[0]) for n in range(5)
    ]
    named += [(f"decision-{n}", decision(Fiction(f"qd-{n}"), FAMILY)[0]) for n in range(3)]
    named += [(f"report-{n}", report(Fiction(f"bc-{n}"), FAMILY)[0]) for n in range(2)]
    names, traces = [], []
    for name, sheet in named:
        fine, coarse = 255 - sheet.draw_ink(200), 255 - sheet.draw_ink(150)
        first = scanned(coarse, 150, 1, skew=rng.uniform(-2, 2))
        again = scanned(fine, 200, 2, skew=rng.uniform(-2, 2), turns=2, noise=8.0, density=0.6)
        noted = scanned(coarse, 150, 3, skew=rng.uniform(-1, 1))
        noted = with_note(noted, 150, rng.uniform(30, 110), rng.uniform(50, 170))
        for kind, page, dpi in (("", first, 150), ("", again, 200), ("note", noted, 150)):
            names.append((name, kind))
            traces.append(trace_of(np.asarray(page, np.uint8), dpi))
    start = time.process_time()
    pairs = alike_pairs(traces)
    spent = time.process_time() - start
    same = [p for p in pairs if names[p.one][0] == names[p.other][0]]
    return {
        "pages": len(traces),
        "rescans": len(named),
        "rescans_found": sum(p.likeness is Likeness.SAME for p in same),
        "notes": 2 * len(named),
        "notes_found": sum(p.likeness is Likeness.NOTE for p in same),
        "pairs_of_different_pages": len(traces) * (len(traces) - 1) // 2 - 3 * len(named),
        "different_called_alike": len(pairs) - len(same),
        "cpu_s_for_all_pairs": round(spent, 2),
    }


if __name__ == "__main__":
    raise SystemExit(main())
