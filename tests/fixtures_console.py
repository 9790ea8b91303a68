"""People who work at the console of `tests.fixtures_web`, without a browser.

def test_x(console):
    thu = console.signed_in()                       # a scanner of agency A
    page = thu.get("/console")
    thu.post("/console/stacks", station="quầy 1")   # with the form token and the origin
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.console.session import COOKIE
from dossier.model import Caller, Role
from tests.console_room import ORIGIN, StackMaker, form_token
from tests.fixtures_signing import AGENCY
from tests.fixtures_web import Web


class Operator:
    """Somebody with a session."""

    def __init__(self, web: Web, caller: Caller, cookie: str) -> None:
        self.web, self.caller, self.cookie = web, caller, cookie
        self.token = ""

    def get(self, path: str, **headers: str) -> httpx.Response:
        answer: httpx.Response = self.web.ask("GET", path, headers=self.headers() | headers)
        return answer

    def headers(self) -> dict[str, str]:
        return {"cookie": f"{COOKIE}={self.cookie}", "origin": ORIGIN}

    def form_token(self) -> str:
        self.token = self.token or form_token(self.get("/console/settings").text)
        return self.token

    def post(self, path: str, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
        """A form; underscores in names stand for dashes."""
        data = {name.replace("_", "-"): value for name, value in form.items()}
        data = {"form-token": self.form_token()} | data
        sent = self.headers() | (headers or {})
        answer: httpx.Response = self.web.ask("POST", path, data=data, headers=sent)
        return answer

    def upload(self, path: str, files: list[tuple[str, bytes]], **form: str) -> httpx.Response:
        data = {"form-token": self.form_token()} | form
        parts: list[Any] = [("files", (name, content)) for name, content in files]
        answer: httpx.Response = self.web.ask(
            "POST", path, data=data, files=parts, headers=self.headers()
        )
        return answer

    def done(self, answer: httpx.Response) -> httpx.Response:
        """Follow the redirect of a form that was taken."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["location"])


class ConsoleRoom:
    """The application, and people who may sign in."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.house = web.house
        self.maker = StackMaker.of(web.house)

    def key(
        self,
        name: str = "Nguyễn Thị Thu (mẫu)",
        agency: str = AGENCY,
        roles: tuple[Role, ...] = (Role.SCANNER,),
        kind: Any = "user",
        **more: Any,
    ) -> str:
        admin = self.web.house_admin
        principal = self.web.identity.principals.add(
            admin, agency, kind=kind, name=name, roles=roles, **more
        )
        return self.web.identity.api_keys.issue(admin, principal.id).text

    def sign_in(self, key: str, **headers: str) -> httpx.Response:
        answer: httpx.Response = self.web.ask(
            "POST", "/console/sign-in", data={"key": key}, headers={"origin": ORIGIN} | headers
        )
        return answer

    def signed_in(self, key: str = "", **person: Any) -> Operator:
        key = key or self.key(**person)
        answer = self.sign_in(key)
        assert answer.status_code == 303, answer.text
        caller, _ = self.web.identity.authenticate_key(key)
        return Operator(self.web, caller, answer.cookies[COOKIE])


@pytest.fixture
def console(web: Web) -> ConsoleRoom:
    """The console over real parts."""
    return ConsoleRoom(web)
