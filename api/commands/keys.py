"""`sohoa keys`: the key ceremony on the command line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from rich.markup import escape
from rich.table import Table

from api import output
from api.errors import InputUnusable
from hsm import provision
from ocr.wholefile import whole_file

if TYPE_CHECKING:
    from hsm.token import Token

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help=(
        "Tạo và quản lý khóa trong thiết bị PKCS#11; khóa bí mật không bao giờ rời thiết bị. / "
        "Make and manage keys in the PKCS#11 token; a private key never leaves it.\n\n"
        "Trình tự / Order: create → csr → (CA) → import → … → retire"
    ),
)

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder."),
]
Json = Annotated[
    bool, typer.Option("--json", help="In JSON ra đầu ra chuẩn. / Print JSON on standard output.")
]
Label = Annotated[
    str,
    typer.Argument(
        metavar="LABEL",
        help="Nhãn khóa, hoặc URI pkcs11: (RFC 7512). / Label, or a pkcs11: URI.",
    ),
]


@app.command()
def create(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Nhãn mới. / The new label.")],
    *,
    kind: Annotated[
        provision.KeyKind, typer.Option("--kind", help="Loại khóa. / Kind of key.")
    ] = provision.KeyKind.RSA_3072,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Tạo cặp khóa trong thiết bị, không xuất ra được. / Make a key pair that cannot be exported.

    Ví dụ / Example:  sohoa keys create lanh-dao --kind rsa-3072
    """
    info = provision.create(_token(data), label, kind)
    if as_json:
        output.machine(_as_json(info))
    output.bilingual(f"Đã tạo khóa {label} ({info.kind})", f"key made: {info.ref}", style="green")
    output.bilingual("Bước tiếp theo", f"next: sohoa keys csr {label} --cn …")


@app.command("list")
def list_keys(*, data: Data = None, as_json: Json = False) -> None:
    """Liệt kê khóa, chứng thư và hạn dùng. / List keys, certificates and their validity.

    Ví dụ / Example:  sohoa keys list --json
    """
    infos = provision.list_keys(_token(data))
    if as_json:
        output.machine([_as_json(info) for info in infos])
    table = Table("Khóa / Key", "Loại / Kind", "Tình trạng / State", "Chứng thư / Certificate",
                  "Hạn / Until")  # fmt: skip
    for info in infos:
        newest = info.certificates[0] if info.certificates else None
        table.add_row(
            escape(info.label),
            info.kind,
            _STATES[_state(info)],
            escape(newest.common_name or newest.subject) if newest else "–",
            f"{newest.not_after:%d/%m/%Y}" if newest else "–",
        )
    output.human.print(table)


@app.command()
def csr(
    label: Label,
    *,
    common_name: Annotated[str, typer.Option("--cn", help="Tên chủ thể. / Common name.")],
    organization: Annotated[str, typer.Option("--o", help="Cơ quan. / Organization.")] = "",
    unit: Annotated[str, typer.Option("--ou", help="Đơn vị. / Organizational unit.")] = "",
    locality: Annotated[str, typer.Option("--l", help="Xã, phường. / Locality.")] = "",
    state: Annotated[str, typer.Option("--st", help="Tỉnh, thành phố. / Province.")] = "",
    country: Annotated[str, typer.Option("--c", help="Mã nước. / Country code.")] = "VN",
    title: Annotated[str, typer.Option("--title", help="Chức vụ. / Title.")] = "",
    user_id: Annotated[
        str, typer.Option("--uid", help="MST:… hoặc CCCD:… / Tax code or identity number.")
    ] = "",
    email: Annotated[str, typer.Option("--email", help="Thư điện tử. / E-mail.")] = "",
    out: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Tệp PEM; mặc định in ra. / PEM file, else printed."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Yêu cầu cấp chứng thư, ký trong thiết bị. / Certificate request, signed in the token.

    Ví dụ / Example:  sohoa keys csr lanh-dao --cn "Nguyễn Văn Mẫu" --o "UBND xã Mẫu"
    --uid CCCD:000000000000 -o lanh-dao.csr
    """
    subject = provision.SubjectName(
        common_name=common_name,
        organizational_unit=unit,
        organization=organization,
        locality=locality,
        state=state,
        country=country,
        title=title,
        user_id=user_id,
        email=email,
    )
    der = provision.request(_token(data), label, subject)
    pem = x509.load_der_x509_csr(der).public_bytes(Encoding.PEM)
    if out is not None:
        with whole_file(out) as stream:
            stream.write(pem)
        output.bilingual(
            f"Đã ghi {out}", f"written; send it to the CA, then: sohoa keys import {label} FILE"
        )
    if as_json:
        output.machine({"label": label, "csr": pem.decode(), "file": str(out) if out else None})
    elif out is None:
        typer.echo(pem, nl=False)


@app.command("import")
def import_certificates(
    label: Label,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="PEM, DER hoặc PKCS#7. / PEM, DER or PKCS#7.")
    ],
    *,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Nạp chứng thư đã chứng minh là khớp với khóa. / Store a certificate proved to match.

    Các chứng thư CA trong tệp cũng được nạp. / Issuers in the file are stored too.

    Ví dụ / Example:  sohoa keys import lanh-dao lanh-dao.p7b
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputUnusable(f"{file} cannot be read: {error.strerror}; check the path") from error
    info = provision.import_certificates(_token(data), label, content)
    if as_json:
        output.machine(_as_json(info))
    newest = info.certificates[0]
    output.bilingual(
        f"Đã nạp chứng thư cho {info.label}", f"certificate stored: {newest.subject}", style="green"
    )


@app.command()
def retire(
    label: Label,
    *,
    destroy: Annotated[
        bool, typer.Option("--destroy", help="Hủy hẳn khóa. / Destroy the key for good.")
    ] = False,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="LABEL", help="Gõ lại nhãn. / The label once more."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Ngừng dùng khóa; mặc định không hủy gì. / End the use of a key; destroys nothing by default.

    Ví dụ / Example:  sohoa keys retire lanh-dao --confirm lanh-dao
    """
    token = _token(data)
    if confirm is None:
        question = (
            "HỦY HẲN khóa này, gõ lại nhãn / type the label to DESTROY the key"
            if destroy
            else "Gõ lại nhãn để ngừng dùng khóa / type the label to retire the key"
        )
        confirm = typer.prompt(question, err=True)
    done = provision.retire(token, label, confirm=confirm, destroy=destroy)
    if as_json:
        output.machine(
            {
                "label": done.label,
                "new_label": done.new_label,
                "destroyed": done.new_label is None,
                "forbidden_by_token": done.forbidden_by_token,
            }
        )
    if done.new_label is None:
        output.bilingual(f"Đã hủy khóa {done.label}", "the key is destroyed", style="yellow")
    else:
        output.bilingual(
            f"Đã ngừng dùng khóa {done.label}", f"retired as {done.new_label!r}", style="green"
        )


def _token(data: Path | None) -> Token:
    # not at the top: listing the help must not load settings and the PKCS#11 binding
    from api.wiring import load_settings, open_token

    return open_token(load_settings(data))


_STATES = {
    "ready": "[green]dùng được / ready[/green]",
    "no-certificate": "[yellow]chưa có chứng thư / no certificate[/yellow]",
    "mismatch": "[red]chứng thư không khớp / mismatch[/red]",
    "not-valid": "[red]ngoài hạn / not in validity[/red]",
    "exportable": "[red]xuất ra được / exportable[/red]",
    "retired": "[dim]đã ngừng / retired[/dim]",
}


def _state(info: provision.KeyInfo) -> str:
    """A key of `_STATES`: the first thing that keeps the key from signing, or ``ready``."""
    if info.retired:
        return "retired"
    if not info.non_exportable:
        return "exportable"
    if not info.certificates:
        return "no-certificate"
    newest = info.certificates[0]
    if not newest.matches_key:
        return "mismatch"
    if not newest.not_before <= datetime.now(UTC) <= newest.not_after:
        return "not-valid"
    return "ready"


def _as_json(info: provision.KeyInfo) -> dict[str, object]:
    return {
        "label": info.label,
        "uri": str(info.ref),
        "kind": info.kind,
        "state": _state(info),
        "non_exportable": info.non_exportable,
        "made_in_token": info.made_in_token,
        "retired": info.retired,
        "certificates": [
            {
                "common_name": c.common_name,
                "subject": c.subject,
                "issuer": c.issuer,
                "serial_number": c.serial_number,
                "not_before": c.not_before.isoformat(),
                "not_after": c.not_after.isoformat(),
                "sha256": c.sha256,
                "matches_key": c.matches_key,
            }
            for c in info.certificates
        ],
    }
