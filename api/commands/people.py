"""What `sohoa users`, `sohoa clients` and `sohoa agencies` have in common.

They work on the database of this installation and need no running service: whoever can read the
database administers it anyway, and is audited as ``local:<user>``.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api import output
from api.errors import InputUnusable

if TYPE_CHECKING:
    from dossier.identity import Identity
    from dossier.model import Caller, Role
    from dossier.storage.database import Database

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder."),
]
Json = Annotated[
    bool, typer.Option("--json", help="In JSON ra đầu ra chuẩn. / Print JSON on standard output.")
]


@dataclass(frozen=True, slots=True)
class Desk:
    """The directory, and who sits before it."""

    identity: Identity
    caller: Caller


@contextmanager
def open_desk(data: Path | None) -> Iterator[Desk]:
    """Open the directory of the installation; the schema is brought up to date."""
    # not at the top: listing the help must not load settings and the database
    from api.settings import load_settings
    from dossier.audit.log import AuditLog
    from dossier.identity import Identity, local_administrator
    from dossier.storage.database import Database
    from dossier.storage.migrations import upgrade

    database = Database(load_settings(data).database_url)
    try:
        upgrade(database)
        identity = Identity(database, AuditLog(database))
        yield Desk(identity, local_administrator(local_user()))
    finally:
        database.close()


@contextmanager
def open_database(data: Path | None) -> Iterator[Database]:
    """The database of the installation, its schema up to date; closed with the context."""
    from api.settings import load_settings
    from dossier.storage.database import Database
    from dossier.storage.migrations import upgrade

    database = Database(load_settings(data).database_url)
    try:
        upgrade(database)
        yield database
    finally:
        database.close()


def local_caller(database: Database, agency: str | None, role: Role) -> Caller:
    """Whoever can read the database, in `role` of the agency, or of the only one there is.

    Raises `InputUnusable` when it is not clear which, or there is none of that name.
    """
    from dossier.audit.log import AuditLog
    from dossier.identity import Identity, local_administrator
    from dossier.model import Caller

    user = local_user()
    identity = Identity(database, AuditLog(database))
    listed = identity.agencies.list(local_administrator(user), limit=10_000)
    known = [entry.id for entry in listed]
    if agency is None and len(known) == 1:
        agency = known[0]
    if agency not in known:
        raise InputUnusable(
            f"Hãy chọn cơ quan bằng --agency: {', '.join(known) or 'chưa có cơ quan nào'}. / "
            "Choose one of these agencies with --agency."
        )
    return Caller(f"local:{user}", user, agency, frozenset({role}), method="local")


def local_user() -> str:
    """The user of this process; not what the environment says of it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user without an entry
        return f"uid-{os.getuid()}"


def moment(text: str | None) -> datetime | None:
    """``90d``, ``12h``, or an ISO 8601 time with a time zone. Raises `InputUnusable`."""
    if text is None or text == "never":
        return None
    span = re.fullmatch(r"([0-9]{1,5})([dh])", text)
    if span:
        hours = int(span[1]) * (24 if span[2] == "d" else 1)
        return datetime.now(UTC) + timedelta(hours=hours)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min  # has no time zone: refused below  # noqa: DTZ901
    if found.utcoffset() is None:
        raise InputUnusable(
            f"Thời hạn “{text}” không đọc được; viết 90d, 12h hoặc 2027-01-31T00:00+07:00. / "
            f"The time {text!r} is not readable: write 90d, 12h or 2027-01-31T00:00+07:00."
        )
    return found


def fingerprint(text: str | None) -> str | None:
    """SHA-256 of a certificate: 64 hex digits, or a PEM or DER file. Raises `InputUnusable`."""
    if text is None or text == "none" or re.fullmatch(r"[0-9A-Fa-f:]{64,95}", text):
        return None if text in (None, "none") else text
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        content = Path(text).read_bytes()
        pem = b"-----BEGIN" in content
        read = x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
        certificate = read(content)
    except (OSError, ValueError, x509.InvalidVersion) as error:
        raise InputUnusable(
            f"Không đọc được chứng thư {text}. / The certificate {text} cannot be read ({error})."
        ) from error
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def entries(assignments: list[str] | None) -> dict[str, Any]:
    """``name=value`` entries as JSON values: true, false, numbers, lists ``a,b``."""
    found: dict[str, Any] = {}
    for assignment in assignments or ():
        name, equals, text = assignment.partition("=")
        if not equals:
            raise InputUnusable(
                f"“{assignment}” phải có dạng TÊN=GIÁ TRỊ. / {assignment!r} has the form "
                "NAME=VALUE."
            )
        found[name] = _value(name, text)
    return found


def _value(name: str, text: str) -> Any:  # noqa: ANN401 - a JSON value
    if name == "keys":
        return [label for label in text.split(",") if label]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def tell_key(text: str, described: dict[str, Any], *, as_json: bool) -> None:
    """Show a new API key, for the only time."""
    if as_json:
        output.machine({**described, "text": text})
    output.bilingual(
        "Khóa API, chỉ hiện một lần này; hãy cất vào nơi giữ bí mật",
        "the API key, shown only this once: keep it as a secret",
        style="bold yellow",
    )
    if not as_json:
        typer.echo(text)
