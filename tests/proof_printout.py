"""100 honest printouts and 100 altered ones, read back and held to their originals (issue 4).

    python -m tests.proof_printout [--count 100] [--first 0]

Every page is printed from its record, comes back as a scanner or a telephone gives it
(`tools.samples.printouts`) and is checked twice: as it is, and with one digit or name altered.
An alteration counts as found when a place with "changed" or "added" meets it. Exit status 1 when
more than 2 % of the honest are called different, less than 95 % of the alterations are found,
or a code does not verify.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from dossier.printout.check import check_printout
from dossier.printout.report import Finding, PrintoutReport, Verdict
from tests.printout_cases import altered, issued, printed, proof_key
from tools.samples.printouts import Alteration, return_for

_CONVICTING = (Finding.CHANGED, Finding.ADDED)


def examine(number: int) -> dict[str, Any]:
    """One record: its honest printout and an altered one."""
    result, rng = issued(number), random.Random(number)
    how = return_for(rng)
    sheet, alteration = altered(result, rng, "digit" if number % 2 else "name")
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        honest = _checked(Path(folder), result.pdf, printed(result, how, number))
        forged = _checked(Path(folder), result.pdf, printed(result, how, number, sheet))
    return {
        "number": number,
        "how": how.name,
        "typed": result.typed,
        "alteration": [alteration.kind, alteration.before, alteration.after],
        "honest": honest.verdict.value,
        "honest_places": [place.to_json() for place in honest.places],
        "codes": [honest.code.status.value, forged.code.status.value],
        "found": was_found(forged, alteration),
        "altered": forged.verdict.value,
        "places": len(list(forged.places)),
        "cpu_s": round(time.process_time() - began, 1),
    }


def was_found(report: PrintoutReport, alteration: Alteration) -> bool:
    """Whether a place that is called different meets the altered word."""
    left, top, right, bottom = alteration.box
    return any(
        place.finding in _CONVICTING
        and place.box_mm[0] < right
        and left < place.box_mm[2]
        and place.box_mm[1] < bottom
        and top < place.box_mm[3]
        for place in report.places
    )


def _checked(folder: Path, record: bytes, photo: bytes) -> PrintoutReport:
    (folder / "record.pdf").write_bytes(record)
    (folder / "photo.jpg").write_bytes(photo)
    key = _key_der()
    at = dt.datetime.now(dt.UTC)
    return check_printout(folder / "photo.jpg", [key], at, folder, folder / "record.pdf")


def _key_der() -> bytes:
    return proof_key().certificate.public_bytes(Encoding.DER)


def summary(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures that decide."""
    count = len(cases)
    return {
        "count": count,
        "false_alarms": sum(case["honest"] == Verdict.DIFFERS.value for case in cases),
        "honest_same": sum(case["honest"] == Verdict.SAME.value for case in cases),
        "honest_cannot_say": sum(case["honest"] == Verdict.CANNOT_SAY.value for case in cases),
        "found_at_its_place": sum(case["found"] for case in cases),
        "altered_called_same": sum(case["altered"] == Verdict.SAME.value for case in cases),
        "codes_verified": sum(case["codes"] == ["genuine", "genuine"] for case in cases),
    }


def passes(figures: dict[str, Any]) -> bool:
    """What issue 4 asks for."""
    count = figures["count"]
    return bool(
        figures["false_alarms"] <= 0.02 * count
        and figures["found_at_its_place"] >= 0.95 * count
        and figures["codes_verified"] == count
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    os.environ["OMP_THREAD_LIMIT"] = "1"
    began = time.monotonic()
    numbers = range(given.first, given.first + given.count)
    with multiprocessing.get_context("spawn").Pool(given.processes, _one_thread) as pool:
        cases = []
        for case in pool.imap(examine, numbers):
            if case["honest"] != Verdict.SAME.value or not case["found"]:
                print(json.dumps(case, ensure_ascii=False), file=sys.stderr, flush=True)
            cases.append(case)
    figures = summary(cases)
    figures["cpu_s_a_check"] = round(sum(case["cpu_s"] for case in cases) / 2 / len(cases), 2)
    figures["wall_s"] = round(time.monotonic() - began)
    print(json.dumps(figures, ensure_ascii=False, indent=1))
    return 0 if passes(figures) else 1


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)


if __name__ == "__main__":
    raise SystemExit(main())
