"""`sohoa bundle make | verify`: one ZIP that proves a result without us and without a network."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from api import output
from api.commands.verify import EXIT_CODES, choose_trust, read_time, require_readable
from api.errors import InputUnusable, PublishError
from dossier.bundle.alone import tell
from dossier.bundle.contents import BundleBroken, read_contents
from dossier.bundle.judging import judge
from dossier.bundle.making import Parts, make_bundle
from dossier.register.codes import read_code
from dossier.register.proof import SUFFIX
from dossier.verifying.checkers import Checkers

app = typer.Typer(
    no_args_is_help=True,
    help="Gói bằng chứng: một tệp ZIP tự chứng minh. / Proof bundles: a ZIP that proves itself.",
)
_Trust = Annotated[
    list[Path] | None,
    typer.Option(
        "--trust",
        metavar="PEM",
        help="Chỉ tin các gốc này; lặp lại được. / Trust these roots only; repeatable.",
    ),
]
_Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
]
_AsJSON = Annotated[bool, typer.Option("--json", help="In JSON. / Print JSON.")]


@app.command()
def make(
    source: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="Tệp đã ký. / Signed PDF.")],
    *,
    target: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.zip", help="Gói. / ZIP.")],
    proof: Annotated[
        Path | None,
        typer.Option(
            "--proof",
            metavar="FILE.register.json",
            help="Bằng chứng đăng ký; mặc định là tệp bên cạnh. / Proof of registration; the "
            "default is the file beside the document.",
        ),
    ] = None,
    code: Annotated[
        str | None, typer.Option("--code", help="Mã kết quả. / The result code.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Xét tại thời điểm này. / As of this time."),
    ] = None,
    trust: _Trust = None,
    as_json: _AsJSON = False,
    data: _Data = None,
) -> None:
    """Tạo gói bằng chứng của một tệp đã ký. / Make the proof bundle of a signed PDF.

    Gói chứa tệp, bằng chứng, gốc tin cậy và chương trình kiểm tra chỉ cần Python và cryptography. /
    It holds the file, evidence, roots and a verifier that needs Python and cryptography alone.

    Ví dụ / Example:

      sohoa bundle make decision.pdf -o decision.zip
    """
    moment = read_time(at) if at is not None else None
    require_readable(source)
    beside = source.with_name(source.name + SUFFIX)
    chosen = proof if proof is not None else beside if beside.is_file() else None
    snapshot = choose_trust(trust, data, moment, None)
    with Checkers(snapshot, processes=1) as checkers:
        report: dict[str, Any] = json.loads(checkers.verify(source, moment))
    parts = Parts(
        source.read_bytes(),
        report,
        snapshot,
        _read_proof(chosen) if chosen is not None else None,
        read_code(code) if code is not None else None,
    )
    content = make_bundle(parts)
    try:
        target.write_bytes(content)
    except OSError as error:
        raise PublishError(
            f"cannot write {target}: {error.strerror}; check the folder and the free space"
        ) from error
    output.bilingual(f"Gói bằng chứng: {target}", f"proof bundle, {len(content)} bytes")
    if as_json:
        output.machine(
            {"file": str(target), "size": len(content), "indication": report["indication"]}
        )


@app.command()
def verify(
    source: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="ZIP hoặc thư mục. / Or folder.")
    ],
    *,
    trust: _Trust = None,
    own: Annotated[
        bool,
        typer.Option(
            "--bundle-roots",
            help="Tin các gốc trong gói. / Believe the bundle's roots, as verify.py does.",
        ),
    ] = False,
    as_json: _AsJSON = False,
    data: _Data = None,
) -> None:
    """Kiểm tra một gói bằng chứng. / Verify a proof bundle.

    Mặc định tin các gốc của máy này. Mã thoát như `sohoa verify`. / By default this machine's roots
    are believed. Exit codes as `sohoa verify`.

    Ví dụ / Example:

      sohoa bundle verify decision.zip
    """
    try:
        contents = read_contents(source)
        store = None if own else choose_trust(trust, data, contents.at, None).store
        answer = judge(contents, store)
    except (BundleBroken, OSError) as error:
        raise InputUnusable(
            f"Gói bằng chứng không dùng được; hãy xin lại từ nơi cấp. / The bundle cannot be used; "
            f"ask for it again where it came from: {error}"
        ) from error
    tell(answer, sys.stderr)
    if as_json:
        output.machine(answer.to_json())
    raise typer.Exit(EXIT_CODES[answer.indication])


def _read_proof(path: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputUnusable(f"{path}: {error}; name the register's proof, a JSON file") from error
