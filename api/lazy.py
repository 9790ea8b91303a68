"""Commands that are imported when they are run.

Every process of the service starts through the command line. Importing all commands for one of
them costs 1.3 s of CPU and 100 MB; what one needs costs a fraction.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup


class LazyCommands(TyperGroup):
    """A group whose commands stand in `table`: name → ``module:attribute``.

    The attribute is a command function or a `typer.Typer` with commands of its own. Subclass,
    fill in the table, and give it to ``Typer(cls=…)``.
    """

    table: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer's own, unexported
        """The names, in the table's order."""
        del ctx
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - likewise
        """The command, imported now; None when the table has none of that name."""
        del ctx
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name].partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            group = typer.main.get_group(found)
            group.name = cmd_name
            return group
        alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
        alone.command(name=cmd_name)(found)
        return typer.main.get_command(alone)
