"""`sohoa lexicon`: what a unit's people correct again and again, and what that is worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api import output
from api.commands.people import Data, Json, local_caller, open_database

if TYPE_CHECKING:
    from dossier.checking.lexicon import Lexicon, LexiconWord
    from dossier.model import Caller

app = typer.Typer(
    no_args_is_help=True,
    help="Từ điển sửa lỗi của đơn vị. / A unit's lexicon of corrections.",
    rich_markup_mode=None,
)
Agency = Annotated[
    str | None,
    typer.Option("--agency", metavar="ID", help="Mã cơ quan, khi có nhiều. / Agency code."),
]
_STATES = {
    "active": ("đang dùng", "green"),
    "proposed": ("chờ thêm dữ liệu", "yellow"),
    "refused": ("không dùng", "red"),
}


@app.callback()
def lexicon() -> None:
    """Từ điển sửa lỗi của đơn vị. / A unit's lexicon of corrections."""


@app.command()
def measure(agency: Agency = None, data: Data = None, as_json: Json = False) -> None:
    """Học từ một nửa số giấy tờ đã kiểm tra, đo trên nửa kia. / Learn from half, measure on half.

    Một cặp từ chỉ được dùng khi phép đo cho thấy sửa đúng nhiều hơn làm hỏng; nó chỉ được gợi ý
    cho từ chưa chắc. / A pair is used only with a gain that is sure, and only proposed for
    doubtful words.

    Ví dụ / Examples:

      sohoa lexicon measure

      sohoa lexicon measure --agency H22.12 --json
    """
    with _open(data, agency) as (words, caller):
        _tell(words.measure(caller), as_json=as_json)


@app.command(name="list")
def list_(agency: Agency = None, data: Data = None, as_json: Json = False) -> None:
    """Các cặp từ và phép đo quyết định. / The pairs, and the measurement that decided."""
    with _open(data, agency) as (words, caller):
        _tell(words.words(caller), as_json=as_json)


@contextmanager
def _open(data: Path | None, agency: str | None) -> Iterator[tuple[Lexicon, Caller]]:
    from api.foundation import open_files
    from api.settings import load_settings
    from dossier.audit.log import AuditLog
    from dossier.checking.lexicon import Lexicon
    from dossier.model import Role

    with open_database(data) as database:
        caller = local_caller(database, agency, Role.ADMIN)
        yield Lexicon(database, open_files(load_settings(data)), AuditLog(database)), caller


def _tell(words: tuple[LexiconWord, ...], *, as_json: bool) -> None:
    for word in words:
        vietnamese, style = _STATES[word.state]
        gain = word.gain
        output.bilingual(
            f"{word.misread} → {word.correct}: {vietnamese}; sửa đúng {gain['mended']}, làm hỏng "
            f"{gain['spoiled']}, trên {gain['papers']} giấy tờ",
            f"{word.state}; mended {gain['mended']}, spoiled {gain['spoiled']}",
            style=style,
        )
    if not words:
        output.bilingual("Chưa có cặp từ nào", "there is no pair yet", style="yellow")
    if as_json:
        output.machine({"items": [word.to_json() for word in words]})
