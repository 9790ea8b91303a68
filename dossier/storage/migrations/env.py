"""Run by Alembic for each command, never imported: hands it the connection of `upgrade`."""

from __future__ import annotations

from alembic import context

from dossier.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter a column in place
)
with context.begin_transaction():
    context.run_migrations()
