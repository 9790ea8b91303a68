"""What the machine says of a paper, by target: its reading, whether it is doubtful, its findings.

    shelf = MaterialShelf(blobs)
    material = shelf.of(paper)              # from the blobs of its proposals and its pages
    material.machine(target)                # None: nothing was read there
    material.doubtful                       # targets that a person has to confirm, in their order

Immutable; made of blobs that never change, so a shelf keeps the newest ones.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dossier.checking.values import About, Entry, Paper, Target
from dossier.errors import StateConflict
from dossier.stacks.values import PaperState

if TYPE_CHECKING:  # readings need what images are looked at with
    from dossier.stacks.arrangement import Arrangement
    from dossier.stacks.proposals import PaperProposals
    from dossier.stacks.reading import PageReading
    from dossier.storage.store import BlobStore
    from ocr.fields.card_reading import CardReading

_KEPT = 64  # papers: those that people have before them
_KEPT_CARDS = 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read for one target. `text` None: ink, or a blank, that no machine reads."""

    text: str | None
    doubtful: bool


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """A finding that stands in the way until it is mended, or a person says why it may stay.

    `page` is a page's id, empty where it is about all of them.
    """

    key: str
    code: str
    page: str
    vi: str
    en: str

    @property
    def target(self) -> Target:
        """What is resolved."""
        return Target(About.FINDING, self.key)


@dataclass(frozen=True, slots=True)
class Material:
    """All that was read of a paper. `pages`: ids of its images in their order."""

    pages: tuple[str, ...]
    readings: Mapping[str, Reading]
    doubtful: tuple[str, ...]
    findings: tuple[OpenFinding, ...]
    counts: Mapping[str, int] = field(default_factory=dict)  # values of each field
    proposals: PaperProposals | None = None  # that it is made of

    def machine(self, target: Target) -> Reading | None:
        """What was read for a target."""
        return self.readings.get(str(target))

    def may_hold(self, target: Target) -> bool:
        """Whether a person may give it a value: a word that is there, or any field."""
        if target.about is About.FIELD:
            return target.number <= self.counts.get(target.name, 0) + _MORE_VALUES
        return str(target) in self.readings


_MORE_VALUES = 20  # of one field, beyond those that were read


class MaterialShelf:
    """Materials by their proposals. Safe for threads."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Material] = OrderedDict()
        self._cards: OrderedDict[str, CardReading | None] = OrderedDict()

    def of(self, paper: Paper, pages: tuple[str, ...] = ()) -> Material:
        """What was read of a paper. Raises `StateConflict` before it was, `StoreError`.

        Where the machine failed for good, people work without it: then only `pages`, its images
        as they lie, are known.
        """
        digest = paper.proposals_sha256
        if digest is None and paper.state is not PaperState.PROPOSING:
            return Material(pages, {}, (), ())
        if digest is None:
            raise StateConflict(
                "Giấy tờ chưa được đọc xong; hãy chờ một lát. / The paper is still being read; "
                "wait a moment."
            )
        with self._lock:
            known = self._kept.get(digest)
            if known is not None:
                self._kept.move_to_end(digest)
                return known
        from dossier.stacks.proposals import PaperProposals
        from dossier.stacks.reading import PageReading

        proposals = PaperProposals.from_bytes(self._blobs.get(digest))
        readings = [
            None
            if page.reading_sha256 is None
            else PageReading.from_bytes(self._blobs.get(page.reading_sha256))
            for page in proposals.pages
        ]
        made = material_of(proposals, readings)
        with self._lock:
            self._kept[digest] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def card(self, digest: str) -> CardReading | None:
        """The identity card that proposals, by their digest, have. Raises `StoreError`."""
        with self._lock:
            if digest in self._cards:
                self._cards.move_to_end(digest)
                return self._cards[digest]
        from dossier.stacks.proposals import PaperProposals

        card = PaperProposals.from_bytes(self._blobs.get(digest)).card
        with self._lock:
            self._cards[digest] = found = card.reading if card else None
            while len(self._cards) > _KEPT_CARDS:
                self._cards.popitem(last=False)
        return found


def material_of(proposals: PaperProposals, readings: Sequence[PageReading | None]) -> Material:
    """Sort a paper's proposals and its pages' words by target."""
    pages = tuple(page.page for page in proposals.pages)
    found: dict[str, Reading] = {}
    counts: dict[str, int] = {}

    def field_of(name: str, reading: Reading) -> None:
        counts[name] = counts.get(name, 0) + 1
        found[str(Target(About.FIELD, name, counts[name]))] = reading

    for one in proposals.fields.fields:
        field_of(one.name, Reading(one.value, one.doubtful))
    for unread in proposals.fields.unread:
        field_of(unread.name, Reading(None, True))
    for page, reading in zip(pages, readings, strict=True):
        if reading is None:
            continue
        words = (word for line in reading.page.lines for word in line.words)
        for number, word in enumerate(words, 1):
            found[str(Target(About.WORD, page, number))] = Reading(word.text, word.doubtful)
        for number, _ in enumerate(reading.page.unread, 1):
            found[str(Target(About.WORD, page, number, is_gap=True))] = Reading(None, True)
    doubtful = tuple(target for target, reading in found.items() if reading.doubtful)
    return Material(pages, found, doubtful, tuple(_findings(proposals, pages)), counts, proposals)


def _findings(proposals: PaperProposals, pages: tuple[str, ...]) -> Iterable[OpenFinding]:
    for place in proposals.page_findings:
        if place.finding.severity == "block":
            page, code = pages[place.page - 1], place.finding.code.value
            yield OpenFinding(_key(code, page), code, page, place.finding.vi, place.finding.en)
    missing = proposals.missing_seal
    if missing is not None and missing.severity == "block":
        code = missing.code.value
        yield OpenFinding(_key(code, *pages), code, "", missing.vi, missing.en)


_TOLD_ELSEWHERE = frozenset({"page-count", "announced-count", "poor-image"})
"""What a cover sheet announces is compared when a check ends; images have findings of their own."""
_TOGETHER = frozenset({"duplicate-page", "attached-note"})
"""They are no more when one of the images is set aside."""


def alarms_about(
    alarms: Iterable[Mapping[str, Any]], material: Material, arrangement: Arrangement
) -> list[OpenFinding]:
    """The alarms of a stack (`dossier.stacks.reports`) that name pages of one paper."""
    shown = {page for paper in arrangement.papers for page in paper.page_ids}
    notes = {
        placed.page for paper in arrangement.papers for placed in paper.pages if placed.note_of
    }
    found = []
    for alarm in alarms:
        kind, about = str(alarm["kind"]), [str(page) for page in alarm["pages"]]
        named = [page for page in about if page in material.pages]
        if not named or kind in _TOLD_ELSEWHERE:
            continue
        if kind in _TOGETHER and not (shown.issuperset(about) and notes.isdisjoint(about)):
            continue
        found.append(OpenFinding(_key(kind, *about), kind, named[0], alarm["vi"], alarm["en"]))
    return found


def _key(code: str, *about: str) -> str:
    """The same finding of the same pages has the same key."""
    digest = hashlib.sha256(json.dumps(about).encode()).hexdigest()
    return f"{code.lower().replace('_', '-')}-{digest[:16]}"


def is_resolved(finding: OpenFinding, entries: Mapping[str, Entry]) -> bool:
    """Whether a person said why it may stay."""
    said = entries.get(str(finding.target))
    return said is not None and said.is_confirmed
