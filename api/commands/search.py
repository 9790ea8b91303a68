"""`sohoa search`: words in the records of one agency of this installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from api import output
from api.commands.people import Data, Json, local_caller, open_database

if TYPE_CHECKING:
    from dossier.search.values import Found, Hit


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORDS", help="Từ cần tìm, có dấu hay không. / Words."),
    ] = None,
    *,
    agency: Annotated[
        str | None,
        typer.Option("--agency", metavar="ID", help="Mã cơ quan, khi có nhiều. / Agency code."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=200, help="Số trang tối đa. / At most.")
    ] = 20,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="CURSOR", help="Tìm tiếp. / Go on: `next` of the last."),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Lập lại chỉ mục. / Make the index again.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Tìm trong toàn văn hồ sơ đã số hóa. / Search the text of digitized records.

    Trang có đúng dấu như đã gõ đứng trước, rồi đến các từ đứng liền nhau, rồi đến trang mới nhất. /
    Pages with the marks as typed come first, then those with the words side by side, then the
    newest.

    Ví dụ / Examples:

      sohoa search quyet dinh

      sohoa search 123/QĐ-UBND "chủ tịch ủy ban" --json
    """
    from dossier.model import Role
    from dossier.search.index import SearchIndex

    with open_database(data) as database:
        index = SearchIndex(database)
        index.prepare()
        if rebuild:
            pages = index.rebuild()
            output.bilingual(f"Đã lập lại chỉ mục {pages} trang", "pages indexed", style="green")
            if not words:
                return
        # what came as one argument with blanks was quoted: a phrase
        text = " ".join(f'"{word}"' if " " in word else word for word in words or ())
        found = index.search(local_caller(database, agency, Role.AUDITOR), text, after, limit)
    if as_json:
        output.machine({"items": [hit.to_json() for hit in found.hits], "next": found.next})
    _tell(found)


def _tell(found: Found) -> None:
    for number, hit in enumerate(found.hits, 1):
        _tell_hit(number, hit)
    if not found.hits:
        output.bilingual("Không tìm thấy", "nothing found", style="yellow")
    if found.next is not None:
        output.bilingual("Còn nữa", f"there is more: --after {found.next}", style="dim")


def _tell_hit(number: int, hit: Hit) -> None:
    from rich.text import Text

    document = hit.document
    line = Text.assemble(
        f"{number:3} ",
        (document.title, "bold"),
        f" · trang / page {hit.page} · {document.dossier_code} · {document.id}",
    )
    snippet = Text("    … ")
    for place, piece in enumerate(hit.snippet):
        snippet.append((" " if place else "") + piece.text, "bold green" if piece.match else "")
    output.human.print(line)
    output.human.print(snippet.append(" …"))
