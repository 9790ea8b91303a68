"""The signing keys of the caller, with their certificates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Path, Response

from api.web.doorway import CurrentCaller, CurrentHouse, JSONAnswer, blocking
from api.web.problem_documents import problems
from api.web.routes.signatures import moment
from api.web.schemas import KeyView, Page
from dossier.errors import NotFound
from dossier.model import JSON, Caller

if TYPE_CHECKING:
    from cryptography import x509

    from api.house import House
    from signer.csc.credentials import Credential

router = APIRouter(tags=["Khóa ký / Keys"])


def shown(credential: Credential) -> dict[str, JSON]:
    """A key as clients see it."""
    certificate = credential.certificate
    return {
        "label": credential.label,
        "state": _state(credential),
        "schemes": [scheme.value for scheme in credential.schemes],
        "hardware": credential.is_hardware,
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "serial": f"{certificate.serial_number:x}",
        "valid_from": moment(certificate.not_valid_before_utc),
        "valid_to": moment(certificate.not_valid_after_utc),
        "certificate": _pem(certificate),
        "chain": [_pem(issuer) for issuer in credential.chain],
    }


def _state(credential: Credential) -> str:
    now = datetime.now(UTC)
    if now > credential.certificate.not_valid_after_utc:
        return "expired"
    if now < credential.certificate.not_valid_before_utc:
        return "not-yet-valid"
    return "enabled" if credential.enabled else "disabled"


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def usable(house: House, caller: Caller) -> list[Credential]:
    """The credentials that the caller may use. Blocking; raises `HSMError`, `SignerError`."""
    return [found for found in house.agent.credentials() if found.label in caller.keys]


@router.get(
    "/v1/keys",
    response_model=Page[KeyView],
    responses=problems(401, 429),
    summary="Các khóa mà bên gọi được dùng. / The keys that the caller may use.",
)
async def list_keys(house: CurrentHouse, caller: CurrentCaller) -> Response:
    """With certificate, validity, schemes, and whether the key is in hardware."""
    found = await blocking(usable, house, caller) if caller.keys else []
    return JSONAnswer({"items": [shown(credential) for credential in found], "next": None})


@router.get(
    "/v1/keys/{label}",
    response_model=KeyView,
    responses=problems(401, 404, 422, 429),
    summary="Một khóa. / One key.",
)
async def get_key(
    house: CurrentHouse,
    caller: CurrentCaller,
    label: Annotated[str, Path(min_length=1, max_length=64)],
) -> Response:
    """404 for a key that the caller has no right to, as for one that does not exist."""
    found = await blocking(usable, house, caller) if label in caller.keys else []
    for credential in found:
        if credential.label == label:
            return JSONAnswer(shown(credential))
    raise NotFound(
        "Không có khóa này; xem /v1/keys. / There is no such key for this caller; see /v1/keys."
    )
