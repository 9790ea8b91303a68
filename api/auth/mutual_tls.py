"""Client certificates: the server's TLS context, and the certificate's way into the request.

uvicorn does not pass the peer's certificate on. `CertificateProtocol` asks the connection for it
once and puts its DER bytes into the scope of every request:

    uvicorn.Config(app, http=CertificateProtocol, ssl_context_factory=server_context(settings.web))

The chain has been verified by OpenSSL against `tls_client_ca` before a byte of HTTP is read: a
certificate that is expired or of another CA ends the handshake. Which certificate is whose is
decided by its SHA-256, so a CA that issues to others as well does no harm.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.errors import SettingsError

if TYPE_CHECKING:
    from starlette.types import Scope

    from api.settings import WebSettings

_EXTENSION = "sohoa.peer_certificate"


class CertificateProtocol(HttpToolsProtocol):
    """HTTP over a connection whose peer's certificate is known to the application."""

    _peer_certificate: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn itself narrows it
        """Remember the certificate: it is the connection's, not the request's."""
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        if connection is not None:
            self._peer_certificate = connection.getpeercert(binary_form=True)

    def on_message_begin(self) -> None:
        """Put the certificate into the scope of the next request."""
        super().on_message_begin()
        if self._peer_certificate is not None:
            extensions = self.scope.setdefault("extensions", {})
            extensions[_EXTENSION] = {"der": self._peer_certificate}


def peer_certificate(scope: Scope) -> bytes | None:
    """The DER of the verified client certificate of this request's connection, or None."""
    found: bytes | None = scope.get("extensions", {}).get(_EXTENSION, {}).get("der")
    return found


def server_context(
    web: WebSettings,
) -> Callable[[Any, Callable[[], ssl.SSLContext]], ssl.SSLContext] | None:
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
