"""Every table of the service (SQLAlchemy Core; SQLite and PostgreSQL alike).

Those of the scanning station stand in `dossier.storage.station_tables`.

Times are `Instant` (microseconds since 1970 in the database, aware datetimes in Python).
Lists and objects are JSON. Identifiers come from `dossier.model.new_id` and sort by time, so
that a page of a list is one walk along an index. Schema changes go through `migrations/`.
"""

from __future__ import annotations

import sqlalchemy as sa

from dossier.storage import station_tables
from dossier.storage.columns import ID, SHA256, Instant, metadata
from dossier.storage.columns import version as _version

__all__ = ["ID", "SHA256", "Instant", "metadata", "station_tables"]

# --- who -----------------------------------------------------------------------------------

agencies = sa.Table(
    "agencies",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),  # the unit's code, as H22.12
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("policy", sa.JSON, nullable=False),  # see dossier.identity.AgencyPolicy
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    _version(),
)

principals = sa.Table(
    "principals",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False, index=True),
    sa.Column("kind", sa.String(8), nullable=False),  # client | user
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("roles", sa.JSON, nullable=False),
    sa.Column("keys", sa.JSON, nullable=False),  # labels of signing keys
    sa.Column("certificate_sha256", SHA256, unique=True),  # mutual TLS
    sa.Column("oidc_subject", sa.Text, unique=True),  # "issuer subject"
    sa.Column("limits", sa.JSON, nullable=False),  # see dossier.identity.Limits
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("disabled_at", Instant),
    _version(),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", ID, primary_key=True),  # the public part of the key
    sa.Column("principal_id", sa.ForeignKey("principals.id"), nullable=False, index=True),
    sa.Column("secret_sha256", SHA256, nullable=False),  # of 256 random bits: needs no stretching
    sa.Column("roles", sa.JSON),  # narrower than the principal's; null: all of them
    sa.Column("keys", sa.JSON),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("revoked_at", Instant),
)

# --- what ----------------------------------------------------------------------------------

blobs = sa.Table(
    "blobs",  # which agency may see which bytes; the bytes are in the BlobStore
    metadata,
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), primary_key=True),
    sa.Column("sha256", SHA256, primary_key=True),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("media_type", sa.String(128), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_blobs_usage", "agency_id", "created_at", "size_bytes"),  # sums without the rows
)

small_blobs = sa.Table(
    "small_blobs",  # for which files of their own would be too dear (storage/smallblobs.py)
    metadata,
    sa.Column("sha256", SHA256, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("principal_id", ID, primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("request_sha256", SHA256, nullable=False),  # of route, order and body digest
    sa.Column("resource_id", ID, nullable=False),
    sa.Column("created_at", Instant, nullable=False, index=True),
)

number_books = sa.Table(
    "number_books",  # sổ đăng ký văn bản đi: one row a book and year, gapless
    metadata,
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), primary_key=True),
    sa.Column("book", sa.String(64), primary_key=True),  # the symbol, as QĐ-UBND
    sa.Column("year", sa.Integer, primary_key=True),
    sa.Column("last_number", sa.Integer, nullable=False),
)

records = sa.Table(
    "records",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False),
    sa.Column("principal_id", ID, nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("code", sa.String(16), nullable=False),  # printed on it (dossier.register.codes)
    sa.Column("order", sa.JSON, nullable=False),  # dossier.signing.records.SignatureOrder
    sa.Column("source_sha256", SHA256, nullable=False),
    sa.Column("number", sa.Integer),
    sa.Column("symbol", sa.String(64)),
    sa.Column("year", sa.Integer),
    sa.Column("supersedes", ID),
    sa.Column("superseded_by", ID),
    sa.Column("batch_id", ID),
    sa.Column("batch_position", sa.Integer),
    sa.Column("sequence_id", ID),
    sa.Column("result_sha256", SHA256),
    sa.Column("report_sha256", SHA256),
    sa.Column("evidence_sha256", SHA256),
    sa.Column("result_bytes", sa.BigInteger),
    sa.Column("level", sa.String(8), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("error", sa.JSON),
    sa.Column("ending", sa.JSON),  # who annulled or superseded it, when and why
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("published_at", Instant),
    sa.Column("renew_at", Instant),  # when its last archive timestamp should be renewed
    _version(),
    sa.Index("ix_records_agency_id", "agency_id", "id"),
    sa.Index("ix_records_batch", "batch_id", "batch_position"),
    sa.Index(
        "ix_records_open",  # how much a principal has under way
        "principal_id",
        sqlite_where=sa.text("state IN ('accepted','signing')"),
        postgresql_where=sa.text("state IN ('accepted','signing')"),
    ),
    sa.Index(
        "ix_records_sequence_id",
        "sequence_id",
        "id",
        sqlite_where=sa.text("sequence_id IS NOT NULL"),
        postgresql_where=sa.text("sequence_id IS NOT NULL"),
    ),
    sa.Index(
        "ix_records_renew_at",
        "renew_at",
        sqlite_where=sa.text("renew_at IS NOT NULL"),
        postgresql_where=sa.text("renew_at IS NOT NULL"),
    ),
    sa.Index(  # a sequence that is numbered again keeps the code that its draft is printed with
        "uq_records_code",
        "code",
        unique=True,
        sqlite_where=sa.text("state NOT IN ('failed','cancelled')"),
        postgresql_where=sa.text("state NOT IN ('failed','cancelled')"),
    ),
    # one number is issued once, unless a superseding is recorded (security.md 14)
    sa.Index(
        "uq_records_number",
        "agency_id",
        "symbol",
        "year",
        "number",
        unique=True,
        sqlite_where=sa.text(
            "number IS NOT NULL AND superseded_by IS NULL AND state NOT IN ('failed','cancelled')"
        ),
        postgresql_where=sa.text(
            "number IS NOT NULL AND superseded_by IS NULL AND state NOT IN ('failed','cancelled')"
        ),
    ),
)

sequences = sa.Table(
    "sequences",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("step_running", sa.String(16)),  # leader | number | seal while a worker is at it
    sa.Column("code", sa.String(16), nullable=False),  # of the record that it becomes
    sa.Column("order", sa.JSON, nullable=False),  # dossier.sequence.SequenceOrder
    sa.Column("steps", sa.JSON, nullable=False),  # who did what, when, with which key
    sa.Column("source_sha256", SHA256, nullable=False),
    sa.Column("current_sha256", SHA256, nullable=False),  # the document after the last step
    sa.Column("number", sa.Integer),
    sa.Column("symbol", sa.String(64)),
    sa.Column("year", sa.Integer),
    sa.Column("record_id", ID),  # the published record, once issued
    sa.Column("error", sa.JSON),
    sa.Column("created_at", Instant, nullable=False),
    _version(),
    sa.Index("ix_sequences_agency_id", "agency_id", "id"),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("order", sa.JSON, nullable=False),  # dossier.batches.batches.BatchOrder
    sa.Column("created_by", ID, nullable=False),
    sa.Column("approved_by", ID),
    sa.Column("released_by", ID),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("handed", sa.Integer, nullable=False, default=0),  # items that became records
    sa.Column("published", sa.Integer, nullable=False, default=0),
    sa.Column("failed", sa.Integer, nullable=False, default=0),
    sa.Column("list_sha256", SHA256, nullable=False),
    sa.Column("list_signature", sa.JSON),  # signature over the list's hash, made first
    sa.Column("sheet_sha256", SHA256),  # the signed result sheet (PDF)
    sa.Column("error", sa.JSON),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    _version(),
    sa.Index("ix_batches_agency_id", "agency_id", "id"),
)

batch_items = sa.Table(
    "batch_items",
    metadata,
    sa.Column("batch_id", sa.ForeignKey("batches.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("source_sha256", SHA256, nullable=False),
    sa.Column("reference", sa.Text),  # the client's own name for the document
    sa.Column("overrides", sa.JSON, nullable=False),  # what differs from the batch's order
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("record_id", ID),
    sa.Column("result_sha256", SHA256),
    sa.Column("error", sa.JSON),
    sa.Index("ix_batch_items_state", "batch_id", "state", "position"),
)

digitizations = sa.Table(
    "digitizations",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False),
    sa.Column("principal_id", ID, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # a JobState
    sa.Column("order", sa.JSON, nullable=False),
    sa.Column("pages_done", sa.Integer, nullable=False, default=0),
    sa.Column("pages", sa.Integer),  # of all scans, once they were looked at
    sa.Column("result_sha256", SHA256),
    sa.Column("text_sha256", SHA256),
    sa.Column("fields_sha256", SHA256),
    sa.Column("error", sa.JSON),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    _version(),
    sa.Index("ix_digitizations_agency_id", "agency_id", "id"),
)

search_documents = sa.Table(
    "search_documents",  # records whose pages can be found: dossier/search
    metadata,
    sa.Column("id", ID, primary_key=True),  # the digitization's
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("dossier_code", sa.Text, nullable=False),
    sa.Column("component_code", sa.Text, nullable=False),
    sa.Column("indexed_at", Instant, nullable=False),
)

search_pages = sa.Table(
    "search_pages",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),  # newer is higher
    sa.Column("document_id", sa.ForeignKey("search_documents.id"), nullable=False),
    sa.Column("page", sa.Integer, nullable=False),  # of the record, from 1
    sa.Column("width_px", sa.Integer, nullable=False),
    sa.Column("height_px", sa.Integer, nullable=False),
    sa.Column("words", sa.LargeBinary, nullable=False),  # dossier.search.values.packed
    sa.UniqueConstraint("document_id", "page"),
)

SEARCH_TERMS = "search_terms_1"
"""What search makes of `search_pages`, in each database's own way; another form, another number.

It is no table of ours: no backup holds it. It goes with the pages that it is made of.
"""
_DROP_TERMS = sa.DDL(f"DROP TABLE IF EXISTS {SEARCH_TERMS}")  # type: ignore[no-untyped-call]
sa.event.listen(search_pages, "before_drop", _DROP_TERMS)

verifications = sa.Table(
    "verifications",  # answers that a caller wished to keep (K13); nobody else's are stored
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False),
    sa.Column("principal_id", ID, nullable=False),
    sa.Column("sha256", SHA256, nullable=False),  # of the document
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("reference", sa.Text),  # the client's own name for the document
    sa.Column("verified_at", Instant, nullable=False),
    sa.Column("indication", sa.String(16), nullable=False),
    sa.Column("integrity", sa.String(16), nullable=False),
    sa.Column("report_sha256", SHA256),  # the whole answer; null once it was deleted
    sa.Column("trust_sha256", SHA256),  # the trust store that judged, as JSON
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("deleted_at", Instant),
    sa.Column("deleted_by", ID),
    _version(),
    sa.Index("ix_verifications_agency_id", "agency_id", "id"),
    sa.Index("ix_verifications_sha256", "agency_id", "sha256", "id"),
)

verification_batches = sa.Table(
    "verification_batches",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False),
    sa.Column("principal_id", ID, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # a JobState
    sa.Column("order", sa.JSON, nullable=False),  # dossier.verifying.bulk.BulkOrder
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("passed", sa.Integer, nullable=False, default=0),
    sa.Column("undetermined", sa.Integer, nullable=False, default=0),
    sa.Column("failed", sa.Integer, nullable=False, default=0),
    sa.Column("stopped", sa.Integer, nullable=False, default=0),  # without a verdict
    sa.Column("error", sa.JSON),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    _version(),
    sa.Index("ix_verification_batches_agency_id", "agency_id", "id"),
)

verification_items = sa.Table(
    "verification_items",
    metadata,
    sa.Column("batch_id", sa.ForeignKey("verification_batches.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("sha256", SHA256, nullable=False),
    sa.Column("reference", sa.Text),
    sa.Column("state", sa.String(16), nullable=False),  # listed | done | stopped | skipped
    sa.Column("indication", sa.String(16)),
    sa.Column("sub_indication", sa.String(48)),
    sa.Column("integrity", sa.String(16)),
    sa.Column("report_sha256", SHA256),
    sa.Column("error", sa.JSON),
    sa.Index("ix_verification_items_state", "batch_id", "state", "position"),
)

# --- when ----------------------------------------------------------------------------------

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("queue", sa.String(16), nullable=False),  # seal | ocr | house
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("subject", ID, nullable=False, index=True),  # the resource that it works for
    sa.Column("agency_id", sa.String(32)),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False, default=0),  # smaller is sooner
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("run_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),  # times begun
    sa.Column("crashes", sa.Integer, nullable=False, default=0),  # leases that ran out
    sa.Column("stumbles", sa.Integer, nullable=False, default=0),  # tries that failed by themselves
    sa.Column("worker", sa.String(96)),
    sa.Column("lease_until", Instant),
    sa.Column("error", sa.JSON),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    sa.Index(
        "ix_jobs_ready",
        "queue",
        "priority",
        "run_at",
        "id",
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    ),
    sa.Index(
        "ix_jobs_running",
        "queue",
        "lease_until",
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    ),
    sa.Index("ix_jobs_agency_id", "agency_id", "id"),
    sa.Index(
        "ix_jobs_finished_at",  # retention
        "finished_at",
        sqlite_where=sa.text("finished_at IS NOT NULL"),
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    ),
)

webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("agency_id", sa.ForeignKey("agencies.id"), nullable=False, index=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("secret", sa.Text, nullable=False),  # whsec_…; signs, so it cannot be hashed
    sa.Column("old_secret", sa.Text),  # signs as well until old_secret_until (rotation)
    sa.Column("old_secret_until", Instant),
    sa.Column("events", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("disabled_at", Instant),
    sa.Column("disabled_why", sa.String(8)),  # admin | gone (the endpoint answered 410)
    _version(),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", ID, primary_key=True),  # the Webhook-Id header
    sa.Column("webhook_id", sa.ForeignKey("webhooks.id"), nullable=False),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # the very bytes that are signed and sent
    sa.Column("state", sa.String(16), nullable=False),  # a JobState
    sa.Column("tries", sa.JSON, nullable=False),  # [{at, status, error, ms}]
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_deliveries_webhook_id", "webhook_id", "id"),
)

# --- what happened ---------------------------------------------------------------------------

audit_entries = sa.Table(
    "audit_entries",  # the rules of the chain stand in dossier/audit/chain.py
    metadata,
    sa.Column("chain", sa.String(16), primary_key=True),  # service | keys
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),  # from 1, gapless
    sa.Column("entry", sa.Text, nullable=False),  # canonical JSON, the very text that is hashed
    sa.Column("entry_sha256", SHA256, nullable=False),
    sa.Column("link_sha256", SHA256, nullable=False),  # SHA-256 over the last link and the entry
    sa.Column("agency_id", sa.String(32)),
    sa.Column("subject", ID, nullable=False),
    sa.Index("ix_audit_entries_agency_id", "chain", "agency_id", "seq"),
    sa.Index("ix_audit_entries_subject", "chain", "subject", "seq"),
)

audit_heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("chain", sa.String(16), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("statement", sa.Text, nullable=False),  # canonical JSON: chain, seq, link, time
    sa.Column("signature", sa.LargeBinary, nullable=False),  # CMS, detached, by the audit key
    sa.Column("timestamp_token", sa.LargeBinary),  # RFC 3161 over the signature
    sa.Column("created_at", Instant, nullable=False),
)

register_entries = sa.Table(
    "register_entries",  # the Merkle log of issued results: dossier/register/log.py
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),  # from 0, gapless
    sa.Column("at", Instant, nullable=False),  # never before that of the entry before
    sa.Column("entry", sa.Text, nullable=False),  # canonical JSON, the very text that is hashed
    sa.Column("leaf_sha256", SHA256, nullable=False),
    sa.Column("code", sa.String(16), nullable=False),
    sa.Column("event", sa.String(16), nullable=False),
    sa.Column("agency_id", sa.String(32), nullable=False),
    sa.Column("document_sha256", SHA256, nullable=False, index=True),
    sa.Index("ix_register_entries_code", "code", "seq"),
    sa.Index(
        "uq_register_entries_issued",
        "code",
        unique=True,
        sqlite_where=sa.text("event = 'issued'"),
        postgresql_where=sa.text("event = 'issued'"),
    ),
)

register_nodes = sa.Table(
    "register_nodes",  # roots of complete subtrees: dossier/register/nodes.py
    metadata,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),  # of 2^level leaves
    sa.Column("place", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sha256", SHA256, nullable=False),
)

register_checkpoints = sa.Table(
    "register_checkpoints",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("note", sa.Text, nullable=False),  # signed note (C2SP tlog-checkpoint)
    sa.Column("certificates", sa.JSON, nullable=False),  # PEM, the signer's first
    sa.Column("timestamp_token", sa.LargeBinary),  # RFC 3161 over the whole note
    sa.Column("created_at", Instant, nullable=False),
)

key_intents = sa.Table(
    "key_intents",  # the key agent's: intents whose outcome is not in the chain yet
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),  # in chain "keys"
    sa.Column("credential", sa.String(64), nullable=False),
    sa.Column("subject", ID, nullable=False),
    sa.Column("agency_id", sa.String(32)),
)

key_uses = sa.Table(
    "key_uses",  # the key agent's: intents a key and day, counted in the intents' transaction
    metadata,
    sa.Column("credential", sa.String(64), primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),  # as 2026-01-31, Vietnam's calendar
    sa.Column("uses", sa.Integer, nullable=False),
)

trust_versions = sa.Table(
    "trust_versions",  # lists of trust as they were imported; never changed, never deleted
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("list_name", sa.String(64), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),  # signer.trust_lists.content.ListKind
    sa.Column("operator", sa.Text, nullable=False),
    sa.Column("source_sha256", SHA256, nullable=False),  # the file as it was published
    sa.Column("content_sha256", SHA256, nullable=False),  # what is believed of it, in our own form
    sa.Column("proof_kind", sa.String(8), nullable=False),  # signer.trust_lists.proof.ProofKind
    sa.Column("proof_by", SHA256, nullable=False),  # the file's pin, or the signing certificate
    sa.Column("proof_name", sa.Text, nullable=False),
    sa.Column("anchors", sa.Integer, nullable=False),
    sa.Column("intermediates", sa.Integer, nullable=False),
    sa.Column("issued_at", Instant, nullable=False),
    sa.Column("next_update", Instant),
    sa.Column("effective_from", Instant, nullable=False),
    sa.Column("imported_at", Instant, nullable=False),
    sa.Column("imported_by", sa.Text, nullable=False),
    sa.UniqueConstraint("list_name", "sequence"),
)

revocation_values = sa.Table(
    "revocation_values",  # lists and answers fetched beforehand; the verifier fetches nothing
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("subject_sha256", SHA256, nullable=False),  # the issuer; for OCSP the certificate
    sa.Column("kind", sa.String(4), nullable=False),  # crl | ocsp
    sa.Column("sha256", SHA256, nullable=False),
    sa.Column("this_update", Instant, nullable=False),
    sa.Column("next_update", Instant, nullable=False),
    sa.Column("fetched_at", Instant, nullable=False),
    sa.UniqueConstraint("subject_sha256", "kind", "sha256"),
    sa.Index("ix_revocation_values_time", "kind", "subject_sha256", "this_update"),
)

settings = sa.Table(
    "house_settings",  # small facts of this installation: schema epoch, bootstrap done
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.JSON, nullable=False),
)
