"""What must hold of every answer of the verifier, whatever it was asked.

oracle = Oracle(verifier, seeds)
oracle.check(data)          # raises Finding
"""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterable
from typing import Any

import pikepdf

from signer.verification.file.structure import Document
from signer.verification.verify import Verifier

MOST_SECONDS = 20.0


class Finding(AssertionError):
    """The verifier stumbled, hung, or was fooled; the message says over what."""


class Oracle:
    """Knows the genuine files: nothing else may pass."""

    def __init__(self, verifier: Verifier, seeds: Iterable[bytes]) -> None:
        self._verifier = verifier
        self._genuine = list(seeds)

    def check(self, data: bytes) -> None:
        """Verify `data` here. Raises `Finding`; whatever else is raised is a finding too."""
        began = time.process_time()
        report = self._verifier.verify(data)
        spent = time.process_time() - began
        if spent > MOST_SECONDS:
            raise Finding(f"{spent:.0f} s for {len(data)} bytes")
        self.judge(data, json.loads(json.dumps(report.to_json(), ensure_ascii=False)))

    def judge(self, data: bytes, said: dict[str, Any]) -> None:
        """Look at what was said of `data`. Raises `Finding`."""
        for check in said["checks"]:
            if check["check"] == "file.escape":
                raise Finding(f"escaped: {check['detail']}")
        if said["indication"] == "TOTAL-PASSED" and not self._is_genuine(data):
            raise Finding("fooled: TOTAL-PASSED")
        if said["integrity"] == "INTACT" and not self._looks_genuine(data, said):
            raise Finding("fooled: INTACT, but other pages than those that were signed")

    def _is_genuine(self, data: bytes) -> bool:
        """A seed, or the beginning of one (an earlier save), but for line ends behind it.

        In validation data that no signature covers, the second identifier of the trailer says
        nothing (ISO 32000-2, 14.4): it may be another. Where it is covered, the seals break.
        """
        whole = _SECOND_ID.sub(rb"\1", data.rstrip(b"\r\n"))
        return any(_SECOND_ID.sub(rb"\1", seed).startswith(whole) for seed in self._genuine)

    def _looks_genuine(self, data: bytes, said: dict[str, Any]) -> bool:
        """What the first signature covers is a seed's, and qpdf finds the same pages there.

        The signature itself and validation data behind the last one may be damaged in places
        that say nothing about what is shown.
        """
        first = min(one["revision"] for one in said["signatures"])
        signed = data[: Document(data).revisions[first - 1].end].rstrip(b"\r\n")
        known = any(
            without_signatures(s).startswith(without_signatures(signed)) for s in self._genuine
        )
        return known and pages_of(data) == pages_of(signed)


def without_signatures(pdf: bytes) -> bytes:
    """The file with zeros in place of its signatures."""
    return _CONTENTS.sub(lambda found: found[1] + b"0" * len(found[2]), pdf)


def pages_of(pdf: bytes) -> list[tuple[bytes, ...]]:
    """Of each page what a reader draws, as qpdf sees it; signature widgets left out."""
    out = []
    with pikepdf.open(io.BytesIO(pdf), attempt_recovery=False) as opened:
        for page in opened.pages:
            contents = page.obj.get("/Contents", pikepdf.Array([]))
            parts = contents if isinstance(contents, pikepdf.Array) else [contents]
            drawn = [bytes(part.read_bytes()) for part in parts]
            keys = [bytes(page.obj.get(k, pikepdf.Array()).unparse()) for k in _KEYS]
            notes = [
                bytes(note.get("/Rect", pikepdf.Array()).unparse())
                for note in page.obj.get("/Annots", [])
                if note.get("/FT") != "/Sig"
            ]
            out.append((*drawn, *keys, *notes))
    return out


_SECOND_ID = re.compile(rb"(/ID\s*\[\s*<[0-9a-fA-F]*>)\s*<[0-9a-fA-F]*>")
_CONTENTS = re.compile(rb"(/Contents ?<)([0-9a-fA-F]+)")
_KEYS = ("/MediaBox", "/CropBox", "/Resources")
