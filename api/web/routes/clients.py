"""Administration over HTTP: agencies, their clients and users, API keys.

What may be done by whom stands in `dossier.identity`; every change is in the audit log.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Body, Path, Query, Request, Response

from api.web import openapi
from api.web.doorway import (
    After,
    CurrentCaller,
    CurrentHouse,
    IfMatch,
    JSONAnswer,
    Limit,
    blocking,
    page,
    resource,
)
from api.web.problem_documents import problems
from api.web.routes.signatures import moment
from api.web.schemas import (
    AgencyChange,
    AgencyForm,
    AgencyView,
    APIKeyView,
    ClientChange,
    ClientForm,
    ClientView,
    IdPath,
    KeyIssueForm,
    LimitsForm,
    Page,
    PolicyForm,
)
from dossier.errors import InvalidOrder
from dossier.identity import Agency, AgencyPolicy, APIKey, IssuedKey, Limits, Principal
from dossier.model import JSON, Caller

if TYPE_CHECKING:
    from api.house import House

router = APIRouter(tags=["Quản trị / Administration"])
AgencyPath = Annotated[
    str, Path(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,31}|\*)$", description="Mã. / Code.")
]
AgencyQuery = Annotated[
    str | None, Query(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,31}|\*)$", description="Mã cơ quan.")
]
KeyPath = Annotated[str, Path(pattern=r"^[0-9a-hjkmnp-tv-z]{26}$")]


def shown_agency(agency: Agency) -> dict[str, JSON]:
    """An agency as administrators see it."""
    return {
        "id": agency.id,
        "name": agency.name,
        "policy": agency.policy.to_json(),
        "created_at": moment(agency.created_at),
        "closed_at": moment(agency.closed_at),
        "version": agency.version,
    }


def shown_client(principal: Principal) -> dict[str, JSON]:
    """A client or user as administrators see it."""
    return {
        "id": principal.id,
        "agency_id": principal.agency_id,
        "kind": principal.kind,
        "name": principal.name,
        "roles": sorted(principal.roles),
        "keys": sorted(principal.keys),
        "certificate_sha256": principal.certificate_sha256,
        "oidc_subject": principal.oidc_subject,
        "limits": principal.limits.to_json(),
        "created_at": moment(principal.created_at),
        "expires_at": moment(principal.expires_at),
        "disabled_at": moment(principal.disabled_at),
        "version": principal.version,
    }


def shown_key(key: APIKey, text: str | None = None) -> dict[str, JSON]:
    """An API key; `text` only when it was issued just now."""
    return {
        "id": key.id,
        "principal_id": key.principal_id,
        "roles": None if key.roles is None else sorted(key.roles),
        "keys": None if key.keys is None else sorted(key.keys),
        "created_at": moment(key.created_at),
        "expires_at": moment(key.expires_at),
        "revoked_at": moment(key.revoked_at),
        "text": text,
    }


def _issued(issued: IssuedKey) -> Response:
    return JSONAnswer(shown_key(issued.key, issued.text), 201)


def _policy(form: PolicyForm) -> AgencyPolicy:
    return AgencyPolicy.from_json(form.model_dump())


def _limits(form: LimitsForm) -> Limits:
    return Limits.from_json(form.model_dump())


# --- agencies --------------------------------------------------------------------------------


@router.get(
    "/v1/agencies",
    response_model=Page[AgencyView],
    responses=problems(401, 422, 429),
    summary="Các cơ quan. / Agencies.",
)
async def list_agencies(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
) -> Response:
    """All of them for the house, else the caller's own."""
    found = await blocking(house.identity.agencies.list, caller, after=after, limit=limit + 1)
    return page(request, [shown_agency(agency) for agency in found], limit)


@router.post(
    "/v1/agencies",
    status_code=201,
    response_model=AgencyView,
    responses={201: openapi.TAGGED, **problems(400, 401, 403, 409, 413, 422, 429)},
    summary="Thêm cơ quan. / Add an agency.",
)
async def add_agency(
    request: Request, house: CurrentHouse, caller: CurrentCaller, form: AgencyForm
) -> Response:
    """For administrators of the house."""
    agency = await blocking(
        house.identity.agencies.add, caller, form.id, form.name, _policy(form.policy)
    )
    location = {"location": f"/v1/agencies/{agency.id}"}
    return resource(
        request, shown_agency(agency), version=agency.version, status=201, headers=location
    )


@router.get(
    "/v1/agencies/{agency_id}",
    response_model=AgencyView,
    responses={
        **openapi.READ,
        **problems(401, 403, 404, 422, 429),
    },
    summary="Một cơ quan. / One agency.",
)
async def get_agency(
    request: Request, house: CurrentHouse, caller: CurrentCaller, agency_id: AgencyPath
) -> Response:
    """The agency with its entity tag."""
    agency = await blocking(house.identity.agencies.get, caller, agency_id)
    return resource(request, shown_agency(agency), version=agency.version)


@router.patch(
    "/v1/agencies/{agency_id}",
    response_model=AgencyView,
    responses={200: openapi.TAGGED, **problems(400, 401, 403, 404, 409, 412, 413, 422, 428, 429)},
    summary="Sửa, đóng, mở lại cơ quan. / Change, close, reopen an agency.",
)
async def change_agency(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    agency_id: AgencyPath,
    version: IfMatch,
    form: AgencyChange,
) -> Response:
    """For administrators of the house. `closed` comes alone."""
    agency = await blocking(_change_agency, house, caller, agency_id, version, form)
    return resource(request, shown_agency(agency), version=agency.version)


def _change_agency(
    house: House, caller: Caller, agency_id: str, version: int, form: AgencyChange
) -> Agency:
    agencies = house.identity.agencies
    if form.closed is not None:
        _alone(form, "closed")
        move = agencies.close if form.closed else agencies.reopen
        return move(caller, agency_id, version=version)
    policy = None
    if form.policy is not None:  # what the client left out stays; `version` guards the reading
        present = agencies.get(caller, agency_id).policy.to_json()
        given = form.policy.model_dump(exclude_unset=True)
        policy = AgencyPolicy.from_json({**present, **given})
    return agencies.change(caller, agency_id, version=version, name=form.name, policy=policy)


def _alone(form: AgencyChange | ClientChange, entry: str) -> None:
    if form.model_fields_set != {entry}:
        raise InvalidOrder(
            f"Hãy gửi “{entry}” một mình. / Send {entry!r} alone, other changes in a request of "
            "their own.",
            field=f"body.{entry}",
        )


# --- clients and users -----------------------------------------------------------------------


@router.get(
    "/v1/clients",
    response_model=Page[ClientView],
    responses=problems(401, 403, 404, 422, 429),
    summary="Máy khách và người dùng. / Clients and users.",
)
async def list_clients(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    agency_id: AgencyQuery = None,
    kind: Annotated[Literal["client", "user"] | None, Query()] = None,
    after: After = None,
    limit: Limit = 50,
) -> Response:
    """For administrators and auditors: those of their agency."""
    found = await blocking(
        house.identity.principals.list,
        caller,
        agency_id=agency_id,
        kind=kind,
        after=after,
        limit=limit + 1,
    )
    return page(request, [shown_client(principal) for principal in found], limit)


@router.post(
    "/v1/clients",
    status_code=201,
    response_model=ClientView,
    responses={201: openapi.TAGGED, **problems(400, 401, 403, 404, 409, 413, 422, 429)},
    summary="Thêm máy khách hoặc người dùng. / Add a client or a user.",
)
async def add_client(
    request: Request, house: CurrentHouse, caller: CurrentCaller, form: ClientForm
) -> Response:
    """For administrators of the agency."""
    principal = await blocking(
        house.identity.principals.add,
        caller,
        form.agency_id,
        kind=form.kind,
        name=form.name,
        roles=form.roles,
        keys=form.keys,
        certificate_sha256=form.certificate_sha256,
        oidc_subject=form.oidc_subject,
        limits=_limits(form.limits),
        expires_at=form.expires_at,
    )
    location = {"location": f"/v1/clients/{principal.id}"}
    return resource(
        request, shown_client(principal), version=principal.version, status=201, headers=location
    )


@router.get(
    "/v1/clients/{client_id}",
    response_model=ClientView,
    responses={
        **openapi.READ,
        **problems(401, 403, 404, 422, 429),
    },
    summary="Một máy khách hoặc người dùng. / One client or user.",
)
async def get_client(
    request: Request, house: CurrentHouse, caller: CurrentCaller, client_id: IdPath
) -> Response:
    """The client with its entity tag."""
    principal = await blocking(house.identity.principals.get, caller, client_id)
    return resource(request, shown_client(principal), version=principal.version)


@router.patch(
    "/v1/clients/{client_id}",
    response_model=ClientView,
    responses={200: openapi.TAGGED, **problems(400, 401, 403, 404, 409, 412, 413, 422, 428, 429)},
    summary="Sửa, khóa, mở lại. / Change, disable, enable.",
)
async def change_client(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    client_id: IdPath,
    version: IfMatch,
    form: ClientChange,
) -> Response:
    """For administrators of the agency. `disabled` comes alone."""
    principal = await blocking(_change_client, house, caller, client_id, version, form)
    return resource(request, shown_client(principal), version=principal.version)


def _change_client(
    house: House, caller: Caller, client_id: str, version: int, form: ClientChange
) -> Principal:
    principals = house.identity.principals
    given = form.model_fields_set
    if "disabled" in given:
        _alone(form, "disabled")
        move = principals.disable if form.disabled else principals.enable
        return move(caller, client_id, version=version)
    changes: dict[str, object] = {name: getattr(form, name) for name in given}
    if "limits" in changes:
        present = principals.get(caller, client_id).limits.to_json()
        limits = form.limits.model_dump(exclude_unset=True)
        changes["limits"] = Limits.from_json({**present, **limits})
    return principals.change(caller, client_id, version=version, **changes)


# --- API keys --------------------------------------------------------------------------------


@router.get(
    "/v1/clients/{client_id}/keys",
    response_model=Page[APIKeyView],
    responses=problems(401, 403, 404, 422, 429),
    summary="Khóa API của một máy khách. / API keys of a client.",
)
async def list_keys(house: CurrentHouse, caller: CurrentCaller, client_id: IdPath) -> Response:
    """Without their texts, which nobody has but the client."""
    found = await blocking(house.identity.api_keys.list, caller, client_id)
    return JSONAnswer({"items": [shown_key(key) for key in found], "next": None})


@router.post(
    "/v1/clients/{client_id}/keys",
    status_code=201,
    response_model=APIKeyView,
    responses=problems(400, 401, 403, 404, 409, 413, 422, 429),
    summary="Cấp khóa API; văn bản khóa chỉ hiện một lần. / Issue an API key, shown once.",
)
async def issue_key(
    house: CurrentHouse, caller: CurrentCaller, client_id: IdPath, form: KeyIssueForm
) -> Response:
    """For administrators of the agency."""
    return _issued(
        await blocking(
            house.identity.api_keys.issue,
            caller,
            client_id,
            roles=form.roles,
            keys=form.keys,
            expires_at=form.expires_at,
        )
    )


@router.delete(
    "/v1/api-keys/{key_id}",
    response_model=APIKeyView,
    responses=problems(401, 403, 404, 422, 429),
    summary="Thu hồi khóa API. / Revoke an API key.",
)
async def revoke_key(house: CurrentHouse, caller: CurrentCaller, key_id: KeyPath) -> Response:
    """At once here, within a second in other processes. Can be repeated."""
    return JSONAnswer(shown_key(await blocking(house.identity.api_keys.revoke, caller, key_id)))


@router.post(
    "/v1/api-keys/{key_id}/rotations",
    status_code=201,
    response_model=APIKeyView,
    responses=problems(400, 401, 403, 404, 409, 413, 422, 429),
    summary="Thay khóa API, khóa cũ còn dùng một lúc. / Rotate, with an overlap.",
)
async def rotate_key(
    house: CurrentHouse,
    caller: CurrentCaller,
    key_id: KeyPath,
    overlap_s: Annotated[int, Body(embed=True, ge=0, le=30 * 24 * 3600)],
) -> Response:
    """A new key of the same scope; the old one ends after `overlap_s` seconds."""
    overlap = timedelta(seconds=overlap_s)
    return _issued(await blocking(house.identity.api_keys.rotate, caller, key_id, overlap=overlap))
