"""How the Python client talks: one connection pool, safe retries, signed requests.

A request is sent again when that cannot do anything twice: it changes nothing, or it carries an
Idempotency-Key or If-Match, or it was certainly not acted on (429, 503, no connection). Waiting
follows Retry-After, else it doubles, with jitter, until `patience_s` is over.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import random
import secrets
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from api.client_errors import NoAnswer, refusal

_FIRST_S, _MOST_S = 0.2, 10.0
_SHED = frozenset({429, 503})
_UNCHANGING = frozenset({"GET", "HEAD", "PUT"})
_PROMISES = ("idempotency-key", "if-match")


class Transport:
    """Sends requests to one service with one credential. Safe for threads."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        signed: bool,
        timeout_s: float,
        patience_s: float,
        language: str,
        verify: Any,  # noqa: ANN401 - as httpx takes it
        certificate: Any,  # noqa: ANN401 - likewise
    ) -> None:
        headers = {"Accept-Language": language, "User-Agent": "sohoa-client/1"}
        auth: httpx.Auth | None = None
        if api_key is not None and signed:
            auth = SignedAuth(api_key)
        elif api_key is not None:
            headers["Authorization"] = f"Bearer {api_key}"
        self._patience_s = patience_s
        self._timeout_s = timeout_s
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers=headers,
            auth=auth,
            timeout=httpx.Timeout(timeout_s, connect=min(10.0, timeout_s)),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=32),
            verify=verify,
            cert=certificate,
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,  # noqa: ANN401 - whatever becomes JSON
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
        expected: tuple[int, ...] = (),
    ) -> httpx.Response:
        """The answer, read whole. `wait_s` is what the service was asked to wait.

        An answer of 400 and above that is not `expected` raises `Refused`; no answer at all
        raises `NoAnswer`.
        """
        patience = _Patience(self._patience_s)
        is_safe = _is_safe(method, headers or {})
        while True:
            request = self._http.build_request(
                method,
                path,
                params=params,
                json=json,
                content=content,
                headers=headers,
                timeout=self._timeout(wait_s),
            )
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                self._after_fault(error, patience, is_safe=is_safe)
                continue
            if response.status_code < 400 or response.status_code in expected:
                return response
            failure = _refusal(response)
            if response.status_code not in _SHED or not patience.wait(failure.retry_after_s):
                raise failure

    @contextmanager
    def stream(
        self, path: str, *, headers: Mapping[str, str] | None = None, read_s: float | None = None
    ) -> Iterator[httpx.Response]:
        """A GET whose body is read piece by piece; faults while reading are httpx's own.

        Raises `Refused` and `NoAnswer` until the body begins.
        """
        patience = _Patience(self._patience_s)
        timeout = (
            self._timeout(0.0) if read_s is None else httpx.Timeout(self._timeout_s, read=read_s)
        )
        while True:
            request = self._http.build_request("GET", path, headers=headers, timeout=timeout)
            try:
                response = self._http.send(request, stream=True)
            except httpx.TransportError as error:
                self._after_fault(error, patience, is_safe=True)
                continue
            try:
                if response.status_code < 400:
                    yield response
                    return
                response.read()
            finally:
                response.close()
            failure = _refusal(response)
            if response.status_code not in _SHED or not patience.wait(failure.retry_after_s):
                raise failure

    def _timeout(self, wait_s: float) -> httpx.Timeout:
        return httpx.Timeout(
            self._timeout_s, connect=min(10.0, self._timeout_s), read=self._timeout_s + wait_s
        )

    @staticmethod
    def _after_fault(error: httpx.TransportError, patience: _Patience, *, is_safe: bool) -> None:
        """Wait for the next try, or raise `NoAnswer`."""
        was_sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        if (was_sent and not is_safe) or not patience.wait(None):
            raise NoAnswer(
                f"Dịch vụ không trả lời ({type(error).__name__}); hãy thử lại với cùng "
                "idempotency_key. / The service does not answer; try again with the same "
                "idempotency_key.",
                error,
            ) from error


class _Patience:
    """Waits between tries until the time is up."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._next_s = _FIRST_S

    def wait(self, wanted_s: float | None) -> bool:
        """Sleep; False when that would take longer than there is patience for."""
        pause_s = self._next_s * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load
        if wanted_s is not None:
            pause_s = max(wanted_s, pause_s)
        self._next_s = min(self._next_s * 2, _MOST_S)
        if time.monotonic() + pause_s > self._until:
            return False
        time.sleep(pause_s)
        return True


class SignedAuth(httpx.Auth):
    """Signs each request with the API key's secret instead of sending it (RFC 9421).

    The service's side and the rules are in `api.auth.signed`.
    """

    requires_request_body = True

    def __init__(self, api_key: str) -> None:
        """Raises `ValueError` when the text is no API key."""
        from dossier.identity.keytext import secret_digest, split_key_text

        parts = split_key_text(api_key)
        if parts is None:
            raise ValueError("api_key has to be of the form sohoa_<id>_<secret>")
        self._key_id = parts[0]
        self._secret = secret_digest(parts[1])

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add Content-Digest, Signature-Input and Signature; called for each try."""
        from api.auth.message_signature import sign

        if request.content:
            digest = base64.b64encode(hashlib.sha256(request.content).digest()).decode()
            request.headers["Content-Digest"] = f"sha-256=:{digest}:"
        if request.method == "POST" and "idempotency-key" not in request.headers:
            request.headers["Idempotency-Key"] = secrets.token_hex(16)
        target = request.url.raw_path.decode("ascii")
        request.headers.update(
            sign(
                request.method,
                target,
                {name.lower(): value for name, value in request.headers.items()},
                key_id=self._key_id,
                secret=self._secret,
                created=int(time.time()),
                nonce=secrets.token_hex(16),
            )
        )
        yield request


def _is_safe(method: str, headers: Mapping[str, str]) -> bool:
    return method in _UNCHANGING or any(name.lower() in _PROMISES for name in headers)


def _refusal(response: httpx.Response) -> Any:  # noqa: ANN401 - a Refused
    problem: Any = {}
    if "json" in response.headers.get("content-type", ""):
        try:
            problem = response.json()
        except ValueError:
            problem = {}
    if not isinstance(problem, dict):
        problem = {}
    return refusal(response.status_code, problem, _retry_after_s(response))


def _retry_after_s(response: httpx.Response) -> float | None:
    """Retry-After in seconds: a number, or a date (RFC 9110 clause 10.2.3)."""
    text = response.headers.get("retry-after")
    if text is None:
        return None
    if text.isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
