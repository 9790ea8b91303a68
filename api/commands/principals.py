"""`sohoa users` and `sohoa clients`: one set of commands, for persons and for systems."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from api import output
from api.commands.people import (
    Data,
    Json,
    entries,
    fingerprint,
    moment,
    open_desk,
    tell_key,
)
from dossier.errors import InvalidOrder

if TYPE_CHECKING:
    from dossier.identity import Limits, Principal
    from dossier.identity.values import Kind

_ROLES = "scanner, officer, leader, clerk, auditor, admin"
Principal_ = Annotated[str, typer.Argument(metavar="ID", help="Mã prn_…. / The id prn_….")]
KeyID = Annotated[
    str, typer.Argument(metavar="KEY", help="Phần công khai của khóa. / The key's public part.")
]
Roles = Annotated[list[str] | None, typer.Option("--role", help=f"Vai trò / Role: {_ROLES}. (+)")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="LABEL", help="Nhãn khóa ký được dùng. / Signing key label. (+)"),
]
Certificate = Annotated[
    str | None,
    typer.Option(
        "--certificate",
        metavar="FILE|SHA256|none",
        help="Chứng thư máy khách (TLS hai chiều). / Client certificate for mutual TLS.",
    ),
]
Subject = Annotated[
    str | None,
    typer.Option("--oidc", metavar="'ISSUER SUBJECT'|none", help="Chủ thể OIDC. / OIDC subject."),
]
Expires = Annotated[
    str | None,
    typer.Option("--expires", metavar="90d|TIME|never", help="Hạn dùng. / Good until."),
]
LimitSet = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="NAME=VALUE",
        help="requests_per_s, burst, body_bytes, open_jobs, require_signed_requests. (+)",
    ),
]


def principal_commands(kind: Kind, vietnamese: str, english: str) -> typer.Typer:
    """The commands for one kind of principal."""
    app = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        help=f"Quản lý {vietnamese}, quyền và khóa API. / Administer {english}, rights, API keys.",
    )
    keys = typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        help="Khóa API: cấp, thay, thu hồi. / API keys: issue, rotate, revoke.",
    )
    app.add_typer(keys, name="key")

    @app.command()
    def add(
        name: Annotated[str, typer.Argument(metavar="NAME", help="Tên gọi. / A name.")],
        *,
        agency: Annotated[str, typer.Option("--agency", help="Mã cơ quan. / Agency code.")],
        roles: Roles = None,
        labels: Labels = None,
        certificate: Certificate = None,
        subject: Subject = None,
        expires: Expires = None,
        limits: LimitSet = None,
        issue: Annotated[
            bool, typer.Option("--issue", help="Cấp luôn một khóa API. / Issue an API key, too.")
        ] = False,
        data: Data = None,
        as_json: Json = False,
    ) -> None:
        """Thêm. / Add one.

        Ví dụ / Example:  … add "Một cửa điện tử" --agency H00.01 --role clerk --key van-thu --issue
        """
        with open_desk(data) as desk:
            made = desk.identity.principals.add(
                desk.caller,
                agency,
                kind=kind,
                name=name,
                roles=roles or [],
                keys=labels or [],
                certificate_sha256=fingerprint(certificate),
                oidc_subject=_subject(subject),
                limits=_limits(limits, None),
                expires_at=moment(expires),
            )
            issued = desk.identity.api_keys.issue(desk.caller, made.id) if issue else None
        output.bilingual(f"Đã thêm {made.id}", f"added to {made.agency_id}", style="green")
        if issued is None:
            if as_json:
                output.machine(made.to_json())
            return
        described = {**made.to_json(), "api_key": issued.key.to_json()}
        tell_key(issued.text, described, as_json=as_json)

    @app.command("list")
    def list_all(
        *,
        agency: Annotated[
            str | None, typer.Option("--agency", help="Chỉ của cơ quan này. / Of this agency.")
        ] = None,
        after: Annotated[
            str | None, typer.Option("--after", metavar="ID", help="Trang sau mã này. / Next page.")
        ] = None,
        limit: Annotated[int, typer.Option("--limit", min=1, max=10_000)] = 1000,
        data: Data = None,
        as_json: Json = False,
    ) -> None:
        """Liệt kê. / List them.

        Ví dụ / Example:  … list --agency H00.01 --json
        """
        with open_desk(data) as desk:
            found = desk.identity.principals.list(
                desk.caller, agency, kind=kind, after=after, limit=limit
            )
        if as_json:
            output.machine([principal.to_json() for principal in found])
        table = Table()
        table.add_column("Mã / Id", no_wrap=True, min_width=30)
        for title in ("Cơ quan / Agency", "Tên / Name", "Vai trò / Roles", "Khóa ký / Keys",
                      "Tình trạng / State"):  # fmt: skip
            table.add_column(title)
        for one in found:
            table.add_row(
                one.id,
                one.agency_id,
                escape(one.name),
                ", ".join(sorted(one.roles)),
                escape(", ".join(sorted(one.keys))) or "–",
                _state(one),
            )
        output.human.print(table)

    @app.command()
    def show(principal_id: Principal_, *, data: Data = None, as_json: Json = False) -> None:
        """Xem một mục và các khóa API của nó. / Show one, with its API keys."""
        with open_desk(data) as desk:
            one = desk.identity.principals.get(desk.caller, principal_id)
            found = desk.identity.api_keys.list(desk.caller, principal_id)
        described = {**one.to_json(), "api_keys": [key.to_json() for key in found]}
        if as_json:
            output.machine(described)
        for entry, value in described.items():
            output.human.print(f"  {entry}: {escape(str(value))}", soft_wrap=True)

    @app.command()
    def change(
        principal_id: Principal_,
        *,
        name: Annotated[str | None, typer.Option("--name", help="Tên mới. / New name.")] = None,
        roles: Roles = None,
        labels: Labels = None,
        no_keys: Annotated[
            bool, typer.Option("--no-keys", help="Bỏ mọi khóa ký. / Take all signing keys away.")
        ] = False,
        certificate: Certificate = None,
        subject: Subject = None,
        expires: Expires = None,
        limits: LimitSet = None,
        data: Data = None,
        as_json: Json = False,
    ) -> None:
        """Sửa; chỉ những gì được nêu. / Change what is named, nothing else.

        Ví dụ / Example:  … change prn_… --role leader --key lanh-dao
        """
        changes: dict[str, object] = {}
        if name is not None:
            changes["name"] = name
        if roles is not None:
            changes["roles"] = roles
        if labels is not None or no_keys:
            changes["keys"] = labels or []
        if certificate is not None:
            changes["certificate_sha256"] = fingerprint(certificate)
        if subject is not None:
            changes["oidc_subject"] = _subject(subject)
        if expires is not None:
            changes["expires_at"] = moment(expires)
        with open_desk(data) as desk:
            one = desk.identity.principals.get(desk.caller, principal_id)
            if limits is not None:
                changes["limits"] = _limits(limits, one.limits)
            if not changes:
                raise InvalidOrder(
                    "Chưa nêu điều gì cần sửa; xem --help. / Nothing to change; see --help."
                )
            changed = desk.identity.principals.change(
                desk.caller, principal_id, version=one.version, **changes
            )
        _told(changed, "Đã sửa", "changed", as_json=as_json)

    @app.command()
    def disable(principal_id: Principal_, *, data: Data = None, as_json: Json = False) -> None:
        """Ngừng cho vào, ngay lập tức. / Let it in no more, at once."""
        with open_desk(data) as desk:
            one = desk.identity.principals.get(desk.caller, principal_id)
            done = desk.identity.principals.disable(desk.caller, one.id, version=one.version)
        _told(done, "Đã ngừng", "disabled", as_json=as_json)

    @app.command()
    def enable(principal_id: Principal_, *, data: Data = None, as_json: Json = False) -> None:
        """Cho vào lại. / Let it in again."""
        with open_desk(data) as desk:
            one = desk.identity.principals.get(desk.caller, principal_id)
            done = desk.identity.principals.enable(desk.caller, one.id, version=one.version)
        _told(done, "Đã mở lại", "enabled", as_json=as_json)

    @keys.command("issue")
    def issue_key(
        principal_id: Principal_,
        *,
        roles: Roles = None,
        labels: Labels = None,
        expires: Expires = None,
        data: Data = None,
        as_json: Json = False,
    ) -> None:
        """Cấp khóa API; vai trò và khóa ký có thể hẹp hơn. / Issue a key, as narrow as you like.

        Ví dụ / Example:  … key issue prn_… --role scanner --expires 365d
        """
        with open_desk(data) as desk:
            issued = desk.identity.api_keys.issue(
                desk.caller, principal_id, roles=roles, keys=labels, expires_at=moment(expires)
            )
        tell_key(issued.text, issued.key.to_json(), as_json=as_json)

    @keys.command("list")
    def list_keys(principal_id: Principal_, *, data: Data = None, as_json: Json = False) -> None:
        """Liệt kê khóa API (không có bí mật). / List the API keys, without secrets."""
        with open_desk(data) as desk:
            found = desk.identity.api_keys.list(desk.caller, principal_id)
        if as_json:
            output.machine([key.to_json() for key in found])
        for key in found:
            output.human.print(f"  {key.to_json()}", markup=False, soft_wrap=True)

    @keys.command()
    def revoke(key_id: KeyID, *, data: Data = None, as_json: Json = False) -> None:
        """Thu hồi; có hiệu lực trong một giây. / Revoke; it takes effect within a second."""
        with open_desk(data) as desk:
            key = desk.identity.api_keys.revoke(desk.caller, key_id)
        if as_json:
            output.machine(key.to_json())
        output.bilingual(f"Đã thu hồi {key.id}", "revoked", style="green")

    @keys.command()
    def rotate(
        key_id: KeyID,
        *,
        overlap_h: Annotated[
            int,
            typer.Option(
                "--overlap-hours", min=0, max=24 * 90,
                help="Khóa cũ còn dùng được bấy nhiêu giờ. / The old key lives on for so long.",
            ),
        ] = 24,
        data: Data = None,
        as_json: Json = False,
    ) -> None:  # fmt: skip
        """Thay khóa; khóa cũ còn dùng được một thời gian. / Replace a key, with an overlap.

        Ví dụ / Example:  … key rotate 01h… --overlap-hours 48
        """
        with open_desk(data) as desk:
            issued = desk.identity.api_keys.rotate(
                desk.caller, key_id, overlap=timedelta(hours=overlap_h)
            )
        tell_key(issued.text, issued.key.to_json(), as_json=as_json)

    return app


def _told(principal: Principal, vietnamese: str, english: str, *, as_json: bool) -> None:
    if as_json:
        output.machine(principal.to_json())
    output.bilingual(f"{vietnamese} {principal.id}", english, style="green")


def _subject(text: str | None) -> str | None:
    return None if text in (None, "none") else text


def _limits(assignments: list[str] | None, present: Limits | None) -> Limits | None:
    from dossier.identity import Limits

    if assignments is None:
        return present
    base: dict[str, Any] = {} if present is None else present.to_json()
    return Limits.from_json({**base, **entries(assignments)})


def _state(principal: Principal) -> str:
    if principal.disabled_at is not None:
        return "[red]đã ngừng / disabled[/red]"
    if principal.expires_at is not None:
        return f"đến / until {principal.expires_at:%d/%m/%Y}"
    return "[green]dùng được / active[/green]"
