"""Reads ``scan:ScannerCapabilities``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dossier.errors import ScannerMisanswered
from dossier.scanners.values import (
    ColorMode,
    DocumentFormat,
    InputCapabilities,
    Resolutions,
    ScannerCapabilities,
    SettingProfile,
)
from dossier.scanners.xmltext import below, child, children, number_of, parse, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

_FORMATS = {form.value: form for form in DocumentFormat}
_COLORS = {mode.value: mode for mode in ColorMode}


def read_capabilities(content: bytes) -> ScannerCapabilities:
    """What the scanner says it can do. Raises `ScannerMisanswered`."""
    root = parse(content, "ScannerCapabilities")
    shared = _named_profiles(child(root, "SettingProfiles"))
    adf = child(root, "Adf")
    found = ScannerCapabilities(
        version=text_of(child(root, "Version")) or "2.0",
        make_and_model=text_of(child(root, "MakeAndModel")),
        serial_number=text_of(child(root, "SerialNumber")),
        uuid=text_of(child(root, "UUID")),
        platen=_inputs(below(root, "Platen", "PlatenInputCaps"), shared),
        feeder=_inputs(child(adf, "AdfSimplexInputCaps"), shared),
        feeder_duplex=_inputs(child(adf, "AdfDuplexInputCaps"), shared),
        feeder_capacity=number_of(child(adf, "FeederCapacity")),
        detects_paper=any(
            text_of(option) == "DetectPaperLoaded"
            for option in children(child(adf, "AdfOptions"), "AdfOption")
        ),
    )
    if found.platen is None and found.feeder is None and found.feeder_duplex is None:
        raise ScannerMisanswered(
            "Máy quét không khai báo mặt kính hay khay nạp nào dùng được (ảnh JPEG hoặc PDF, độ "
            "phân giải như nhau hai chiều); hãy cập nhật phần mềm của máy. / The scanner offers "
            "neither glass nor feeder that can be used (JPEG or PDF, the same resolution both "
            "ways); update its firmware."
        )
    return found


def _inputs(caps: Element | None, shared: Mapping[str, SettingProfile]) -> InputCapabilities | None:
    width, height = number_of(child(caps, "MaxWidth")), number_of(child(caps, "MaxHeight"))
    if not width or not height:
        return None
    profiles: list[SettingProfile] = []
    for element in children(child(caps, "SettingProfiles"), "SettingProfile"):
        named = element.get("ref")
        profile = shared.get(named) if named is not None else _profile(element)
        if profile is not None:
            profiles.append(profile)
    if not profiles:
        return None
    return InputCapabilities(
        width,
        height,
        tuple(profiles),
        number_of(child(caps, "MinWidth")) or 1,
        number_of(child(caps, "MinHeight")) or 1,
    )


def _named_profiles(profiles: Element | None) -> dict[str, SettingProfile]:
    """Profiles that stand once, to be referred to by ``ref`` in the inputs."""
    read = ((e.get("name"), _profile(e)) for e in children(profiles, "SettingProfile"))
    return {name: profile for name, profile in read if name is not None and profile is not None}


def _profile(element: Element) -> SettingProfile | None:
    colors = {
        _COLORS[text]
        for e in children(child(element, "ColorModes"), "ColorMode")
        if (text := text_of(e)) in _COLORS
    }
    formats = {
        _FORMATS[text]
        for e in children(child(element, "DocumentFormats"), "DocumentFormat", "DocumentFormatExt")
        if (text := text_of(e).lower()) in _FORMATS
    }
    resolutions = _resolutions(child(element, "SupportedResolutions"))
    if not colors or not formats or not (resolutions.discrete or resolutions.ranges):
        return None
    return SettingProfile(frozenset(colors), frozenset(formats), resolutions)


def _resolutions(element: Element | None) -> Resolutions:
    discrete: set[int] = set()
    for pair in children(child(element, "DiscreteResolutions"), "DiscreteResolution"):
        across, down = number_of(child(pair, "XResolution")), number_of(child(pair, "YResolution"))
        if across and across == down:
            discrete.add(across)
    ranges: list[tuple[int, int, int]] = []
    for both in children(element, "ResolutionRange"):
        across_range = _range(child(both, "XResolutionRange", "XResolution"))
        down_range = _range(child(both, "YResolutionRange", "YResolution"))
        if across_range is not None and across_range == down_range:
            ranges.append(across_range)
    return Resolutions(tuple(sorted(discrete)), tuple(ranges))


def _range(element: Element | None) -> tuple[int, int, int] | None:
    least, most = number_of(child(element, "Min")), number_of(child(element, "Max"))
    if not least or not most or least > most:
        return None
    return least, most, number_of(child(element, "Step")) or 1
