"""Client certificates: the server's TLS context, and whose certificate a connection shows.

    uvicorn.Config(app, http=BoundedProtocol, ssl_context_factory=server_context(settings.web))

The chain has been verified by OpenSSL against `tls_client_ca` before a byte of HTTP is read: a
certificate that is expired or of another CA ends the handshake. `api.web.bounded_protocol` puts the
certificate's SHA-256 into the scope of each request of the connection. That fingerprint decides
whose it is, so a CA that issues to others as well does no harm.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from api.errors import SettingsError
from api.web.bounded_protocol import PEER_CERTIFICATE

if TYPE_CHECKING:
    from starlette.types import Scope

    from api.settings import WebSettings

ContextFactory = Callable[[object, object], ssl.SSLContext]


def peer_fingerprint(scope: Scope) -> str | None:
    """SHA-256 (hex) of the verified client certificate of this request's connection, or None."""
    found: str | None = scope.get(PEER_CERTIFICATE)
    return found


def server_context(web: WebSettings) -> ContextFactory | None:
    """What `uvicorn.Config` takes as `ssl_context_factory`; None without a certificate.

    TLS 1.2 and above. With `tls_client_ca` a client may show a certificate, and one that it
    shows has to be good; without one it still can authenticate otherwise. Raises
    `SettingsError` at once when a file cannot be used.
    """
    if web.tls_certificate is None:
        if web.tls_client_ca is not None:
            raise SettingsError("web.tls_client_ca needs web.tls_certificate and web.tls_key")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    _load(context.load_cert_chain, "tls_certificate, tls_key", web.tls_certificate, web.tls_key)
    if web.tls_client_ca is not None:
        _load(context.load_verify_locations, "tls_client_ca", web.tls_client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL

    def made(config: object, default: object) -> ssl.SSLContext:
        del config, default  # what uvicorn would have made of its own options
        return context

    return made


def _load(load: Callable[..., None], entry: str, *files: Path | None) -> None:
    try:
        load(*files)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise SettingsError(
            f"web.{entry}: {', '.join(str(file) for file in files)} cannot be used: {error}"
        ) from error
