"""TSAClient: one request a token, retries for transport faults only, and typed refusals."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import socket
import threading
import time

import pytest

from signer import der
from signer.certificate_path import NoPath
from signer.clock import ClockGate
from signer.errors import TimestampError
from signer.fetch import Fetcher
from signer.insecure_testpki import InsecureTestPKI, Role
from signer.insecure_testpki.roles import PROFILES
from signer.timestamp import TSAClient
from signer.timestamp_token import read_response
from signer.tsa import TimestampAuthority
from tests.fixtures_http import http_ok
from tests.fixtures_pki import TSA_POLICY, MemoryBareKey, no_loader

IMPRINT = hashlib.sha256(b"hello").digest()
REPLY = "application/timestamp-reply"


@pytest.fixture
def authority(test_pki):
    return TimestampAuthority(test_pki.tsa, TSA_POLICY)


def answering(authority):
    return lambda body: http_ok(authority.respond(body), REPLY)


class Pauses:
    def __init__(self):
        self.seconds = []

    def __call__(self, seconds):
        self.seconds.append(seconds)


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_exactly_one_request(test_pki, digest):
    before = test_pki.services.requests["/tsa"]
    client = TSAClient(f"{test_pki.services.base_url}/tsa", anchors=test_pki.anchors)
    token = client.timestamp(hashlib.new(digest, b"x").digest(), digest)
    assert token.startswith(b"\x30\x82")
    assert test_pki.services.requests["/tsa"] == before + 1
    assert client.requests == 1


def test_it_learns_the_size_of_tokens(test_pki):
    client = TSAClient(f"{test_pki.services.base_url}/tsa")
    assert client.size_hint == 8192
    sizes = [len(client.timestamp(IMPRINT)) for _ in range(3)]
    assert max(sizes) < client.size_hint < 8192


def test_one_connection_for_all(scripted_server, authority):
    server = scripted_server(answering(authority), keep_open=True)
    client = TSAClient(server.url)
    for _ in range(3):
        client.timestamp(IMPRINT)
    assert (server.connections, len(server.requests)) == (1, 3)
    assert b"Content-Type: application/timestamp-query" in server.requests[0]


@pytest.mark.parametrize(
    ("imprint", "digest"),
    [(bytes(20), "sha1"), (bytes(31), "sha256"), (b"", "sha256"), (bytes(32), "md5")],
)
def test_only_sha2_imprints_are_sent(imprint, digest):
    client = TSAClient("http://127.0.0.1:1/")
    with pytest.raises(TimestampError, match="SHA-2"):
        client.timestamp(imprint, digest)
    assert client.requests == 0


def test_transport_faults_are_tried_again_with_doubling_pauses(scripted_server, authority, caplog):
    server = scripted_server(
        b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", answering(authority)
    )
    pauses = Pauses()
    client = TSAClient(server.url, first_pause_s=0.5, sleep=pauses)
    with caplog.at_level(logging.WARNING):
        assert client.timestamp(IMPRINT)
    assert pauses.seconds == [0.5, 1.0]
    assert client.requests == 3
    assert "trying again in 0.5 s" in caplog.text


def test_a_tsa_that_is_down_fails_closed():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/tsa"
    pauses = Pauses()
    with pytest.raises(TimestampError, match=r"sau 3 lần.*after 3 tries.*then sign again"):
        TSAClient(url, sleep=pauses).timestamp(IMPRINT)
    assert pauses.seconds == [1.0, 2.0]


def test_a_tsa_that_hangs_costs_its_time_limit(scripted_server):
    server = scripted_server(http_ok(bytes(100)), drip_s=0.05)
    client = TSAClient(server.url, timeout_s=0.2, tries=2, sleep=Pauses())
    with pytest.raises(TimestampError, match=r"within 0\.2 s"):
        client.timestamp(IMPRINT)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n", "500 Broken"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "Check its address"),
        (http_ok(bytes(65 * 1024), REPLY), "larger than 65536"),
        (http_ok(b"<html>login</html>", "text/html"), "discarded"),
        (http_ok(b"", REPLY), "discarded"),
    ],
)
def test_final_answers_are_not_tried_again(scripted_server, answer, message):
    server = scripted_server(answer)
    with pytest.raises(TimestampError, match=message):
        TSAClient(server.url, sleep=Pauses()).timestamp(IMPRINT)
    assert len(server.requests) == 1


def test_a_replayed_token(scripted_server, authority):
    kept = []

    def replay(body):
        kept.append(http_ok(authority.respond(body), REPLY))
        return kept[0]

    client = TSAClient(scripted_server(replay, keep_open=True).url)
    client.timestamp(IMPRINT)
    with pytest.raises(TimestampError, match="replay"):
        client.timestamp(IMPRINT)


def test_a_token_for_something_else(scripted_server, authority):
    other = hashlib.sha256(b"other").digest()

    def swap(body):
        return http_ok(authority.respond(body.replace(IMPRINT, other)), REPLY)

    with pytest.raises(TimestampError, match="another imprint"):
        TSAClient(scripted_server(swap).url).timestamp(IMPRINT)


@pytest.mark.parametrize("minutes", [-10, 10])
def test_the_clocks_must_agree(scripted_server, test_pki, minutes):
    def shifted():
        return dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)

    # a certificate that was in force ten minutes ago as well
    key = test_pki.issue(PROFILES[Role.TSA], starts_after=-dt.timedelta(hours=1))
    authority = TimestampAuthority(key, TSA_POLICY, clock=shifted)
    server = scripted_server(answering(authority))
    with pytest.raises(TimestampError, match="clock"):
        TSAClient(server.url).timestamp(IMPRINT)
    patient = TSAClient(server.url, clock=ClockGate(dt.timedelta(minutes=30)))
    assert patient.timestamp(IMPRINT)


def test_a_stepped_clock_stops_it(test_pki):
    wall = [1_900_000_000.0]
    gate = ClockGate(wall_s=lambda: wall[0], running_s=lambda: 0.0)
    wall[0] += 3600
    client = TSAClient(f"{test_pki.services.base_url}/tsa", clock=gate)
    with pytest.raises(TimestampError, match="stepped"):
        client.timestamp(IMPRINT)
    assert client.requests == 0


def test_the_policy_asked_for_is_required(scripted_server, authority, test_pki):
    server = scripted_server(answering(authority))
    assert TSAClient(server.url, policy_oid=TSA_POLICY).timestamp(IMPRINT)
    with pytest.raises(TimestampError, match="unacceptedPolicy"):
        TSAClient(server.url, policy_oid="2.999.9").timestamp(IMPRINT)


def test_a_token_under_another_policy(scripted_server, test_pki):
    other = TimestampAuthority(test_pki.tsa, "2.999.9.9")

    def deaf(body):
        asked = der.parse(body).fields(4)
        version, imprint, _, *rest = (field.raw for field in asked)
        return http_ok(other.respond(der.sequence(version, imprint, *rest)), REPLY)

    with pytest.raises(TimestampError, match="another policy"):
        TSAClient(scripted_server(deaf).url, policy_oid=TSA_POLICY).timestamp(IMPRINT)


def test_a_unit_without_path_to_the_anchors(test_pki, tmp_path):
    stranger = InsecureTestPKI.create(
        tmp_path, MemoryBareKey, no_loader, base_url="http://127.0.0.1:1"
    )
    client = TSAClient(f"{test_pki.services.base_url}/tsa", anchors=stranger.anchors)
    with pytest.raises(TimestampError, match="no path to an anchor") as caught:
        client.timestamp(IMPRINT)
    assert isinstance(caught.value.__cause__, NoPath)


def test_the_path_is_checked_once_for_a_certificate(test_pki, monkeypatch):
    client = TSAClient(f"{test_pki.services.base_url}/tsa", anchors=test_pki.anchors)
    client.timestamp(IMPRINT)
    monkeypatch.setattr("signer.timestamp.find_path", None)
    assert client.timestamp(IMPRINT)


def test_zero_tries_is_a_mistake():
    with pytest.raises(TimestampError, match="tries=0"):
        TSAClient("http://127.0.0.1:1/", tries=0).timestamp(IMPRINT)


def test_parallel_requests_are_bounded(scripted_server, authority):
    """Eight threads, two slots: never more than two requests under way, all served."""
    lock, under_way, most = threading.Lock(), [0], [0]
    pair = threading.Barrier(2)

    def slow(body):
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        pair.wait(5)
        with lock:
            under_way[0] -= 1
        return http_ok(authority.respond(body), REPLY)

    server = scripted_server(slow, keep_open=True)
    client = TSAClient(server.url, max_parallel=2, fetcher=Fetcher())
    tokens: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: tokens.append(client.timestamp(IMPRINT))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(tokens)) == 8
    assert most[0] == 2


def test_the_token_is_what_the_authority_issued(scripted_server, authority):
    seen = []

    def record(body):
        seen.append(authority.respond(body))
        return http_ok(seen[-1], REPLY)

    token = TSAClient(scripted_server(record).url).timestamp(IMPRINT)
    assert seen[0].endswith(token)
    with pytest.raises(ValueError, match="nonce"):
        read_response(seen[0], IMPRINT, "sha256", 1)


def test_who_would_use_a_key_is_told_that_the_authority_is_away(scripted_server, authority):
    """One caller at a time looks whether it is back; nobody asks while it answers."""
    replies = [answering(authority)]
    server = scripted_server(lambda body: replies[0](body), keep_open=True)
    client = TSAClient(server.url, tries=1)
    client.require_answering()
    assert server.requests == []
    replies[0] = lambda body: b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(TimestampError):
        client.timestamp(IMPRINT)
    for _ in range(3):
        with pytest.raises(TimestampError):
            client.require_answering()
    assert len(server.requests) == 2
    replies[0] = answering(authority)
    deadline = time.monotonic() + 5
    while True:
        try:
            client.require_answering()
        except TimestampError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            break
    asked = len(server.requests)
    client.require_answering()
    assert len(server.requests) == asked == 3
