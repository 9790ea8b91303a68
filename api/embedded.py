"""The embedded default: a SoftHSM2 token, a test PKI and its services, made by `sohoa init`.

TEST ONLY. Production settings refuse all of it (`api.wiring`).
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api.errors import NotInitialised, PublishError
from api.loopback import LoopbackServices, choose_port
from api.settings import SETTINGS_FILE, EmbeddedSettings, Settings, load_settings
from hsm import softhsm
from hsm.token import Token
from signer.insecure_testpki import InsecureTestPKI, Role, TokenKeys
from signer.tsa import TimestampAuthority

TOKEN_LABEL = "sohoa-test"  # noqa: S105 - the token's name, not a secret
_TOKEN_FOLDER = "token"  # noqa: S105
_PKI_FOLDER = "pki"
_PIN_FILE = "token-pin"
TSA_POLICY = "2.999.5.3"
"""The policy of the embedded TSA, in the arc that X.660 keeps for examples."""

_SETTINGS = """\
# Cấu hình Sohoa, do `sohoa init` tạo. / Settings of Sohoa, made by `sohoa init`.
# CHỈ DÙNG THỬ: khóa mềm và CA thử nghiệm. / TEST ONLY: software token and test PKI.
mode = "test"

[token]
module = {module}
label = {label}
pin_file = {pin_file}

[keys]
officer = {officer}
leader = {leader}
seal = {seal}
tsa = {tsa}

[trust]
anchors = [{anchor}]
tsa_url = {tsa_url}

[embedded]
port = {port}
folder = {folder}
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """What `create_installation` found or made."""

    settings: Settings
    created: bool


def create_installation(data_dir: Path) -> Installation:
    """Make token, keys, certificates and settings in `data_dir`; what is complete stays.

    The settings file is written last: a making that was cut short is begun again, and nothing
    can have been signed with it. Raises `PublishError`, `hsm.errors.HSMError`.
    """
    folder = data_dir.absolute()
    try:
        return Installation(load_settings(folder), created=False)
    except NotInitialised:
        pass
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for leftover in (_TOKEN_FOLDER, _PKI_FOLDER):
            shutil.rmtree(folder / leftover, ignore_errors=True)
        (folder / _PIN_FILE).unlink(missing_ok=True)
        pin = f"{secrets.randbelow(10**8):08d}"
        _write_private(folder / _PIN_FILE, pin)
        module = softhsm.create_token(
            folder / _TOKEN_FOLDER, TOKEN_LABEL, pin, secrets.token_hex(8)
        )
        keys = TokenKeys(Token.open(module, TOKEN_LABEL, pin))
        port = choose_port()
        InsecureTestPKI.create(
            folder / _PKI_FOLDER, keys.make, keys.load, base_url=f"http://127.0.0.1:{port}"
        )
        anchor = folder / _PKI_FOLDER / f"{Role.ROOT}.pem"
        anchor.write_bytes(b"Trust-Domain: TEST\n" + anchor.read_bytes())
        _write_private(folder / SETTINGS_FILE, _settings_text(module, port))
    except OSError as error:
        raise PublishError(f"cannot make an installation in {folder}: {error}") from error
    return Installation(load_settings(folder), created=True)


def use_token_folder(settings: Settings) -> None:
    """Point this process at the embedded token. Does nothing for any other token."""
    if settings.embedded is not None:
        softhsm.use_folder(settings.data_dir / _TOKEN_FOLDER)


@contextmanager
def embedded_services(
    settings: EmbeddedSettings, token: Token
) -> Iterator[tuple[InsecureTestPKI, LoopbackServices]]:
    """Serve TSA, OCSP and CRLs on loopback for as long as the context lasts."""
    pki = InsecureTestPKI(settings.folder, TokenKeys(token).load)
    authority = TimestampAuthority(pki.key(Role.TSA), TSA_POLICY)
    with LoopbackServices(pki, authority, settings.port) as services:
        yield pki, services


def _settings_text(module: Path, port: int) -> str:
    values = {
        "module": str(module),
        "label": TOKEN_LABEL,
        "pin_file": _PIN_FILE,
        "officer": Role.OFFICER.label,
        "leader": Role.LEADER.label,
        "seal": Role.SEAL.label,
        "tsa": Role.TSA.label,
        "anchor": f"{_PKI_FOLDER}/{Role.ROOT}.pem",
        "tsa_url": f"http://127.0.0.1:{port}/tsa",
        "port": port,
        "folder": _PKI_FOLDER,
    }
    # a JSON string is a TOML basic string
    return _SETTINGS.format(**{k: json.dumps(v, ensure_ascii=False) for k, v in values.items()})


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    temporary.touch(mode=0o600)
    temporary.chmod(0o600)
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
