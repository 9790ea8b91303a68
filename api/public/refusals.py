"""What the door refuses under /verify, as a page: too large, too often, too busy, not found.

Whatever is raised below /verify ends here by way of `api.web.door.document_of`, with the headline,
the words and the status of the problem table, so that the page and the API never say different
things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

from api.public.routes import public_page_of
from api.public.stage import CSP
from api.public.words import LANGUAGES, catalogue
from api.web.door import language_of, request_id_of
from api.web.problem_documents import Answer, Language, in_language, title_of

if TYPE_CHECKING:
    from starlette.types import Scope

    from api.problems import Report


def page_of(scope: Scope, told: Report) -> Answer | None:
    """The page for whoever sent this request; None when it was not for a page."""
    path: str = scope["path"]
    if path != "/verify" and not path.startswith("/verify/"):
        return None
    language, was_chosen = _language(scope)
    query = urlencode({"lang": language})

    def link(to: str) -> str:
        return f"{to}?{query}" if was_chosen else to

    content = public_page_of(scope["app"]).stage.page(
        "refused.html",
        language,
        link=link,
        in_language=lambda other: f"/verify?lang={other}",
        headline=title_of(told.problem, language),
        message=_message(told, language),
        error_id=told.error_id,
        request_id=request_id_of(scope),
    )
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-language": language,
        "content-security-policy": CSP,
        "vary": "accept-language",
    }
    if told.retry_after_s is not None:
        headers["retry-after"] = str(told.retry_after_s)
    return Answer(told.problem.status, headers, content)


def _message(told: Report, language: Language) -> str | None:
    if told.error_id is not None:
        return None
    if told.code == "no-such-address":  # the API's words are for programs
        return catalogue(language)("refused.no-address")
    return in_language(told.message, language)


def _language(scope: Scope) -> tuple[Language, bool]:
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("lang", [""])[-1]
    for language in LANGUAGES:
        if asked == language:
            return language, True
    return language_of(scope), False
