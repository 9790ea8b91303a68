"""`sohoa register`: the register of issued results: look up, prove, end, and audit it.

`check` and `audit` need no installation and no network: files, and the roots or keys to trust.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api import output
from api.commands.people import Data, Json, local_user
from api.commands.register_files import (
    digest_of,
    lines_of,
    proved,
    read_json,
    trusted,
    write_new,
)
from api.errors import InputUnusable

if TYPE_CHECKING:
    from api.house import ResultRegister
    from dossier.register.findings import RegisterReport
    from dossier.signing.recordtable import Record

app = typer.Typer(
    no_args_is_help=True,
    help="Sổ đăng ký kết quả: tra cứu, chứng minh, hủy, kiểm toán. / Register of issued results.",
)

Code = Annotated[
    str, typer.Argument(metavar="CODE", help="Mã kết quả in trên văn bản. / The result code.")
]
Compared = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="So tệp này với bản đã ban hành. / Compare it."),
]
Anchors = Annotated[
    list[Path] | None,
    typer.Option(
        "--anchor",
        metavar="PEM",
        help="Chỉ tin các gốc này; lặp lại được. / Trust these roots only; repeatable.",
    ),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="NAME+ID+KEY",
        help="Điểm niêm phong phải ký bằng khóa này. / The verifier key that has to have signed.",
    ),
]
Reason = Annotated[
    str, typer.Option("--reason", help="Lý do, được công khai. / The reason; the public is told.")
]
_EXIT = {"sound": 0, "broken": 1, "unproved": 2}
_STATUS = {
    "in-force": ("còn hiệu lực", "in force", "green"),
    "superseded": ("đã bị thay thế", "superseded", "yellow"),
    "annulled": ("đã bị hủy", "annulled", "bold red"),
}
_SAME = {
    "same": ("Tệp chính là bản đã ban hành", "the file is the published document", "green"),
    "source": (
        "Tệp là bản trước khi ký, không phải bản ban hành",
        "the file is what was handed in before it was signed",
        "yellow",
    ),
    "differs": ("Tệp KHÁC bản đã ban hành", "the file is another document", "bold red"),
}


@app.command()
def show(code: Code, *, file: Compared = None, as_json: Json = False, data: Data = None) -> None:
    """Tình trạng một kết quả: còn hiệu lực, bị thay thế, bị hủy. / What a result is worth now.

    Mã thoát 1 khi không còn hiệu lực hoặc tệp khác. / Exit code 1 unless it is in force, and the
    file is the published one.
    """
    from dossier.register.codes import read_code
    from dossier.register.statuses import PUBLIC_FIELDS, look_up, shown

    with _open(data) as here:
        found = look_up(here.log, read_code(code))
    told = shown(found, PUBLIC_FIELDS)
    told["comparison"] = None if file is None else found.compare(digest_of(file)).value
    vi, en, style = _STATUS[told["status"]]
    output.bilingual(f"Kết quả {told['code']}: {vi}", f"{en} since {told['since']}", style=style)
    if told["number"] is not None:
        output.bilingual(
            f"  Số {told['number']:02d}/{told['symbol']}, cơ quan {told['agency']}",
            f"issued {told['issued_at']}",
        )
    if told["superseded_by"] is not None:
        output.bilingual(f"  Thay bằng {told['superseded_by']}", "superseded by this result")
    if told["reason"] is not None:
        output.bilingual(f"  Lý do: {told['reason']}", "the reason")
    if told["comparison"] is not None:
        vi, en, style = _SAME[told["comparison"]]
        output.bilingual(f"  {vi}", en, style=style)
    if as_json:
        output.machine(told)
    is_good = told["status"] == "in-force" and told["comparison"] in (None, "same")
    raise typer.Exit(0 if is_good else 1)


@app.command()
def prove(
    code: Code,
    *,
    target: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.pdf.register.json", help="Ghi ra tệp mới."),
    ] = None,
    data: Data = None,
) -> None:
    """In bằng chứng đăng ký của một kết quả. / Print the proof; `check` needs nothing else.

    Nó đi kèm tệp: decision.pdf.register.json. / It travels beside the file.
    """
    from dossier.register.codes import read_code
    from dossier.register.proof import prove as proof_of

    with _open(data) as here:
        proof = proof_of(here.log, read_code(code))
    if target is None:
        output.machine(proof)
        return
    write_new(target, [json.dumps(proof, ensure_ascii=False, indent=2).encode() + b"\n"])
    output.bilingual(f"Đã ghi {target}", "the proof was written")


@app.command()
def check(
    proof: Annotated[
        Path, typer.Argument(metavar="PROOF.json", help="Bằng chứng. / A proof, or sidecar.")
    ],
    *,
    file: Compared = None,
    anchor: Anchors = None,
    key: Keys = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Kiểm tra bằng chứng đăng ký, ngoại tuyến. / Check a proof of registration, offline."""
    from dossier.audit.chain import moment_text
    from dossier.errors import RegisterBroken
    from dossier.register.codes import printed
    from dossier.register.proof import check_proof

    store, keys = trusted(anchor, key, data)
    result = check_proof(
        read_json(proof),
        [one.certificate for one in store.anchors],
        candidates=store.intermediates,
        keys=keys,
    )
    if file is not None and not result.holds(digest_of(file)):
        raise RegisterBroken(
            f"Bằng chứng là của văn bản khác, không phải {file.name}. / The proof is of another "
            "document than this file.",
            findings=("the file's digest is not in the proof",),
        )
    at = None if result.at is None else moment_text(result.at)
    vi, en, style = _STATUS[result.status.value]
    output.bilingual(
        f"Kết quả {printed(result.code)} có trong sổ {result.signed.checkpoint.origin}, {vi}",
        f"registered; {en} when the checkpoint was signed, {at or 'without a timestamp'}",
        style=style,
    )
    output.bilingual(f"  Khóa {result.signed.key}", "the checkpoint was signed with this key")
    if as_json:
        output.machine(
            {
                "code": printed(result.code),
                "status": result.status.value,
                "document_sha256": result.document_sha256,
                "entries": [json.loads(entry.text) for entry in result.entries],
                "checkpoint": {"size": result.signed.checkpoint.size, "at": at},
                "key": str(result.signed.key),
            }
        )


@app.command()
def checkpoint(
    *,
    size: Annotated[
        int | None, typer.Option("--size", min=1, help="Cỡ sổ; bỏ trống: mới nhất. / Tree size.")
    ] = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """In điểm niêm phong của sổ, để giữ ở nơi khác. / Print the checkpoint, to keep elsewhere.

    Ai giữ một điểm cũ thì phát hiện được sổ bị sửa. / Whoever keeps an older one finds out when
    the register was altered: sohoa register audit --old.
    """
    from dossier.errors import NotFound

    with _open(data) as here:
        kept = here.checkpoints
        found = kept.newest() if size is None else kept.of_size(size)
    if found is None:
        raise NotFound(
            "Sổ chưa có điểm niêm phong như vậy; hãy chờ dịch vụ chạy ít phút. / There is no such "
            "checkpoint yet; let the service run for some minutes."
        )
    if as_json:
        output.machine(found.to_json())
    else:
        typer.echo(found.note, nl=False)


@app.command()
def copy(
    target: Annotated[
        Path, typer.Argument(metavar="FILE.jsonl", help="Tệp kết quả (mới). / A new file.")
    ],
    *,
    agency: Annotated[
        str | None, typer.Option("--agency", help="Chỉ mở mục của cơ quan này. / Disclose its own.")
    ] = None,
    size: Annotated[int | None, typer.Option("--size", min=1, help="Cỡ sổ. / Tree size.")] = None,
    data: Data = None,
) -> None:
    """Sao sổ thành tệp cho kiểm toán. / Copy the register for `audit`."""

    from dossier.register.copy import copy_lines

    with _open(data) as here:
        log = here.log
        upto = log.size() if size is None else min(size, log.size())
        lines = copy_lines(
            log,
            here.origin(),
            upto,
            lambda entry: agency is None or entry.told.agency == agency,
        )
        write_new(target, lines)
    output.bilingual(f"Đã sao {upto} mục: {target}", "the register was copied")


@app.command()
def annul(code: Code, *, reason: Reason, as_json: Json = False, data: Data = None) -> None:
    """Hủy một kết quả; bản ghi vẫn được lưu và tra cứu. / Annul a result; it stays retrievable."""
    from dossier.register.codes import read_code

    with _open(data) as here:
        record = here.endings.of_code(read_code(code))
        done = here.endings.annul(_local(record), record.id, reason)
    output.bilingual(f"Đã hủy kết quả {code}", "annulled; the register says so", style="yellow")
    _tell(done, as_json=as_json)


@app.command()
def supersede(
    code: Code,
    *,
    by: Annotated[str, typer.Option("--by", metavar="CODE", help="Kết quả thay thế. / By which.")],
    reason: Annotated[str | None, typer.Option("--reason", help="Lý do. / The reason.")] = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Ghi nhận kết quả khác thay thế kết quả này. / Let another result take this one's place."""
    from dossier.register.codes import read_code

    with _open(data) as here:
        endings = here.endings
        record, new = endings.of_code(read_code(code)), endings.of_code(read_code(by))
        done = endings.supersede(_local(record), record.id, new.id, reason)
    output.bilingual(f"Kết quả {code} được thay bằng {by}", "superseded", style="yellow")
    _tell(done, as_json=as_json)


@app.command()
def audit(
    copied: Annotated[
        Path, typer.Argument(metavar="COPY.jsonl", help="Bản sao sổ. / A copy of the register.")
    ],
    *,
    new: Annotated[
        Path, typer.Option("--new", metavar="CHECKPOINT", help="Điểm niêm phong mới. / The newer.")
    ],
    old: Annotated[
        Path | None,
        typer.Option("--old", metavar="CHECKPOINT", help="Điểm đã giữ từ trước. / One kept."),
    ] = None,
    kept: Annotated[
        Path | None,
        typer.Option("--kept", metavar="COPY.jsonl", help="Bản sao đã giữ. / An earlier copy."),
    ] = None,
    anchor: Anchors = None,
    key: Keys = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Kiểm toán sổ đăng ký, ngoại tuyến. / Audit a copy by two checkpoints, offline.

    Tìm ra mục bị xóa, sửa, đảo thứ tự, chèn, lùi ngày. / Finds a removed, altered, reordered,
    inserted or backdated entry. Mã thoát / exit codes: 0 nguyên vẹn / sound, 1 đã bị sửa / broken,
    2 chưa chứng minh được / unproved.
    """
    from dossier.register.audit import audit as judge
    from dossier.register.audit import kept_hashes
    from dossier.register.copy import MalformedCopy

    store, keys = trusted(anchor, key, data)
    older = None if old is None else proved(old, store, keys)
    newer = proved(new, store, keys)
    try:
        with lines_of(kept) as before:
            known = None if before is None else kept_hashes(before)
    except MalformedCopy as error:
        raise InputUnusable(f"{kept}: {error}") from error
    with lines_of(copied) as lines:
        report = judge(lines or iter(()), older, newer, kept=known)
    _print_report(report)
    if as_json:
        output.machine(report.to_json())
    raise typer.Exit(_EXIT[report.verdict.value])


# --- parts -----------------------------------------------------------------------------------


@contextmanager
def _open(data: Path | None) -> Iterator[ResultRegister]:
    """The register of this installation; the schema is brought up to date."""
    from api.foundation import agent_client
    from api.registering import open_register
    from api.settings import load_settings
    from dossier.audit.log import AuditLog
    from dossier.storage.database import Database
    from dossier.storage.migrations import upgrade

    settings = load_settings(data)
    database = Database(settings.database_url)
    agent = agent_client(settings)
    try:
        upgrade(database)
        yield open_register(settings, database, AuditLog(database), agent)
    finally:
        agent.close()
        database.close()


def _local(record: Record) -> Any:  # noqa: ANN401 - a `Caller`, not imported for the help
    """Whoever administers the database acts for the record's agency, by name."""
    from dossier.model import Caller, Role

    user = local_user()
    roles = frozenset({Role.LEADER})
    return Caller(f"local:{user}"[:48], user, record.agency_id, roles, method="local")


def _tell(record: Record, *, as_json: bool) -> None:
    from dossier.register.codes import printed

    if as_json:
        output.machine(
            {
                "id": record.id,
                "code": printed(record.code),
                "state": record.state.value,
                "ending": record.ending,
            }
        )


def _print_report(report: RegisterReport) -> None:
    words = {
        "sound": ("nguyên vẹn", "sound", "green"),
        "unproved": ("chưa chứng minh được", "unproved", "yellow"),
        "broken": ("ĐÃ BỊ SỬA", "ALTERED", "bold red"),
    }
    vi, en, style = words[report.verdict.value]
    output.bilingual(
        f"Sổ {report.origin}: {vi}; {report.new_size} mục, xem được {report.entries}",
        f"{en}; {report.new_size} entries, {report.entries} of them shown whole",
        style=style,
    )
    for why in report.unproved:
        output.human.print(f"  {why}", markup=False, soft_wrap=True)
    for finding in report.findings:
        output.human.print(f"  {finding}", style="red", markup=False, soft_wrap=True)
    if report.more:
        output.bilingual(f"  và {report.more} chỗ khác", "and as many more findings")
