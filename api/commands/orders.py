"""From ``--seal P2`` to the signatures to make: shared by `sohoa digitize` and `sohoa sign`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, cast

import typer

from api.settings import Role
from api.wiring import Desk
from dossier.printout.issuing import (
    PrintedCode,
    Printing,
    ResultFacts,
    digest_of_file,
    make_code,
)
from dossier.register.codes import printed
from dossier.workflow import SealOrder, SealStep
from signer.clock import VIETNAM
from signer.errors import ProfileError
from signer.sealing.appearance.plan import CopyForm
from signer.sealing.levels import Level

Seals = Annotated[
    list[str] | None,
    typer.Option(
        "--seal",
        metavar="PROFILE[:ROLE]",
        help=(
            "Chữ ký theo mẫu P1…P7; lặp lại theo thứ tự ký. / "
            "A signature by profile P1…P7; repeat it in the order of signing. "
            "ROLE: officer, leader, seal."
        ),
    ),
]
LevelOption = Annotated[
    Level, typer.Option("--level", help="Mức PAdES của tệp kết quả. / PAdES level of the result.")
]
Reason = Annotated[str | None, typer.Option("--reason", help="Lý do ký. / Reason for signing.")]
Place = Annotated[
    str | None, typer.Option("--location", metavar="TEXT", help="Nơi ký. / Place of signing.")
]
NumberSymbol = Annotated[
    str | None,
    typer.Option(
        "--number", metavar="NUMBER/SYMBOL", help="Số, ký hiệu văn bản chính (P4). / For annexes."
    ),
]
Copy = Annotated[
    str | None,
    typer.Option(
        "--copy-form", metavar="SY|TRS|SL", help="Hình thức sao (P5). / Form of the copy."
    ),
]

# whose key a profile asks for when the command line does not say
_SIGNED_BY: dict[str, Role] = {
    "P1": "leader",
    "P2": "seal",
    "P4": "seal",
    "P5": "seal",
    "P6": "seal",
    "P7": "officer",
}
_ROLES = ("officer", "leader", "seal")


def now() -> datetime:
    """The time of signing, in the zone that records show."""
    return datetime.now(VIETNAM).replace(microsecond=0)


def seal_order(
    desk: Desk,
    seals: Sequence[str],
    level: Level,
    at: datetime,
    *,
    reason: str | None = None,
    location: str | None = None,
    number_symbol: str | None = None,
    copy_form: str | None = None,
    certify: bool = False,
) -> SealOrder:
    """Look up the keys and images that `seals` name.

    Raises `ProfileError` for a profile or role that nobody signs for, `typer.BadParameter` for
    an unknown form of copy, `hsm.errors.HSMError`.
    """
    steps = []
    for index, text in enumerate(seals):
        profile, _, named = text.partition(":")
        signer = role(named) if named else _default_role(profile)
        steps.append(
            SealStep(
                role=signer,
                key=desk.key(signer),
                profile=profile,
                images=desk.images.get(signer),
                reason=reason,
                certify=certify and index == 0,
            )
        )
    return SealOrder(
        steps=tuple(steps),
        level=level,
        at=at,
        agency=desk.settings.record.agency,
        number_symbol=number_symbol,
        copy_form=_copy_form(copy_form),
        location=location,
    )


def printed_code(
    desk: Desk,
    source: Path,
    code: str,
    at: datetime,
    number_symbol: str | None,
    holder: str | None,
) -> PrintedCode:
    """The code of a document that is about to be sealed, signed by the key for codes.

    Raises `PolicyRefused`, `hsm.errors.HSMError`, `OSError`.
    """
    settings = desk.settings
    facts = ResultFacts(
        issuer=settings.record.agency,
        code=code,
        printed_code=printed(code),
        source_sha256=digest_of_file(source),
        at=at,
        number=number_symbol,
        holder=holder,
    )
    printing = Printing(settings.lookup_url, settings.proof.system, settings.proof.masking)
    return make_code(facts, desk.key("proof"), printing)


def role(named: str) -> Role:
    """The role of that name. Raises `typer.BadParameter`."""
    if named not in _ROLES:
        raise typer.BadParameter(f"{named!r} is no role; use one of {', '.join(_ROLES)}")
    return cast("Role", named)


def _default_role(profile: str) -> Role:
    if profile not in _SIGNED_BY:
        raise ProfileError(
            f"profile {profile!r} does not say who signs: write PROFILE:ROLE with one of "
            f"{', '.join(_ROLES)} (known profiles: {', '.join(_SIGNED_BY)})"
        )
    return _SIGNED_BY[profile]


def _copy_form(text: str | None) -> CopyForm | None:
    if text is None:
        return None
    try:
        return CopyForm[text.upper()]
    except KeyError as error:
        raise typer.BadParameter(
            f"unknown form of copy {text!r}: use SY, TRS or SL", param_hint="--copy-form"
        ) from error
