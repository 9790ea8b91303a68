"""The OpenAPI 3.1 description: what FastAPI finds out itself, and what only we know.

Routes that read their body themselves declare its form with `body`; the door's own answers,
security schemes and the forms behind them are added here, once for all routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from api.web import problem_documents

_TITLE = "Sohoa"
_ABOUT = (
    "Ký số, kiểm tra và số hóa hồ sơ hành chính. / Signing, verification and digitizing of "
    "administrative records.\n\n"
    "Lỗi là tài liệu RFC 9457, tiếng Việt hoặc tiếng Anh theo Accept-Language. / Errors are RFC "
    "9457 problems, in Vietnamese or English by Accept-Language."
)
_SECURITY: Mapping[str, Any] = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "sohoa_…",
        "description": "Khóa API. / API key.",
    },
    "oidc": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Mã OIDC của đơn vị phát hành đã khai báo. / OIDC token of a known issuer.",
    },
    "mutualTLS": {"type": "mutualTLS", "description": "Chứng thư máy khách. / Client certificate."},
    "signedRequest": {
        "type": "apiKey",
        "in": "header",
        "name": "Signature",
        "description": "RFC 9421, hmac-sha256, cùng Content-Digest. / with Content-Digest.",
    },
}
_FORMS: dict[str, type[BaseModel]] = {}


def body(
    *forms: tuple[str, type[BaseModel] | Mapping[str, Any]], required: bool = True
) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its body itself: (media type, form) each."""
    content: dict[str, Any] = {}
    for media_type, form in forms:
        if isinstance(form, Mapping):
            schema = dict(form)
        else:
            _FORMS[form.__name__] = form
            schema = reference(form)
        content[media_type] = {"schema": schema}
    return {"requestBody": {"required": required, "content": content}}


def reference(form: type[BaseModel]) -> dict[str, str]:
    """A reference to a form that `body` was given, or that FastAPI knows."""
    return {"$ref": f"#/components/schemas/{form.__name__}"}


TAGGED: dict[str, Any] = {"headers": {"ETag": {"schema": {"type": "string"}}}}
"""An answer that carries the entity tag of what it shows."""

READ: dict[int | str, dict[str, Any]] = {
    200: TAGGED,
    304: {"description": "Không đổi. / Not modified."},
}
"""The answers of a route that shows one thing: it, or that it is as it was (If-None-Match)."""

BINARY: Mapping[str, Any] = {"type": "string", "format": "binary"}


def describe(app: FastAPI, public: frozenset[str]) -> dict[str, Any]:
    """The description of `app`; paths in `public` need no credentials."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    found = get_openapi(
        title=_TITLE,
        version=app.version,
        openapi_version="3.1.0",
        description=_ABOUT,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    _, definitions = models_json_schema(
        [(form, "validation") for form in _FORMS.values()],
        ref_template="#/components/schemas/{model}",
    )
    for name, schema in definitions.get("$defs", {}).items():
        schemas.setdefault(name, schema)
    schemas["Problem"] = dict(problem_documents.SCHEMA)
    for unused in ("HTTPValidationError", "ValidationError"):  # ours are problems
        schemas.pop(unused, None)
    components["securitySchemes"] = dict(_SECURITY)
    needed: list[dict[str, list[str]]] = [{name: []} for name in _SECURITY]
    for path, item in found["paths"].items():
        for operation in item.values():
            operation["security"] = [] if path in public else needed
    app.openapi_schema = found
    return found
