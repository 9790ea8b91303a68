"""The history of the schema: one file a change in `versions`, run by Alembic.

    upgrade(database)      # bring any database to the newest schema; safe to call at every start

A change of `dossier.storage.tables` comes with a new file in `versions`, named ``NNNN_what.py``,
whose `down_revision` is the newest one. ``tools/draft_migration.py`` writes it. A
released file is never edited. There is no way back: a restore from a backup is.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from dossier.errors import StoreError
from dossier.storage.database import Database

_LOCK = 0x536F686F61  # "Sohoa": the advisory lock of those who change the schema


def upgrade(database: Database) -> bool:
    """Bring the database to the newest schema; True when something had to be done.

    The whole change is one transaction under a lock, so of many processes that start together
    one changes and the others wait; a crash leaves the old schema. Raises `StoreError` when the
    database does not answer, or was made by a later version of this program.
    """
    with database.read() as connection:
        if _revision(connection) == newest():
            return False
    with database.begin() as connection:  # on SQLite the lock itself
        if not database.is_sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if _revision(connection) == newest():
            return False
        try:
            command.upgrade(configuration(connection), "head")
        except CommandError as error:
            raise StoreError(
                "Cơ sở dữ liệu thuộc phiên bản mới hơn; hãy cập nhật chương trình. / The database "
                "was made by a later version; update this program."
            ) from error
    return True


def newest() -> str:
    """The revision of the newest schema."""
    head = ScriptDirectory.from_config(configuration(None)).get_current_head()
    if head is None:
        raise StoreError("Thiếu tệp cấu trúc dữ liệu. / The schema's files are not installed.")
    return head


def configuration(connection: sa.Connection | None) -> Config:
    """Alembic's configuration for work over `connection`."""
    config = Config()
    config.set_main_option("script_location", "dossier.storage:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
