"""What the verification measurements share: signed documents, and the root they are trusted by.

The PKI is the test PKI with keys in memory; its services stop once the documents are made, for
verifying asks nobody.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from cryptography.hazmat.primitives.serialization import Encoding

from bench.harness import Actions
from signer.sealing.levels import Level
from signer.sealing.seal import SealRequest
from tests.fixtures_pki import MemoryBareKey, RunningPKI, no_loader, run_pki
from tests.fixtures_signed import sealer_of
from tests.sealed import Box

SCAN = Path(__file__).parents[1] / "samples" / "dossier" / "thanh-phan" / "01-don-de-nghi.jpg"
SCAN_PX = (1654, 2339)
PAGES, SIGNATURES = (10, 1000), (6, 60)
_LINES = 45
_SPACE = 24  # points from stamp to stamp


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder with all that the parties need; passed to their processes."""

    folder: Path

    @property
    def root(self) -> Path:
        """The trusted certificate, PEM."""
        return self.folder / "root.pem"

    def document(self, name: str) -> Path:
        """``typed``, ``scanned``, ``pages-N`` or ``signatures-N``."""
        return self.folder / f"{name}.pdf"


def build_stage(folder: Path) -> Actions:
    """Make the documents; runs in a process of its own."""
    stage = Stage(folder)
    for pki in run_pki(folder / "pki", MemoryBareKey, no_loader):
        root = b"".join(one.public_bytes(Encoding.PEM) for one in pki.anchors)
        stage.root.write_bytes(root)
        _three(pki, stage, "typed", typed(30))
        _three(pki, stage, "scanned", scanned(30))
        for count in PAGES:
            _three(pki, stage, f"pages-{count}", typed(count))
        for count in SIGNATURES:
            _many(pki, stage, count)
    return {}


def typed(pages: int) -> bytes:
    """Pages full of text."""

    def fill(pdf: pikepdf.Pdf, page: pikepdf.Page, number: int) -> None:
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=pdf.make_indirect(font)))
        lines = " ".join(
            f"1 0 0 1 72 {780 - 15 * line} Tm (Trang {number + 1}, dong {line}: so tien 1.000.000"
            f" dong) Tj"
            for line in range(_LINES)
        )
        page.Contents = pdf.make_stream(f"BT /F1 11 Tf {lines} ET".encode())

    return _document(pages, fill)


def scanned(pages: int) -> bytes:
    """Pages that each are one scan (JPEG, 200 dpi)."""
    picture = SCAN.read_bytes()

    def fill(pdf: pikepdf.Pdf, page: pikepdf.Page, number: int) -> None:
        image = pdf.make_stream(
            picture + b"%d" % number,  # a scan of its own: no reader keeps one for all
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=SCAN_PX[0],
            Height=SCAN_PX[1],
            ColorSpace=pikepdf.Name.DeviceRGB,
            BitsPerComponent=8,
            Filter=pikepdf.Name.DCTDecode,
        )
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=image))
        page.Contents = pdf.make_stream(b"q 595 0 0 842 0 0 cm /Im0 Do Q")

    return _document(pages, fill)


def _document(pages: int, fill: Callable[[pikepdf.Pdf, pikepdf.Page, int], None]) -> bytes:
    pdf = pikepdf.new()
    for number in range(pages):
        fill(pdf, pdf.add_blank_page(page_size=(595, 842)), number)
    out = io.BytesIO()
    pdf.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return out.getvalue()


def _three(pki: RunningPKI, stage: Stage, name: str, pdf: bytes) -> None:
    """Officer, leader and agency seal, all seen on the first page; the whole B-LTA."""
    source = stage.folder / "source.pdf"
    source.write_bytes(pdf)
    people = (("officer", pki.officer), ("leader", pki.leader), ("seal", pki.seal))
    levels = (Level.B_T, Level.B_T, Level.B_LTA)
    requests = [
        SealRequest(key, level, field, stamp=Box((60 + 160 * n, 20, 180 + 160 * n, 60)))
        for n, ((field, key), level) in enumerate(zip(people, levels, strict=True))
    ]
    sealer_of(pki).seal_many(source, stage.document(name), requests)


def _many(pki: RunningPKI, stage: Stage, count: int) -> None:
    """One page with `count` signatures, each of them seen."""
    pdf = typed(1)
    for number in range(count):
        row, column = divmod(number, 20)
        left, bottom = 40 + _SPACE * column, 10 + _SPACE * row
        request = SealRequest(
            pki.officer,
            Level.B_T,
            f"signature-{number}",
            stamp=Box((left, bottom, left + 20, bottom + 20)),
        )
        pdf, _ = sealer_of(pki).seal_bytes(pdf, request)
    stage.document(f"signatures-{count}").write_bytes(pdf)
