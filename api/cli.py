"""The `sohoa` command line: puts the commands together and turns errors into exit codes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

from api import lifeline, output, problems
from api.lazy import LazyCommands

_LOG = logging.getLogger("sohoa")


class Commands(LazyCommands):
    """Every command, and where it is."""

    table: ClassVar[Mapping[str, str]] = {
        "init": "api.commands.init:init",
        "scan": "api.commands.scan:scan",
        "stack": "api.commands.stack:app",
        "digitize": "api.commands.digitize:digitize",
        "search": "api.commands.search:search",
        "sign": "api.commands.sign:sign",
        "verify": "api.commands.verify:verify",
        "trust": "api.commands.trust:app",
        "proof": "api.commands.proof:app",
        "sheet": "api.commands.sheet:app",
        "station": "api.commands.station:app",
        "lexicon": "api.commands.lexicon:app",
        "bundle": "api.commands.bundle:app",
        "renew": "api.commands.renew:renew",
        "keys": "api.commands.keys:app",
        "serve": "api.commands.serve:serve",
        "prepare": "api.commands.prepare:prepare",
        "web": "api.commands.web:web",
        "worker": "api.commands.worker:worker",
        "agent": "api.commands.agent:agent",
        "authority": "api.commands.authority:authority",
        "users": "api.commands.users:app",
        "clients": "api.commands.clients:app",
        "agencies": "api.commands.agencies:app",
        "audit": "api.commands.audit:app",
        "register": "api.commands.register:app",
        "backup": "api.commands.backup:backup",
        "restore": "api.commands.backup:restore",
    }


app = typer.Typer(
    name="sohoa",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help=(
        "Số hóa hồ sơ giấy thành bản ghi PDF/A có chữ ký số. / "
        "Turns paper dossiers into signed, searchable PDF/A records."
    ),
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # only when asked: saves start-up time

        sys.stdout.write(f"sohoa {version('sohoa')}\n")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Phiên bản.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="In vết lỗi. / Print tracebacks and debug logs.")
    ] = False,
    supervisor: Annotated[
        int | None, typer.Option("--lifeline", metavar="FD", hidden=True, min=3)
    ] = None,
) -> None:
    """Options of every command."""
    del version
    if supervisor is not None:
        lifeline.hold(supervisor)
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; the exit codes stand in `api.problems`."""
    argv = sys.argv[1:] if arguments is None else arguments
    command = typer.main.get_command(app)
    try:
        result = command.main(args=argv, prog_name="sohoa", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        output.bilingual("Đã hủy", "aborted")
        sys.exit(130)
    except typer.TyperException as error:
        output.bilingual("Lỗi: sai cách dùng", "wrong usage", style="bold red")
        output.human.print(f"  {error.format_message()}", markup=False)
        output.human.print("  sohoa --help, sohoa COMMAND --help", markup=False)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the door: every error becomes a message and a code
        report = problems.report(error)
        _LOG.debug("failed", exc_info=True)
        output.complain(report, as_json="--json" in argv)
        sys.exit(report.problem.exit_code)
    sys.exit(result if isinstance(result, int) else 0)
