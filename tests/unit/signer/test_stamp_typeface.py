"""The embedded face: what it holds, how it is embedded, how text is set with it."""

from __future__ import annotations

import hashlib
import io
import json
import unicodedata
from importlib import resources
from pathlib import Path

import pikepdf
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import ProfileError
from signer.sealing.appearance.profiles import FontRule, TextRule
from signer.sealing.appearance.typeface import set_text, typeface
from tests.stamped import PikepdfSink
from tools import make_stamp_font

ASSETS = resources.files("signer.sealing.appearance").joinpath("assets")
FACE = typeface("Sohoa Serif")
VIETNAMESE = "".join(
    unicodedata.normalize("NFC", letter + tone)
    for letter in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY"
    for tone in ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
) + "đĐ"  # fmt: skip
DIGEST = "6782aa53fa3fd40e6cf6ec0841abe58adb2ce672a0af8a8579da3b1c045f8d38"


@pytest.fixture(scope="module")
def font() -> TTFont:
    return TTFont(io.BytesIO(FACE.program), lazy=False)


def test_the_committed_font_is_the_one_that_was_built():
    metrics = json.loads(ASSETS.joinpath("sohoa-serif.json").read_text("utf-8"))
    assert hashlib.sha256(FACE.program).hexdigest() == metrics["sha256"] == DIGEST
    assert len(FACE.program) < 21_000


def test_the_font_is_built_again_byte_for_byte():
    buffer = io.BytesIO()
    built = make_stamp_font.derive(make_stamp_font.SOURCE)
    built.save(buffer)
    assert buffer.getvalue() == FACE.program
    text = ASSETS.joinpath("sohoa-serif.json").read_text("utf-8")
    assert json.loads(text) == make_stamp_font.metrics(built, buffer.getvalue())


def test_the_licence_is_kept(font):
    """OFL 1.1: the reserved name is gone, the licence text and the notice are there."""
    names = {record.nameID: str(record) for record in font["name"].names}
    assert names[1] == "Sohoa Serif"
    assert not any("tinos" in text.casefold() for text in names.values())
    licence = ASSETS.joinpath("OFL.txt").read_text("utf-8")
    assert "SIL OPEN FONT LICENSE" in licence
    assert "Version 1.1" in licence
    assert "Google Inc." in licence
    assert "Google Inc." in names[0]


def test_it_holds_vietnamese_and_no_layout(font):
    assert not set(VIETNAMESE) - set(FACE.glyphs)
    assert not set(map(chr, range(0x20, 0x7F))) - set(FACE.glyphs)
    assert not {"GSUB", "GPOS", "GDEF", "kern", "fpgm", "prep", "cvt "} & set(font.keys())
    assert font["head"].unitsPerEm == 1000
    assert font["OS/2"].fsType == 0  # embedding is allowed


def test_the_metrics_are_those_of_the_font(font):
    order = font.getGlyphOrder()
    assert list(FACE.widths) == [font["hmtx"][name][0] for name in order]
    cmap = {chr(code): order.index(name) for code, name in font.getBestCmap().items()}
    assert cmap == FACE.glyphs
    assert len(set(FACE.glyphs.values())) == len(FACE.glyphs)
    head = font["head"]
    assert FACE.bbox == (head.xMin, head.yMin, head.xMax, head.yMax)


def test_an_unknown_face_names_the_known_ones():
    with pytest.raises(ProfileError, match="unknown typeface 'Arial'; known: Sohoa Serif"):
        typeface("Arial")


def test_it_is_embedded_whole_as_a_composite_font():
    """ISO 19005-3 6.2.11: embedded, /W as in the program, ToUnicode for every glyph."""
    sink = PikepdfSink(pikepdf.new())
    root = sink[FACE.embed(sink)]
    assert (root.Subtype, root.Encoding) == ("/Type0", "/Identity-H")
    (cid,) = root.DescendantFonts
    assert (cid.Subtype, cid.CIDToGIDMap) == ("/CIDFontType2", "/Identity")
    assert "+" not in str(root.BaseFont)  # the font is whole, so it has no subset tag
    assert root.BaseFont == cid.BaseFont == cid.FontDescriptor.FontName
    first, widths = cid.W
    assert (int(first), [int(w) for w in widths]) == (0, list(FACE.widths))
    program = cid.FontDescriptor.FontFile2
    assert program.read_bytes() == FACE.program
    assert int(program.Length1) == len(FACE.program)
    mapping = root.ToUnicode.read_bytes().decode("ascii")
    for char, glyph in FACE.glyphs.items():
        assert f"<{glyph:04X}> <{ord(char):04X}>" in mapping
    counts = [int(line.split()[0]) for line in mapping.splitlines() if "beginbfchar" in line]
    assert sum(counts) == len(FACE.glyphs)
    assert max(counts) <= 100


def test_decomposed_text_is_composed_and_blanks_are_single():
    decomposed = unicodedata.normalize("NFD", "Nguyễn  Thị\tẤn ")
    assert FACE.drawable(decomposed) == "Nguyễn Thị Ấn"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Lý 李", r"'李' \(U\+674E, CJK UNIFIED IDEOGRAPH-674E\)"),
        ("a\x07b", r"U\+0007, a control character"),
        ("a\nb", r"U\+000A"),
        ("a\u202eb", "RIGHT-TO-LEFT OVERRIDE"),
    ],
)
def test_what_it_cannot_show_is_named(text, named):
    with pytest.raises(ProfileError, match=named):
        FACE.drawable(text)


TEXT = TextRule()
FONT = FontRule()


def body(block) -> float:
    return (FACE.bbox[3] - FACE.bbox[1]) / 1000 * block.size_pt


words = st.lists(st.text(st.sampled_from(VIETNAMESE + "0123/-."), min_size=1, max_size=12),
                 min_size=1, max_size=25)  # fmt: skip


@given(
    st.lists(words, min_size=1, max_size=4),
    st.floats(30, 400),
    st.floats(8, 200),
    st.sampled_from(["left", "center", "right"]),
    st.sampled_from(["top", "middle", "bottom"]),
)
def test_text_fits_its_box_whole_or_is_refused(paragraphs, width, height, align, valign):
    rule = TextRule(align=align, valign=valign)
    try:
        block = set_text([" ".join(p) for p in paragraphs], rule, FONT, width, height)
    except ProfileError as refusal:
        if "does not fit" not in str(refusal):
            raise
        return
    # nothing is lost, nothing leaves the box, the size stays within its bounds
    assert " ".join(line.text for line in block.lines).split() == [w for p in paragraphs for w in p]
    assert FONT.min_size_pt <= block.size_pt <= FONT.size_pt
    for line in block.lines:
        assert line.width == pytest.approx(FACE.width(line.text) / 1000 * block.size_pt)
        assert line.x >= -0.01
        assert line.x + line.width <= width + 0.01
        assert line.y + FACE.bbox[3] / 1000 * block.size_pt <= height + 0.01
        assert line.y + FACE.bbox[1] / 1000 * block.size_pt >= -0.01


def test_text_keeps_its_size_until_it_must_shrink():
    assert set_text(["Thời gian ký"], TEXT, FONT, 200, 30).size_pt == 10.0
    shrunk = set_text(["Ủy ban nhân dân xã An Hòa Mẫu, tỉnh Thử Nghiệm"], TEXT, FONT, 170, 12)
    assert 7.0 <= shrunk.size_pt < 10.0
    with pytest.raises(ProfileError, match=r"does not fit into 60 × 12 pt even at 7\.0 pt"):
        set_text(["Ủy ban nhân dân xã An Hòa Mẫu, tỉnh Thử Nghiệm"], TEXT, FONT, 60, 12)


def test_lines_are_even_and_break_at_no_hard_space():
    text = "Ủy ban nhân dân xã An Hòa Mẫu, tỉnh Thử\u00a0Nghiệm"
    block = set_text([text], TextRule(align="center"), FONT, 180, 60)
    assert [line.text for line in block.lines] == [
        "Ủy ban nhân dân xã An",
        "Hòa Mẫu, tỉnh Thử Nghiệm",
    ]


def test_alignment_puts_the_slack_where_it_says():
    def first(align, valign):
        block = set_text(["Mẫu"], TextRule(align=align, valign=valign), FONT, 100, 50)
        return block, block.lines[0]

    block, line = first("right", "bottom")
    assert line.x + line.width == pytest.approx(100)
    assert line.y == pytest.approx(-FACE.bbox[1] / 100)
    block, line = first("center", "middle")
    assert line.x + line.width / 2 == pytest.approx(50)
    assert line.y + (FACE.bbox[3] + FACE.bbox[1]) / 200 == pytest.approx(25)
    block, line = first("left", "top")
    assert (line.x, line.y) == pytest.approx((0, 50 - FACE.bbox[3] / 100))
    assert body(block) < 50


def test_the_builder_refuses_a_source_without_vietnamese(tmp_path):
    from fontTools import subset

    font = TTFont(io.BytesIO(FACE.program))
    subsetter = subset.Subsetter()
    subsetter.populate(text="abc")
    subsetter.subset(font)
    poor: Path = tmp_path / "poor.ttf"
    font.save(poor)
    with pytest.raises(SystemExit, match="take a newer fonts-croscore"):
        make_stamp_font.derive(poor)
