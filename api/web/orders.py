"""Reads an order for a signature out of a request: three forms of it, one order."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.errors import MalformedRequest
from api.web.schemas import OrderForm
from api.web.validation import require_form

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from dossier.signing.order import SignatureOrder

MAX_WAIT_S = 60
_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,6})\"?")
_SEVERAL = "profiles"


@dataclass(frozen=True, slots=True)
class Preference:
    """What the client prefers (RFC 7240): to wait so long for the result."""

    wait_s: int
    applied: str | None


def preference(prefer: str | None) -> Preference:
    """Read ``Prefer: wait=N``; more than `MAX_WAIT_S` is cut down to it. Others are ignored."""
    for entry in (prefer or "").split(","):
        match = _WAIT.fullmatch(entry.partition(";")[0].strip().lower())
        if match is not None:
            seconds = min(int(match[1]), MAX_WAIT_S)
            return Preference(seconds, f"wait={seconds}")
    return Preference(0, None)


def order_of_query(query: QueryParams) -> SignatureOrder:
    """The order in the query of a raw PDF. Raises `RequestValidationError`, `InvalidOrder`."""
    entries: dict[str, Any] = {}
    for name, value in query.multi_items():
        if name == _SEVERAL:
            entries.setdefault(_SEVERAL, []).append(value)
        elif name in entries:
            raise MalformedRequest(
                f"Tham số “{name}” xuất hiện hai lần. / The parameter comes twice: {name}.",
                field=f"query.{name}",
            )
        else:
            entries[name] = value
    return require_form(OrderForm, entries, place="query").order()


def order_parameters() -> list[Mapping[str, Any]]:
    """How OpenAPI describes the query of a raw PDF."""
    schema = OrderForm.model_json_schema()
    found: list[Mapping[str, Any]] = []
    for name, entry in schema["properties"].items():
        described = {k: v for k, v in entry.items() if k not in ("description", "default", "title")}
        if "anyOf" in described:  # a query cannot say null: what is left out is None
            described = next(part for part in described["anyOf"] if part.get("type") != "null")
        found.append(
            {
                "name": name,
                "in": "query",
                "required": False,  # JSON and multipart carry the order in the body
                "description": entry.get("description", ""),
                "schema": described,
                "style": "form",
                "explode": True,
            }
        )
    return found


def request_digest(route: str, order: SignatureOrder, source_sha256: str) -> str:
    """What an Idempotency-Key stands for: route, order and document."""
    text = json.dumps([route, order.to_json(), source_sha256], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
