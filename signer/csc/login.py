"""How an outside provider lets us in: OAuth2 client credentials, activation of a credential."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus, urlencode

from signer.csc.transport import Transport
from signer.csc.wire import Failure, encoded
from signer.errors import SignerError

_EARLY_S: Final = 30.0  # a token is renewed that long before it runs out
_SHORTEST_S: Final = 5.0

ActivationData = Callable[[str, Sequence[bytes]], Sequence[Mapping[str, str]]]
"""From credential id and hashes to the ``authData`` of credentials/authorize (11.6)."""


@dataclass(frozen=True, slots=True)
class ClientLogin:
    """OAuth2 client credentials (RFC 6749 4.4; CSC API v2 8.4.4)."""

    client_id: str
    client_secret: Callable[[], str]
    """Asked for each time, so that it stands in no field and no repr."""
    token_path: str = "/oauth2/token"  # noqa: S105 - a path below the service's base
    scope: str = "service"


class Bearer:
    """The access token, fetched when it is first needed or about to run out. Thread-safe."""

    def __init__(self, transport: Transport, login: ClientLogin) -> None:
        self._transport = transport
        self._login = login
        self._lock = threading.Lock()
        self._header: dict[str, str] = {}
        self._until = 0.0

    def header(self, *, timeout_s: float, renewed: bool = False) -> dict[str, str]:
        """``Authorization: Bearer …``; `renewed`: the last one was refused. Raises as a call."""
        with self._lock:
            if renewed or time.monotonic() >= self._until:
                self._fetch(timeout_s)
            return dict(self._header)

    def _fetch(self, timeout_s: float) -> None:
        login = self._login
        pair = f"{quote_plus(login.client_id)}:{quote_plus(login.client_secret())}"
        form = {"grant_type": "client_credentials", "scope": login.scope}
        answer = self._transport.call(
            self._transport.base + login.token_path,
            urlencode(form).encode(),
            timeout_s=timeout_s,
            headers={
                "Authorization": f"Basic {encoded(pair.encode())}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        token = answer.body.get("access_token")
        if answer.status >= 400:
            raise Failure.read(answer.status, answer.body, answer.retry_after).error()
        if not isinstance(token, str) or not token.isprintable():
            raise SignerError(
                "Nhà cung cấp chữ ký từ xa không trả mã truy cập; hãy kiểm tra địa chỉ. / The "
                "provider's token endpoint gave no access token; check its address."
            )
        lasts = answer.body.get("expires_in")
        seconds = float(lasts) if isinstance(lasts, int | float) else 3600.0
        self._header = {"Authorization": f"Bearer {token}"}
        self._until = time.monotonic() + max(_SHORTEST_S, seconds - _EARLY_S)
