"""The door, the gate and two routes over a real directory: what authentication is tested with.

client = AuthClient(directory)
answer = client.ask("GET", "/v1/whoami", headers=bearer(text))
client.effects                   # bodies that a route took: after their end, all of them
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from types import SimpleNamespace
from typing import Any

import httpx
from fastapi import FastAPI, Request
from pydantic import BaseModel

from api import auth
from api.settings import IdentitySettings, OIDCIssuer, WebSettings
from api.web.admission import Admission
from api.web.door import Door
from api.web.doorway import CurrentCaller
from dossier.identity.keytext import secret_digest, split_key_text
from tests.fixtures_identity import Directory

ADDRESS = "http://sohoa.example"
SOURCE = "203.0.113.5"


class Order(BaseModel):
    """A declared body, which FastAPI reads before it asks who the caller is."""

    text: str


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


class AuthClient:
    """An application under test and the loop that it runs in. `close` it."""

    def __init__(
        self,
        directory: Directory,
        *issuers: OIDCIssuer,
        window_s: int = 300,
        public_url: str = "",
        max_body_bytes: int = 10 * 2**20,
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.effects: list[bytes] = []
        self.read_bytes = 0
        self.app = FastAPI()
        self.app.state.house = SimpleNamespace(
            settings=SimpleNamespace(
                identity=IdentitySettings(oidc=issuers, signed_request_window_s=window_s),
                web=WebSettings(public_url=public_url, max_body_bytes=max_body_bytes),
            ),
            identity=directory.identity,
            audit=directory.audit,
        )
        self.directory = directory
        self.authenticator = auth.authenticator_of(self.app)
        self.app.add_middleware(auth.Gate)
        self.app.add_middleware(
            Door,
            admission=Admission(64),
            refused=self.authenticator.refusals.refused,
            max_body_bytes=max_body_bytes,
        )
        self.app.get("/v1/whoami")(self._whoami)
        self.app.post("/v1/stream")(self._stream)
        self.app.post("/v1/order")(self._order)
        self.app.get("/healthz")(self._health)

    async def _whoami(self, caller: CurrentCaller) -> dict[str, Any]:
        return {
            "id": caller.principal_id,
            "agency": caller.agency_id,
            "method": caller.method,
            "roles": sorted(caller.roles),
            "request_id": caller.request_id,
        }

    async def _stream(self, request: Request, caller: CurrentCaller) -> dict[str, Any]:
        pieces = []
        async for piece in request.stream():
            self.read_bytes += len(piece)
            pieces.append(piece)
        self.effects.append(b"".join(pieces))
        return {"id": caller.principal_id}

    async def _order(self, order: Order, caller: CurrentCaller) -> dict[str, Any]:
        self.effects.append(order.text.encode())
        return {"id": caller.principal_id}

    async def _health(self) -> dict[str, str]:
        return {"status": "ok"}

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, answered whole; options as those of `asked`."""
        return self.loop.run_until_complete(self.asked(method, path, **options))

    async def asked(
        self,
        method: str,
        path: str,
        *,
        headers: Any = None,
        content: Any = None,
        source: str = SOURCE,
        extra_scope: dict[str, Any] | None = None,
    ) -> httpx.Response:
        async def app(scope, receive, send):
            await self.app({**scope, **(extra_scope or {})}, receive, send)

        transport = httpx.ASGITransport(app=app, client=(source, 40000))
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as http:
            return await http.request(method, path, headers=headers, content=content)

    async def asked_raw(self, method: str, path: str, headers: dict[str, str], source: str) -> int:
        """The status alone, without a client around it: for thousands of requests."""
        status = 0

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            nonlocal status
            status = message.get("status", status)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
            "client": (source, 40000),
            "scheme": "http",
            "server": None,
            "http_version": "1.1",
        }
        await self.app(scope, receive, send)
        return status

    def close_auth(self) -> None:
        """End the authenticator: what it had to write is written."""
        self.loop.run_until_complete(auth.close(self.app))

    def close(self) -> None:
        self.loop.run_until_complete(auth.close(self.app))
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


def sign(
    text: str,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    created: float | None = None,
    nonce: str | None = None,
    components: tuple[str, ...] | None = None,
    headers: dict[str, str] | None = None,
    address: str = ADDRESS,
    alg: str | None = "hmac-sha256",
    digest_of: bytes | None = None,
) -> dict[str, str]:
    """The headers of a signed request, made apart from our own code (RFC 9421 clause 2.5)."""
    parts = split_key_text(text)
    assert parts is not None
    key_id, secret = parts
    told = dict(headers or {})
    if body or digest_of is not None:
        digest = base64.b64encode(hashlib.sha256(digest_of or body).digest()).decode()
        told.setdefault("Content-Digest", f"sha-256=:{digest}:")
    if method == "POST":
        told.setdefault("Idempotency-Key", secrets.token_hex(8))
    plain = {name.lower(): value for name, value in told.items()}
    names = components or (
        "@method",
        "@target-uri",
        *(
            n
            for n in ("content-digest", "idempotency-key", "if-match", "content-type")
            if n in plain
        ),
    )
    path_only, _, query = path.partition("?")
    known = {
        "@method": method,
        "@target-uri": address + path,
        "@path": path_only,
        "@query": f"?{query}",
        "@authority": address.partition("://")[2],
        **plain,
    }
    listed = " ".join(f'"{name}"' for name in names)
    parameters = f"({listed});created={int(created if created is not None else time.time())}"
    parameters += f';nonce="{nonce or secrets.token_hex(16)}";keyid="{key_id}"'
    if alg is not None:
        parameters += f';alg="{alg}"'
    base = "\n".join([f'"{name}": {known.get(name, "")}' for name in names])
    base += f'\n"@signature-params": {parameters}'
    signature = hmac.digest(secret_digest(secret), base.encode(), "sha256")
    told["Signature-Input"] = f"sig1={parameters}"
    told["Signature"] = f"sig1=:{base64.b64encode(signature).decode()}:"
    return told
