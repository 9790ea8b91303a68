"""What a unit's people correct again and again becomes proposals, when that is measured to help.

    lexicon = Lexicon(database, blobs, audit)
    lexicon.measure(caller)             # learn from half of the checked papers, replay the other
    lexicon.words(caller)               # every pair with the measurement that decided
    active_pairs(connection, agency)    # for `CheckingDesk.suggestions`

A pair is active only while its last measurement shows a gain that is sure (`pairs.Gain`). It is
proposed to people for doubtful words, and never changes a word by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.checking.material import Material, MaterialShelf
from dossier.checking.pairs import (
    Gain,
    Pair,
    SampleWord,
    Verdict,
    candidates,
    is_held_out,
    measured,
    proposal,
)
from dossier.checking.rows import READERS
from dossier.checking.values import paper_of
from dossier.model import JSON, AuditEvent, Caller, Role
from dossier.stacks.values import PaperState
from dossier.storage.database import Database
from dossier.storage.station_tables import (
    lexicon_words,
    paper_corrections,
    paper_entries,
    papers,
)
from dossier.storage.store import BlobStore

PAPERS = 2000
"""The newest checked papers that a measurement looks at."""
_WORD = "word:"  # how targets of words begin
_CHECKED = (PaperState.CHECKED, PaperState.MARKED, PaperState.ACCEPTED, PaperState.FILED)


@dataclass(frozen=True, slots=True)
class LexiconWord:
    """A pair of an agency, and what was measured of it."""

    misread: str
    correct: str
    seen: int
    state: Verdict
    gain: JSON
    at: datetime

    def to_json(self) -> dict[str, JSON]:
        """Stable keys."""
        return {
            "misread": self.misread,
            "correct": self.correct,
            "seen": self.seen,
            "state": self.state,
            "gain": self.gain,
            "at": self.at.isoformat(),
        }


class Lexicon:
    """The lexicons of one database's agencies. Safe for threads; measuring takes minutes."""

    def __init__(self, database: Database, blobs: BlobStore, audit: AuditLog) -> None:
        self._database = database
        self._shelf = MaterialShelf(blobs)
        self._audit = audit

    def measure(self, caller: Caller) -> tuple[LexiconWord, ...]:
        """Learn and measure anew, and keep what was found; all pairs of the caller's agency.

        Pairs that are no candidates any more are measured, too. One transaction at the end.
        Raises `AccessRefused`, `StoreError`, `AuditUnavailable`.
        """
        caller.require(Role.OFFICER, Role.ADMIN)
        learned, held_out = self._samples(caller.agency_id)
        known = {(word.misread, word.correct): word.seen for word in self.words(caller)}
        found = {(pair.misread, pair.correct): pair for pair in candidates(learned)}
        for (misread, correct), seen in known.items():
            found.setdefault((misread, correct), Pair(misread, correct, seen, 0))
        gains = {key: measured(pair, held_out) for key, pair in found.items()}

        def work(connection: sa.Connection) -> None:
            now = self._database.now(connection)
            for key, pair in sorted(found.items()):
                self._keep(connection, caller.agency_id, pair, gains[key], key in known, now)
            counts: dict[str, JSON] = {"papers_learned": len(learned), "papers": len(held_out)}
            for state in ("active", "proposed", "refused"):
                counts[state] = sum(gain.verdict == state for gain in gains.values())
            event = AuditEvent(
                "lexicon.measured", caller.principal_id, caller.agency_id, "lexicon", counts
            )
            self._audit.append(connection, [event])

        self._database.together(work)
        return self.words(caller)

    def words(self, caller: Caller) -> tuple[LexiconWord, ...]:
        """Every pair of the caller's agency, by what is misread."""
        caller.require(*READERS)
        columns = lexicon_words.c
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(
                    columns.misread,
                    columns.correct,
                    columns.seen,
                    columns.state,
                    columns.gain,
                    columns.at,
                )
                .where(columns.agency_id == caller.agency_id)
                .order_by(columns.misread, columns.correct)
            )
            return tuple(LexiconWord(*row) for row in rows)

    # --- parts ---------------------------------------------------------------------------

    def _samples(self, agency_id: str) -> tuple[list[list[SampleWord]], list[list[SampleWord]]]:
        """The words of the checked papers: those to learn from, and those held out."""
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(papers)
                .where(
                    papers.c.agency_id == agency_id,
                    papers.c.state.in_(_CHECKED),
                    papers.c.proposals_sha256.is_not(None),
                )
                .order_by(papers.c.id.desc())
                .limit(PAPERS)
            ).all()
        learned: list[list[SampleWord]] = []
        held_out: list[list[SampleWord]] = []
        for paper in map(paper_of, rows):
            material = self._shelf.of(paper)
            with self._database.read() as connection:
                words = _words_of(connection, paper.id, material)
            (held_out if is_held_out(paper.id) else learned).append(words)
        return learned, held_out

    @staticmethod
    def _keep(
        connection: sa.Connection,
        agency_id: str,
        pair: Pair,
        gain: Gain,
        is_known: bool,
        now: datetime,
    ) -> None:
        values = {"seen": pair.seen, "state": gain.verdict, "gain": gain.to_json(), "at": now}
        names = {"agency_id": agency_id, "misread": pair.misread, "correct": pair.correct}
        if not is_known:
            connection.execute(sa.insert(lexicon_words).values(**names, **values))
            return
        mine = [lexicon_words.c[name] == value for name, value in names.items()]
        connection.execute(sa.update(lexicon_words).where(*mine).values(**values))


def _words_of(connection: sa.Connection, paper_id: str, material: Material) -> list[SampleWord]:
    """The words of a checked paper: a word that nobody touched is as it was read."""
    confirmed = connection.execute(
        sa.select(paper_entries.c.target, paper_entries.c.value).where(
            paper_entries.c.paper_id == paper_id,
            paper_entries.c.target.startswith(_WORD),
            paper_entries.c.state == "confirmed",
        )
    )
    truths: dict[str, str] = {target: value for target, value in confirmed}  # noqa: C416 - rows
    said = connection.execute(
        sa.select(
            paper_corrections.c.target, paper_corrections.c.after, paper_corrections.c.by
        ).where(
            paper_corrections.c.paper_id == paper_id, paper_corrections.c.target.startswith(_WORD)
        )
    ).all()
    people: dict[tuple[str, str], set[str]] = {}
    for row in said:
        people.setdefault((row.target, row.after), set()).add(row.by)
    found = []
    for target, read in material.readings.items():
        if read.text is not None and target.startswith(_WORD):
            truth = truths.get(target, read.text)
            by = frozenset(people.get((target, truth), ()))
            found.append(SampleWord(read.text, read.doubtful, truth, by))
    return found


def active_pairs(connection: sa.Connection, agency_id: str) -> dict[str, str]:
    """The pairs in use; of two for one misreading the one that was seen more often."""
    rows = connection.execute(
        sa.select(lexicon_words.c.misread, lexicon_words.c.correct)
        .where(lexicon_words.c.agency_id == agency_id, lexicon_words.c.state == "active")
        .order_by(lexicon_words.c.seen, lexicon_words.c.correct)
    )
    return {misread: correct for misread, correct in rows}  # noqa: C416 - rows


def suggestions_for(material: Material, pairs: dict[str, str]) -> Mapping[str, str]:
    """What the pairs propose for the doubtful words of a paper, by target."""
    found = {}
    for target in material.doubtful:
        read = material.readings[target]
        if read.text is not None and target.startswith(_WORD):
            put = proposal(read.text, pairs)
            if put is not None:
                found[target] = put
    return found
