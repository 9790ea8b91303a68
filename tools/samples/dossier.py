"""The bundled dossier: the small, committed set that `make demo` digitizes.

`thanh-phan/` holds the applicant's papers (a JPEG, a JPEG, a PDF), `quyet-dinh/` the decision
(a two-page TIFF), `truth/` the exact text and fields of each page and where it lies on the scan.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools.samples import idcard, marks
from tools.samples.containers import write_pdf, write_tiff
from tools.samples.degrade import Recipe, Scan, compose, encode, official_marks
from tools.samples.documents import decision, submission
from tools.samples.fiction import Fiction, Place
from tools.samples.forms import application
from tools.samples.groundtruth import ScanGeometry
from tools.samples.layout import Sheet
from tools.samples.marks import Patch
from tools.samples.typefaces import FAMILIES

SEED = 2026
LEADER = "Trần Thị Mẫu"
_YELLOW = (238, 228, 200)
_PLACE = Place("xã", "Mẫu Sơn Thử", "Minh Họa")
_MATTER = 10  # building permits, in the order of texts.toml


@dataclass(frozen=True, slots=True)
class PageTruth:
    """One page of the dossier: file, page in it, its sheet (None: blank) and geometry."""

    file: str
    page: int
    sheet: Sheet | None
    geometry: ScanGeometry


def write_dossier(out: Path) -> list[PageTruth]:
    """Write the dossier into `out`; the same version gives the same bytes."""
    (out / "thanh-phan").mkdir(parents=True, exist_ok=True)
    (out / "quyet-dinh").mkdir(exist_ok=True)
    made = [
        *(papers := _application(out)),
        *_card(out, papers[0].sheet),
        *_submission(out),
        *_decision(out),
    ]
    _write_truth(out / "truth", made)
    return made


def _compose(sheet: Sheet, patches: Sequence[Patch], recipe: Recipe, dpi: int, seed: int) -> Scan:
    return encode(compose(sheet.draw_ink(dpi), list(patches), recipe, dpi, seed), recipe, dpi)


def _story(name: str, day: int) -> Fiction:
    """One dossier, one matter: the papers follow each other in March of the seed's year."""
    story = Fiction(f"{SEED}/{name}", matter=_MATTER, place=_PLACE)
    story.year, story.month, story.day = SEED, 3, day
    return story


def _application(out: Path) -> list[PageTruth]:
    """Skewed, a little noisy, signed in blue; 200 dpi JPEG."""
    dpi, rng = 200, random.Random(SEED)
    story = _story("don", 5)
    sheet = application(story, FAMILIES["Liberation Serif"], form=0)[0]
    recipe = Recipe(skew_degrees=1.3, sensor_noise=4.0, specks=120, quality=72)
    x, y = sheet.signature_at or (150.0, 230.0)
    scan = _compose(sheet, [marks.pen_signature(rng, (x, y), dpi)], recipe, dpi, SEED)
    name = "thanh-phan/01-don-de-nghi.jpg"
    (out / name).write_bytes(scan.data)
    return [PageTruth(name, 1, sheet, scan.geometry)]


def _card(out: Path, papers: Sheet | None) -> list[PageTruth]:
    """The applicant's identity card on white paper; 300 dpi JPEG."""
    dpi = 300
    given = papers.fields if papers is not None else {}
    story = Fiction(f"{SEED}/can-cuoc", place=_PLACE)
    sheet, code = idcard.card_sheet(story, str(given["signer_name"]), given["citizen_number"][0])
    recipe = Recipe(skew_degrees=-0.8, sensor_noise=1.5, texture=1.0, quality=70)
    scan = _compose(sheet, idcard.card_patches(code, dpi), recipe, dpi, SEED + 1)
    name = "thanh-phan/02-can-cuoc.jpg"
    (out / name).write_bytes(scan.data)
    return [PageTruth(name, 1, sheet, scan.geometry)]


def _submission(out: Path) -> list[PageTruth]:
    """A letter with a table, fed sideways, and its blank back; 200 dpi JPEGs in a PDF."""
    dpi, rng = 200, random.Random(SEED + 2)
    sheet = submission(_story("to-trinh-c", 16), FAMILIES["Tinos"])[0]
    recipe = Recipe(skew_degrees=-0.4, turns=1, sensor_noise=2.5, quality=72)
    around = str(sheet.fields["agency"])
    front = _compose(sheet, official_marks(sheet, rng, dpi, around), recipe, dpi, SEED + 2)
    back_recipe = replace(recipe, turns=0, show_through=0.05, paper=(246, 244, 236), quality=60)
    blank = Sheet(FAMILIES["Tinos"])
    empty = compose(blank.draw_ink(dpi), [], back_recipe, dpi, SEED + 3)
    back = encode(empty, back_recipe, dpi)
    name = "thanh-phan/03-to-trinh.pdf"
    write_pdf(out / name, [front, back])
    return [
        PageTruth(name, 1, sheet, front.geometry),
        PageTruth(name, 2, None, back.geometry),
    ]


def _decision(out: Path) -> list[PageTruth]:
    """Two yellowed pages, shadow at one side, seal over text; 200 dpi JPEG in TIFF.

    The place between title and name is empty: the leader signs it electronically, under the
    name that the test PKI certifies.
    """
    dpi, rng = 200, random.Random(SEED + 4)
    story = _story("quyet-dinh-2", 23)
    story.signer = LEADER
    sheets = decision(story, FAMILIES["Tinos"])
    pages = []
    truth = []
    name = "quyet-dinh/quyet-dinh.tif"
    for n, sheet in enumerate(sheets):
        patches = []
        if n == 0:
            patches.append(marks.arrival_stamp(rng, (36.0, 62.0), dpi))
            patches.append(marks.margin_note(rng, (15.0, 120.0), dpi))
        else:
            agency = str(sheets[0].fields["agency"])
            patches.append(marks.seal(rng, agency, "BẢN MẪU", (96.0, 78.0), dpi))
        recipe = Recipe(
            paper=_YELLOW, texture=2.5, ink_density=0.85, sensor_noise=2.5, shadow=0.22,
            skew_degrees=(0.9, -0.6)[n], show_through=0.04, quality=70,
        )  # fmt: skip
        pages.append((compose(sheet.draw_ink(dpi), patches, recipe, dpi, SEED + 5 + n), recipe))
        truth.append(PageTruth(name, n + 1, sheet, ScanGeometry(dpi, recipe.skew_degrees, 0)))
    write_tiff(out / name, pages, dpi)
    return truth


def _write_truth(folder: Path, pages: Sequence[PageTruth]) -> None:
    """`NAME.json` and `NAME.txt` a page with text, and `pages.json` over all."""
    folder.mkdir(exist_ok=True)
    entries = []
    for page in pages:
        stem = f"{Path(page.file).stem}-p{page.page}"
        entries.append(
            {
                "file": page.file,
                "page": page.page,
                "truth": None if page.sheet is None else f"truth/{stem}.json",
                "dpi": page.geometry.dpi,
                "skew": page.geometry.skew_degrees,
                "turns": page.geometry.turns,
            }
        )
        if page.sheet is not None:
            truth = page.sheet.truth(stem)
            (folder / f"{stem}.json").write_text(truth.to_json(), encoding="utf-8")
            (folder / f"{stem}.txt").write_text(truth.text + "\n", encoding="utf-8")
    (folder / "pages.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
