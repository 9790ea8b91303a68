"""Webhooks over HTTP: subscriptions, their secrets, the log of deliveries.

Who may do what stands in `dossier.webhooks.webhooks`. The secret is in the answer that makes it
and nowhere else.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

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
from api.web.schemas import Form, IdPath, Line, Page
from dossier.model import JSON, JobState
from dossier.webhooks.values import EVENTS, Delivery, Subscription
from dossier.webhooks.webhooks import MAX_OVERLAP

router = APIRouter(tags=["Webhook"])
_ETAG: dict[str, Any] = {"headers": {"ETag": {"schema": {"type": "string"}}}}
_ONCE = "Chỉ hiện lần này. / Shown only this once."

_URL = Annotated[
    str,
    Field(
        min_length=8,
        max_length=2048,
        description="Nơi nhận, https. / Where messages go, https.",
        examples=["https://hooks.example.vn/sohoa"],
    ),
]
_Events = Annotated[
    list[Annotated[Line, Field(min_length=1, max_length=64)]],
    Field(
        min_length=1,
        max_length=len(EVENTS) + 1,
        description=f"Các sự kiện, hoặc *. / Events, or *: {', '.join(EVENTS)}.",
        examples=[["signature.published", "signature.failed"]],
    ),
]


class WebhookForm(Form):
    """A new subscription."""

    url: _URL
    events: _Events


class WebhookChange(Form):
    """What is to change; what is left out stays."""

    url: _URL | None = None
    events: _Events | None = None
    enabled: bool | None = None


class RotationForm(Form):
    """How long the old secret signs beside the new one."""

    overlap_s: int = Field(
        default=86400,
        ge=0,
        le=int(MAX_OVERLAP.total_seconds()),
        description="Số giây cả hai khóa cùng ký. / Seconds during which both secrets sign.",
    )


class WebhookView(BaseModel):
    """A subscription. `secret` only when it was made just now."""

    id: str
    url: str
    events: list[str]
    created_at: AwareDatetime
    disabled_at: AwareDatetime | None
    disabled_why: str | None
    old_secret_until: AwareDatetime | None
    secret: str | None = Field(description=_ONCE)
    version: int


class TryView(BaseModel):
    """One try to deliver."""

    at: AwareDatetime
    status: int | None
    error: str | None
    ms: int


class DeliveryView(BaseModel):
    """One message to one endpoint."""

    id: str
    webhook_id: str
    event: str
    state: JobState
    body: str
    tries: list[TryView]
    created_at: AwareDatetime


def shown(subscription: Subscription, secret: str | None = None) -> dict[str, JSON]:
    """A subscription as its administrators see it."""
    return {
        "id": subscription.id,
        "url": subscription.url,
        "events": sorted(subscription.events),
        "created_at": moment(subscription.created_at),
        "disabled_at": moment(subscription.disabled_at),
        "disabled_why": subscription.disabled_why,
        "old_secret_until": moment(subscription.old_secret_until),
        "secret": secret,
        "version": subscription.version,
    }


def shown_delivery(delivery: Delivery) -> dict[str, JSON]:
    """A delivery with all its tries."""
    return {
        "id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "event": delivery.event,
        "state": delivery.state.value,
        "body": delivery.body,
        "tries": [
            {"at": one.at, "status": one.status, "error": one.error, "ms": one.ms}
            for one in delivery.tries
        ],
        "created_at": moment(delivery.created_at),
    }


@router.post(
    "/v1/webhooks",
    status_code=201,
    response_model=WebhookView,
    responses={201: _ETAG, **problems(400, 401, 403, 413, 422, 429)},
    summary="Đăng ký nhận thông báo. / Subscribe.",
)
async def create_webhook(
    request: Request, house: CurrentHouse, caller: CurrentCaller, form: WebhookForm
) -> Response:
    """For administrators of the agency. The answer holds the secret, for the only time."""
    made, secret = await blocking(house.webhooks.create, caller, form.url, form.events)
    return resource(
        request,
        shown(made, secret),
        version=made.version,
        status=201,
        headers={"location": f"/v1/webhooks/{made.id}"},
    )


@router.get(
    "/v1/webhooks",
    response_model=Page[WebhookView],
    responses=problems(401, 403, 422, 429),
    summary="Các webhook của cơ quan. / The agency's webhooks.",
)
async def list_webhooks(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
) -> Response:
    """For administrators and auditors."""
    found = await blocking(house.webhooks.list, caller, after, limit + 1)
    return page(request, [shown(one) for one in found], limit)


@router.get(
    "/v1/webhooks/{webhook_id}",
    response_model=WebhookView,
    responses={
        200: _ETAG,
        304: {"description": "Không đổi. / Not modified."},
        **problems(401, 403, 404, 422, 429),
    },
    summary="Một webhook. / One webhook.",
)
async def get_webhook(
    request: Request, house: CurrentHouse, caller: CurrentCaller, webhook_id: IdPath
) -> Response:
    """The subscription with its entity tag."""
    found = await blocking(house.webhooks.get, caller, webhook_id)
    return resource(request, shown(found), version=found.version)


@router.patch(
    "/v1/webhooks/{webhook_id}",
    response_model=WebhookView,
    responses={200: _ETAG, **problems(400, 401, 403, 404, 409, 412, 413, 422, 428, 429)},
    summary="Sửa, tắt, bật lại. / Change, disable, enable.",
)
async def change_webhook(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    webhook_id: IdPath,
    version: IfMatch,
    form: WebhookChange,
) -> Response:
    """For administrators of the agency."""
    changed = await blocking(
        house.webhooks.update,
        caller,
        webhook_id,
        version,
        url=form.url,
        events=form.events,
        enabled=form.enabled,
    )
    return resource(request, shown(changed), version=changed.version)


@router.delete(
    "/v1/webhooks/{webhook_id}",
    status_code=204,
    response_class=Response,
    responses=problems(400, 401, 403, 404, 409, 412, 422, 428, 429),
    summary="Xóa webhook và nhật ký gửi. / Delete it with its log.",
)
async def delete_webhook(
    house: CurrentHouse, caller: CurrentCaller, webhook_id: IdPath, version: IfMatch
) -> Response:
    """What waits to be sent is not sent any more."""
    await blocking(house.webhooks.delete, caller, webhook_id, version)
    return Response(status_code=204)


@router.post(
    "/v1/webhooks/{webhook_id}/secret",
    status_code=201,
    response_model=WebhookView,
    responses={201: _ETAG, **problems(400, 401, 403, 404, 409, 412, 413, 422, 428, 429)},
    summary="Đổi khóa bí mật. / Rotate the secret.",
)
async def rotate_secret(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    webhook_id: IdPath,
    version: IfMatch,
    form: RotationForm,
) -> Response:
    """The answer holds the new secret, for the only time; for a while both sign."""
    overlap = timedelta(seconds=form.overlap_s)
    changed, secret = await blocking(house.webhooks.rotate, caller, webhook_id, version, overlap)
    return resource(request, shown(changed, secret), version=changed.version, status=201)


@router.post(
    "/v1/webhooks/{webhook_id}/test",
    status_code=202,
    response_model=DeliveryView,
    responses=problems(401, 403, 404, 409, 422, 429),
    summary="Gửi thử một tin. / Send a test message.",
)
async def test_webhook(house: CurrentHouse, caller: CurrentCaller, webhook_id: IdPath) -> Response:
    """One `webhook.test` message; its delivery shows what came of it."""
    sent = await blocking(house.webhooks.test, caller, webhook_id)
    return JSONAnswer(shown_delivery(sent), 202)


@router.get(
    "/v1/webhooks/{webhook_id}/deliveries",
    response_model=Page[DeliveryView],
    responses=problems(401, 403, 404, 422, 429),
    summary="Nhật ký gửi, mới nhất trước. / Deliveries, newest first.",
)
async def list_deliveries(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    webhook_id: IdPath,
    after: After = None,
    limit: Limit = 50,
    state: Annotated[JobState | None, Query(description="Lọc theo trạng thái.")] = None,
) -> Response:
    """Each with all its tries: when, which status or error, how long."""
    found = await blocking(
        house.webhooks.deliveries, caller, webhook_id, after, limit + 1, state=state
    )
    return page(request, [shown_delivery(one) for one in found], limit)


@router.post(
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    status_code=202,
    response_model=DeliveryView,
    responses=problems(401, 403, 404, 409, 422, 429),
    summary="Gửi lại. / Send again.",
)
async def redeliver(
    house: CurrentHouse, caller: CurrentCaller, webhook_id: IdPath, delivery_id: IdPath
) -> Response:
    """The same message under the same id, so that a receiver knows what it has had."""
    sent = await blocking(house.webhooks.redeliver, caller, webhook_id, delivery_id)
    return JSONAnswer(shown_delivery(sent), 202)
