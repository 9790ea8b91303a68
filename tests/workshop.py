"""The programs that sign with one key on one set of base files: for tests of genuine files."""

from __future__ import annotations

from pathlib import Path

import pikepdf

from signer.trust import TrustStore
from signer.verification.checks import Integrity
from signer.verification.report import VerificationReport
from signer.verification.verify import Verifier
from tests.clerical import decision
from tests.der_writing import name
from tests.fixtures_signed import flip
from tests.odd_certificates import OddAuthority
from tests.other_tools import (
    PASSWORD,
    VECTORS,
    compiled,
    ghostscript_base,
    hybrid_base,
    key_store,
    mupdf_base,
    pikepdf_base,
    run,
)

BASES = (
    "pikepdf", "linearised", "linearised-streams", "object-streams", "hybrid", "ghostscript-1.4",
    "ghostscript-1.7", "mupdf", "mupdf-packed", "pdfbox", "libreoffice",
)  # fmt: skip
STREAMS = {"object_stream_mode": pikepdf.ObjectStreamMode.generate}


class Workshop:
    """The programs, a key they all sign with, and base files of each producer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = OddAuthority()
        self.key = self.authority.issue(name(("C", "VN"), ("CN", "Trần Mẫu Thử")))
        self.store = key_store(self.key, folder / "store")
        self.pdfbox = compiled("PdfboxSigner", folder)
        self.verifier = Verifier(TrustStore.of([self.authority.anchor]))
        self.bases = self._bases()

    def _bases(self) -> dict[str, bytes]:
        pdf = decision()
        own = self.folder / "pdfbox.pdf"
        run(*self.pdfbox, "base", own)
        return {
            "pikepdf": pdf,
            "linearised": pikepdf_base(pdf, linearize=True),
            "linearised-streams": pikepdf_base(pdf, linearize=True, **STREAMS),
            "object-streams": pikepdf_base(pdf, **STREAMS),
            "hybrid": hybrid_base(pdf),
            "ghostscript-1.4": ghostscript_base(pdf, self.folder),
            "ghostscript-1.7": ghostscript_base(pdf, self.folder, "1.7"),
            "mupdf": mupdf_base(pdf, self.folder),
            "mupdf-packed": mupdf_base(pdf, self.folder, "-z", "-ggg"),
            "pdfbox": own.read_bytes(),
            "libreoffice": (VECTORS / "libreoffice-unsigned.pdf").read_bytes(),
        }

    def pdfbox_sign(self, pdfs: list[bytes], *ways: tuple[str, str, str]) -> list[bytes]:
        """Each file signed once in each way (algorithm, encoding, look), in one run of Java."""
        words: list = []
        results = []
        for number, pdf in enumerate(pdfs):
            source = self.store.put(f"box-{number}.pdf", pdf)
            for step, (algorithm, encoding, look) in enumerate(ways):
                target = self.folder / f"box-{number}-{step}.pdf"
                words += ["--", "sign", self.store.p12, PASSWORD, algorithm, source, target,
                          encoding, look]  # fmt: skip
                source = target
            results.append(source)
        run(*self.pdfbox, *words[1:])
        return [path.read_bytes() for path in results]

    def require_intact(self, data: bytes, count: int) -> VerificationReport:
        report = self.verifier.verify(data)
        found = [(c.check, c.detail) for c in report.all_checks() if c.integrity is not None]
        assert report.integrity is Integrity.INTACT, found
        assert [s.integrity for s in report.signatures] == [Integrity.INTACT] * count
        assert report.signatures[-1].covers_whole_file
        altered = self.verifier.verify(flip(data, len(b"%PDF-1."), 0))
        assert altered.integrity is not Integrity.INTACT
        return report
