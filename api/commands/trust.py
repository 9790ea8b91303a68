"""`sohoa trust`: lists of trust, imported with proof and kept as dated versions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from api import output
from api.commands.people import Data, Json, local_user
from api.errors import InputUnusable

if TYPE_CHECKING:
    from dossier.trust.values import TrustVersion
    from signer.trust import TrustAnchor, TrustStore

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Danh sách tin cậy: nhập có chứng minh, phiên bản, hiệu lực. / "
        "Lists of trust: proved imports, versions, dates."
    ),
)
At = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="Vào thời điểm này, ISO 8601. / As of this time."),
]
Which = Annotated[
    str, typer.Argument(metavar="LIST/N", help="Phiên bản, như government/7. / A version.")
]


@app.command("import")
def take_in(
    name: Annotated[
        str,
        typer.Argument(metavar="LIST", help="Tên danh sách, như government. / The list's name."),
    ],
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="PEM, JSON, gca.ctl, ETSI TS 119 612 XML. / The list as a file."
        ),
    ],
    *,
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", metavar="HEX", help="Ghim: SHA-256 từ nguồn khác. / The pin."),
    ] = None,
    signature: Annotated[
        Path | None,
        typer.Option("--signature", metavar="P7S", help="CMS tách rời, DER. / Detached CMS."),
    ] = None,
    signer: Annotated[
        list[Path] | None,
        typer.Option(
            "--signer",
            metavar="PEM",
            help="Chứng thư được ký danh sách; lặp lại được. / Who may sign lists; repeatable.",
        ),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option("--domain", help="OFFICIAL_DUTY, PUBLIC…; cho dạng không ghi miền. (+)"),
    ] = None,
    effective_from: Annotated[
        str | None,
        typer.Option("--effective-from", metavar="TIME", help="Có hiệu lực từ. / In force from."),
    ] = None,
    sequence: Annotated[
        int | None,
        typer.Option("--sequence", min=0, help="Số phiên bản, cho PEM. / Its number, for PEM."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Nhập một phiên bản; không lùi về bản cũ. / Import a version; never an older one.

    Ví dụ / Examples:

      sohoa trust import government gca.ctl --sha256 5f0c…

      sohoa trust import national tsl.xml --signer operator.pem

      sohoa trust import government list.json --signature list.json.p7s --signer office.pem
    """
    from api.settings import load_settings
    from api.trusting import list_signers, open_trust_desk
    from dossier.trust.history import Importing
    from signer.trust_lists.proof import Credentials

    settings = load_settings(data)
    credentials = Credentials(
        sha256=sha256,
        signature=_read(signature) if signature else None,
        signers=list_signers(settings, tuple(signer or ())),
    )
    how = Importing(
        domain=_domain(domain),
        effective_from=_moment(effective_from),
        sequence=sequence,
        refuse_tests=settings.mode == "production",
    )
    with open_trust_desk(settings) as desk:
        version = desk.history.add(
            name, _read(source), credentials, actor=f"local:{local_user()}", how=how
        )
    if as_json:
        output.machine(version.to_json())
    _print_versions([version], set())
    output.bilingual(
        f"Đã nhập {version.label}, hiệu lực từ {version.effective_from:%d/%m/%Y %H:%M} UTC",
        "imported; running services take it up by themselves",
        style="green",
    )


@app.command("list")
def in_force(*, at: At = None, data: Data = None, as_json: Json = False) -> None:
    """Ai đang được tin. / Whom we believe now, or as of a time."""
    from api.settings import load_settings
    from api.trusting import open_trust_desk

    moment = _moment(at) or datetime.now(UTC)
    with open_trust_desk(load_settings(data)) as desk:
        versions = desk.history.in_force(moment)
        snapshot = desk.live.snapshot(moment)
    if as_json:
        output.machine(
            {
                "at": moment.isoformat(),
                "sha256": snapshot.store.fingerprint,
                "snapshot_sha256": snapshot.fingerprint,
                "lists": [version.to_json() for version in versions],
                "anchors": [_anchor_json(anchor) for anchor in snapshot.store.anchors],
                "intermediates": _names(snapshot.store),
                "evidence": {
                    "crls": len(snapshot.evidence.crls),
                    "ocsps": len(snapshot.evidence.ocsps),
                },
            }
        )
    _print_versions(versions, {version.id for version in versions})
    _print_anchors(snapshot.store)


@app.command()
def show(which: Which, *, data: Data = None, as_json: Json = False) -> None:
    """Nội dung một phiên bản. / What one version says."""
    from api.settings import load_settings
    from api.trusting import open_trust_desk

    with open_trust_desk(load_settings(data)) as desk:
        version = desk.history.get(which)
        store = desk.history.store([version])
    if as_json:
        output.machine(
            {
                **version.to_json(),
                "anchors": [_anchor_json(anchor) for anchor in store.anchors],
                "intermediates": _names(store),
            }
        )
    _print_versions([version], set())
    _print_anchors(store)


@app.command()
def history(
    name: Annotated[str | None, typer.Argument(metavar="LIST", help="Một danh sách. (+)")] = None,
    *,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Mọi phiên bản đã nhập. / Every version that was imported."""
    from api.settings import load_settings
    from api.trusting import open_trust_desk

    with open_trust_desk(load_settings(data)) as desk:
        versions = desk.history.all(name)
        holding = {one.id for one in desk.history.in_force(datetime.now(UTC))}
    if as_json:
        output.machine([{**one.to_json(), "in_force": one.id in holding} for one in versions])
    _print_versions(versions, holding)


@app.command()
def export(
    which: Which,
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Tệp kết quả (mới). / A new file.")],
    *,
    original: Annotated[
        bool, typer.Option("--original", help="Nguyên tệp đã nhập. / The file as it came.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Ghi một phiên bản ra tệp JSON, hoặc nguyên tệp đã nhập. / Write a version to a file."""
    from api.settings import load_settings
    from api.trusting import open_trust_desk

    with open_trust_desk(load_settings(data)) as desk:
        version = desk.history.get(which)
        octets = desk.history.source(version) if original else desk.history.content(version)
    try:
        with target.open("xb") as file:
            file.write(octets)
    except OSError as error:
        raise InputUnusable(f"{target}: {error.strerror or error}; name a new file") from error
    if as_json:
        output.machine({**version.to_json(), "file": str(target), "size": len(octets)})
    output.bilingual(f"Đã ghi {target}", f"{version.label} written", style="green")


@app.command()
def rules(*, at: At = None, data: Data = None, as_json: Json = False) -> None:
    """Bộ quy tắc của từng miền tin cậy. / The rule set of each trust domain."""
    from api.settings import load_settings
    from api.trusting import rules_of
    from signer.trust import TrustDomain
    from signer.trust.rule_book import RuleBook

    text = rules_of(load_settings(data))
    book = RuleBook.read(text, "trust.rules") if text else RuleBook.default()
    moment = _moment(at) or datetime.now(UTC)
    found = {domain.value: book.at(domain, moment) for domain in TrustDomain}
    if as_json:
        output.machine({domain: one.to_json() for domain, one in found.items()})
    table = Table("Miền / Domain", "Bộ quy tắc / Rule set", "Căn cứ / Legal basis", "Từ / From")
    for domain, one in found.items():
        of = one.rule_set
        table.add_row(
            domain, f"{of.id} {of.version}", escape(of.legal_basis), f"{of.dates.valid_from}"
        )
    output.human.print(table)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputUnusable(
            f"{path}: {error.strerror or error}; check the path and its permissions"
        ) from error


def _moment(said: str | None) -> datetime | None:
    from api.commands.verify import read_time

    return None if said is None else read_time(said)


def _domain(said: str | None) -> Any:  # noqa: ANN401 - a TrustDomain; imported only when needed
    from signer.trust import TrustDomain

    try:
        return None if said is None else TrustDomain(said)
    except ValueError as error:
        known = ", ".join(domain.value for domain in TrustDomain)
        raise InputUnusable(f"--domain {said!r} is not one of {known}") from error


def _anchor_json(anchor: TrustAnchor) -> dict[str, Any]:
    from cryptography.hazmat.primitives import hashes

    certificate = anchor.certificate
    return {
        "subject": certificate.subject.rfc4514_string(),
        "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        "domain": anchor.domain.value,
        "source": anchor.source or "settings",
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "grants": [
            {
                "services": sorted(service.value for service in grant.services),
                "from": grant.begins.isoformat() if grant.begins else None,
                "to": grant.ends.isoformat() if grant.ends else None,
            }
            for grant in anchor.grants
        ],
    }


def _names(store: TrustStore) -> list[str]:
    return [one.subject.rfc4514_string() for one in store.intermediates]


def _print_versions(versions: Iterable[TrustVersion], holding: set[str]) -> None:
    table = Table("Danh sách / List", "Dạng / Form", "Gốc / Roots", "Hiệu lực / From", "Chứng minh")
    for one in versions:
        mark = "[green]●[/green] " if one.id in holding else ""
        proof = f"{one.proof_kind} {escape(one.proof_name) or one.proof_by[:16]}"
        table.add_row(
            f"{mark}{one.label}", one.kind, f"{one.anchors}+{one.intermediates}",
            f"{one.effective_from:%d/%m/%Y}", proof,
        )  # fmt: skip
    output.human.print(table)


def _print_anchors(store: TrustStore) -> None:
    table = Table("Gốc tin cậy / Anchor", "Miền / Domain", "Nguồn / Source", "Đến / Until")
    for anchor in store.anchors:
        table.add_row(
            escape(anchor.certificate.subject.rfc4514_string()), anchor.domain.value,
            anchor.source or "settings", f"{anchor.certificate.not_valid_after_utc:%d/%m/%Y}",
        )  # fmt: skip
    output.human.print(table)
