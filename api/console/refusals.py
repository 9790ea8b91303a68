"""What the door refuses under /console, as a page, with the words of the problem table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.console.screen import HOME, page_bytes, page_headers, preferences_of
from api.public.words import catalogue
from api.web.door import request_id_of
from api.web.problem_documents import Answer, in_language, title_of

if TYPE_CHECKING:
    from starlette.types import Scope

    from api.problems import Report


def page_of(scope: Scope, told: Report) -> Answer | None:
    """The page for whoever sent this request; None when it was not for a page of the console."""
    path: str = scope["path"]
    if path != HOME and not path.startswith(f"{HOME}/"):
        return None
    language = preferences_of(scope).language
    message: str | None = in_language(told.message, language)
    if told.error_id is not None:
        message = None
    elif told.code == "no-such-address":  # the API's words are for programs
        message = catalogue(language, "api.console")("refused.no-address")
    content = page_bytes(
        scope,
        scope.get("state", {}).get("console_session"),
        "refused.html",
        headline=title_of(told.problem, language),
        message=message,
        error_id=told.error_id,
        request_id=request_id_of(scope),
    )
    headers = {**page_headers(scope), "content-type": "text/html; charset=utf-8"}
    if told.retry_after_s is not None:
        headers["retry-after"] = str(told.retry_after_s)
    return Answer(told.problem.status, headers, content)
