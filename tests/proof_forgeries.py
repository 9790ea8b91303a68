"""The long proof: every forgery on every file, and thousands of saves that nobody thought of.

    python -m tests.proof_forgeries [--saves 3000] [--seed 0]

Each save is drawn by Hypothesis (`tests.forgery.rewrites`) and shown by PDFium, MuPDF and
poppler: where any of them shows other pages than those that were signed, the file may not be
accepted or called intact. Prints one JSON object; exits 1 when anything was accepted.
"""

from __future__ import annotations

import argparse
import collections
import json
import logging
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from signer.verification.report import Indication, Integrity
from tests.forgery.byte_ranges import incremental, universal, wrapping
from tests.forgery.catalogue import assert_not_fooled
from tests.forgery.certified import annotations, signatures
from tests.forgery.envelopes import envelopes
from tests.forgery.rewrites import look_different, saves
from tests.forgery.room import Room, forging_room
from tests.forgery.shadows import hide, hide_and_replace, masking, replace
from tests.forgery.structures import differentials

CLASSES = {
    "universal forgery": universal, "incremental saving": incremental, "wrapping": wrapping,
    "hide": hide, "replace": replace, "hide and replace": hide_and_replace, "masking": masking,
    "annotations": annotations, "signatures": signatures, "CMS": envelopes,
    "structures": differentials,
}  # fmt: skip
PREPARED_BY = ("ours", "ours-certified", "pyhanko-certified", "openssl")  # with tables


def all_on_all(room: Room) -> tuple[dict[str, int], list[str]]:
    """Every forgery on every file that it can be made on."""
    made: collections.Counter[str] = collections.Counter()
    fooled: list[str] = []
    for title, catalogue in CLASSES.items():
        for forgery in catalogue.all:
            files = room.victims
            if forgery.prepared:
                files = {name: room.prepared[name] for name in PREPARED_BY}
            for name, data in files.items():
                try:
                    forged = forgery.make(data, room.forger)
                except (AssertionError, IndexError, AttributeError):
                    made[f"{title}, not to be made"] += 1
                    continue
                made[title] += 1
                try:
                    assert_not_fooled(room.verifier.verify(forged), forgery.words)
                except AssertionError as error:
                    fooled.append(f"{title}: {forgery} on {name}: {error}"[:400])
                if title == "CMS":
                    break  # these make a file of their own
    return dict(made), fooled


class Drawn:
    """What came of the saves that Hypothesis drew."""

    def __init__(self, room: Room, folder: Path) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.fooled: list[str] = []
        self._room = room
        self._folder = folder

    def run(self, name: str, data: bytes, count: int, first: int) -> None:
        """`count` saves of one file."""
        signatures_before = len(self._room.verifier.verify(data).signatures)

        @seed(first)
        @settings(
            max_examples=count, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(st.data())
        def draw(choice):
            self._judge(name, data, choice.draw(saves(data, self._room.forger)), signatures_before)

        draw()

    def _judge(self, name: str, data: bytes, forged: bytes, signatures_before: int) -> None:
        report = self._room.verifier.verify(forged)
        self.counts["saves"] += 1
        if any(c.check == "file.escape" for c in report.all_checks()):
            self.fooled.append(f"{name}: escaped")
        is_accepted = (
            report.integrity is Integrity.INTACT or report.indication is Indication.TOTAL_PASSED
        )
        different = look_different(data, forged, self._folder)
        is_signed_again = len(report.signatures) > signatures_before
        self.counts["changed what is shown"] += bool(different)
        self.counts["accepted"] += is_accepted
        self.counts["accepted later signatures"] += is_accepted and is_signed_again
        if is_accepted and different and not is_signed_again:
            (Path.cwd() / f"fooled-{len(self.fooled)}.pdf").write_bytes(forged)
            self.fooled.append(f"{name}: shown otherwise by {', '.join(different)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saves", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with forging_room(folder) as room:
            made, fooled = all_on_all(room)
            drawn = Drawn(room, folder)
            files = {**room.victims, **{f"prepared {n}": d for n, d in room.prepared.items()}}
            for number, (title, data) in enumerate(files.items()):
                drawn.run(title, data, max(1, options.saves // len(files)), options.seed + number)
    fooled += drawn.fooled
    counts = dict(drawn.counts)
    print(json.dumps({"forgeries": made, "drawn": counts, "fooled": fooled}, indent=1))
    return 1 if fooled else 0


if __name__ == "__main__":
    sys.exit(main())
