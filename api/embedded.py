"""The embedded default: SoftHSM2 tokens, a test PKI and its services, made by `sohoa init`.

Two tokens in one folder, each with a PIN of its own: the documents' (officer, leader, seal,
audit, codes on printouts, register), which the key agent opens, and the authority's (root,
issuing, OCSP, TSA), which only the stand-in for a CA opens. So whoever counts the signatures of
the first counts documents.

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

from cryptography import x509

from api.agent.policy import policy_text
from api.errors import NotInitialised, PublishError
from api.loopback import LoopbackServices, choose_port
from api.settings import SETTINGS_FILE, EmbeddedSettings, Settings, load_settings
from api.tokens import TOKEN_FOLDER
from hsm import softhsm
from hsm.keys import SignatureScheme, SigningKey
from hsm.token import Token
from signer.insecure_testpki import BareKey, InsecureTestPKI, Role, TokenKeys
from signer.tsa import TimestampAuthority

TOKEN_LABEL = "sohoa-test"  # noqa: S105 - the token's name, not a secret
AUTHORITY_LABEL = "sohoa-test-authority"
_PKI_FOLDER = "pki"
_PIN_FILE = "token-pin"
_AUTHORITY_PIN_FILE = "authority-pin"
_POLICY_FILE = "key-policy.toml"
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
audit = {audit}
proof = {proof}
results = {register}

[trust]
anchors = [{anchor}]
proof_keys = [{proof_key}]
tsa_url = {tsa_url}

[verification]
receipt_key = {seal}

[embedded]
port = {port}
folder = {folder}
token = {authority}
pin_file = {authority_pin}
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """What `create_installation` found or made."""

    settings: Settings
    created: bool


def create_installation(data_dir: Path) -> Installation:
    """Make tokens, keys, certificates and settings in `data_dir`; what is complete stays.

    The settings file is written last: a making that was cut short is begun again, and nothing
    can have been signed with it. Raises `PublishError`, `hsm.errors.HSMError`.
    """
    folder = data_dir.absolute()
    try:
        found = load_settings(folder)
    except NotInitialised:
        pass
    else:
        _add_policy(found)
        return Installation(found, created=False)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for leftover in (TOKEN_FOLDER, _PKI_FOLDER):
            shutil.rmtree(folder / leftover, ignore_errors=True)
        documents = _make_token(folder, TOKEN_LABEL, folder / _PIN_FILE)
        authority = _make_token(folder, AUTHORITY_LABEL, folder / _AUTHORITY_PIN_FILE)
        keys = _SplitKeys(TokenKeys(documents), TokenKeys(authority))
        port = choose_port()
        InsecureTestPKI.create(
            folder / _PKI_FOLDER, keys.make, keys.load, base_url=f"http://127.0.0.1:{port}"
        )
        anchor = folder / _PKI_FOLDER / f"{Role.ROOT}.pem"
        anchor.write_bytes(b"Trust-Domain: TEST\n" + anchor.read_bytes())
        _write_private(folder / SETTINGS_FILE, _settings_text(softhsm.module_path(), port))
        made = load_settings(folder)
        _add_policy(made)
    except OSError as error:
        raise PublishError(f"cannot make an installation in {folder}: {error}") from error
    return Installation(made, created=True)


@contextmanager
def embedded_services(
    settings: EmbeddedSettings, token: Token
) -> Iterator[tuple[InsecureTestPKI, LoopbackServices]]:
    """Serve TSA, OCSP and CRLs on loopback for as long as the context lasts.

    `token` is the authority's (`api.tokens.open_authority_token`).
    """
    pki = InsecureTestPKI(settings.folder, TokenKeys(token).load)
    authority = TimestampAuthority(pki.key(Role.TSA), TSA_POLICY)
    with LoopbackServices(pki, authority, settings.port) as services:
        yield pki, services


class _SplitKeys:
    """Makes and finds each key of the test PKI in the token where it belongs."""

    def __init__(self, documents: TokenKeys, authority: TokenKeys) -> None:
        self._places = {role.label: authority if role.is_authority else documents for role in Role}

    def make(self, label: str, scheme: SignatureScheme) -> BareKey:
        """A `signer.insecure_testpki.KeyMaker`."""
        return self._places[label].make(label, scheme)

    def load(
        self, label: str, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]
    ) -> SigningKey:
        """A `signer.insecure_testpki.KeyLoader`."""
        return self._places[label].load(label, certificate, chain)


def _make_token(folder: Path, label: str, pin_file: Path) -> Token:
    """Make a token with a random PIN, kept in `pin_file`, and open it."""
    pin = f"{secrets.randbelow(10**8):08d}"
    _write_private(pin_file, pin)
    module = softhsm.create_token(folder / TOKEN_FOLDER, label, pin, secrets.token_hex(8))
    return Token.open(module, label, pin)


def _add_policy(settings: Settings) -> None:
    """Write the key policy of the embedded keys where there is none (older installations too)."""
    path = settings.agent.policy
    if settings.embedded is None or path.exists():
        return
    keys = settings.keys
    text = policy_text(
        (keys.officer, keys.leader, keys.seal), (keys.audit,), (keys.proof,), (keys.results,)
    )
    try:
        _write_private(path, text)
    except OSError as error:
        raise PublishError(f"cannot write the key policy {path}: {error}") from error


def _settings_text(module: Path, port: int) -> str:
    values = {
        "module": str(module),
        "label": TOKEN_LABEL,
        "pin_file": _PIN_FILE,
        "officer": Role.OFFICER.label,
        "leader": Role.LEADER.label,
        "seal": Role.SEAL.label,
        "tsa": Role.TSA.label,
        "audit": Role.AUDIT.label,
        "proof": Role.PROOF.label,
        "register": Role.REGISTER.label,
        "proof_key": f"{_PKI_FOLDER}/{Role.PROOF}.pem",
        "anchor": f"{_PKI_FOLDER}/{Role.ROOT}.pem",
        "tsa_url": f"http://127.0.0.1:{port}/tsa",
        "port": port,
        "folder": _PKI_FOLDER,
        "authority": AUTHORITY_LABEL,
        "authority_pin": _AUTHORITY_PIN_FILE,
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
