"""Earlier papers of an agency that a new one may be (D15), as `dossier.intake.duplicates` asks.

Three grounds, each looked for where it can be found at once: the same files in other stacks by
their digests, number and symbol of other papers by index, images among papers of the same dossier.
Pages of one stack that look alike are an alarm of its splitting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from dossier.intake.duplicates import (
    DuplicateGround,
    DuplicateWarning,
    Paper,
    duplicate_warnings,
)
from dossier.stacks.history import in_force
from dossier.stacks.proposals import KnownAs, PossibleDuplicate
from dossier.stacks.proposing import PaperPage
from dossier.stacks.reading import PageReading
from dossier.stacks.values import PaperState, Stack, StackState
from dossier.storage.database import Database
from dossier.storage.station_tables import papers, stack_pages, stacks
from dossier.storage.store import BlobStore

_MOST = 20  # of each ground: more say nothing new
_MOST_PAGES = 400  # of a dossier, whose images are compared


class KnownPapers:
    """The papers of one database. Safe for threads."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs

    def duplicates(
        self,
        stack: Stack,
        paper_id: str,
        dossier_code: str,
        pages: Mapping[str, PaperPage],
        name: tuple[str, str, str],
    ) -> tuple[PossibleDuplicate, ...]:
        """Reasons to think that a paper is here already, the surest ground first.

        `pages` are its pages by id, in order; `name` is number, symbol and agency, empty where
        they are not known. Raises `StoreError`.
        """
        ids = tuple(pages)
        traces = {
            page: found.reading.trace
            for page, found in pages.items()
            if found.reading is not None
            and found.reading.trace is not None
            and not found.reading.is_blank
        }
        number, symbol, agency = name
        ours = Paper(paper_id, traces=tuple(traces.values()), number=number, symbol=symbol,
                     agency=agency)  # fmt: skip
        found = list(self._same_files(stack, ids))
        if number and symbol and agency:
            named = list(self._named(stack, paper_id, number))
            found += [_of(w) for w in duplicate_warnings(ours, named)
                      if w.ground is DuplicateGround.NUMBER]  # fmt: skip
        if dossier_code and traces:
            for other, theirs in self._of_dossier(stack, dossier_code):
                alike = duplicate_warnings(ours, [other])
                found += [_of(w, tuple(traces), theirs) for w in alike
                          if w.ground is DuplicateGround.PAGE_IMAGE]  # fmt: skip
        return tuple(found)

    def _same_files(self, stack: Stack, ids: Sequence[str]) -> Iterator[PossibleDuplicate]:
        """Stacks of the agency that hold the same page of the same file."""
        mine, other = stack_pages.alias(), stack_pages.alias()
        query = (
            sa.select(mine.c.id, other.c.id.label("theirs"), other.c.stack_id)
            .join(
                other,
                sa.and_(other.c.sha256 == mine.c.sha256, other.c.index == mine.c.index),
            )
            .join(stacks, stacks.c.id == other.c.stack_id)
            .where(
                mine.c.id.in_(ids),
                other.c.stack_id != stack.id,
                stacks.c.agency_id == stack.agency_id,
                stacks.c.state != StackState.CANCELLED,
            )
            .order_by(other.c.stack_id, mine.c.scan_position, mine.c.index)
        )
        alike: dict[str, list[tuple[str, str]]] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                alike.setdefault(row.stack_id, []).append((row.id, row.theirs))
        for name, pages in list(alike.items())[:_MOST]:
            warning = DuplicateWarning(DuplicateGround.BYTES, name)
            yield _possible(warning, KnownAs.STACK, tuple(pages))

    def _named(self, stack: Stack, paper_id: str, number: str) -> Iterator[Paper]:
        """Papers of the agency with the same number, however many zeros stand before it."""
        plain = number.lstrip("0")
        row = papers.c
        query = (
            sa.select(row.id, row.doc_number, row.doc_symbol, row.doc_agency)
            .where(
                row.agency_id == stack.agency_id,
                row.doc_number.in_({number, plain, f"0{plain}"}),
                row.id != paper_id,
                row.state != PaperState.GONE,
            )
            .order_by(row.id.desc())
            .limit(_MOST)
        )
        with self._database.read() as connection:
            for found in connection.execute(query):
                yield Paper(
                    found.id,
                    number=found.doc_number,
                    symbol=found.doc_symbol,
                    agency=found.doc_agency,
                )

    def _of_dossier(
        self, stack: Stack, dossier_code: str
    ) -> Iterator[tuple[Paper, tuple[str, ...]]]:
        """Papers of the same dossier in other stacks, with the ids of the pages of their traces."""
        row = papers.c
        query = (
            sa.select(row.id, row.stack_id, stacks.c.seq)
            .join(stacks, stacks.c.id == row.stack_id)
            .where(
                row.agency_id == stack.agency_id,
                row.dossier_code == dossier_code,
                row.stack_id != stack.id,
                row.state != PaperState.GONE,
                stacks.c.state != StackState.CANCELLED,
            )
            .order_by(row.id.desc())
        )
        left = _MOST_PAGES
        with self._database.read() as connection:
            for found in connection.execute(query).all():
                present = in_force(connection, found.stack_id, found.seq)
                homes = {p.id: p.page_ids for p in present.arrangement.papers} if present else {}
                ids = homes.get(found.id, ())[:left]
                left -= len(ids)
                readings = self._readings(connection, ids)
                traces = {
                    page: reading.trace
                    for page, reading in readings.items()
                    if reading.trace is not None and not reading.is_blank
                }
                yield Paper(found.id, traces=tuple(traces.values())), tuple(traces)

    def _readings(self, connection: sa.Connection, ids: Sequence[str]) -> dict[str, PageReading]:
        row = stack_pages.c
        digests: dict[str, str] = {
            found.id: found.reading_sha256
            for found in connection.execute(
                sa.select(row.id, row.reading_sha256).where(
                    row.id.in_(ids), row.reading_sha256.is_not(None)
                )
            )
        }
        return {
            page: PageReading.from_bytes(self._blobs.get(digests[page]))
            for page in ids
            if page in digests
        }


def _of(
    warning: DuplicateWarning, mine: Sequence[str] = (), theirs: Sequence[str] = ()
) -> PossibleDuplicate:
    pages = tuple((mine[one], theirs[other]) for one, other in warning.pages)
    return _possible(warning, KnownAs.PAPER, pages)


def _possible(
    warning: DuplicateWarning, known_as: KnownAs, pages: tuple[tuple[str, str], ...]
) -> PossibleDuplicate:
    vi, _, en = warning.message.partition(" / ")
    return PossibleDuplicate(warning.ground, known_as, warning.reference, pages, vi, en)
