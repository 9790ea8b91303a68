"""The QR code on the page: where it goes, that it covers nothing, that it can be read."""

from __future__ import annotations

import io
from dataclasses import replace

import pikepdf
import pytest
import zxingcpp

from ocr.conformance import require_conformant
from signer.errors import PolicyRefused, ProfileError
from signer.prooftext import proof_text
from signer.sealing.appearance.placement import POINTS_PER_MM, View
from signer.sealing.appearance.printcode import Caption
from signer.sealing.appearance.profiles import default_profiles
from signer.sealing.appearance.symbol import symbol_of
from signer.sealing.appearance.vacancy import vacancy_of
from signer.sealing.seal import SealRequest
from signer.sealing.stamp import PageGeometry
from signer.verification.report import Integrity
from tests.clerical import decision
from tests.fakes import SoftwareKey
from tests.fixtures_signed import plain_pdf, sealer_of
from tests.printed_codes import CAPTION, LOOKUP, code_text, drawn, mark_of, planned
from tests.stamped import A4, PaperDocument, Typed, stamped_pdf

BLANK = stamped_pdf([], (A4,))


@pytest.fixture(scope="module")
def key() -> SoftwareKey:
    return SoftwareKey(label="proof")


def mm(points: float) -> float:
    return points / POINTS_PER_MM


def place(document: bytes, key, pages=(A4,), taken=None):
    stamp = planned(document, key).resolve(PaperDocument(pages, taken or {}))
    view = View(pages[stamp.page_index])
    left, low, right, top = view.to_view(stamp.rect)
    return mm(left), mm(view.height - top), mm(right - left), mm(top - low)


def test_the_code_stands_at_the_top_left_below_the_officers_mark(key):
    slot = default_profiles().slot("QR", planned(BLANK, key).at.date())
    x, y, width, height = place(BLANK, key)
    assert (x, y) == (pytest.approx(10), pytest.approx(5 + 14 + 2))
    assert (width, height) == (pytest.approx(slot.width_mm), pytest.approx(slot.height_mm))


def test_a_taken_corner_sends_it_to_another(key):
    mark = (0, (0.0, 600.0, 200.0, 841.0))
    assert place(BLANK, key, taken={"mark": mark})[0] == pytest.approx(210 - 10 - 28, abs=0.1)
    header = stamped_pdf([], (A4,), [Typed(60, 770, "ỦY BAN NHÂN DÂN XÃ MẪU SƠN THỬ")])
    x, _, _, _ = place(header, key)
    assert x > 100


def test_a_full_page_leaves_the_binding_margin(key):
    rows = [Typed(86, y, "Nội dung " * 9) for y in range(30, 830, 14)]
    full = stamped_pdf([], (A4,), rows)
    x, y, width, _ = place(full, key)
    assert (x, y, width) == (pytest.approx(4), pytest.approx(4), pytest.approx(24))


def test_nothing_is_ever_covered(key):
    rows = [Typed(5, y, "Nội dung " * 15) for y in range(5, 835, 14)]
    with pytest.raises(ProfileError, match="không còn chỗ trống"):
        place(stamped_pdf([], (A4,), rows), key)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_turned_page_shows_the_code_upright(key, rotate, test_pki):
    page = PageGeometry((0.0, 0.0, 595.0, 842.0), rotate)
    document = stamped_pdf([], (page,))
    with pikepdf.open(io.BytesIO(document)) as opened:
        del opened.Root.AcroForm
        out = io.BytesIO()
        opened.save(out)
    document = out.getvalue()
    sealed, _ = sealer_of(test_pki).seal_many_bytes(
        document, [SealRequest(test_pki.seal)], mark_of(document, key)
    )
    [found] = zxingcpp.read_barcodes(drawn(sealed, 200), formats=zxingcpp.BarcodeFormat.QRCode)
    assert abs(found.orientation) <= 1
    assert found.position.top_left.x < drawn(sealed, 200).shape[1] / 2


def test_the_printed_code_is_read_at_150_and_300_dpi_and_covered_by_the_signature(
    key, test_pki, verifier
):
    document = decision()
    sealed, _ = sealer_of(test_pki).seal_many_bytes(
        document, [SealRequest(test_pki.seal)], mark_of(document, key)
    )
    assert sealed.startswith(document)
    report = verifier.verify(sealed)
    assert report.integrity is Integrity.INTACT
    for dpi in (150, 300):
        [found] = zxingcpp.read_barcodes(drawn(sealed, dpi), formats=zxingcpp.BarcodeFormat.QRCode)
        assert found.text.startswith(f"{LOOKUP}?code=")


def test_a_record_stays_the_pdfa_that_it_was(record, key, test_pki, tmp_path):
    target = tmp_path / "coded.pdf"
    sealer_of(test_pki).seal_many(
        record, target, [SealRequest(test_pki.seal)], mark_of(record.read_bytes(), key)
    )
    require_conformant(target)


def test_the_caption_names_system_code_and_address(key, test_pki):
    document = plain_pdf()
    stamp = planned(document, key).resolve(PaperDocument((A4,)))
    block, _ = stamp.face.text
    shown = " ".join(line.text for line in block.lines)
    assert shown == f"{CAPTION.system} {CAPTION.code} sohoa.example/verify"


def test_a_long_address_is_broken_and_an_endless_one_refused(key):
    plan = planned(BLANK, key)
    long = Caption(
        "Sohoa", CAPTION.code, "https://dichvucong.sohoa.tinhmauthu.example/ket-qua/verify"
    )
    lines = [
        line.text
        for line in replace(plan, caption=long).resolve(PaperDocument()).face.text[0].lines
    ]
    assert "".join(lines[2:]) == "dichvucong.sohoa.tinhmauthu.example/ket-qua/verify"
    endless = Caption("Sohoa", CAPTION.code, "https://" + "m" * 80)
    with pytest.raises(ProfileError, match="does not fit"):
        replace(plan, caption=endless).resolve(PaperDocument())


def test_a_code_too_dense_for_paper_is_refused(key):
    dense = replace(planned(BLANK, key), text=proof_text(LOOKUP, "X", bytes(500)))
    with pytest.raises(ProfileError, match="quá dày"):
        dense.resolve(PaperDocument())
    with pytest.raises(ProfileError, match="quá nhiều"):
        symbol_of(proof_text(LOOKUP, "X", bytes(4000)))


def test_a_signed_document_gets_no_code(key, signed, test_pki):
    with pytest.raises(PolicyRefused, match="đã có chữ ký"):
        sealer_of(test_pki).seal_many_bytes(
            signed["B-B"], [SealRequest(test_pki.seal)], mark_of(signed["B-B"], key)
        )


def test_an_undrawable_page_is_a_typed_refusal(key):
    from signer.errors import UnsuitableDocument

    with pytest.raises(UnsuitableDocument):
        vacancy_of(b"%PDF-1.7 nothing", 0, 595, 842)


def test_the_code_says_its_text_and_no_more(key):
    symbol = symbol_of(code_text(BLANK, key))
    assert symbol.side == 17 + 4 * symbol.version
    assert symbol.version <= 13
