"""The CSC API v2.0.0.2 for clients outside: sign hashes with their own keys, under their rights.

The key agent asks its own policy again and writes intent and outcome into its audit chain; it is
told who asked, with the purpose ``remote``. The service's own chain names the digests before they
are signed. Errors are problem documents that carry the members
`error` and `error_description` of CSC 7.2 as well.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Literal

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.web import openapi
from api.web.door import language_of
from api.web.doorway import CurrentCaller, CurrentHouse, JSONAnswer, blocking
from api.web.problem_documents import problems
from api.web.routes.keys import usable
from api.web.validation import read_json
from dossier.errors import InvalidOrder
from dossier.model import JSON, AuditEvent, Caller, Role
from signer.algorithms import DIGEST_OIDS, HASHES, signature_oid
from signer.csc.wire import BASE, SPECS, MalformedMessage, decoded, scheme_from_wire

if TYPE_CHECKING:
    from api.house import House
    from hsm.keys import SignatureScheme
    from signer.csc.credentials import Credential

router = APIRouter(tags=["CSC"])
_SIGNERS = (Role.OFFICER, Role.LEADER, Role.CLERK)
_MOST_HASHES = 256
_METHODS = (
    "credentials/list",
    "credentials/info",
    "signatures/signHash",
    "signatures/timestamp",
)
_DIGESTS = {oid: name for name, oid in DIGEST_OIDS.items()}
_OID = r"^[0-2](\.(0|[1-9][0-9]{0,9})){1,20}$"
_BASE64 = r"^[A-Za-z0-9+/]{20,100}={0,2}$"


class _CSC(BaseModel):
    """The specification lets a server ignore members that it does not know."""

    model_config = ConfigDict(extra="ignore")


class CSCInfoForm(_CSC):
    """info, 11.1."""

    lang: str | None = Field(default=None, max_length=35)


class CSCListForm(_CSC):
    """credentials/list, 11.4."""

    maxResults: int | None = Field(default=None, ge=1, le=1000)  # noqa: N815 - CSC's name
    onlyValid: bool = False  # noqa: N815 - CSC's name


class CSCCredentialForm(_CSC):
    """credentials/info, 11.5."""

    credentialID: str = Field(min_length=1, max_length=64)  # noqa: N815 - CSC's name
    certificates: Literal["none", "single", "chain"] = "single"
    certInfo: bool = False  # noqa: N815 - CSC's name
    authInfo: bool = False  # noqa: N815 - CSC's name


class CSCSignForm(_CSC):
    """signatures/signHash, 11.10."""

    credentialID: str = Field(min_length=1, max_length=64)  # noqa: N815 - CSC's name
    hashes: list[str] = Field(min_length=1, max_length=_MOST_HASHES)
    hashAlgorithmOID: str | None = Field(default=None, pattern=_OID)  # noqa: N815 - CSC's name
    signAlgo: str = Field(pattern=_OID)  # noqa: N815 - CSC's name
    signAlgoParams: str | None = Field(default=None, max_length=400)  # noqa: N815 - CSC's name


class CSCTimestampForm(_CSC):
    """signatures/timestamp, 11.11."""

    hash: str = Field(pattern=_BASE64)
    hashAlgo: str = Field(pattern=_OID)  # noqa: N815 - CSC's name


def _answer(*names: str) -> dict[int | str, dict[str, Any]]:
    schema = {
        "type": "object",
        "required": list(names),
        "properties": {name: {} for name in names},
    }
    return {200: {"description": "CSC", "content": {"application/json": {"schema": schema}}}}


def _form(form: type[BaseModel]) -> dict[str, Any]:
    return openapi.body(("application/json", form))


@router.post(
    f"{BASE}/info",
    responses={**_answer("specs", "name", "authType", "methods"), **problems(400, 413, 415, 422)},
    openapi_extra=_form(CSCInfoForm),
    summary="Dịch vụ này là gì. / What this service is.",
)
async def info(request: Request, house: CurrentHouse) -> Response:
    """info (11.1); needs no credentials."""
    await read_json(request, CSCInfoForm)
    language = language_of(request.scope)
    return JSONAnswer(
        {
            "specs": SPECS,
            "name": house.settings.record.system,
            "logo": "",
            "region": "VN",
            "lang": "vi-VN" if language == "vi" else "en",
            "description": "Sohoa",
            "authType": ["external"],
            "methods": ["info", *_METHODS],
        }
    )


@router.post(
    f"{BASE}/credentials/list",
    responses={**_answer("credentialIDs"), **problems(400, 401, 413, 415, 422, 429)},
    openapi_extra=_form(CSCListForm),
    summary="Các khóa của bên gọi. / The caller's credentials.",
)
async def credentials(request: Request, house: CurrentHouse, caller: CurrentCaller) -> Response:
    """credentials/list (11.4)."""
    form = await read_json(request, CSCListForm)
    found = await blocking(usable, house, caller) if caller.keys else []
    names = [entry.id for entry in found if entry.enabled or not form.onlyValid]
    return JSONAnswer({"credentialIDs": names[: form.maxResults]})


@router.post(
    f"{BASE}/credentials/info",
    responses={
        **_answer("key", "cert", "multisign"),
        **problems(400, 401, 403, 404, 413, 415, 422, 429),
    },
    openapi_extra=_form(CSCCredentialForm),
    summary="Một khóa và chứng thư của nó. / One credential.",
)
async def credential(request: Request, house: CurrentHouse, caller: CurrentCaller) -> Response:
    """credentials/info (11.5)."""
    form = await read_json(request, CSCCredentialForm)
    caller.require_key(form.credentialID)
    for found in await blocking(usable, house, caller):
        if found.id == form.credentialID:
            return JSONAnswer(_described(found, form))
    raise _unknown()


def _unknown() -> InvalidOrder:
    return InvalidOrder(
        "Không có khóa này. / There is no such credential.", field="body.credentialID"
    )


def _described(found: Credential, form: CSCCredentialForm) -> dict[str, JSON]:
    certificate = found.certificate
    certificates = {
        "none": [],
        "single": [certificate],
        "chain": [certificate, *found.chain],
    }[form.certificates]
    cert: dict[str, JSON] = {"status": "valid" if found.enabled else "suspended"}
    if certificates:
        cert["certificates"] = [_der(entry.public_bytes(Encoding.DER)) for entry in certificates]
    if form.certInfo:
        cert |= {
            "issuerDN": certificate.issuer.rfc4514_string(),
            "subjectDN": certificate.subject.rfc4514_string(),
            "serialNumber": f"{certificate.serial_number:X}",
            "validFrom": f"{certificate.not_valid_before_utc:%Y%m%d%H%M%SZ}",
            "validTo": f"{certificate.not_valid_after_utc:%Y%m%d%H%M%SZ}",
        }
    body: dict[str, JSON] = {
        "description": found.description,
        "key": {
            "status": "enabled" if found.enabled else "disabled",
            "algo": [signature_oid(scheme) for scheme in found.schemes],
            "len": getattr(certificate.public_key(), "key_size", None),
        },
        "cert": cert,
        "multisign": min(found.hashes_per_call, _MOST_HASHES),
    }
    if form.authInfo:
        body["auth"] = {"mode": "implicit"}
    return body


@router.post(
    f"{BASE}/signatures/signHash",
    responses={
        **_answer("signatures"),
        **problems(400, 401, 403, 404, 409, 413, 415, 422, 429),
    },
    openapi_extra=_form(CSCSignForm),
    summary="Ký các giá trị băm. / Sign hashes.",
)
async def sign_hash(request: Request, house: CurrentHouse, caller: CurrentCaller) -> Response:
    """signatures/signHash (11.10) with a key of the caller's, in the caller's name."""
    caller.require(*_SIGNERS)
    form = await read_json(request, CSCSignForm)
    caller.require_key(form.credentialID)
    try:
        scheme = scheme_from_wire(form.signAlgo, form.signAlgoParams, form.hashAlgorithmOID)
    except MalformedMessage as error:
        raise _malformed("signAlgo", error) from error
    size = HASHES[scheme.digest_name].digest_size
    digests = [_digest(text, size) for text in form.hashes]
    signatures = await blocking(_signed, house, caller, form.credentialID, scheme, digests)
    return JSONAnswer({"signatures": [_der(signature) for signature in signatures]})


def _signed(
    house: House, caller: Caller, label: str, scheme: SignatureScheme, digests: list[bytes]
) -> list[bytes]:
    key = house.agent.key(label, scheme).bound(
        agency=caller.agency_id,
        principal=caller.principal_id,
        purpose="remote",
        subject=caller.principal_id,
        request_id=caller.request_id,
    )
    # before the key is used: whatever becomes of this process, the use of the key is explained
    house.audit.write(
        AuditEvent(
            "remote.accepted",
            caller.principal_id,
            caller.agency_id,
            caller.principal_id,
            {
                "key": label,
                "scheme": scheme.value,
                "count": len(digests),
                "digests": [digest.hex() for digest in digests],
                "request_id": caller.request_id,
            },
        )
    )
    return key.sign_digests(digests)


@router.post(
    f"{BASE}/signatures/timestamp",
    responses={**_answer("timestamp"), **problems(400, 401, 403, 413, 415, 422, 429)},
    openapi_extra=_form(CSCTimestampForm),
    summary="Dấu thời gian cho một giá trị băm. / A timestamp over a hash.",
)
async def timestamp(request: Request, house: CurrentHouse, caller: CurrentCaller) -> Response:
    """signatures/timestamp (11.11): a DER TimeStampToken (RFC 3161)."""
    caller.require(*_SIGNERS)
    form = await read_json(request, CSCTimestampForm)
    name = _DIGESTS.get(form.hashAlgo)
    if name is None:
        raise InvalidOrder(
            "Chỉ nhận SHA-256, SHA-384, SHA-512. / The hash algorithms are SHA-256, SHA-384 and "
            "SHA-512.",
            field="body.hashAlgo",
        )
    digest = _digest(form.hash, HASHES[name].digest_size)
    token = await blocking(house.agent.timestamp, digest, name)
    return JSONAnswer({"timestamp": _der(token)})


def _digest(text: str, size: int) -> bytes:
    try:
        digest = decoded(text)
    except MalformedMessage as error:
        raise _malformed("hashes", error) from error
    if len(digest) != size:
        raise InvalidOrder(
            f"Giá trị băm phải dài {size} byte. / A hash has {size} bytes.", field="body.hashes"
        )
    return digest


def _malformed(field: str, error: MalformedMessage) -> InvalidOrder:
    return InvalidOrder(
        f"Mục {field} không đọc được. / {field} cannot be read: {error}.", field=f"body.{field}"
    )


def _der(encoded: bytes) -> str:
    return base64.b64encode(encoded).decode()
