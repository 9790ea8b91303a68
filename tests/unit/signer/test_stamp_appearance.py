"""What stamps look like: closed set of PDF, exact text back, pixels where the rules want them."""

from __future__ import annotations

import io
import re
import subprocess
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2
import pypdfium2.raw as pdfium_c
import pytest
from PIL import Image

from signer.errors import ProfileError
from signer.sealing.appearance.face import OPERATORS
from signer.sealing.appearance.pictures import StampImages
from signer.sealing.appearance.plan import CopyForm, StampFacts, plan_stamp, specimen_images
from signer.sealing.appearance.profiles import ProfileSet, default_profiles
from signer.sealing.stamp import PageGeometry
from tests.stamped import A4, PaperDocument, PikepdfSink, stamped_pdf, write

AT = datetime(2026, 11, 23, 5, 10, 14, tzinfo=UTC)
TIME = "2026-11-23T12:10:14+07:00"
FACTS = StampFacts(
    agency="Ủy ban nhân dân xã An Hòa Mẫu",
    signer="Nguyễn Thị Mẫu",
    copy_form=CopyForm.SY,
    number_symbol="12/QĐ-UBND",
)
IMAGES = specimen_images()
SIGNED = {"leader": (0, (350.0, 200.0, 500.0, 270.0))}
TEXTS = {
    "P4": ["Kèm theo văn bản số 12/QĐ-UBND", f"Thời gian ký: {TIME}"],
    "P5": ["SAO Y", "Ủy ban nhân dân xã An Hòa Mẫu", f"Thời gian ký: {TIME}"],
    "P6": ["Ủy ban nhân dân xã An Hòa Mẫu", f"Thời gian ký: {TIME}"],
    "P7": ["Người số hóa: Nguyễn Thị Mẫu", f"Thời gian số hóa: {TIME}"],
}
VISIBLE = ("P1", "P2", "P4", "P5", "P6", "P7")
TURNED = [
    PageGeometry((40.0, 60.0, 635.28, 901.89) if r % 180 == 0 else (40.0, 60.0, 881.89, 655.28), r)
    for r in (0, 90, 180, 270)
]


def placed(profile_id, page=A4, images=IMAGES, facts=FACTS, profiles=None):
    document = PaperDocument((page,), SIGNED)
    return plan_stamp(profile_id, facts, AT, images, profiles).resolve(document)


def rendered(pdf: bytes, scale: float = 2.0) -> np.ndarray:
    """The first page by PDFium, annotations drawn: height × width × RGB."""
    document = pypdfium2.PdfDocument(pdf)
    document.init_forms()  # widgets are drawn by the form filler
    try:
        return document[0].render(scale=scale, may_draw_forms=True).to_numpy()[..., :3][..., ::-1]
    finally:
        document.close()


def rendered_by_poppler(tmp_path: Path, pdf: bytes, dpi: int = 144) -> np.ndarray:
    source = write(tmp_path / "stamped.pdf", pdf)
    out = subprocess.run(
        ["pdftoppm", "-cropbox", "-r", str(dpi), "-png", source], capture_output=True, check=True
    )
    return np.asarray(Image.open(io.BytesIO(out.stdout)).convert("RGB"))


def ink_box(pixels: np.ndarray, scale: float) -> tuple[float, float, float, float]:
    """The box of what is not white, in points from the upper left of the view."""
    inked = (pixels < 245).any(axis=2)
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    return tuple(v / scale for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))


# --- the PDF that is written ---------------------------------------------------------------

ALLOWED = {
    "/XObject /Form": {"/Type", "/Subtype", "/BBox", "/Matrix", "/Resources", "/Filter", "/Length"},
    "/XObject /Image": {"/Type", "/Subtype", "/Width", "/Height", "/BitsPerComponent",
                        "/ColorSpace", "/SMask", "/Filter", "/Length"},
    "/Font /Type0": {"/Type", "/Subtype", "/BaseFont", "/Encoding", "/DescendantFonts",
                     "/ToUnicode"},
    "/Font /CIDFontType2": {"/Type", "/Subtype", "/BaseFont", "/CIDSystemInfo", "/FontDescriptor",
                            "/DW", "/W", "/CIDToGIDMap"},
    "/FontDescriptor ": {"/Type", "/FontName", "/Flags", "/FontBBox", "/ItalicAngle", "/Ascent",
                         "/Descent", "/CapHeight", "/StemV", "/FontFile2"},
    " ": {"/Length1", "/Filter", "/Length"},
}  # fmt: skip


@pytest.mark.parametrize("profile_id", VISIBLE)
def test_only_known_keys_filters_and_operators_are_written(profile_id):
    sink = PikepdfSink(pikepdf.new())
    form = sink[placed(profile_id).draw(sink)]
    for number in range(1, len(sink.bodies) + 1):
        made = sink[number]
        kind = f"{made.get('/Type', '')} {made.get('/Subtype', '')}"
        assert set(made.keys()) <= ALLOWED[kind], kind
        if isinstance(made, pikepdf.Stream):
            assert made.Filter == "/FlateDecode"
    used = {str(operator) for _, operator in pikepdf.parse_content_stream(form)}
    assert used <= OPERATORS
    assert set(form.Resources.keys()) <= {"/XObject", "/Font"}


def test_streams_state_their_length_exactly():
    class Recorder:
        def __init__(self):
            self.bodies = []

        def add(self, body):
            self.bodies.append(body)
            return len(self.bodies)

    recorder = Recorder()
    placed("P6").draw(recorder)
    streams = 0
    for body in recorder.bodies:
        head, mark, rest = body.partition(b"stream\n")
        if mark:
            length = int(re.search(rb"/Length (\d+)", head)[1])
            assert rest[length:] == b"\nendstream"
            streams += 1
        else:
            assert body.startswith(b"<< ")
            assert body.endswith(b" >>")
    assert streams == 5  # font program, ToUnicode, image, its mask, form


def test_drawing_twice_writes_the_same_bytes():
    first, second = PikepdfSink(pikepdf.new()), PikepdfSink(pikepdf.new())
    placed("P6").draw(first)
    placed("P6").draw(second)
    assert first.bodies == second.bodies


def test_qpdf_finds_nothing_wrong(tmp_path):
    pdf = stamped_pdf([placed(profile_id) for profile_id in VISIBLE])
    done = subprocess.run(
        ["qpdf", "--check", write(tmp_path / "stamped.pdf", pdf)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("profile_id", sorted(TEXTS))
@pytest.mark.parametrize("page", TURNED, ids=lambda page: f"rotate {page.rotate}")
def test_the_exact_text_comes_back_from_poppler_and_pdfium(tmp_path, profile_id, page):
    pdf = stamped_pdf([placed(profile_id, page)], [page])
    done = subprocess.run(
        ["pdftotext", write(tmp_path / "stamped.pdf", pdf), "-"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert [line for line in done.stdout.decode().splitlines() if line.strip("\f")] == (
        TEXTS[profile_id]
    )
    assert flattened_text(pdf) == TEXTS[profile_id]


def flattened_text(pdf: bytes) -> list[str]:
    """Text by PDFium; it reads annotations only when they are part of the page."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        page = document[0]
        assert pdfium_c.FPDFPage_Flatten(page, pdfium_c.FLAT_PRINT) == pdfium_c.FLATTEN_SUCCESS
        text = document[0].get_textpage().get_text_bounded()
    finally:
        document.close()
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_every_letter_of_the_face_comes_back(tmp_path):
    """All Vietnamese letters, from decomposed input too."""
    letters = "".join(
        letter + tone
        for letter in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯYđĐ"
        for tone in ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
        if letter not in "đĐ" or not tone
    )
    words = unicodedata.normalize("NFC", letters)
    text = " ".join(words[i : i + 12] for i in range(0, len(words), 12))
    profile = default_profiles().get("P7", AT.date())
    wide = profile.model_copy(
        update={
            "place": profile.place.model_copy(update={"width_mm": 180.0, "height_mm": 60.0}),
            "text": profile.text.model_copy(update={"lines": ("{signer}",)}),
        }
    )
    facts = StampFacts(signer=unicodedata.normalize("NFD", text))
    pdf = stamped_pdf([placed("P7", facts=facts, profiles=ProfileSet([wide]))])
    done = subprocess.run(
        ["pdftotext", write(tmp_path / "stamped.pdf", pdf), "-"], capture_output=True, check=True
    )
    assert done.stdout.decode().split() == text_words(text)
    assert " ".join(flattened_text(pdf)).split() == text_words(text)


def text_words(text: str) -> list[str]:
    return unicodedata.normalize("NFC", text).split()


# --- pixels -------------------------------------------------------------------------------


@pytest.mark.parametrize("page", TURNED, ids=lambda page: f"rotate {page.rotate}")
def test_the_seal_has_its_real_size_upright_on_every_page(tmp_path, page):
    """38.8 mm ± 0.5 mm of ink, by two engines (S3)."""
    leader = plan_stamp("P1", FACTS, AT, IMAGES).resolve(PaperDocument((page,)))
    document = PaperDocument((page,), {"leader": (0, leader.rect)})
    seal = plan_stamp("P2", FACTS, AT, IMAGES).resolve(document)
    pdf = stamped_pdf([seal], [page])
    for pixels in (rendered(pdf), rendered_by_poppler(tmp_path, pdf)):
        x0, y0, x1, y1 = ink_box(pixels, 2.0)
        for side in (x1 - x0, y1 - y0):
            assert side * 25.4 / 72 == pytest.approx(38.8, abs=0.5)
        # upright: the star points up, so the ring's lower third has the words under the star
        middle = pixels[int(y0 * 2) : int(y1 * 2), int(x0 * 2) : int(x1 * 2)]
        red = (middle[..., 0] > 150) & (middle[..., 1] < 120)
        height, width = red.shape
        core = red[height // 4 : 3 * height // 4, 3 * width // 10 : 7 * width // 10]
        rows = core.sum(axis=1)
        assert rows[: len(rows) // 4].mean() < rows[len(rows) // 4 : len(rows) // 2].mean()


@pytest.mark.parametrize("page", TURNED, ids=lambda page: f"rotate {page.rotate}")
def test_a_third_of_the_signature_lies_under_the_seal(page):
    """S3: one third ± 5 % of the person's image, measured in the ink of both."""
    leader = plan_stamp("P1", FACTS, AT, IMAGES).resolve(PaperDocument((page,)))
    document = PaperDocument((page,), {"leader": (0, leader.rect)})
    seal = plan_stamp("P2", FACTS, AT, IMAGES).resolve(document)
    signature = ink_box(rendered(stamped_pdf([leader], [page])), 2.0)
    over = ink_box(rendered(stamped_pdf([seal], [page])), 2.0)
    covered = (over[2] - signature[0]) / (signature[2] - signature[0])
    assert covered == pytest.approx(1 / 3, abs=0.05)
    assert over[0] < signature[0]
    both = rendered(stamped_pdf([leader, seal], [page]))
    assert ink_box(both, 2.0) == pytest.approx(
        (over[0], min(over[1], signature[1]), signature[2], max(over[3], signature[3])), abs=1
    )


@pytest.mark.parametrize("page", TURNED, ids=lambda page: f"rotate {page.rotate}")
@pytest.mark.parametrize(
    ("profile_id", "left"), [("P4", False), ("P5", False), ("P6", False), ("P7", True)]
)
def test_a_corner_stamp_is_seen_in_its_corner(tmp_path, profile_id, left, page):
    pdf = stamped_pdf([placed(profile_id, page)], [page])
    place = default_profiles().get(profile_id, AT.date()).place
    for pixels in (rendered(pdf), rendered_by_poppler(tmp_path, pdf)):
        height, width = pixels.shape[:2]
        x0, y0, x1, y1 = ink_box(pixels, 2.0)
        across = x0 if left else width / 2 - x1
        assert across * 25.4 / 72 == pytest.approx(place.offset_x_mm, abs=0.5)
        assert y0 * 25.4 / 72 == pytest.approx(place.offset_y_mm, abs=1.5)
        assert (y1 * 25.4 / 72) < place.offset_y_mm + place.height_mm + 0.1
        assert height > width


def test_text_is_black_and_images_keep_their_colours(tmp_path):
    text = rendered_by_poppler(tmp_path, stamped_pdf([placed("P5")]))
    assert (np.ptp(text.astype(int), axis=2) == 0).all()
    assert text.min() < 40
    blue = rendered(stamped_pdf([plan_stamp("P1", FACTS, AT, IMAGES).resolve(PaperDocument())]))
    ink = blue[(blue < 160).any(axis=2)].mean(axis=0)
    assert ink[2] > ink[0] + 60
    assert ink[2] > ink[1] + 40


def test_the_page_shines_through_a_seal():
    """Alpha: where the seal has no ink, what lies below stays as it was."""
    leader = plan_stamp("P1", FACTS, AT, IMAGES).resolve(PaperDocument())
    document = PaperDocument((A4,), {"leader": (0, leader.rect)})
    seal = plan_stamp("P2", FACTS, AT, IMAGES).resolve(document)
    below, alone = rendered(stamped_pdf([leader])), rendered(stamped_pdf([seal]))
    both = rendered(stamped_pdf([leader, seal]))
    clear = (alone == 255).all(axis=2)
    assert (both[clear] == below[clear]).all()


def test_a_seal_may_state_its_own_real_size():
    images = StampImages(seal=IMAGES.seal, seal_width_mm=34.0)
    pixels = rendered(stamped_pdf([placed("P2", images=images)]))
    x0, _, x1, _ = ink_box(pixels, 2.0)
    assert (x1 - x0) * 25.4 / 72 == pytest.approx(34.0, abs=0.5)
    with pytest.raises(ProfileError, match="larger than the profile's box: enlarge the box"):
        placed("P6", images=StampImages(seal=IMAGES.seal, seal_width_mm=60.0))


def test_an_image_may_stand_left_of_its_text():
    profile = default_profiles().get("P6", AT.date())
    mirrored = profile.model_copy(
        update={"image": profile.image.model_copy(update={"side": "left"})}
    )
    right, left = placed("P6"), placed("P6", profiles=ProfileSet([mirrored]))
    assert left.rect == right.rect
    assert left.face.picture[1][0] == 0
    assert left.face.text[1][0] == pytest.approx(
        (profile.image.width_mm + profile.image.gap_mm) * 72 / 25.4
    )
    assert right.face.text[1][0] == 0


def test_a_large_user_unit_does_not_enlarge_the_stamp():
    page = PageGeometry((0.0, 0.0, 297.64, 420.945), 0, 2.0)
    x0, _, x1, _ = placed("P7", page).rect
    assert (x1 - x0) * 2 * 25.4 / 72 == pytest.approx(80.0)
    pixels = rendered(stamped_pdf([placed("P7", page)], [page]))
    # PDFium draws a unit as a point: two of its points are one of paper
    assert ink_box(pixels, 2.0)[0] * 2 * 25.4 / 72 == pytest.approx(10.0, abs=0.5)
