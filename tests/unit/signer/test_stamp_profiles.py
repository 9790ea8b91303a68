"""Profiles: what ships, what an operator's file may change, what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from signer.errors import ProfileError
from signer.sealing.appearance.profiles import (
    AnchorPlace,
    CornerPlace,
    NoPlace,
    OverlapPlace,
    ProfileSet,
    Slot,
    Stack,
    default_profiles,
    load_profiles,
)

TODAY = date(2026, 11, 23)


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_profiles_ship_with_their_legal_basis():
    profiles = default_profiles()
    assert profiles.ids == ("NGAY", "P1", "P2", "P3", "P4", "P5", "P6", "P7", "SO")
    for profile in profiles.profiles:
        assert profile.legal_basis
        assert profile.title_vi
        assert profile.title_en


# domain.md 2.1, line by line
@pytest.mark.parametrize(
    ("name", "place", "corner", "image", "fields"),
    [
        ("P1", AnchorPlace, None, "signature", set()),
        ("P2", OverlapPlace, None, "seal", set()),
        ("P3", NoPlace, None, None, set()),
        ("P4", CornerPlace, "top-right", None, {"number_symbol", "time"}),
        ("P5", CornerPlace, "top-right", None, {"copy_form", "agency", "time"}),
        ("P6", CornerPlace, "top-right", "seal", {"agency", "time"}),
        ("P7", CornerPlace, "top-left", None, {"signer", "time"}),
    ],
)
def test_each_profile_says_what_its_rule_says(name, place, corner, image, fields):
    profile = default_profiles().get(name, TODAY)
    assert isinstance(profile.place, place)
    assert getattr(profile.place, "corner", None) == corner
    assert (profile.image.kind if profile.image else None) == image
    shown = " ".join(profile.text.lines)
    assert {f for f in ("agency", "signer", "copy_form", "number_symbol", "time")
            if f"{{{f}}}" in shown} == fields  # fmt: skip
    if fields and name != "P7":
        assert (profile.font.size_pt, profile.font.colour) == (10.0, "#000000")
    if image:
        assert profile.image.ink.name == ("red" if image == "seal" else "blue")


def test_an_unknown_profile_names_the_known_ones():
    with pytest.raises(
        ProfileError, match=r"unknown appearance profile 'P9'; known: NGAY, P1, P2, P3"
    ):
        default_profiles().get("P9", TODAY)


def test_a_profile_is_refused_before_its_first_day():
    assert default_profiles().get("P7", date(2023, 5, 25)).id == "P7"
    with pytest.raises(ProfileError, match="P7 is not in force on 2023-05-24"):
        default_profiles().get("P7", date(2023, 5, 24))


def test_the_version_of_the_day_is_taken(tmp_path):
    path = own(
        tmp_path,
        """
        [[profile]]
        id = "P5"
        base = "P5"
        valid_from = 2020-03-05
        valid_to = 2025-12-31
        [[profile]]
        id = "P5"
        base = "P5"
        legal_basis = "Thông tư mẫu 1/2026"
        valid_from = 2026-01-01
        place.offset_x_mm = 12.5
        """,
    )
    profiles = load_profiles(path)
    assert profiles.ids == default_profiles().ids
    assert profiles.get("P5", date(2025, 12, 31)).place.offset_x_mm == 10.0
    later = profiles.get("P5", date(2026, 1, 1))
    assert (later.place.offset_x_mm, later.place.height_mm) == (12.5, 14.0)
    assert later.legal_basis == "Thông tư mẫu 1/2026"


def test_two_versions_for_one_day_are_refused(tmp_path):
    path = own(
        tmp_path,
        """
        [[profile]]
        id = "P5"
        base = "P5"
        [[profile]]
        id = "P5"
        base = "P5"
        valid_from = 2024-01-01
        """,
    )
    with pytest.raises(ProfileError, match="give the earlier one a valid_to"):
        load_profiles(path)


def test_an_own_profile_may_change_the_kind_of_place(tmp_path):
    path = own(
        tmp_path,
        """
        [[profile]]
        id = "X1"
        base = "P1"
        place = { kind = "corner", corner = "bottom-left", offset_x_mm = 1, offset_y_mm = 2, width_mm = 50, height_mm = 20 }
        """,  # noqa: E501
    )
    place = load_profiles(path).get("X1", TODAY).place
    assert isinstance(place, CornerPlace)
    assert (place.page, place.corner, place.width_mm) == ("first", "bottom-left", 50)


FULL = """
[[profile]]
id = "X"
title_vi = "Mẫu"
title_en = "Specimen"
legal_basis = "nội bộ"
valid_from = 2024-01-01
place = { kind = "corner", corner = "top-left", offset_x_mm = 1, offset_y_mm = 2, width_mm = 50, height_mm = 20 }
text = { lines = ["{time}"] }
"""  # noqa: E501
INK = 'ink = { name = "red", hue_deg = 0, tolerance_deg = 20 }'


def test_a_whole_own_profile_is_taken(tmp_path):
    assert load_profiles(own(tmp_path, FULL)).get("X", TODAY).font.name == "Sohoa Serif"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("{time}", "{tme}"), r"profile X: text\.lines: .*unknown text field \{tme\}; known"),
        (("{time}", "{time!r}"), "unknown text field"),
        (("{time}", "{time"), "profile X: text.lines"),
        (("{time}", "{}"), "unknown text field"),
        (("top-left", "top-centre"), r"profile X: place\.corner\.corner"),
        (("offset_x_mm = 1", "offset_x_mm = -1"), "greater than or equal to 0"),
        (("width_mm = 50", 'width_mm = "50"'), "valid number"),
        (("width_mm = 50", "width_mm = nan"), "finite|greater"),
        (("place", "plaice"), "plaice: Extra inputs"),
        (('kind = "corner"', 'kind = "spiral"'), "spiral"),
        (("2024-01-01", '"2024-01-01"'), "valid_from"),
        (("valid_from", "valid_to = 2023-12-31\nvalid_from"), "valid_to lies before valid_from"),
        (('text = { lines = ["{time}"] }', ""), "needs an image or a text"),
        (('id = "X"', 'id = "X Y"'), "profile X Y: id"),
        (
            ('lines = ["{time}"] }', 'lines = ["{time}"] }\nfont = { min_size_pt = 12 }'),
            "min_size_pt is larger",
        ),
        (("text =", f'image = {{ kind = "seal", {INK} }}\ntext ='), "a seal has a real size"),
        (("text =", f'image = {{ kind = "signature", {INK} }}\ntext ='), "real size"),
        (("text = ", 'font = { colour = "black" }\ntext = '), "font.colour"),
        (("[[profile]]", "[profile]"), r"own \[\[profile\]\]"),
        (("[[profile]]", "profile = [1]\n[[other]]"), r"own \[\[profile\]\]"),
        (("[[profile]]", "[[profiles]]"), "profiles: Extra inputs"),
        (('id = "X"', 'id = "X"\nbase = "P8"'), "base = 'P8' is no shipped profile; known: P1"),
        (('id = "X"', "id = "), "is not TOML"),
    ],
)  # fmt: skip
def test_a_faulty_file_is_refused_with_its_place(tmp_path, change, complaint):
    assert change[0] in FULL
    with pytest.raises(ProfileError, match=complaint) as refusal:
        load_profiles(own(tmp_path, FULL.replace(*change)))
    assert "own.toml" in str(refusal.value)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (f'image = {{ kind = "seal", {INK} }}', "a seal has a real size"),
        (f'image = {{ kind = "signature", {INK} }}', "a seal has a real size"),
        ('text = { lines = ["{time}"] }', "takes an image and no text"),
        (
            f'image = {{ kind = "seal", width_mm = 36, {INK} }}\ntext = {{ lines = ["a"] }}',
            "takes an image and no text",
        ),
    ],
)
def test_an_overlapping_place_takes_a_sized_image_alone(tmp_path, body, complaint):
    start = FULL.split("place =")[0] + 'place = { kind = "overlap" }\n'
    with pytest.raises(ProfileError, match=complaint):
        load_profiles(own(tmp_path, start + body))


def test_every_fault_of_a_file_is_named_at_once(tmp_path):
    text = FULL.replace("{time}", "{tme}").replace("offset_y_mm = 2", "offset_y_mm = -2")
    with pytest.raises(ProfileError, match=r"place.*; .*unknown text field"):
        load_profiles(own(tmp_path, text))


def test_an_unreadable_file_is_a_profile_error(tmp_path):
    with pytest.raises(ProfileError, match="cannot read the profile file"):
        load_profiles(tmp_path / "missing.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xff\xfe")
    with pytest.raises(ProfileError, match="UTF-8"):
        load_profiles(tmp_path / "latin.toml")


def test_the_qr_code_stands_below_the_officers_mark():
    profiles = default_profiles()
    mark = profiles.get("P7", TODAY).place
    code = profiles.slot("QR", TODAY)
    assert (mark.corner, code.corner) == ("top-left", "top-left")
    assert mark.offset_y_mm == 5.0
    assert code.offset_y_mm == 5.0 + mark.height_mm + 2.0
    # before the rule on the mark was in force, its room is not kept
    assert profiles.slot("QR", date(2021, 1, 1)).offset_y_mm == 5.0


def test_an_own_stack_replaces_that_of_its_corner(tmp_path):
    path = own(
        tmp_path,
        """
        [[stack]]
        corner = "top-left"
        gap_mm = 3
        slots = [
            { name = "QR", box = { corner = "top-left", offset_x_mm = 1, offset_y_mm = 1, width_mm = 20, height_mm = 20 } },
            { name = "P7" },
        ]
        [[stack]]
        corner = "top-right"
        slots = [{ name = "P2" }, { name = "P5" }]
        """,  # noqa: E501
    )
    profiles = load_profiles(path)
    assert profiles.slot("QR", TODAY).offset_y_mm == 1
    assert profiles.get("P7", TODAY).place.offset_y_mm == 5 + 20 + 3
    # P2 has no corner, so it takes no room in one
    assert profiles.get("P5", TODAY).place.offset_y_mm == 5


def test_a_slot_that_nobody_configured_is_refused():
    with pytest.raises(ProfileError, match="no stack has a slot 'barcode'"):
        default_profiles().slot("barcode", TODAY)
    shipped = default_profiles()
    only = ProfileSet(shipped.profiles, [Stack(corner="top-left", slots=(Slot(name="P7"),))])
    with pytest.raises(ProfileError, match="no stack has a slot 'P7' with a box"):
        only.slot("P7", TODAY)
    assert only.get("P7", TODAY).place.offset_y_mm == 5.0


def test_profiles_cannot_be_changed_in_place():
    profile = default_profiles().get("P5", TODAY)
    with pytest.raises(ValueError, match="frozen"):
        profile.valid_to = TODAY
    assert default_profiles() is default_profiles()
