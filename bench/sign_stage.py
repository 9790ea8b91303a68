"""What the signing measurements share: a SoftHSM token, a test PKI on loopback, documents."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import pikepdf

from api.loopback import LoopbackServices, choose_port
from bench.harness import Actions
from hsm import softhsm
from hsm.token import Token
from signer.insecure_testpki import InsecureTestPKI, Role, TokenKeys
from signer.tsa import TimestampAuthority

PIN, SO_PIN, LABEL = "73519264", "64827193", "sohoa-bench"
TSA_POLICY = "2.999.5.3"  # the arc that X.660 keeps for examples
RSA_ROLE, EC_ROLE = Role.LEADER, Role.SEAL


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder with all that the parties need; passed to their processes."""

    folder: Path

    @property
    def module(self) -> Path:
        """The PKCS#11 module, pointed at this stage's token."""
        return softhsm.use_folder(self.folder / "token")

    def open_token(self) -> Token:
        """The token, with one login for the process."""
        return Token.open(self.module, LABEL, lambda: PIN)

    def open_pki(self, token: Token) -> InsecureTestPKI:
        """The PKI whose keys are in the token."""
        return InsecureTestPKI(self.folder / "pki", TokenKeys(token).load)

    def document(self, name: str) -> Path:
        """One of ``1p.pdf``, ``15mb.pdf``, ``100mb.pdf``."""
        return self.folder / name


def build_stage(folder: Path) -> Actions:
    """Make the token, the PKI and the documents; runs in a process of its own."""
    stage = Stage(folder)
    softhsm.create_token(folder / "token", LABEL, PIN, SO_PIN)
    keys = TokenKeys(stage.open_token())
    base_url = f"http://127.0.0.1:{choose_port()}"
    InsecureTestPKI.create(folder / "pki", keys.make, keys.load, base_url=base_url)
    stage.document("1p.pdf").write_bytes(document(1, 119_000))
    stage.document("15mb.pdf").write_bytes(document(30, 500_000))
    stage.document("100mb.pdf").write_bytes(document(100, 1_048_576))
    return {}


def document(pages: int, size: int) -> bytes:
    """Pages that each carry an incompressible image of about `size` bytes, as scans do."""
    pdf = pikepdf.new()
    for number in range(pages):
        pdf.add_blank_page(page_size=(595, 842))
        image = pdf.make_stream(
            os.urandom(size),
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=size // 100,
            Height=100,
            ColorSpace=pikepdf.Name.DeviceGray,
            BitsPerComponent=8,
        )
        page = pdf.pages[number]
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=image))
        page.Contents = pdf.make_stream(b"q 595 0 0 842 0 0 cm /Im0 Do Q")
    out = io.BytesIO()
    pdf.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return out.getvalue()


def serve(stage: Stage) -> Actions:
    """TSA, OCSP and CRLs in a process of their own, so that their time is nobody's."""
    pki = stage.open_pki(stage.open_token())
    port = int(pki.base_url.rsplit(":", 1)[1])
    authority = TimestampAuthority(pki.key(Role.TSA), TSA_POLICY)
    services = LoopbackServices(pki, authority, port).start()

    def counts() -> dict[str, int]:
        return dict(services.requests)

    return {"counts": counts}
