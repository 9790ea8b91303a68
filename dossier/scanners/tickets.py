"""Chooses settings that the scanner can do, and writes ``scan:ScanSettings``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as Writer  # only writes

from dossier.errors import InvalidOrder
from dossier.scanners.values import (
    PAPERS,
    ColorMode,
    DocumentFormat,
    InputCapabilities,
    InputSource,
    Region,
    ScannerCapabilities,
    ScanSettings,
    SettingProfile,
)

_SCAN = "http://schemas.hp.com/imaging/escl/2011/05/03"
_PWG = "http://www.pwg.org/schemas/2010/12/sm"
_SLACK = 36
"""3 mm in 1/300 inch: a feeder that is a little smaller than the paper cuts a blank edge off."""

_SOURCES = {
    InputSource.PLATEN: ("mặt kính", "glass"),
    InputSource.FEEDER: ("khay nạp", "feeder"),
}


@dataclass(frozen=True, slots=True)
class ScanWish:
    """What a person asks for. `source` None: the feeder where there is one, else the glass."""

    source: InputSource | None = None
    duplex: bool = False
    dpi: int = 300
    color_mode: ColorMode = ColorMode.RGB_24
    format: DocumentFormat = DocumentFormat.JPEG
    paper: str | None = "A4"
    """One of `PAPERS`; None: all that the scanner can see."""


def settle(wish: ScanWish, capabilities: ScannerCapabilities) -> ScanSettings:
    """Settings that this scanner can do and that are what was wished for, nothing less.

    Raises `InvalidOrder` that names the entry and what the scanner offers instead.
    """
    source = _source(wish, capabilities)
    inputs = _inputs(source, capabilities, duplex=wish.duplex)
    _require_profile(wish, inputs)
    return ScanSettings(
        source,
        _region(wish.paper, inputs, source),
        wish.dpi,
        wish.color_mode,
        wish.format,
        wish.duplex,
        capabilities.version,
    )


def settings_xml(settings: ScanSettings) -> bytes:
    """The settings as a job is told them."""
    Writer.register_namespace("scan", _SCAN)
    Writer.register_namespace("pwg", _PWG)
    root = Writer.Element(f"{{{_SCAN}}}ScanSettings")

    def say(
        parent: Writer.Element, namespace: str, name: str, text: object = None
    ) -> Writer.Element:
        element = Writer.SubElement(parent, f"{{{namespace}}}{name}")
        element.text = None if text is None else str(text)
        return element

    say(root, _PWG, "Version", settings.version)
    region = say(say(root, _PWG, "ScanRegions"), _PWG, "ScanRegion")
    say(region, _PWG, "ContentRegionUnits", "escl:ThreeHundredthsOfInches")
    say(region, _PWG, "Height", settings.region.height)
    say(region, _PWG, "Width", settings.region.width)
    say(region, _PWG, "XOffset", settings.region.x)
    say(region, _PWG, "YOffset", settings.region.y)
    say(root, _PWG, "InputSource", settings.source)
    say(root, _SCAN, "ColorMode", settings.color_mode)
    # old firmware reads the one, new firmware (eSCL 2.1 on) the other
    say(root, _PWG, "DocumentFormat", settings.format)
    say(root, _SCAN, "DocumentFormatExt", settings.format)
    say(root, _SCAN, "XResolution", settings.dpi)
    say(root, _SCAN, "YResolution", settings.dpi)
    if settings.source is InputSource.FEEDER:
        say(root, _SCAN, "Duplex", "true" if settings.duplex else "false")
    written: bytes = Writer.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _source(wish: ScanWish, capabilities: ScannerCapabilities) -> InputSource:
    if wish.duplex and wish.source is InputSource.PLATEN:
        raise InvalidOrder(
            "Mặt kính chỉ quét một mặt; bỏ quét hai mặt hoặc dùng khay nạp. / The glass scans one "
            "side; use the feeder, or leave duplex out.",
            field="duplex",
        )
    if wish.source is not None:
        return wish.source
    has_feeder = capabilities.feeder is not None or capabilities.feeder_duplex is not None
    return InputSource.FEEDER if has_feeder or wish.duplex else InputSource.PLATEN


def _inputs(
    source: InputSource, capabilities: ScannerCapabilities, *, duplex: bool
) -> InputCapabilities:
    if source is InputSource.PLATEN:
        found = capabilities.platen
    elif duplex:
        found = capabilities.feeder_duplex
        if found is None and capabilities.feeder is not None:
            raise InvalidOrder(
                f"{capabilities.make_and_model}: khay nạp chỉ quét một mặt; quét mặt trước, lật "
                "chồng giấy rồi quét mặt sau. / Its feeder scans one side; scan the fronts, turn "
                "the stack, scan the backs.",
                field="duplex",
            )
    else:
        found = capabilities.feeder
    if found is None:
        vietnamese, english = _SOURCES[source]
        raise InvalidOrder(
            f"{capabilities.make_and_model}: máy không có {vietnamese} dùng được. / It has no "
            f"{english} that can be used so.",
            field="source",
        )
    return found


def _require_profile(wish: ScanWish, inputs: InputCapabilities) -> None:
    """One profile has to offer all of it together."""
    left = inputs.profiles
    left = _narrow(
        "color_mode",
        wish.color_mode,
        left,
        [profile for profile in left if wish.color_mode in profile.color_modes],
        lambda profile: ", ".join(sorted(profile.color_modes)),
    )
    left = _narrow(
        "format",
        wish.format,
        left,
        [profile for profile in left if wish.format in profile.formats],
        lambda profile: ", ".join(sorted(profile.formats)),
    )
    _narrow(
        "dpi",
        f"{wish.dpi} dpi",
        left,
        [profile for profile in left if profile.resolutions.allow(wish.dpi)],
        lambda profile: f"{profile.resolutions} dpi",
    )


def _narrow(
    field: str,
    wanted: str,
    offered: Sequence[SettingProfile],
    fitting: list[SettingProfile],
    say: Callable[[SettingProfile], str],
) -> tuple[SettingProfile, ...]:
    """The profiles that fit. Raises `InvalidOrder` that says what there is, when none does."""
    if not fitting:
        others = "; ".join(dict.fromkeys(say(profile) for profile in offered))
        raise InvalidOrder(
            f"Máy quét không có {wanted}; máy có: {others}. / The scanner does not offer "
            f"{wanted}; it offers: {others}.",
            field=field,
        )
    return tuple(fitting)


def _region(paper: str | None, inputs: InputCapabilities, source: InputSource) -> Region:
    if paper is None:
        return Region(inputs.max_width, inputs.max_height)
    size = PAPERS.get(paper)
    if size is None:
        raise InvalidOrder(
            f"Không biết khổ giấy {paper!r}; có: {', '.join(PAPERS)}. / The paper {paper!r} is "
            f"not known; there are: {', '.join(PAPERS)}.",
            field="paper",
        )
    if (
        size.width > inputs.max_width + _SLACK
        or size.height > inputs.max_height + _SLACK
        or size.width < inputs.min_width
        or size.height < inputs.min_height
    ):
        vietnamese, english = _SOURCES[source]
        raise InvalidOrder(
            f"Khổ {paper} không vừa {vietnamese} của máy quét ({_mm(inputs)}); chọn khổ khác. / "
            f"{paper} does not fit the scanner's {english} ({_mm(inputs)}); choose another size.",
            field="paper",
        )
    return Region(min(size.width, inputs.max_width), min(size.height, inputs.max_height))


def _mm(inputs: InputCapabilities) -> str:
    return f"{inputs.max_width * 25.4 / 300:.0f}×{inputs.max_height * 25.4 / 300:.0f} mm"
