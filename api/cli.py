"""The `sohoa` command line: puts the commands together and turns errors into exit codes."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import click
import typer

from api import output, problems
from api.commands import digitize, init, keys, renew, serve, sign, verify

_LOG = logging.getLogger("sohoa")

app = typer.Typer(
    name="sohoa",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help=(
        "Số hóa hồ sơ giấy thành bản ghi PDF/A có chữ ký số. / "
        "Turns paper dossiers into signed, searchable PDF/A records."
    ),
)
app.command(name="init")(init.init)
app.command(name="digitize")(digitize.digitize)
app.command(name="sign")(sign.sign)
app.command(name="verify")(verify.verify)
app.command(name="renew")(renew.renew)
app.command(name="serve")(serve.serve)
app.add_typer(keys.app, name="keys")


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
) -> None:
    """Options of every command."""
    del version
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; the exit codes stand in `api.problems`."""
    argv = sys.argv[1:] if arguments is None else arguments
    command = typer.main.get_command(app)
    try:
        result = command.main(args=argv, prog_name="sohoa", standalone_mode=False)
    except click.exceptions.Abort:
        output.bilingual("Đã hủy", "aborted")
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the door: every error becomes a message and a code
        report = problems.report(error)
        _LOG.debug("failed", exc_info=True)
        output.complain(report, as_json="--json" in argv)
        sys.exit(report.problem.exit_code)
    sys.exit(result if isinstance(result, int) else 0)
