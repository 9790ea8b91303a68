"""The embedded test authority as a process of its own: TSA, OCSP, CRLs on loopback. TEST ONLY."""

from __future__ import annotations

import threading

from api import lifeline
from api.embedded import embedded_services
from api.errors import ProductionRefused
from api.settings import Settings
from api.tokens import open_authority_token
from hsm.secrecy import forbid_dumps


def run_authority(settings: Settings, stop: threading.Event) -> None:
    """Serve until `stop` is set. Raises `ProductionRefused`, `HSMError`, `TrustError`."""
    if settings.embedded is None:
        raise ProductionRefused(
            "Cấu hình không có [embedded]: không có gì để chạy. / The settings name no embedded "
            "authority; your CA and TSA are elsewhere."
        )
    forbid_dumps()
    token = open_authority_token(settings)
    with embedded_services(settings.embedded, token):
        lifeline.ready()
        stop.wait()
