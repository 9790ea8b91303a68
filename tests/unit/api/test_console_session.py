"""Sessions of the console: who gets one, what ends it, and forms that were sent from elsewhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from api.console.session import COOKIE, IDLE_S, LONGEST_S, Sessions
from dossier.errors import AccessRefused, CredentialRefused
from dossier.identity import Limits
from dossier.model import Role
from dossier.storage.tables import audit_entries
from tests.console_room import ORIGIN
from tests.fixtures_console import ConsoleRoom


class _Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_person_signs_in_and_out(console: ConsoleRoom) -> None:
    page = console.web.ask("GET", "/console")
    assert page.status_code == 303
    assert page.headers["location"] == "/console/sign-in"
    key = console.key()
    answer = console.sign_in(key)
    assert answer.headers["location"] == "/console"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for flag in ("Path=/", "Secure", "HttpOnly", "SameSite=lax"):
        assert flag in cookie
    assert key.rpartition("_")[2] not in cookie
    thu = console.signed_in(key)
    shown = thu.get("/console")
    assert shown.status_code == 200
    assert "Nguyễn Thị Thu (mẫu)" in shown.text
    policy = shown.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["referrer-policy"] == "same-origin"
    assert shown.headers["cache-control"] == "no-store"
    out = thu.post("/console/sign-out")
    assert out.headers["clear-site-data"] == '"cache"'
    assert (
        thu.get("/console").headers["location"] == "/console/sign-in"
    )  # the copy is worth nothing


def test_only_people_who_scan_or_check_get_a_session(console: ConsoleRoom) -> None:
    told = {
        console.key(kind="client"): "a program",
        console.key(roles=(Role.CLERK,)): "role",
        console.key(limits=Limits(require_signed_requests=True)): "a program",
        "sohoa_no_such_key": "key is wrong",
        "": "key is wrong",
    }
    for key, said in told.items():
        answer = console.sign_in(key)
        assert answer.status_code == 401, key
        assert said in answer.text
        assert "set-cookie" not in answer.headers
    officer = console.signed_in(roles=(Role.OFFICER,), name="Cán bộ thử")
    assert officer.get("/console").status_code == 200


def test_guessing_is_slowed_down(console: ConsoleRoom) -> None:
    key = console.key()
    codes = [console.sign_in("sohoa_wrong").status_code for _ in range(31)]
    assert codes == [401] * 30 + [429]
    refused = console.sign_in(key)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert "data-message" in refused.text


def test_sessions_end_by_time_by_key_and_by_hand(console: ConsoleRoom) -> None:
    clock = _Clock()
    folder = console.web.folder / "ended"
    sessions = Sessions(console.web.identity, folder, clock=clock)
    key = console.key()
    cookie, session = sessions.open(key)
    assert sessions.read(cookie, "req-1").caller.request_id == "req-1"
    assert sessions.renewed(session) is None
    clock.now += IDLE_S - 1
    renewed = sessions.renewed(sessions.read(cookie))
    assert renewed is not None
    clock.now += 2
    with pytest.raises(CredentialRefused):
        sessions.read(cookie)
    again = sessions.read(renewed)
    assert again.form_token == session.form_token  # forms on the screen go on
    # after a restart, or in another process: nothing was kept in memory
    other = Sessions(console.web.identity, folder, clock=clock)
    assert other.read(renewed).caller.name == "Nguyễn Thị Thu (mẫu)"
    while clock.now < session.began + LONGEST_S:
        renewed = sessions.cookie_of(sessions.read(renewed))
        renewed = sessions.renewed(sessions.read(renewed)) or renewed
        clock.now += IDLE_S - 60
    with pytest.raises(CredentialRefused):
        sessions.read(renewed)
    clock.now = datetime.now(UTC).timestamp()
    cookie, session = sessions.open(key)
    other.end(session)
    with pytest.raises(CredentialRefused):
        sessions.read(cookie)
    second, _ = sessions.open(key)
    admin = console.web.house_admin
    console.web.identity.api_keys.revoke(admin, session.key_id)
    with pytest.raises(CredentialRefused):
        sessions.read(second)


def test_a_cookie_cannot_be_made_or_changed(console: ConsoleRoom) -> None:
    sessions = Sessions(console.web.identity, console.web.folder / "ended")
    mine, _ = sessions.open(console.key())
    yours, _ = sessions.open(console.key(name="Người khác"))
    parts = mine.split(".")
    forged = [
        ".".join([yours.split(".")[0], *parts[1:]]),
        ".".join([*parts[:3], str(int(parts[3]) + 900), parts[4]]),
        ".".join([*parts[:4], "A" * 43]),
        mine[:-1],
        "",
        "x" * 10_000,
        "..\u202e",
    ]
    for cookie in forged:
        with pytest.raises(CredentialRefused):
            sessions.read(cookie)


def test_a_role_that_was_taken_away_counts_at_once(console: ConsoleRoom) -> None:
    sessions = Sessions(console.web.identity, console.web.folder / "ended")
    cookie, session = sessions.open(console.key())
    admin, principals = console.web.house_admin, console.web.identity.principals
    found = principals.get(admin, session.caller.principal_id)
    principals.change(admin, found.id, version=found.version, roles=[Role.CLERK])
    with pytest.raises(AccessRefused):
        sessions.read(cookie)


@pytest.mark.parametrize("path", ["/console/stacks", "/console/sign-out", "/console/settings"])
def test_forms_from_elsewhere_do_nothing(path: str, console: ConsoleRoom) -> None:
    thu = console.signed_in()
    for origin in ("https://example.org", "null", f"{ORIGIN}:81", ""):
        refused = thu.post(path, headers={"origin": origin}, station="x")
        assert refused.status_code == 403, origin
    other = console.signed_in(name="Người khác")
    for token in ("", "0" * 64, other.form_token(), "é"):
        refused = thu.post(path, station="x", form_token=token)
        assert refused.status_code == 403, token
        assert "data-message" in refused.text
    assert thu.get("/console").status_code == 200  # still signed in
    assert console.house.stacks.list(thu.caller) == []


def test_a_key_of_the_api_opens_no_page_and_a_cookie_no_api(console: ConsoleRoom) -> None:
    key = console.key()
    answer = console.web.ask("GET", "/console", headers={"authorization": f"Bearer {key}"})
    assert answer.headers["location"] == "/console/sign-in"
    thu = console.signed_in(key)
    assert thu.get("/v1/stacks").status_code == 401


def test_where_one_wanted_to_go(console: ConsoleRoom) -> None:
    asked = console.web.ask("GET", "/console/settings")
    assert asked.headers["location"] == "/console/sign-in?back=%2Fconsole%2Fsettings"
    assert 'value="/console/settings"' in console.web.ask("GET", asked.headers["location"]).text
    for back, leads in (
        ("/console/settings", "/console/settings"),
        ("https://example.org/console", "/console"),
        ("//example.org", "/console"),
        ("/verify", "/console"),
        ("/console\r\nset-cookie: a=b", "/console"),
    ):
        sent = console.web.ask(
            "POST",
            "/console/sign-in",
            data={"key": console.key(), "back": back},
            headers={"origin": ORIGIN},
        )
        assert sent.headers["location"] == leads


def test_settings_stay_in_the_browser(console: ConsoleRoom) -> None:
    thu = console.signed_in()
    assert 'data-letter-keys="on"' in thu.get("/console").text
    kept = thu.post("/console/settings", language="vi")
    cookie = re.match(r"[^;]+", kept.headers["set-cookie"])
    assert cookie is not None
    page = thu.get("/console", cookie=f"{COOKIE}={thu.cookie}; {cookie[0]}")
    assert 'data-letter-keys="off"' in page.text
    assert '<html lang="vi">' in page.text


def test_signing_in_and_failing_to_is_in_the_audit_log(console: ConsoleRoom) -> None:
    console.sign_in("sohoa_wrong")
    thu = console.signed_in()
    thu.post("/console/sign-out")
    console.web.app.state.authenticator.refusals.flush()
    with console.house.database.read() as connection:
        entries = "\n".join(connection.execute(sa.select(audit_entries.c.entry)).scalars())
    for event in ("console.signed-in", "console.signed-out", "request.refused"):
        assert f'"{event}"' in entries
