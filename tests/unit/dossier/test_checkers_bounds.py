"""Files that would cost too much, given to the processes that verify: signed, so that all is done.

Each bound ends in a finding or in `VerificationStopped`; the process lives, or another one does
the next file. Bounds that are counted are named in `tests/unit/signer/test_document_bounds.py`.
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pikepdf
import pytest

from dossier.errors import VerificationStopped
from dossier.verifying.checkers import Bounds, Checkers
from dossier.verifying.known import KnownDigests
from signer.sealing.seal import SealRequest
from signer.trust import TrustStore
from tests.fakes import SoftwareKey
from tests.fixtures_signed import append
from tests.hostile_documents import (
    MEGABYTE,
    assemble,
    certificates,
    contents_bomb,
    cyclic_pages,
    deflated,
    huge_section,
    laughs,
    loop_of_previous,
    many_bombs,
    one_page,
    pages_without_end,
    revisions,
    signatures,
    stream,
    xref_stream_bomb,
)
from tests.hostile_pages import page_of_size, picture
from tests.sealed import sealer

BOUNDS = Bounds(wall_s=25, cpu_s=5, memory_bytes=600 << 20)
STOPPED = "stopped"


@pytest.fixture(scope="module")
def checkers() -> Iterator[Checkers]:
    with Checkers(TrustStore(), processes=1, bounds=BOUNDS, known=KnownDigests(0)) as made:
        yield made


@pytest.fixture
def judged(checkers: Checkers, tmp_path: Path) -> Callable[[bytes], dict | str]:
    """The report, or STOPPED; within the bounds, and with a process that goes on."""

    def judge(pdf: bytes) -> dict | str:
        path = tmp_path / "one.pdf"
        path.write_bytes(pdf)
        began = time.monotonic()
        try:
            said: dict | str = json.loads(checkers.verify(path))
        except VerificationStopped:
            said = STOPPED
        assert time.monotonic() - began < 2 * BOUNDS.wall_s
        path.write_bytes(assemble(one_page()))
        assert json.loads(checkers.verify(path))["integrity"] == "NONE"
        return said

    return judge


def details(said: dict | str) -> str:
    assert isinstance(said, dict)
    assert said["indication"] != "TOTAL-PASSED"
    return "; ".join(check["detail"] for check in said["checks"])


COUNTED = {
    "forty bombs": (lambda: many_bombs(9), "unpack to more"),
    "bomb in the cross-reference": (lambda: xref_stream_bomb(128 << 20), "too large"),
    "section of a milliard": (huge_section, "too large"),
    "previous sections in a ring": (loop_of_previous, "loops"),
    "thousands of revisions": (revisions, "too long"),
    "more signatures than any has": (lambda: signatures(201), "more than 200 signatures"),
    "page tree in a ring": (cyclic_pages, "second reader"),
    "page tree without end": (pages_without_end, "second reader"),
}


@pytest.mark.parametrize(("make", "why"), COUNTED.values(), ids=COUNTED)
def test_what_is_counted_is_named(judged, make: Callable[[], bytes], why: str) -> None:
    said = judged(make())
    if said != STOPPED:
        assert why in details(said)


def test_a_hundred_thousand_certificates_in_one_signature(judged) -> None:
    assert "TOTAL-PASSED" not in str(judged(certificates(100_000)))


# --- pages that somebody signed, and that somebody touched afterwards --------------------------


def signed_and_touched(pdf: bytes) -> bytes:
    """Signed; then the page is written again, so that the second engine has to draw it."""
    signed, _ = sealer().seal_bytes(pdf, SealRequest(SoftwareKey()))
    with pikepdf.open(io.BytesIO(signed)) as opened:
        page = opened.pages[0].obj
        number, body = page.objgen[0], bytes(page.unparse(resolved=True))
        root = opened.Root.objgen[0]
    table = re.findall(rb"startxref\s+(\d+)", signed)[-1]
    out = bytearray(signed)
    at = len(out)
    out += b"%d 0 obj\n%s\nendobj\n" % (number, body[:-2] + b" /Touched true >>")
    start = len(out)
    out += b"xref\n%d 1\n%010d 00000 n \ntrailer\n<< /Size 9999 /Root %d 0 R /Prev %s >>\n" % (
        number, at, root, table,
    )  # fmt: skip
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)


def bitmap(side: int) -> bytes:
    objects = one_page(b"q 595 0 0 842 0 0 cm /I Do Q", b"/XObject << /I 5 0 R >>")
    entries = b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 " % (
        side, side,
    )  # fmt: skip
    objects[5] = stream(
        entries + b"/ColorSpace /DeviceRGB /Filter /FlateDecode", deflated(64 * MEGABYTE)
    )
    return assemble(objects)


PAGES = {
    "poster of eleven kilometres": lambda: page_of_size(b"[0 0 32000000 32000000]"),
    "page of no size": lambda: page_of_size(b"[0 0 0 0]"),
    "page a hair wide": lambda: page_of_size(b"[0 0 0.001 14400]"),
    "bitmap of 60000 pixels": lambda: bitmap(60_000),
    "bitmap of 15000 pixels": lambda: bitmap(15_000),
    "JPEG 2000 of 60000 pixels": lambda: picture(b"JPXDecode"),
    "JBIG2 of 60000 pixels": lambda: picture(b"JBIG2Decode"),
    "forms that draw forms": laughs,
    "bomb in the contents": lambda: contents_bomb(64 * MEGABYTE),
}


@pytest.mark.parametrize("make", PAGES.values(), ids=PAGES)
def test_pages_that_cost_too_much_to_draw(judged, make: Callable[[], bytes]) -> None:
    said = judged(signed_and_touched(make()))
    if isinstance(said, dict):
        assert said["indication"] == "TOTAL-FAILED"
        assert said["integrity"] in ("CHANGED", "MALFORMED")


def test_a_thousand_saves_of_a_signed_page_are_not_each_drawn(judged) -> None:
    """Only what is signed and what is there now are looked at."""
    pdf, _ = sealer().seal_bytes(
        assemble(one_page(), trailer=b"/ID [<00> <00>]"), SealRequest(SoftwareKey())
    )
    for number in range(60):
        pdf = append(pdf, {4: stream(b"", b"0 0 %d 9 re f" % number)})
    said = judged(pdf)
    assert isinstance(said, dict)
    assert said["shown"]["pages_drawn"] == 2
    assert said["integrity"] == "CHANGED"
