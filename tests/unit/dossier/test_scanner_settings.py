"""Which scanners may be asked, what they can do, and settings that are what was wished for."""

from __future__ import annotations

import dataclasses
import socket
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dossier.errors import InvalidOrder, ScannerMisanswered, ScannerUnreachable
from dossier.scanners.address import address_of, choose_scanner
from dossier.scanners.capabilities import read_capabilities
from dossier.scanners.status import read_status
from dossier.scanners.tickets import ScanWish, settings_xml, settle
from dossier.scanners.values import (
    PAPERS,
    AdfState,
    ColorMode,
    DocumentFormat,
    InputSource,
    JobState,
    ScannerState,
)
from dossier.scanners.xmltext import below, parse, text_of
from tests.escl_simulator import EsclSimulator

CAPABILITIES = EsclSimulator().capabilities()
CAN = read_capabilities(CAPABILITIES.encode())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "192.168.1.20/eSCL",
        "ftp://192.168.1.20/eSCL",
        "file:///etc/passwd",
        "http://",
        "http:///eSCL",
        "http://user:word@192.168.1.20/eSCL",
        "http://192.168.1.20/eSCL?x=1",
        "http://192.168.1.20/eSCL#x",
        "http://192.168.1.20/eS CL",
        "http://192.168.1.20/eSCL\r\nX: y",
        "http://192.168.1.20/../eSCL",
        "http://192.168.1.20:99999/eSCL",
        "http://0.0.0.0/eSCL",
        "http://224.0.0.1/eSCL",
        "http://[::]/eSCL",
        "http://[nonsense/eSCL",
        "http://máy-quét/eSCL",
        "http://192.168.1.20/" + "a" * 500,
    ],
)
def test_what_is_no_scanner_s_address(url: str) -> None:
    with pytest.raises(InvalidOrder) as refusal:
        address_of("quay-1", url)
    assert refusal.value.field == "device"
    assert "[scanners.quay-1]" in str(refusal.value)


def test_addresses_are_read() -> None:
    address = address_of("quay-1", "https://192.168.1.20/eSCL/")
    assert (address.host, address.port, address.path) == ("192.168.1.20", 443, "/eSCL")
    assert address_of("x", "http://[fd00::1]:8080/eSCL").url == "http://[fd00::1]:8080/eSCL"
    assert address_of("x", "http://scanner.lan").path == ""


ALLOWED = {
    "quay-1": ("http://192.168.1.20/eSCL", None),
    "quay-2": ("http://192.168.1.21:8080/eSCL", None),
}


def test_only_scanners_of_the_settings_are_chosen() -> None:
    assert choose_scanner("quay-2", ALLOWED).port == 8080
    assert choose_scanner("http://192.168.1.20:80/eSCL/", ALLOWED).name == "quay-1"
    assert choose_scanner(None, {"one": ALLOWED["quay-1"]}).name == "one"
    for device in (
        None,
        "quay-3",
        "http://192.168.1.22/eSCL",
        "https://192.168.1.20/eSCL",
        "http://192.168.1.20:8081/eSCL",
        "http://192.168.1.20/other",
    ):
        with pytest.raises(InvalidOrder, match=r"\[scanners\.NAME\]") as refusal:
            choose_scanner(device, ALLOWED)
        assert "quay-2" in str(refusal.value)


@pytest.mark.parametrize(
    ("answers", "is_allowed"),
    [
        (["192.168.1.20"], True),
        (["10.1.2.3", "fd12::7"], True),
        (["127.0.0.1"], False),
        (["::1"], False),
        (["::ffff:127.0.0.1"], False),
        (["169.254.169.254"], False),
        (["8.8.8.8"], False),
        (["192.168.1.20", "8.8.8.8"], False),
        (["2001:4860:4860::8888"], False),
        (["fe80::1%eth0"], False),
    ],
)
def test_a_name_leads_into_a_private_network_or_nowhere(
    monkeypatch: pytest.MonkeyPatch, answers: list[str], is_allowed: bool
) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", (answer, 80)) for answer in answers]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    address = address_of("quay-1", "http://scanner.example/eSCL")
    deadline = time.monotonic() + 5
    if is_allowed:
        assert address.connectable(deadline) == answers
    else:
        with pytest.raises(ScannerUnreachable, match="IP address"):
            address.connectable(deadline)


def test_settings_are_what_was_wished_for() -> None:
    settings = settle(ScanWish(duplex=True), CAN)
    assert (settings.source, settings.duplex, settings.dpi) == (InputSource.FEEDER, True, 300)
    assert (settings.region.width, settings.region.height) == (2480, 3508)  # A4 in 1/300 inch
    assert (settings.color_mode, settings.format) == (ColorMode.RGB_24, DocumentFormat.JPEG)
    root = parse(settings_xml(settings), "ScanSettings")
    said = {name: text_of(below(root, name)) for name in ("InputSource", "Duplex", "ColorMode")}
    assert said == {"InputSource": "Feeder", "Duplex": "true", "ColorMode": "RGB24"}
    region = below(root, "ScanRegions", "ScanRegion")
    assert text_of(below(region, "ContentRegionUnits")) == "escl:ThreeHundredthsOfInches"
    assert text_of(below(region, "Height")) == "3508"


def test_papers_in_three_hundredths_of_an_inch() -> None:
    sizes = {name: (paper.width, paper.height) for name, paper in PAPERS.items()}
    assert sizes["A4"] == (2480, 3508)
    assert sizes["A3"] == (3508, 4961)
    assert sizes["A6"] == (1240, 1748)
    assert sizes["Letter"] == (2550, 3300)


@pytest.mark.parametrize(
    ("wish", "field", "offered"),
    [
        (ScanWish(dpi=600), "dpi", "100, 150, 200, 300 dpi"),
        (ScanWish(dpi=299), "dpi", "100, 150, 200, 300 dpi"),
        (ScanWish(paper="A3"), "paper", "210×297 mm"),
        (ScanWish(paper="B5"), "paper", "A4"),
        (ScanWish(InputSource.PLATEN, duplex=True), "duplex", "use the feeder"),
    ],
)
def test_what_the_scanner_cannot_do_is_refused_not_replaced(
    wish: ScanWish, field: str, offered: str
) -> None:
    with pytest.raises(InvalidOrder) as refusal:
        settle(wish, CAN)
    assert refusal.value.field == field
    assert offered in str(refusal.value)


def test_a_scanner_without_feeder_or_duplex() -> None:
    glass = read_capabilities(EsclSimulator(has_feeder=False).capabilities().encode())
    assert settle(ScanWish(), glass).source is InputSource.PLATEN
    with pytest.raises(InvalidOrder, match="no feeder"):
        settle(ScanWish(InputSource.FEEDER), glass)
    one_side = read_capabilities(EsclSimulator(has_duplex=False).capabilities().encode())
    with pytest.raises(InvalidOrder, match="turn the stack"):
        settle(ScanWish(duplex=True), one_side)


def test_a_feeder_a_little_narrower_than_the_paper_cuts_the_edge() -> None:
    assert CAN.feeder is not None
    narrow = dataclasses.replace(CAN, feeder=dataclasses.replace(CAN.feeder, max_width=2460))
    assert settle(ScanWish(), narrow).region.width == 2460
    too_narrow = dataclasses.replace(CAN, feeder=dataclasses.replace(CAN.feeder, max_width=2400))
    with pytest.raises(InvalidOrder, match="does not fit"):
        settle(ScanWish(), too_narrow)


def test_profiles_by_reference_and_ranges_of_resolutions() -> None:
    """As some Canon and Brother devices write them."""
    ranged = """<ScannerCapabilities xmlns="http://schemas.hp.com/imaging/escl/2011/05/03">
      <SettingProfiles><SettingProfile name="p1">
        <ColorModes><ColorMode>RGB24</ColorMode><ColorMode>RGB48</ColorMode></ColorModes>
        <DocumentFormats><DocumentFormatExt>image/JPEG</DocumentFormatExt></DocumentFormats>
        <SupportedResolutions><ResolutionRange>
          <XResolutionRange><Min>75</Min><Max>600</Max><Normal>300</Normal><Step>25</Step>
          </XResolutionRange>
          <YResolutionRange><Min>75</Min><Max>600</Max><Normal>300</Normal><Step>25</Step>
          </YResolutionRange>
        </ResolutionRange></SupportedResolutions>
      </SettingProfile></SettingProfiles>
      <Platen><PlatenInputCaps><MaxWidth>2550</MaxWidth><MaxHeight>3508</MaxHeight>
        <SettingProfiles><SettingProfile ref="p1"/><SettingProfile ref="none"/></SettingProfiles>
      </PlatenInputCaps></Platen></ScannerCapabilities>"""
    can = read_capabilities(ranged.encode())
    assert settle(ScanWish(dpi=325), can).dpi == 325
    for dpi in (50, 310, 625):
        with pytest.raises(InvalidOrder, match="75–600 dpi"):
            settle(ScanWish(dpi=dpi), can)


def test_colour_format_and_resolution_have_to_go_together() -> None:
    assert CAN.feeder is not None
    profile = CAN.feeder.profiles[0]
    grey = dataclasses.replace(profile, color_modes=frozenset({ColorMode.GRAYSCALE_8}))
    pdf = dataclasses.replace(profile, formats=frozenset({DocumentFormat.PDF}))
    split = dataclasses.replace(CAN, feeder=dataclasses.replace(CAN.feeder, profiles=(grey, pdf)))
    assert settle(ScanWish(color_mode=ColorMode.GRAYSCALE_8), split).dpi == 300
    with pytest.raises(InvalidOrder, match="application/pdf") as refusal:
        settle(ScanWish(), split)
    assert refusal.value.field == "format"


def test_status_is_read_whatever_it_says() -> None:
    status = read_status(
        b"""<s:ScannerStatus xmlns:s="http://schemas.hp.com/imaging/escl/2011/05/03"
          xmlns:p="http://www.pwg.org/schemas/2010/12/sm"><p:State>Sleeping</p:State>
          <s:AdfState>ScannerAdfDancing</s:AdfState><s:Jobs><s:JobInfo>
          <p:JobUri>http://192.168.1.20:80/eSCL/ScanJobs/7/</p:JobUri><p:JobState>Aborted</p:JobState>
          <p:ImagesCompleted>-3</p:ImagesCompleted></s:JobInfo></s:Jobs></s:ScannerStatus>"""
    )
    assert (status.state, status.adf) == (ScannerState.UNKNOWN, AdfState.UNKNOWN)
    job = status.job("/eSCL/ScanJobs/7")
    assert job is not None
    assert (job.state, job.images_completed) == (JobState.ABORTED, None)
    assert status.job("/eSCL/ScanJobs/17") is None


def test_a_name_cannot_write_on_the_terminal() -> None:
    evil = CAPABILITIES.replace("Mẫu Thử", "A\u009b31m\u202eB\u200b\n  C" + "x" * 1000)
    name = read_capabilities(evil.encode()).make_and_model
    assert name.startswith("A31mB Cx")
    assert len(name) <= 300


@given(st.data())
def test_damaged_capabilities_are_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(CAPABILITIES.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=12))
    try:
        can = read_capabilities(bytes(content))
        settle(ScanWish(), can)
    except (ScannerMisanswered, InvalidOrder):
        pass
