"""What a photograph or scan of a printout is worth: the code first, then the words.

    report = check_printout(photo, certificates, at, work, record=path)

Nothing here asks the network. Everything that is parsed is a stranger's: this runs in a process
with bounds on time and memory (`dossier.printout.desk`).
"""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cryptography import x509

from dossier.printout.comparison import Crop, compare, with_photo_page
from dossier.printout.original import OriginalPage, original_pages
from dossier.printout.registration import by_corners
from dossier.printout.report import (
    CodeFinding,
    CodeStatus,
    ComparedPage,
    PrintoutReport,
    Verdict,
)
from dossier.printout.words import WordBox
from ocr.errors import IntakeError, LimitExceeded, OCRError
from ocr.intake.limits import Limits
from ocr.intake.survey import ScanPage, look, take
from ocr.page_task import engine_of
from ocr.reading.cleanup import without_seal
from ocr.reading.raster import Grey, Raster, turned
from ocr.separators.codes import FoundCode, find_codes
from ocr.settings import DigitiseSettings
from signer.errors import ProofForged, ProofKeyUnknown, ProofMalformed
from signer.proofcode import ProofKeys, unverified_claims
from signer.prooftext import read_text

MOST_PAGES = 20
_LIMITS = Limits(page_pixels=60_000_000, page_side_px=12_000, file_bytes=50_000_000, file_pages=200)
_COMPARED_DPI = 300  # of an A4 page; more pixels only cost time
_A4_LONG_INCHES = 297 / 25.4
_CAPTION = 0.42  # of the code's side, below it


@dataclass(frozen=True, slots=True)
class _Photo:
    """One page of what was handed in: grey for the code, and as it is compared."""

    number: int
    grey: Grey
    even: Grey
    codes: tuple[FoundCode, ...]


def check_printout(
    photo: Path,
    certificates: Sequence[bytes],
    at: dt.datetime,
    work: Path,
    record: Path | None = None,
    crops: Path | None = None,
) -> PrintoutReport:
    """Read the code of `photo`, verify it under `certificates` (DER), compare with `record`.

    `crops` is a folder for pictures of each place that differs. Raises `ocr.errors.OCRError`
    for files that cannot be read.
    """
    keys = ProofKeys([x509.load_der_x509_certificate(der) for der in certificates])
    photos = list(_photos(photo, work))
    finding, text = _code(photos, keys, at)
    if record is None:
        return PrintoutReport(finding)
    pages = original_pages(record)
    marks = {page.number: find_codes(page.grey) for page in pages}
    same = None
    if text is not None:
        same = any(code.text == text for codes in marks.values() for code in codes)
    compared = [_compared(page, pages, marks, crops) for page in photos]
    return PrintoutReport(finding, same, tuple(compared))


def photo_answer(photo: Path, certificates: Sequence[bytes], at: dt.datetime) -> bytes:
    """`check_printout` without a record, as UTF-8 JSON; what is no picture is told in it."""
    with tempfile.TemporaryDirectory(prefix="sohoa-photo-") as work:
        try:
            answer = check_printout(photo, certificates, at, Path(work)).to_json()
        except OCRError as error:
            answer = {"unreadable": str(error)}
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _photos(path: Path, work: Path) -> Iterator[_Photo]:
    source = look(path, _LIMITS)
    if source.pages > MOST_PAGES:
        raise LimitExceeded(
            f"{source.pages} pages are more than {MOST_PAGES}: give the pages of one printout",
            source=source.name,
        )
    for index in range(1, source.pages + 1):
        taken = take(ScanPage(source, index, index), work, _LIMITS)
        raster = _reduced(turned(taken.raster, taken.image.exif_turns))
        grey = raster if raster.ndim == 2 else cv2.cvtColor(raster, cv2.COLOR_RGB2GRAY)
        grey = np.asarray(grey, np.uint8)
        even = grey if raster.ndim == 2 else without_seal(raster)
        yield _Photo(index, grey, even, find_codes(grey))


def _reduced(raster: Raster) -> Raster:
    """At most as large as an A4 page at 400 dpi or so: a telephone gives more than helps."""
    scale = 1.35 * _COMPARED_DPI * _A4_LONG_INCHES / max(raster.shape[:2])
    if scale >= 1:
        return raster
    size = (round(raster.shape[1] * scale), round(raster.shape[0] * scale))
    return np.asarray(cv2.resize(raster, size, interpolation=cv2.INTER_AREA), np.uint8)


def _code(
    photos: Sequence[_Photo], keys: ProofKeys, at: dt.datetime
) -> tuple[CodeFinding, str | None]:
    """The first code that is a proof, and its text; else what stands in its place."""
    seen = False
    for code in (code for photo in photos for code in photo.codes):
        seen = True
        try:
            read = read_text(code.text)
        except ProofMalformed:
            continue
        return _verified(read.proof, read.unverified_host, keys, at), code.text
    return CodeFinding(CodeStatus.NO_PROOF if seen else CodeStatus.NOT_FOUND), None


def _verified(proof: bytes, host: str, keys: ProofKeys, at: dt.datetime) -> CodeFinding:
    try:
        claims = unverified_claims(proof)
    except ProofMalformed as error:
        return CodeFinding(CodeStatus.NO_PROOF, host=host, message=str(error))
    try:
        verified = keys.verify(proof, at)
    except ProofForged as error:
        return CodeFinding(CodeStatus.FORGED, claims, host=host, message=str(error))
    except ProofKeyUnknown as error:
        return CodeFinding(CodeStatus.UNKNOWN_KEY, claims, host=host, message=str(error))
    status = CodeStatus.EXPIRED if verified.expired else CodeStatus.GENUINE
    subject = verified.certificate.subject.rfc4514_string()
    return CodeFinding(status, verified.claims, subject, host)


def _compared(
    photo: _Photo,
    pages: Sequence[OriginalPage],
    marks: dict[int, tuple[FoundCode, ...]],
    crops: Path | None,
) -> ComparedPage:
    """The page of the original that the photo shows, compared; the code's own page first."""
    engine = engine_of(DigitiseSettings())
    texts = {code.text: code for code in photo.codes}
    order = sorted(pages, key=lambda p: not any(c.text in texts for c in marks[p.number]))
    for page in order:
        start = None
        for code in marks[page.number]:
            if code.text in texts:
                start = by_corners(texts[code.text].corners, code.corners)
        exempt = [_box(code) for code in marks[page.number]]
        found = compare(photo.even, page, engine, start, exempt)
        if found is not None:
            compared, pictures = found
            if crops is not None:
                _keep(pictures, photo.number, crops)
            return with_photo_page(compared, photo.number)
    return ComparedPage(photo.number, None, Verdict.CANNOT_SAY)


def _box(code: FoundCode) -> WordBox:
    """The code with its caption, whose type is too small to be judged; the code says the same."""
    xs, ys = [x for x, _ in code.corners], [y for _, y in code.corners]
    side = max(max(xs) - min(xs), max(ys) - min(ys))
    edge = 0.1 * side
    return WordBox(
        max(0, int(min(xs) - edge)),
        max(0, int(min(ys) - 2)),
        int(max(xs) + edge),
        int(max(ys) + _CAPTION * side),
    )


def _keep(pictures: Sequence[Crop], photo_page: int, folder: Path) -> None:
    """One picture a place: the original above, the paper below."""
    for number, crop in enumerate(pictures, 1):
        both = np.vstack([crop.original, np.full((6, crop.original.shape[1]), 0, np.uint8),
                          crop.paper])  # fmt: skip
        done, png = cv2.imencode(".png", both)
        if not done:
            raise IntakeError("cannot be drawn", source=str(folder))
        (folder / f"page{photo_page:02d}-place{number:02d}.png").write_bytes(png.tobytes())
