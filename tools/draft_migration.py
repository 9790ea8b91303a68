"""Write the newest migration: the way from the one before it to what `dossier.storage.tables` says.

python tools/draft_migration.py 0002 "Keep the colour of the ink"
ruff format dossier/storage/migrations

Run it again as often as the tables change, until the migration is released; then take the next
number. Read what it wrote: Alembic sees a renamed column as one dropped and another added.
"""

from __future__ import annotations

import re
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext

import dossier.storage.migrations as history
from dossier.storage.database import Database
from dossier.storage.tables import Instant, metadata

_FILE = '''"""{what}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{number}"
down_revision = {before!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """{what}."""
    {operations}
'''


def _plain(kind: str, thing: object, context: AutogenContext) -> str | Literal[False]:
    """A stored time is an integer; history does not depend on the class that reads it."""
    del context
    return "sa.BigInteger()" if kind == "type" and isinstance(thing, Instant) else False


def operations_since(revision: str | None) -> str:
    """The operations from the schema `revision` (None: no schema) to `dossier.storage.tables`."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'draft.db'}")
        try:
            with database.begin() as connection:
                if revision is not None:
                    command.upgrade(history.configuration(connection), revision)
                context = MigrationContext.configure(
                    connection, opts={"target_metadata": metadata, "render_as_batch": True}
                )
                found = produce_migrations(context, metadata).upgrade_ops
        finally:
            database.close()
    if found is None or found.is_empty():
        sys.exit("the tables are what the migrations make: nothing to write")
    code = render_python_code(
        found, render_as_batch=True, sqlalchemy_module_prefix="sa.", render_item=_plain
    )
    code = re.sub(r"^ *# ###.*\n|\n *# ###.*$", "", code).strip()
    return re.sub(r'(?<=sa\.text\()"([^"]{70,})"', _broken, code)


def _broken(literal: re.Match[str]) -> str:
    """A long literal as adjacent short ones, which no line is too narrow for."""
    lines = textwrap.wrap(literal[1], 60, drop_whitespace=False)
    return " ".join(f'"{line}"' for line in lines)


def main(number: str, what: str) -> None:
    """Write ``versions/NUMBER_first_word.py`` in place of an earlier draft of that number."""
    before = f"{int(number) - 1:04d}" if int(number) > 1 else None
    operations = operations_since(before)
    versions = Path(history.__file__).parent / "versions"
    for earlier in versions.glob(f"{number}_*.py"):
        earlier.unlink()
    name = "_".join(what.lower().split()[:5])
    text = _FILE.format(what=what, number=number, before=before, operations=operations)
    (versions / f"{number}_{name}.py").write_text(text, "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
