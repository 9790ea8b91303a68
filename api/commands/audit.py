"""`sohoa audit`: export, verify, explain and prove the audit chains.

`verify` and `check` need no installation and no network: the file, and the roots to trust.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api import output
from api.commands.people import Data, Json
from api.errors import InputUnusable

if TYPE_CHECKING:
    from dossier.audit.findings import AuditReport, Finding
    from dossier.audit.head import Head
    from dossier.audit.log import AuditLog
    from dossier.audit.verify import Facts
    from signer.trust import TrustStore

app = typer.Typer(
    no_args_is_help=True,
    help="Nhật ký kiểm toán: xuất, kiểm tra, giải trình. / Audit chains: export, verify, explain.",
)


class Chain(StrEnum):
    """The two chains of an installation."""

    SERVICE = "service"
    KEYS = "keys"


WhichChain = Annotated[
    Chain,
    typer.Option("--chain", help="Chuỗi: dịch vụ hay khóa. / The service's chain or the agent's."),
]
Export = Annotated[
    Path, typer.Argument(metavar="EXPORT.jsonl", help="Tệp “sohoa audit export”. / An export.")
]
Anchors = Annotated[
    list[Path] | None,
    typer.Option(
        "--anchor",
        metavar="PEM",
        help="Chỉ tin các gốc này; lặp lại được. / Trust these roots only; repeatable.",
    ),
]
_EXIT = {"sound": 0, "broken": 1, "unproved": 2}


@app.command()
def export(
    target: Annotated[
        Path, typer.Argument(metavar="FILE.jsonl", help="Tệp kết quả (mới). / A new file.")
    ],
    *,
    chain: WhichChain = Chain.SERVICE,
    agency: Annotated[
        str | None,
        typer.Option("--agency", help="Chỉ mở nội dung của cơ quan này. / Disclose this one's."),
    ] = None,
    data: Data = None,
) -> None:
    """Xuất một chuỗi nhật ký thành tệp tự chứng minh. / Export a chain that proves itself.

    Hãy xuất chuỗi dịch vụ trước, chuỗi khóa sau. / Export the service chain first, then keys.
    """
    from api.wiring import load_settings, trust_store
    from dossier.audit.export import export as lines

    store = trust_store(load_settings(data))
    known = (*store.intermediates, *(anchor.certificate for anchor in store.anchors))
    part = target.with_name(target.name + ".part")
    try:
        with _chain(chain, data) as log, part.open("xb") as stream:
            if target.exists():
                raise FileExistsError(17, "the file exists; choose another name")
            for line in lines(log, agency, certificates=known):
                stream.write(line)
        part.replace(target)
    except OSError as error:
        raise InputUnusable(f"{target}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    output.bilingual(f"Đã xuất chuỗi {chain}: {target}", f"exported the chain {chain}")


@app.command()
def verify(
    export: Export,
    *,
    other: Annotated[
        Path | None,
        typer.Option(
            "--with",
            metavar="OTHER.jsonl",
            help="Bản xuất của chuỗi kia. / The export of the other chain.",
        ),
    ] = None,
    head: Annotated[
        list[Path] | None,
        typer.Option(
            "--head", metavar="HEAD.json", help="Điểm niêm phong đã giữ riêng. / A head kept apart."
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="SHA256",
            help="Chứng thư khóa niêm phong phải là chứng thư này. / The audit key's certificate.",
        ),
    ] = None,
    anchor: Anchors = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Kiểm tra bản xuất nhật ký, ngoại tuyến. / Verify an export, offline.

    Tìm ra sửa, xóa, đảo thứ tự, cắt cụt, niêm phong giả, sai khóa, lùi ngày. / Finds edits,
    deletions, reordering, truncation, forged heads, wrong keys, backdating. Mã thoát / exit codes:
    0 nguyên vẹn / sound, 1 đã bị sửa / broken, 2 chưa chứng minh được / unproved.
    """
    from api.commands.verify import choose_trust
    from dossier.audit.verify import compare

    store = choose_trust(anchor, data).store
    kept = [_read_head(path) for path in head or []]
    facts = _facts(export, store, key or [], kept)
    reports, between = [facts.report], []
    if other is not None:
        theirs = _facts(other, store, key or [], kept)
        reports.append(theirs.report)
        between = compare(facts, theirs)
    for report in reports:
        _print_report(report)
    _print_findings(between)
    verdicts = [report.verdict.value for report in reports] + ["broken"] * bool(between)
    worst = max(verdicts, key=["sound", "unproved", "broken"].index)
    if as_json:
        output.machine(
            {
                "verdict": worst,
                "chains": [report.to_json() for report in reports],
                "between": [finding.to_json() for finding in between],
            }
        )
    raise typer.Exit(_EXIT[worst])


@app.command()
def head(*, chain: WhichChain = Chain.SERVICE, data: Data = None) -> None:
    """In điểm niêm phong mới nhất, để giữ ở nơi khác. / Print the newest sealed head, to keep.

    Giữ nó ngoài hệ thống thì cắt cụt nhật ký sẽ bị phát hiện. / Kept elsewhere, it reveals a
    truncation: sohoa audit verify --head.
    """
    from dossier.errors import NotFound

    with _chain(chain, data) as log:
        found = log.head()
    if found is None:
        raise NotFound(
            "Chuỗi chưa được niêm phong lần nào; hãy chờ dịch vụ chạy ít phút. / No head is sealed "
            "yet; let the service run for some minutes."
        )
    output.machine(found.to_json())


@app.command()
def prove(
    seq: Annotated[int, typer.Argument(metavar="SEQ", min=1, help="Số mục. / The entry's number.")],
    *,
    chain: WhichChain = Chain.SERVICE,
    data: Data = None,
) -> None:
    """In bằng chứng của một mục. / Print the proof of one entry; `check` needs nothing else."""
    with _chain(chain, data) as log:
        output.machine(log.prove(seq))


@app.command()
def check(
    proof: Annotated[
        Path, typer.Argument(metavar="PROOF.json", help="Bằng chứng của một mục. / A proof.")
    ],
    *,
    anchor: Anchors = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Kiểm tra bằng chứng của một mục, ngoại tuyến. / Check a proof, offline."""
    from api.commands.verify import choose_trust
    from dossier.audit.chain import moment_text
    from dossier.audit.proof import check_proof

    store = choose_trust(anchor, data).store
    proved = check_proof(
        _read_json(proof), [a.certificate for a in store.anchors], candidates=store.intermediates
    )
    at = None if proved.sealed_at is None else moment_text(proved.sealed_at)
    output.bilingual(
        f"Mục {proved.entry.seq} ({proved.entry.event}) có trong chuỗi {proved.entry.chain}",
        f"the entry was in its chain when the head was sealed, {at or 'without a timestamp'}",
        style="green",
    )
    if as_json:
        output.machine({"entry": proved.entry.to_json(), "sealed_at": at})


@app.command()
def explain(
    *,
    service: Annotated[
        Path | None,
        typer.Option("--service", metavar="EXPORT.jsonl", help="Chuỗi dịch vụ. / Service chain."),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="EXPORT.jsonl", help="Chuỗi khóa. / The agent's chain."),
    ] = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Giải trình từng lần dùng khóa. / Explain every use of a key, from both chains.

    Thiếu tệp thì đọc nhật ký của máy này. / Without files the chains of this machine are read.
    Mã thoát 1 khi có lần dùng không có lý do. / Exit code 1 when a use is unexplained.
    """
    from dossier.audit.explain import Reason
    from dossier.audit.explain import explain as join

    told, heads = _entries(Chain.SERVICE, service, data)
    uses, more = _entries(Chain.KEYS, keys, data)
    found = join(told, uses, [*heads, *more])
    names = {reason.code: (reason.value[1], reason.value[2]) for reason in Reason}
    output.bilingual(f"Khóa được dùng {len(found.uses)} lần", f"{len(found.uses)} uses of keys")
    for code, count in sorted(found.counts().items(), key=lambda item: -item[1]):
        output.bilingual(f"  {count:6d}  {names[code][0]}", names[code][1])
    _print_findings(found.findings)
    if as_json:
        output.machine(found.to_json())
    raise typer.Exit(1 if found.findings else 0)


def _entries(chain: Chain, path: Path | None, data: Path | None) -> tuple[list[Any], list[Head]]:
    """Entries and heads of an export, or of this machine's chain."""
    from dossier.audit.explain import all_entries, all_heads, read_export

    if path is not None:
        with _lines(path) as lines:
            return read_export(lines)
    with _chain(chain, data) as log:
        return list(all_entries(log)), all_heads(log)


def _facts(path: Path, store: TrustStore, keys: list[str], kept: list[Head]) -> Facts:
    """Verify one export; of the kept heads, those of its chain matter."""
    from dossier.audit.verify import verify_export

    with _lines(path) as first:
        chain = _chain_name(next(first, b""))
    with _lines(path) as lines:
        return verify_export(
            lines,
            [anchor.certificate for anchor in store.anchors],
            candidates=store.intermediates,
            keys_sha256=[key.lower() for key in keys],
            kept=[head for head in kept if head.chain == chain],
        )


def _chain_name(line: bytes) -> str:
    try:
        value = json.loads(line)
        return str(value["chain"])
    except (ValueError, TypeError, KeyError):
        return ""


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[bytes]]:
    """The lines of a file; one that is too long comes cut off, and is refused as unreadable."""
    from dossier.audit.verify import MAX_LINE

    try:
        with path.open("rb") as stream:
            yield iter(lambda: stream.readline(MAX_LINE + 1), b"")
    except OSError as error:
        raise InputUnusable(
            f"{path}: {error.strerror or error}; check the path and its permissions"
        ) from error


@contextmanager
def _chain(chain: Chain, data: Path | None) -> Iterator[AuditLog]:
    """A chain of this installation. Raises `InputUnusable` when it is kept on another machine."""
    from api.settings import load_settings
    from dossier.audit.log import AuditLog
    from dossier.storage.database import Database
    from dossier.storage.migrations import upgrade

    settings = load_settings(data)
    url = settings.database_url
    if chain is Chain.KEYS:
        if not settings.agent.database.is_file():
            raise InputUnusable(
                f"{settings.agent.database}: the key agent has kept nothing here; run this on the "
                "agent's machine"
            )
        url = f"sqlite:///{settings.agent.database}"
    database = Database(url)
    try:
        upgrade(database)
        yield AuditLog(database, chain.value)
    finally:
        database.close()


def _read_json(path: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InputUnusable(f"{path}: {error.strerror or error}; check the path") from error
    except (ValueError, RecursionError) as error:
        raise InputUnusable(f"{path} is no JSON: {error}") from error


def _read_head(path: Path) -> Head:
    from dossier.audit.head import Head

    try:
        return Head.read(_read_json(path))
    except ValueError as error:
        raise InputUnusable(f"{path}: {error}; give a file made by sohoa audit head") from error


def _print_report(report: AuditReport) -> None:
    words = {
        "sound": ("nguyên vẹn", "sound", "green"),
        "unproved": ("chưa chứng minh được", "unproved", "yellow"),
        "broken": ("ĐÃ BỊ SỬA", "ALTERED", "bold red"),
    }
    vi, en, style = words[report.verdict.value]
    output.bilingual(
        f"Chuỗi {report.chain}: {vi}; {report.entries} mục, niêm phong tới mục {report.sealed}",
        f"{en}; {report.entries} entries, {report.heads} heads, sealed up to {report.sealed}",
        style=style,
    )
    if report.entries > report.sealed:
        output.bilingual(
            f"  {report.entries - report.sealed} mục cuối chưa được niêm phong",
            "the last entries are protected by their links alone until the next head",
        )
    for certificate in report.keys:
        output.bilingual(f"  Khóa niêm phong {certificate}", "sealed with this certificate")
    _print_findings(report.findings)


def _print_findings(findings: Iterable[Finding]) -> None:
    for finding in findings:
        output.human.print(f"  {finding}", style="red", markup=False, soft_wrap=True)
