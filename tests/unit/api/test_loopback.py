"""The embedded services: what they serve, what they refuse, and how they share a port."""

from __future__ import annotations

import http.client
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from api.loopback import HOST, LoopbackServices, choose_port
from hsm.errors import TokenUnavailable
from signer.errors import TrustError
from signer.fetch import Fetcher, UnusableAnswer
from signer.insecure_testpki import Role
from signer.timestamp_token import build_request, read_response
from tests.fixtures_pki import RunningPKI


@pytest.fixture
def services(test_pki: RunningPKI):
    """A second server for the same PKI, on a port of its own."""
    with LoopbackServices(test_pki.pki, test_pki.authority, choose_port()) as running:
        yield running


def get(services, path):
    return Fetcher().get(services.base_url + path, timeout_s=5, max_bytes=10_000)


def test_crls_and_certificates(services, test_pki):
    for role in (Role.ROOT, Role.ISSUING):
        certificate = test_pki.pki.certificate(role)
        assert get(services, f"/ca/{role}.cer") == certificate.public_bytes(Encoding.DER)
        crl = x509.load_der_x509_crl(get(services, f"/crl/{role}.crl"))
        assert crl.is_signature_valid(certificate.public_key())
    assert services.requests["/crl/root.crl"] == 1
    assert services.is_serving


def test_timestamps(services, test_pki):
    response = Fetcher().post(
        f"{services.base_url}/tsa",
        build_request(bytes(32), "sha256", 7),
        "application/timestamp-query",
        timeout_s=5,
        max_bytes=10_000,
    )
    assert read_response(response, bytes(32), "sha256", 7).certificate == test_pki.tsa.certificate


@pytest.mark.parametrize("path", ["/", "/crl/officer.crl", "/tsa", "/../../etc/passwd", "/ca/"])
def test_nothing_else_is_served(services, path):
    with pytest.raises(UnusableAnswer, match="404"):
        get(services, path)


def raw(services, request):
    with socket.create_connection((HOST, services.port), timeout=5) as connection:
        connection.sendall(request)
        return connection.recv(65536)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /tsa HTTP/1.1\r\nHost: x\r\n\r\n", b"411"),
        (b"POST /tsa HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"411"),
        (b"POST /tsa HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /nowhere HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b"404"),
        (b"DELETE /tsa HTTP/1.1\r\n\r\n", b"501"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_bad_requests(services, request_, status):
    assert status in raw(services, request_)[:200]
    assert get(services, "/crl/root.crl")


def test_one_connection_serves_many_requests(services):
    connection = http.client.HTTPConnection(HOST, services.port, timeout=5)
    for _ in range(3):
        connection.request("GET", "/crl/root.crl")
        assert connection.getresponse().read()
    assert services.requests["/crl/root.crl"] == 3
    connection.close()


def test_many_clients_at_once(services):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(get(services, "/crl/root.crl")))
        for _ in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 24
    assert services.requests["/crl/root.crl"] == 24


def test_a_second_process_uses_the_services_that_run(services, test_pki):
    with LoopbackServices(test_pki.pki, test_pki.authority, services.port) as second:
        assert not second.is_serving
        assert second.base_url == services.base_url
        assert get(second, "/crl/root.crl")
    assert get(services, "/crl/root.crl")  # leaving the second stops nothing


def test_the_second_process_takes_over_when_the_first_ends(test_pki):
    port = choose_port()
    first = LoopbackServices(test_pki.pki, test_pki.authority, port).start()
    with LoopbackServices(test_pki.pki, test_pki.authority, port) as second:
        assert (first.is_serving, second.is_serving) == (True, False)
        first.stop()
        for _ in range(250):
            if second.is_serving:
                break
            time.sleep(0.02)
        assert get(second, "/crl/root.crl")
        assert second.requests["/crl/root.crl"] == 1
    assert not second.is_serving


def test_a_request_under_way_is_answered_before_the_end(test_pki, monkeypatch):
    services = LoopbackServices(test_pki.pki, test_pki.authority, choose_port())
    started, answers = threading.Event(), []
    genuine = test_pki.pki.crl

    def slow(role):
        started.set()
        time.sleep(0.2)
        return genuine(role)

    monkeypatch.setattr(test_pki.pki, "crl", slow)
    services.start()
    client = threading.Thread(target=lambda: answers.append(get(services, "/crl/root.crl")))
    client.start()
    assert started.wait(5)
    services.stop()
    client.join()
    assert answers == [genuine(Role.ROOT)]


def test_another_program_on_the_port_is_refused(scripted_server, test_pki):
    for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"220 mail\r\n", b""):
        server = scripted_server(answer)
        with pytest.raises(TrustError, match="stop it"):
            LoopbackServices(test_pki.pki, test_pki.authority, server.port).start()


def test_another_test_pki_on_the_port_is_refused(services, token_pki):
    with pytest.raises(TrustError, match="another port"):
        LoopbackServices(token_pki.pki, token_pki.authority, services.port).start()


def test_stopping_closes_connections_and_frees_the_port(test_pki):
    port = choose_port()
    services = LoopbackServices(test_pki.pki, test_pki.authority, port).start()
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    connection.request("GET", "/crl/root.crl")
    assert connection.getresponse().read()
    services.stop()
    services.stop()  # twice does no harm
    assert not services.is_serving
    assert connection.sock.recv(1) == b""
    connection.close()
    with LoopbackServices(test_pki.pki, test_pki.authority, port) as again:
        assert again.is_serving


def test_a_token_that_is_gone_is_said(services, test_pki, monkeypatch, caplog):
    def gone(role):
        raise TokenUnavailable("removed")

    monkeypatch.setattr(test_pki.pki, "crl", gone)
    with pytest.raises(UnusableAnswer, match="503"):
        get(services, "/crl/root.crl")
    assert "removed" in caplog.text


def test_a_client_that_goes_away_is_no_news(services, caplog, capfd):
    with caplog.at_level("DEBUG", "api.draining"):
        with socket.create_connection((HOST, services.port), timeout=5) as connection:
            linger = struct.pack("ii", 1, 0)  # a reset instead of an orderly end
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.sendall(b"POST /tsa HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf")
        for _ in range(100):
            if "cut short" in caplog.text:
                break
            time.sleep(0.02)
    assert "cut short" in caplog.text
    assert capfd.readouterr().err == ""
    assert get(services, "/crl/root.crl")


def test_it_listens_on_loopback_only(services):
    assert services._server.socket.getsockname() == ("127.0.0.1", services.port)


def test_a_process_ends_while_its_services_run(test_pki, tmp_path):
    """Daemon threads: a command that forgets to stop them does not hang."""
    script = (
        "import threading, socketserver, http.server\n"
        "from api.loopback import _Server\n"
        "import collections\n"
        "server = _Server(0, {}, {}, collections.Counter())\n"
        "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert done.returncode == 0
