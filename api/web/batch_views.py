"""Wire models of batches: the list that comes in, what clients see of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field

from api.web.intake import Received
from api.web.routes.signatures import moment
from api.web.schemas import SHA256, ErrorView, Form, Line, OrderForm, ResultReference
from api.web.validation import require_form
from dossier.batches.order import (
    Batch,
    BatchItem,
    BatchOrder,
    ListedItem,
    Policy,
    checked_items,
    entries_of_lines,
)
from dossier.errors import InvalidOrder
from dossier.model import JSON, BatchState, ItemState

M = TypeVar("M", bound=BaseModel)
PATH = "/v1/signature-batches"
JSON_TYPE, LINES_TYPE = "application/json", "application/x-ndjson"


class OverridesForm(Form):
    """What differs for one document from the order of the batch."""

    number: int | None = Field(default=None, ge=1, le=2**31 - 1)
    symbol: Line | None = Field(default=None, min_length=1, max_length=64)
    decided_on: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    reason: Line | None = Field(default=None, max_length=500)
    location: Line | None = Field(default=None, max_length=200)
    expected_agency: Line | None = Field(default=None, max_length=500)
    copy_form: Literal["SY", "TRS", "SL"] | None = None
    result_reference: ResultReference = None


class ItemForm(Form):
    """One document of the list, uploaded before."""

    source_sha256: SHA256
    reference: Line | None = Field(default=None, min_length=1, max_length=256)
    overrides: OverridesForm = OverridesForm()


class BatchHead(Form):
    """What is done with every document; the first of the JSON lines."""

    order: OrderForm
    policy: Literal["each", "all"] = Field(
        default="each",
        description="each: mỗi văn bản độc lập; all: có một lỗi thì dừng và không phát hành kết "
        "quả nào. / each document for itself, or all or none.",
    )
    title: Line = Field(default="", max_length=256)

    def batch_order(self) -> BatchOrder:
        """The order that this describes. Raises `InvalidOrder`."""
        return BatchOrder(self.order.order(), Policy(self.policy), self.title)


class BatchForm(BatchHead):
    """An order and its list in one JSON document."""

    items: list[ItemForm] = Field(min_length=1)


class BatchView(BaseModel):
    """A batch."""

    id: str
    state: BatchState
    version: int
    order: dict[str, Any]
    policy: Literal["each", "all"]
    title: str
    total: int
    handed: int
    published: int
    failed: int
    skipped: int
    list_sha256: str
    list_signature: dict[str, Any] | None
    created_by: str
    approved_by: str | None
    released_by: str | None
    sheet_sha256: str | None
    error: dict[str, Any] | None
    created_at: str
    finished_at: str | None
    links: dict[str, str]


class ItemView(BaseModel):
    """One document of a batch."""

    position: int
    reference: str | None
    state: ItemState
    source_sha256: str
    overrides: dict[str, Any]
    record_id: str | None
    result_sha256: str | None
    number: int | None
    symbol: str | None
    error: ErrorView | None
    links: dict[str, str]


def shown(batch: Batch) -> dict[str, JSON]:
    """A batch as clients see it."""
    base = f"{PATH}/{batch.id}"
    links = {"self": base, "items": f"{base}/items", "events": f"{base}/events"}
    if batch.sheet_sha256 is not None:
        links["sheet"] = f"{base}/sheet"
    order = batch.order.to_json()
    return {
        "id": batch.id,
        "state": batch.state.value,
        "version": batch.version,
        "order": order["order"],
        "policy": order["policy"],
        "title": order["title"],
        "total": batch.total,
        "handed": batch.handed,
        "published": batch.published,
        "failed": batch.failed,
        "skipped": _skipped(batch),
        "list_sha256": batch.list_sha256,
        "list_signature": batch.list_signature,
        "created_by": batch.created_by,
        "approved_by": batch.approved_by,
        "released_by": batch.released_by,
        "sheet_sha256": batch.sheet_sha256,
        "error": batch.error,
        "created_at": moment(batch.created_at),
        "finished_at": moment(batch.finished_at),
        "links": links,
    }


def _skipped(batch: Batch) -> int:
    """Documents that will not be signed; known once the batch has ended."""
    if batch.finished_at is None:
        return 0
    return batch.total - batch.published - batch.failed


def shown_item(item: BatchItem) -> dict[str, JSON]:
    links = {}
    if item.record_id is not None:
        links["record"] = f"/v1/signatures/{item.record_id}"
        if item.state is ItemState.PUBLISHED:
            links["result"] = f"/v1/signatures/{item.record_id}/result"
    return {
        "position": item.position,
        "reference": item.reference,
        "state": item.state.value,
        "source_sha256": item.source_sha256,
        "overrides": dict(item.overrides),
        "record_id": item.record_id,
        "result_sha256": item.result_sha256,
        "number": item.number,
        "symbol": item.symbol,
        "error": item.error,
        "links": links,
    }


def read_list(
    received: Received, media_type: str, most: int
) -> tuple[BatchOrder, list[ListedItem], str]:
    """Order, items and digest. Lines are read one by one; a JSON document is bounded by the door.

    Raises `InvalidOrder`, `QuotaExceeded`.
    """
    if media_type == LINES_TYPE:
        entries = entries_of_lines(_lines(received.source))
        head = _object(next(entries, None))
    else:
        head, entries = _document(received.source)
    order = _form(BatchHead, head, "body").batch_order()
    items, digest = checked_items(order, _checked(entries), most)
    return order, items, digest


def _document(source: bytes | Path) -> tuple[dict[str, JSON], Iterator[JSON]]:
    try:
        body = _object(json.loads(source if isinstance(source, bytes) else source.read_bytes()))
    except (ValueError, RecursionError) as error:
        raise InvalidOrder("Nội dung không phải JSON. / The body is no JSON.") from error
    entries = body.pop("items", None)
    if not isinstance(entries, list):
        raise InvalidOrder("Thiếu danh sách items. / The list items is missing.", field="items")
    return body, iter(entries)


def _checked(entries: Iterator[JSON]) -> Iterator[JSON]:
    """The entries, each in its declared form. Raises `RequestValidationError`."""
    for position, entry in enumerate(entries):
        item = _form(ItemForm, entry, f"items.{position}")
        yield item.model_dump(exclude_none=True, exclude_defaults=True)


def _form(model: type[M], value: JSON, place: str) -> M:
    # strict, as a body that was never parsed: no text passes for a number
    return require_form(model, json.dumps(value).encode(), place=place, strict=True)


def _object(value: JSON) -> dict[str, JSON]:
    if not isinstance(value, dict):
        raise InvalidOrder(
            "Dòng đầu (hoặc cả nội dung) là một đối tượng JSON có order. / The first line (or the "
            "whole body) is a JSON object with order.",
            field="body",
        )
    return value


def _lines(source: bytes | Path) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield from source.split(b"\n")
        return
    with source.open("rb") as stream:
        yield from stream
