"""Messages to addresses that others chose: what is refused, and where connections really go."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dossier.errors import DeliveryFailed, InvalidOrder
from dossier.webhooks.outbound import endpoint_of, post
from tests.receiver import Receiver, server_tls

PLAIN = ssl.create_default_context()


def send(url: str, *, private: bool = True, tls: ssl.SSLContext = PLAIN, seconds: float = 5) -> int:
    endpoint = endpoint_of(url, private_networks=private)
    return post(endpoint, b"{}", {}, deadline_s=seconds, private_networks=private, tls=tls)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.vn/hook",
        "ftp://example.vn/hook",
        "https:///hook",
        "https://user:word@example.vn/hook",
        "https://example.vn/hook#part",
        "https://example.vn:99999/",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://[::ffff:169.254.169.254]/latest",
        "https://169.254.169.254/latest",
        "https://10.0.0.7/hook",
        "https://localhost/hook",
        "https://metadata.google.internal/",
        "https://exämple.vn/",
        "https://example.vn/a b",
        "https://example.vn/a\r\nX-Injected: 1",
        "https://[nonsense/",
        "https://example.vn/" + "a" * 2048,
    ],
)
def test_unusable_urls(url: str) -> None:
    with pytest.raises(InvalidOrder) as refusal:
        endpoint_of(url, private_networks=False)
    assert refusal.value.field == "url"


def test_usable_url() -> None:
    endpoint = endpoint_of("https://hooks.example.vn:8443/a?b=c", private_networks=False)
    assert (endpoint.host, endpoint.port) == ("hooks.example.vn", 8443)
    assert (endpoint.target, endpoint.authority) == ("/a?b=c", "hooks.example.vn:8443")


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """The resolver gives these answers, one after another; the names it was asked for."""
    asked: list[str] = []
    left = list(answers)

    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *rest: Any, **options: Any) -> list[Any]:
        if host[0].isdigit():  # an address is no question
            return real(host, port, *rest, **options)
        asked.append(host)
        addresses = left.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["fd00::1"],
        ["169.254.169.254"],
    ],
)
def test_name_that_leads_inside_is_refused(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    resolving(monkeypatch, addresses)
    with pytest.raises(DeliveryFailed, match="not a public address"):
        send("https://hooks.example.vn/", private=False)


def test_name_is_resolved_once_and_its_address_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers differently the second time (DNS rebinding) gains nothing."""
    with Receiver() as receiver:
        asked = resolving(monkeypatch, ["127.0.0.1"])  # a second question would fail the test
        assert send(f"http://hooks.example.vn:{receiver.port}/hook") == 204
        assert asked == ["hooks.example.vn"]
        assert receiver.received[0].headers["host"] == f"hooks.example.vn:{receiver.port}"


def test_redirect_is_not_followed() -> None:
    with Receiver() as elsewhere, Receiver(answers=[307], location=elsewhere.url) as receiver:
        assert send(receiver.url) == 307
        assert elsewhere.received == []


def test_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy, Receiver() as receiver:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert send(receiver.url) == 204
        assert proxy.received == []


def test_everything_together_has_one_deadline() -> None:
    """A server that sends a byte now and then never lets a read time out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        def drip() -> None:
            client, _ = server.accept()
            with client:
                try:
                    for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
                        client.send(bytes([byte]))
                        time.sleep(0.05)
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(DeliveryFailed, match=r"within 0\.5 s"):
            send(url, seconds=0.5)
        assert time.monotonic() - began < 2
        thread.join()


def test_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*arguments: Any, **options: Any) -> list[Any]:
        time.sleep(1.5)
        raise OSError("too late")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    began = time.monotonic()
    with pytest.raises(DeliveryFailed, match=r"within 0\.3 s"):
        send("http://hooks.example.vn/", seconds=0.3)
    assert time.monotonic() - began < 1


def test_tls_is_verified_against_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, pem = server_tls(tmp_path, "hooks.example.vn")
    trusting = ssl.create_default_context(cafile=str(pem))
    with Receiver(tls=context) as receiver:
        resolving(monkeypatch, *[["127.0.0.1"]] * 3)
        assert send(f"https://hooks.example.vn:{receiver.port}/", tls=trusting) == 204
        with pytest.raises(DeliveryFailed, match="certificate"):
            send(f"https://other.example.vn:{receiver.port}/", tls=trusting)
        with pytest.raises(DeliveryFailed, match="certificate"):
            send(f"https://hooks.example.vn:{receiver.port}/", tls=PLAIN)
        assert len(receiver.received) == 1
