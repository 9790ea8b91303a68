"""The HTTP application: health, readiness and verification of an uploaded PDF.

Everything below is synchronous and runs in worker threads; this module validates and streams.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from api import problems
from signer.verification.verify import Verifier

MAX_UPLOAD_BYTES = 50 * 1024 * 1024
Probe = Callable[[], None]
"""Returns when a collaborator works, raises when it does not."""


@dataclass(frozen=True, slots=True)
class AppServices:
    """What the routes work with. `probes` are the named parts of readiness."""

    verifier: Verifier
    probes: dict[str, Probe]


def _services(request: Request) -> AppServices:
    return cast("AppServices", request.app.state.services)


Services = Annotated[AppServices, Depends(_services)]


def create_app(services: AppServices) -> FastAPI:
    """Build the application over `services`; nothing happens at import."""

    app = FastAPI(title="Sohoa", version="1", docs_url=None, redoc_url=None)
    app.state.services = services
    app.middleware("http")(_opaque_errors)
    app.get("/healthz")(healthz)
    app.get("/readyz")(readyz)
    app.post("/v1/verifications")(verifications)
    return app


async def _opaque_errors(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Turn every error into a problem document (RFC 9457); unknown ones stay opaque."""
    try:
        return await call_next(request)
    except Exception as error:  # noqa: BLE001 - the door: nothing may leave as a trace
        return _problem(problems.report(error))


async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


async def readyz(services: Services) -> JSONResponse:
    """Each collaborator by name; 503 when one does not work."""
    states: dict[str, str] = {}
    for name, probe in services.probes.items():
        try:
            await run_in_threadpool(probe)
            states[name] = "ok"
        except Exception as error:  # noqa: BLE001 - whatever a probe raises means: not ready
            states[name] = problems.report(error).problem.headline_en
    ready = all(state == "ok" for state in states.values())
    return JSONResponse({"ready": ready, "parts": states}, 200 if ready else 503)


async def verifications(request: Request, services: Services) -> JSONResponse:
    """Verify the PDF in the body (at most 50 MiB); nothing is stored."""
    with tempfile.TemporaryDirectory(prefix="sohoa-verify-") as folder:
        path = Path(folder) / "upload.pdf"
        size = 0
        with path.open("wb") as stream:
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_UPLOAD_BYTES:
                    return JSONResponse(
                        _body("Content too large", 413, f"at most {MAX_UPLOAD_BYTES} bytes"),
                        413,
                        media_type="application/problem+json",
                    )
                stream.write(chunk)
        report = await run_in_threadpool(services.verifier.verify, path)
    return JSONResponse(report.to_json())


def _problem(report: problems.Report) -> JSONResponse:
    detail = report.message if report.error_id is None else f"id {report.error_id}"
    body = _body(report.problem.headline_en, report.problem.status, detail)
    body["title_vi"] = report.problem.headline_vi
    return JSONResponse(body, report.problem.status, media_type="application/problem+json")


def _body(title: str, status: int, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": title, "status": status, "detail": detail}
