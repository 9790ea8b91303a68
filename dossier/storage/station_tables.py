"""The tables of the scanning station: cover sheets, stacks of paper, papers, what people correct.

cover_sheets
stacks ──< stack_scans ──< stack_pages        what was scanned, never changed, never deleted
   └────< stack_history                       how it is arranged: every state, for undo
   └────< papers ──< paper_entries            what is to be checked, confirmed, sealed
                └──< paper_corrections        who changed what, when and why
lexicon_words
inbox_drops ──< inbox_files
"""

from __future__ import annotations

import sqlalchemy as sa

from dossier.storage.columns import ID, SHA256, Instant, metadata, version

cover_sheets = sa.Table(
    "cover_sheets",  # printed sheets; the signature on the sheet says the same (signer.coversheet)
    metadata,
    sa.Column("serial", sa.String(20), primary_key=True),  # hex of ten random bytes
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False),
    sa.Column("agency_name", sa.Text, nullable=False),  # as the sheet has it
    sa.Column("principal_id", ID, nullable=False),
    sa.Column("dossier_code", sa.String(64), nullable=False),
    sa.Column("procedure_code", sa.String(64)),
    sa.Column("station", sa.String(200), nullable=False),
    sa.Column("components", sa.JSON, nullable=False),  # [{code, name, pages}]
    sa.Column("payload", sa.LargeBinary),  # of the code; None: not signed yet, or printed elsewhere
    sa.Column("issued_at", Instant, nullable=False),
    sa.Column("valid_until", Instant, nullable=False),
    sa.Column("stack_id", ID),  # the first stack that it split
    sa.Column("used_at", Instant),
    sa.Index("ix_cover_sheets_agency_id", "agency_id", "issued_at"),
    sa.Index("ix_cover_sheets_dossier_code", "agency_id", "dossier_code"),
)

stacks = sa.Table(
    "stacks",  # tập giấy: dossier.stacks.values.Stack
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False),
    sa.Column("principal_id", ID, nullable=False),
    sa.Column("way", sa.String(16), nullable=False),  # folder | http | console | escl
    sa.Column("order", sa.JSON, nullable=False),  # dossier.stacks.order.StackOrder
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False, default=0),  # as a job: lower is sooner
    sa.Column("alarms", sa.JSON, nullable=False),
    sa.Column("seq", sa.Integer, nullable=False, default=0),  # of the history that is in force
    sa.Column("error", sa.JSON),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),  # no more paper comes
    sa.Column("arranged_at", Instant),
    sa.Column("finished_at", Instant),
    version(),
    sa.Index("ix_stacks_agency_id", "agency_id", "id"),
)

stack_scans = sa.Table(
    "stack_scans",  # the files, in the order in which they came
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("stack_id", sa.ForeignKey("stacks.id"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),  # from 0
    sa.Column("sha256", SHA256, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("side", sa.String(8), nullable=False),  # dossier.intake.observations.Side
    sa.Column(
        "purpose", sa.JSON, nullable=False
    ),  # null: more of the stack; or a rescan, an insert
    sa.Column("pages", sa.Integer),  # None: not looked at yet
    sa.Column("error", sa.JSON),
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("stack_id", "position"),
)

stack_pages = sa.Table(
    "stack_pages",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("stack_id", sa.ForeignKey("stacks.id"), nullable=False),
    sa.Column("scan_id", sa.ForeignKey("stack_scans.id"), nullable=False),
    sa.Column("scan_position", sa.Integer, nullable=False),
    sa.Column("index", sa.Integer, nullable=False),  # in its file, from 1
    sa.Column("sha256", SHA256, nullable=False),  # of the file
    sa.Column("state", sa.String(16), nullable=False),  # waiting | read | faulty
    sa.Column("reading_sha256", SHA256),  # dossier.stacks.reading.PageReading, a blob
    sa.Column("picture_sha256", SHA256),  # WebP at screen size, upright, a blob
    sa.Column("summary", sa.JSON),  # what the page strip shows
    sa.Column("error", sa.JSON),
    sa.Column("read_at", Instant),
    sa.UniqueConstraint("stack_id", "scan_position", "index"),
    sa.Index("ix_stack_pages_sha256", "sha256"),
)

stack_history = sa.Table(
    "stack_history",  # every arrangement that ever was in force: undo is going back to one
    metadata,
    sa.Column("stack_id", sa.ForeignKey("stacks.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),  # from 1
    sa.Column("edit", sa.JSON, nullable=False),  # dossier.stacks.edits
    sa.Column("before", sa.Integer, nullable=False),  # the seq that undo goes back to
    sa.Column("arrangement", sa.JSON, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)

papers = sa.Table(
    "papers",  # giấy tờ: dossier.checking.values.Paper
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False),
    sa.Column("stack_id", sa.ForeignKey("stacks.id"), nullable=False, index=True),
    sa.Column("dossier_code", sa.String(64), nullable=False),  # empty: not known yet
    sa.Column("component_code", sa.String(64), nullable=False),
    sa.Column("sheet_serial", sa.String(20)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False, default=0),
    sa.Column("pages", sa.Integer, nullable=False),
    sa.Column("arrangement_seq", sa.Integer, nullable=False),  # that its pages were taken from
    sa.Column("proposals_sha256", SHA256),  # dossier.stacks.proposals.PaperProposals, a blob
    sa.Column("summary", sa.JSON),  # what lists show: title, doubtful fields, findings
    sa.Column("checks_required", sa.Integer, nullable=False, default=1),
    sa.Column("checks", sa.JSON, nullable=False),  # [{by, name, at, changed}]
    sa.Column("hold", sa.JSON),  # {why, by, at}
    sa.Column("lease_by", ID),
    sa.Column("lease_until", Instant),
    sa.Column("doc_number", sa.Text),  # as read or corrected: duplicates are looked for by them
    sa.Column("doc_symbol", sa.Text),
    sa.Column("doc_agency", sa.Text),
    sa.Column("reuses", ID),  # the paper whose record serves instead of a scan
    sa.Column("digitization_code", sa.String(128)),
    sa.Column("original_sha256", SHA256),  # a PDF that came signed and stays untouched
    sa.Column("draft_sha256", SHA256),  # the record, not yet signed
    sa.Column("marked_sha256", SHA256),  # with the officer's mark (P7)
    sa.Column("mark", sa.JSON),  # who marked, when, with which key
    sa.Column("accepted", sa.JSON),  # who confirmed the data, when
    sa.Column("record_id", ID),  # the signature record that seals it
    sa.Column("sealed_sha256", SHA256),
    sa.Column("link_sha256", SHA256),  # the signed link from the original to its derivative
    sa.Column("error", sa.JSON),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("filed_at", Instant),
    version(),
    sa.Index("ix_papers_agency_id", "agency_id", "id"),
    sa.Index("ix_papers_queue", "agency_id", "state", "priority", "id"),
    sa.Index("ix_papers_dossier_code", "agency_id", "dossier_code"),
    sa.Index("ix_papers_number", "agency_id", "doc_number", "doc_symbol"),
    sa.Index("ix_papers_record_id", "record_id"),
    sa.Index("uq_papers_digitization_code", "digitization_code", unique=True),
)

paper_entries = sa.Table(
    "paper_entries",  # what people typed: each keystroke that was acknowledged is here
    metadata,
    sa.Column("paper_id", sa.ForeignKey("papers.id"), primary_key=True),
    sa.Column("target", sa.String(128), primary_key=True),  # field:NAME[:n] or word:PAGE:n
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # draft | confirmed
    sa.Column("machine", sa.Text),  # what was read; None: nothing was
    sa.Column("reason", sa.Text),
    sa.Column("by", ID, nullable=False),
    sa.Column("at", Instant, nullable=False),
    version(),
)

paper_corrections = sa.Table(
    "paper_corrections",  # append-only: what was confirmed, and what it was before
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("paper_id", sa.ForeignKey("papers.id"), nullable=False),
    sa.Column("agency_id", sa.String(32), nullable=False),
    sa.Column("target", sa.String(128), nullable=False),
    sa.Column("machine", sa.Text),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("station", sa.Text, nullable=False),
    sa.Column("by", ID, nullable=False),
    sa.Column("name", sa.Text, nullable=False),  # of the person, as it stands in the manifest
    sa.Column("at", Instant, nullable=False),
    sa.Index("ix_paper_corrections_paper_id", "paper_id", "id"),
    sa.Index("ix_paper_corrections_agency_id", "agency_id", "at"),
)

lexicon_words = sa.Table(
    "lexicon_words",  # what a unit's people correct again and again: dossier.checking.lexicon
    metadata,
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), primary_key=True),
    sa.Column("misread", sa.String(64), primary_key=True),
    sa.Column("correct", sa.String(64), primary_key=True),
    sa.Column("seen", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # proposed | active | refused
    sa.Column("gain", sa.JSON),  # the measurement that decided
    sa.Column("at", Instant, nullable=False),
)

inbox_drops = sa.Table(
    "inbox_drops",  # the manifest of watched folders: dossier.inboxes.rows
    metadata,
    sa.Column("id", ID, primary_key=True),  # drp_…, a part of the folder's name
    sa.Column("inbox", sa.String(64), nullable=False),  # the name in the settings
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),  # of the folder or file that was dropped
    sa.Column("order", sa.JSON, nullable=False),  # dossier.stacks.order.StackOrder
    sa.Column("refused", sa.JSON, nullable=False),  # [[name, why]]
    sa.Column("stack_id", ID),  # None: not made yet
    sa.Column("repeats", ID),  # the earlier drop that the stack was made of
    sa.Column("planned_at", Instant, nullable=False),
    sa.Column("moved_at", Instant),  # out of the folder, once all of it was durable here
    sa.Index("ix_inbox_drops_inbox", "inbox", "moved_at"),
)

inbox_files = sa.Table(
    "inbox_files",  # the files of a drop, in the order of the stack's scans
    metadata,
    sa.Column("drop_id", sa.ForeignKey("inbox_drops.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),  # from 0
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),  # dossier.inboxes.wholeness.Kind
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("sha256", SHA256, nullable=False, index=True),
)

NAMED_BLOBS = (
    stack_scans.c.sha256,
    stack_pages.c.sha256,
    stack_pages.c.reading_sha256,
    stack_pages.c.picture_sha256,
    papers.c.proposals_sha256,
    papers.c.original_sha256,
    papers.c.draft_sha256,
    papers.c.marked_sha256,
    papers.c.sealed_sha256,
    papers.c.link_sha256,
    inbox_files.c.sha256,
)
"""The columns that name blobs: a backup holds those."""
