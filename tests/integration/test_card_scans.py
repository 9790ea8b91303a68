"""A scanned identity card, from its pixels to applicant data and its component."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dossier.intake.catalogue_files import load_catalogues
from dossier.intake.classification import classify
from ocr.fields.card_reading import CardReading, read_card
from ocr.fields.extract import extract_fields
from ocr.intake.survey import IntakeFault, pages_of, survey
from ocr.page import RecognisedPage
from ocr.page_task import process_page
from ocr.settings import DigitiseSettings
from tools.samples import chipcard
from tools.samples.degrade import Recipe, compose, encode

pytestmark = pytest.mark.tesseract
NOISY = Recipe(skew_degrees=-1.2, sensor_noise=6.0, specks=200, quality=75, turns=2)


def scanned(
    folder: Path, holder: chipcard.Holder, generation: chipcard.Generation
) -> tuple[RecognisedPage, CardReading | None]:
    sheet, patches = chipcard.copy_of(holder, generation, 300)
    made = encode(compose(sheet.draw_ink(300), patches, NOISY, 300, 5), NOISY, 300)
    file = folder / "card.jpg"
    file.write_bytes(made.data)
    (page,) = pages_of(survey([file]))
    read = process_page(page, DigitiseSettings(), folder)
    assert not isinstance(read, IntakeFault)
    with Image.open(file) as image:
        return read, read_card(read, np.asarray(image))


@pytest.mark.parametrize("generation", chipcard.GENERATIONS)
def test_an_upside_down_noisy_copy_fills_in_the_applicant(
    tmp_path: Path, generation: chipcard.Generation
):
    holder = chipcard.invent(31)
    page, card = scanned(tmp_path, holder, generation)
    assert card is not None
    told = {name: field.value for name, field in card.applicant.items()}
    assert (told["number"], told["name"], told["sex"]) == (holder.number, holder.name, holder.sex)
    assert told["born"] == holder.born.isoformat()
    number = card.get("number", "print")
    assert number is not None
    assert number.value == holder.number
    assert (card.generation, card.expires) == (generation, holder.expires)
    assert [f for f in card.findings if f.severity == "warn"] == []
    procedure = load_catalogues().procedure("MAU.HT.01", dt.date(2026, 11, 23))
    assert procedure is not None
    found = classify(extract_fields([page]), page.text, 1, card, procedure.components)
    assert found.chosen is not None
    assert found.chosen.component.code == "HT01-CC"
