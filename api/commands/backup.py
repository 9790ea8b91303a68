"""`sohoa backup` and `sohoa restore`: everything of an installation in one file, proved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api import output
from api.commands.people import Data, Json, local_user

if TYPE_CHECKING:
    from dossier.backup import BackupSummary, Installation


def backup(
    target: Annotated[
        Path, typer.Argument(metavar="FILE.tar", help="Tệp sao lưu (mới). / A new file.")
    ],
    *,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Sao lưu khi dịch vụ đang chạy. / Back up while the service runs.

    Gồm dữ liệu, mọi tệp, nhật ký và chính sách khóa. KHÔNG gồm thiết bị khóa và mã PIN: hãy sao
    lưu chúng theo cách của nhà cung cấp. / Tables, all blobs, the key agent's chain and policy.
    NOT the token and its PIN: back those up as their maker advises.
    """
    from dossier.backup import back_up

    with _installation(data) as here:
        summary = back_up(target, here, _Progress())
    output.bilingual(f"Đã sao lưu vào {target}", "backed up", style="green")
    output.bilingual(
        "Không có thiết bị khóa, mã PIN, khóa riêng TLS, mật khẩu S3 trong tệp; tệp có bí mật của "
        "webhook, hãy cất nơi an toàn",
        "without the token, PIN, TLS keys and S3 credentials; with secrets of webhooks: keep it "
        "safe",
    )
    if not summary.has_keys:
        output.bilingual(
            "Nhật ký khóa không ở máy này; hãy sao lưu cả trên máy giữ khóa",
            "the key agent's chain is not on this machine; back up there as well",
            style="yellow",
        )
    _tell(summary, as_json=as_json)


def restore(
    source: Annotated[
        Path, typer.Argument(metavar="FILE.tar", help="Tệp sao lưu. / The backup.", exists=True)
    ],
    *,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Khôi phục vào nơi còn trống, khi dịch vụ đang tắt. / Restore into an empty installation.

    Cơ sở dữ liệu nào cũng được, không cần giống nơi sao lưu. Xong nghĩa là mọi mắt xích, điểm niêm
    phong và mã băm đã được tính lại. / Onto either database. Done means that every link, head
    and digest was computed anew.
    """
    from dossier.backup import note_restore
    from dossier.backup import restore as bring_back
    from dossier.search.index import SearchIndex

    with _installation(data) as here:
        summary = bring_back(source, here, _Progress())
        SearchIndex(here.house).prepare()  # a backup holds the pages, not what is made of them
        note_restore(here.house, summary, f"local:{local_user()}")
    output.bilingual("Đã khôi phục và kiểm tra lại toàn bộ", "restored and proved", style="green")
    output.bilingual(
        "Thiết bị khóa và mã PIN không nằm trong bản sao lưu",
        "the token and its PIN are not in a backup",
    )
    _tell(summary, as_json=as_json)


@contextmanager
def _installation(data: Path | None) -> Iterator[Installation]:
    from api.foundation import open_files
    from api.settings import load_settings
    from dossier.backup import Installation
    from dossier.storage.database import Database

    settings = load_settings(data)
    database = Database(settings.database_url)
    try:
        yield Installation(
            database, open_files(settings), settings.agent.database, settings.agent.policy
        )
    finally:
        database.close()


class _Progress:
    """Tells people, a line a kind of step."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, step: str, done: int, total: int) -> None:
        """See `dossier.backup.Progress`."""
        kind = step.split()[0]
        if kind != self._last or done == total:
            output.human.print(f"  {step} {done}/{total}", style="dim", markup=False)
        self._last = kind


def _tell(summary: BackupSummary, *, as_json: bool) -> None:
    for name, state in sorted(summary.chains.items()):
        output.bilingual(
            f"  Chuỗi {name}: {state.seq} mục, {state.link}",
            f"{state.heads} heads",
        )
    output.bilingual(f"  {summary.rows} dòng, {summary.blobs} tệp", "rows, blobs")
    if as_json:
        output.machine(
            {
                "rows": summary.rows,
                "blobs": summary.blobs,
                "bytes": summary.size_bytes,
                "has_keys": summary.has_keys,
                "has_policy": summary.has_policy,
                "chains": {
                    name: {"seq": state.seq, "link": state.link, "heads": state.heads}
                    for name, state in summary.chains.items()
                },
            }
        )
