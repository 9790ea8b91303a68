"""`sohoa proof`: what a printout is worth, from a photograph or a scan of it, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api import output
from api.commands.verify import choose_trust, read_time, require_readable
from api.errors import InputUnusable, NotInitialised
from api.pinned import proof_certificates
from api.wiring import load_settings
from dossier.printout.desk import PrintoutDesk
from dossier.printout.report import Finding, PrintoutReport, Verdict
from signer.clock import VIETNAM
from signer.proofcode import ProofClaims
from signer.verification.report import Indication, Integrity, VerificationReport

app = typer.Typer(
    no_args_is_help=True, help="Mã QR trên bản in. / The code on a printout.", rich_markup_mode=None
)
TrustedKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--keys",
        metavar="PEM",
        help="Chỉ tin các khóa mã này; lặp lại được. / Trust these keys only; repeatable.",
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="Xét tại thời điểm này. / Judge as of this time."),
]
EXIT_CODES = {
    Verdict.CODE_GENUINE: 0,
    Verdict.SAME: 0,
    Verdict.DIFFERS: 1,
    Verdict.CANNOT_SAY: 2,
}
_STYLES = {0: "green", 1: "red", 2: "yellow"}
_FINDINGS = {
    Finding.CHANGED: ("khác", "changed"),
    Finding.ADDED: ("thêm", "added"),
    Finding.UNCLEAR: ("không rõ", "unclear"),
}


@app.callback()
def proof() -> None:
    """Mã QR trên bản in. / The code on a printout."""


@app.command()
def verify(
    photo: Annotated[
        Path,
        typer.Argument(
            metavar="PHOTO", help="Ảnh chụp hoặc bản quét. / A photo or scan: JPEG, PNG, TIFF, PDF."
        ),
    ],
    *,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            metavar="FILE.pdf",
            help="Bản gốc để so từng chữ. / The original, to compare the words with.",
        ),
    ] = None,
    keys: TrustedKeys = None,
    crops: Annotated[
        Path | None,
        typer.Option(
            "--crops",
            metavar="DIR",
            help="Lưu ảnh từng chỗ khác vào đây. / Save pictures of each place there.",
        ),
    ] = None,
    at: AsOf = None,
    as_json: Annotated[bool, typer.Option("--json", help="In JSON. / Print JSON.")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
) -> None:
    """Kiểm tra bản in qua ảnh, không cần mạng. / Check a printout from a photo, without a network.

    Mã thoát: 0 mã thật (và khớp bản gốc), 1 giả hoặc khác bản gốc, 2 chưa xác định, từ 3 là lỗi
    khác. / Exit codes: 0 genuine (and like the original), 1 forged or different, 2 cannot say, 3
    and above other errors.

    Ví dụ / Examples:

      sohoa proof verify photo.jpg

      sohoa proof verify scan.pdf --record decision.pdf --crops places/ --json
    """
    moment = read_time(at) if at is not None else None
    for path in (photo, *([record] if record else [])):
        require_readable(path)  # a missing file is said before anything is started
    if crops is not None:
        _make_folder(crops)
    worth = None
    if record is not None:
        worth = choose_trust(None, data, moment).verifier().verify(record, moment)
    with PrintoutDesk(proof_certificates(keys, settings_of_keys(keys, data))) as desk:
        found = desk.check(photo, record, at=moment, crops=crops)
    code = EXIT_CODES[found.verdict]
    if worth is not None and code == 0:
        code = _of_record(worth)
    _print(found, worth, code)
    if as_json:
        output.machine(found.to_json() | {"record": _record_json(worth)})
    raise typer.Exit(code)


def settings_of_keys(keys: list[Path] | None, data: Path | None) -> Any:  # noqa: ANN401
    """The settings that name trusted keys; none when the keys were named or nothing is here."""
    if keys:
        return None
    try:
        return load_settings(data)
    except NotInitialised:
        if data is not None:
            raise
        output.bilingual(
            "Máy này chưa có khóa mã tin cậy nào; hãy chỉ ra bằng --keys",
            "no trusted keys for codes on this machine; name them with --keys",
            style="yellow",
        )
        return None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputUnusable(f"--crops {folder}: {error.strerror or error}") from error


def _of_record(worth: VerificationReport) -> int:
    """A paper like an original that is itself broken is worth no more than it."""
    if worth.integrity is not Integrity.INTACT or worth.indication is Indication.TOTAL_FAILED:
        return 1
    return 0 if worth.indication is Indication.TOTAL_PASSED else 2


def _record_json(worth: VerificationReport | None) -> dict[str, str] | None:
    if worth is None:
        return None
    return {"indication": worth.indication.value, "integrity": worth.integrity.value}


def _print(found: PrintoutReport, worth: VerificationReport | None, code: int) -> None:
    vi, en = found.sentence
    output.bilingual(vi, en, style=f"bold {_STYLES[code]}")
    if found.code.claims is not None:
        _print_claims(found.code.claims, proved=found.code.is_proved)
    if found.code.message:
        output.bilingual(*found.code.message.split(" / ", 1))
    if worth is not None:
        output.bilingual(f"Bản gốc: {worth.sentence[0]}", f"the original: {worth.sentence[1]}")
    for page in found.pages:
        shown = "–" if page.page is None else str(page.page)
        output.bilingual(
            f"Trang ảnh {page.photo_page} ↔ trang gốc {shown}: {page.verdict.value}, "
            f"{page.words} chữ",
            f"photo page against original page: {page.verdict.value}, {page.words} words",
        )
    for place in found.places:
        vi, en = _FINDINGS[place.finding]
        left, top, _, _ = place.box_mm
        output.bilingual(
            f"  Trang {place.page}, cách trái {left:.0f} mm, cách trên {top:.0f} mm: {vi}: "
            f"“{place.expected or '…'}” → “{place.read or '…'}”",
            en,
        )


def _print_claims(claims: ProofClaims, *, proved: bool) -> None:
    if not proved:
        output.bilingual("Mã ghi (CHƯA được xác nhận)", "the code says (NOT proved)")
    lines: list[tuple[str, str, str | None]] = [
        ("Cơ quan cấp", "issuer", claims.issuer),
        ("Mã kết quả", "result code", claims.code),
        ("Số, ký hiệu", "number", claims.number),
        ("Ngày", "date", claims.decided_on.isoformat() if claims.decided_on else None),
        ("Người được cấp", "holder", claims.holder),
        ("Cấp lúc", "issued at", claims.issued_at.astimezone(VIETNAM).isoformat()),
        (
            "Có giá trị đến",
            "valid until",
            claims.valid_until.astimezone(VIETNAM).isoformat() if claims.valid_until else None,
        ),
        ("SHA-256 văn bản trình ký", "document as handed in", claims.digest.hex()),
    ]
    for vi, en, value in lines:
        if value is not None:
            output.bilingual(f"  {vi}: {value}", en)
