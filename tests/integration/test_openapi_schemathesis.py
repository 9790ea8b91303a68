"""Schemathesis over the whole description, with and without credentials (must-show 5).

`make proof-schemathesis` asks the same with many more examples.
"""

from __future__ import annotations

import pytest

from api.auth.gate import PUBLIC
from tests.asked_by_strangers import Asked, ask_everything, things_to_ask_for
from tests.fixtures_web import Web

EXAMPLES = 12
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def asked(web: Web) -> Asked:
    return ask_everything(web, things_to_ask_for(web), examples=EXAMPLES)


@pytest.mark.no_cover  # the same lines thousands of times
def test_no_5xx_and_no_answer_that_is_not_described(asked: Asked) -> None:
    """Every single answer was checked on the way; here: that enough was asked to matter."""
    operations = {name for name, _ in asked.statuses}
    assert asked.asked > 0.9 * EXAMPLES * len(operations)
    assert asked.unsendable < 0.1 * asked.asked
    served = {name for name, status in asked.statuses if status < 300}
    assert len(served) > 0.45 * len(operations), sorted(operations - served)
    assert max(status for _, status in asked.statuses) < 500


@pytest.mark.no_cover
def test_the_same_on_postgresql(web_on_postgres: Web) -> None:
    """It takes other texts and numbers than SQLite: fewer examples, the same checks."""
    found = ask_everything(web_on_postgres, things_to_ask_for(web_on_postgres), examples=5)
    assert max(status for _, status in found.statuses) < 500


def test_nothing_is_answered_without_credentials(web: Web) -> None:
    """Each operation that needs credentials says 401 to none and to wrong ones, and no more."""
    described = web.ask("GET", "/openapi.json").json()
    wrong = web.keys["clerk"][:-6] + "000000"
    for path, item in described["paths"].items():
        for method, operation in item.items():
            assert (path in PUBLIC) == (operation["security"] == [])
            if path in PUBLIC:
                continue
            for number, headers in enumerate(({}, {"authorization": f"Bearer {wrong}"})):
                answer = _from_elsewhere(web, number, method, path, headers)
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"]
                assert "401" in operation["responses"], (method, path)


def _from_elsewhere(web: Web, number: int, method: str, path: str, headers: dict[str, str]):
    """From an address of its own, so that no address fails too often."""
    web.transport.client = (f"198.18.{number}.{abs(hash((method, path))) % 250}", 1)
    return web.ask(method.upper(), path, headers=headers)


def test_methods_that_are_not_described_are_refused(web: Web) -> None:
    described = web.ask("GET", "/openapi.json").json()
    for path, item in described["paths"].items():
        for method in METHODS:
            if method.lower() not in item:
                answer = web.ask(method, path, as_="admin@*")
                assert answer.status_code == 405, (method, path)
                allowed = {name.strip().lower() for name in answer.headers["allow"].split(",")}
                assert allowed <= {*item, "head"}, (method, path)
