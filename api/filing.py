"""How papers become records in this installation: what web, seal and ocr workers are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dossier.checking.values import DRAFT_PAPER
from dossier.filing.filing import Filing
from dossier.filing.stages import INDEX_PAPER, MARK_PAPER
from signer.sealing.levels import Level

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.house import Foundation, House
    from dossier.queue.jobs import Job
    from dossier.search.index import SearchIndex
    from dossier.signing.records import Records
    from dossier.signing.workshop import Desk
    from dossier.stacks.workplace import Workplace

    Handlers = dict[str, Callable[[Job], None]]


def filing_of(house: Foundation, records: Records, *, long_term: bool) -> Filing:
    """Acceptance and seal. `long_term`: there is a timestamp service, so that records last."""
    return Filing(
        house.database,
        house.audit,
        house.jobs,
        records,
        seal_key=house.settings.key_label("seal"),
        level=Level.B_LTA if long_term else Level.B_B,
    )


def drafting(house: Foundation, workplace: Workplace, search: SearchIndex) -> Handlers:
    """What the jobs of papers on the queue ``ocr`` are done with, by their kind."""
    from dossier.filing.drafting import DraftWork  # here alone: images are opened
    from dossier.filing.drafts import Drafts
    from dossier.filing.indexing import IndexWork

    drafts = Drafts(house.database, house.holdings, house.audit, house.jobs)
    return {
        DRAFT_PAPER: DraftWork(house.database, house.blobs, drafts, workplace),
        INDEX_PAPER: IndexWork(house.database, house.blobs, house.audit, house.jobs, search),
    }


def marking(house: House, desk: Desk) -> Handlers:
    """What the jobs of papers on the queue ``seal`` are done with, by their kind."""
    from dossier.filing.marking import MarkWork

    mark = MarkWork(
        house.database,
        house.blobs,
        house.holdings,
        house.audit,
        house.jobs,
        house.filing,
        desk,
        officer_key=house.settings.key_label("officer"),
        officer_keys=house.settings.officer_keys,
    )
    return {MARK_PAPER: mark}
