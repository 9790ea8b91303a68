"""The desk at which people check papers; put together of its parts.

    desk = CheckingDesk(database, audit, jobs, blobs, lease_s=120)
    paper = desk.next(caller)                                # the most urgent one, under a lease
    desk.type(caller, paper.id, target, "12/QĐ-UBND", 7)     # each keystroke is durable
    desk.confirm(caller, paper.id, target, "12/QĐ-UBND")     # a named person stands for it (D10)
    desk.finish(caller, paper.id)                            # CHECKED: its record is made

`taking`: who has what; `typing`: what is typed and confirmed; `deciding`: what becomes of a paper;
`looking`: queue, checklist, health. Everything but looking needs a role of those who check; every
write to a paper that is being checked needs the caller's lease (`LeaseLost`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dossier.audit.log import AuditLog
from dossier.checking.deciding import Deciding
from dossier.checking.lexicon import active_pairs, suggestions_for
from dossier.checking.looking import Looking
from dossier.checking.taking import LEASE_S
from dossier.filing.codes import CodeTemplates, code_templates
from dossier.intake.catalogue_files import load_catalogues
from dossier.intake.catalogues import Catalogues
from dossier.model import Caller
from dossier.queue.jobs import JobQueue
from dossier.storage.database import Database
from dossier.storage.store import BlobStore


class CheckingDesk(Deciding, Looking):
    """All that people do with the papers of one database. Safe for threads."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        jobs: JobQueue,
        blobs: BlobStore,
        *,
        lease_s: float = LEASE_S,
        catalogues: Callable[[], Catalogues] = load_catalogues,
        templates: CodeTemplates | None = None,
    ) -> None:
        """`catalogues` gives the procedures, when a checklist is asked for; `templates` say whether
        the owner has to be known, as they do when the record is made."""
        super().__init__(database, audit, jobs, blobs, lease_s=lease_s)
        self._catalogues = catalogues
        self._templates = templates or code_templates()

    def suggestions(self, caller: Caller, paper_id: str) -> Mapping[str, str]:
        """What the agency's lexicon proposes for doubtful words, by target. Raises `NotFound`,
        `StateConflict` before the paper was read."""
        _, material = self._looked_up(caller, paper_id)
        with self._database.read() as connection:
            return suggestions_for(material, active_pairs(connection, caller.agency_id))
