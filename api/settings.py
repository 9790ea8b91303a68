"""Settings: the one module that reads the environment.

Order, the later wins: defaults, ``DATA/sohoa.toml`` (written by ``sohoa init``), environment
variables ``SOHOA_…``. A PIN is never a setting: `Settings.read_pin` reads it from the file
that `token.pin_file` names, or asks on the terminal.
"""

from __future__ import annotations

import getpass
import os
import stat
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.errors import NotInitialised, SettingsError
from signer.prooftext import Masking

SETTINGS_FILE = "sohoa.toml"
Role = Literal["officer", "leader", "seal", "tsa", "audit", "proof", "results"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenSettings(_Section):
    """Which token holds the keys, and where its PIN comes from."""

    module: Path
    label: str
    pin_file: Path | None = None
    """A file with the PIN alone, readable by its owner only. None: ask on the terminal."""


class KeySettings(_Section):
    """CKA_LABEL of the key that each role signs with."""

    officer: str = "officer"
    leader: str = "leader"
    seal: str = "seal"
    tsa: str = "tsa"
    audit: str = "audit"
    """Seals the heads of the audit chains; signs no document."""
    proof: str = "proof"
    """Signs the codes on printouts; ECDSA on P-256."""
    sheet: str | None = None
    """Signs cover sheets, ECDSA on P-256; None: the key `proof`."""
    results: str = "register"
    """Signs checkpoints and statements of the register of results; signs no document."""


class TrustSettings(_Section):
    """Anchors of the trust domains, intermediate certificates and outside services."""

    anchors: tuple[Path, ...] = ()
    intermediates: tuple[Path, ...] = ()
    proof_keys: tuple[Path, ...] = ()
    """Certificates (PEM) of the keys whose codes on printouts are believed."""
    sheet_keys: tuple[Path, ...] = ()
    """Certificates (PEM) of the keys whose cover sheets split stacks; empty: `proof_keys`."""
    tsa_url: str | None = None
    tsa_timeout_s: float = Field(default=30.0, gt=0, le=180)
    near_expiry_days: int = Field(default=1, ge=0)
    renewal_margin_days: int = Field(default=90, ge=0)
    """How long before its newest archive timestamp ends a record is renewed."""
    list_signers: tuple[Path, ...] = ()
    """Certificates (PEM) that may sign lists of trust: pinned, each by itself."""
    rules: Path | None = None
    """A TOML file that takes the place of ``signer/trust/rules.toml``."""
    fetch_revocation: bool = False
    """True lets the house worker fetch CRLs and OCSP responses for verification."""
    fetch_every_s: float = Field(default=21600.0, ge=60)
    fetch_timeout_s: float = Field(default=3.0, gt=0, le=30)
    fetch_max_bytes: int = Field(default=1 << 20, ge=1024, le=64 << 20)
    """Of one CRL or response. Larger than 1 MiB only where a trusted authority's list is."""
    fetch_private_networks: bool = False
    """True lets fetches reach private and loopback addresses: for tests and closed networks."""
    crl_urls: tuple[str, ...] = ()
    """CRLs to fetch beside those that the trusted certificates name themselves."""


class EmbeddedSettings(_Section):
    """The embedded test authority (PKI, OCSP, CRL, TSA) on loopback. Refused in production."""

    port: int = Field(ge=1, le=65535)
    folder: Path
    token: str | None = None
    """Label of the authority's own token. None: its keys are in the documents' token (older)."""
    pin_file: Path | None = None


class RecordSettings(_Section):
    """What a record says of its making."""

    agency: str = "CƠ QUAN MẪU (chỉ dùng thử)"
    system: str = "Sohoa"
    operator: str = "Cán bộ số hóa (mẫu)"
    station: str = "tram-01"
    profiles: Path | None = None
    """A TOML file with appearance profiles that extend or replace the built-in ones."""
    images: dict[str, Path] = {}
    """Appearance images by role (officer, leader, seal): PNG with alpha."""


class ProofSettings(_Section):
    """The QR code on issued results."""

    always: bool = False
    """True puts it on every result that is not told otherwise."""
    lookup_url: str = ""
    """The page that the code opens; empty: /verify of the service's public address."""
    system: str = "Sohoa"
    """The system's name below the code (NĐ 45/2020 Điều 18.2)."""
    masking: Masking = Masking.INITIALS
    """How much of the holder's name the code tells whoever finds the paper."""


class DatabaseSettings(_Section):
    """Where the service keeps its rows."""

    url: str = ""
    """``postgresql://…``; empty: SQLite in the data folder. A password belongs in ~/.pgpass."""


class BlobSettings(_Section):
    """Where the service keeps its bytes."""

    url: str = ""
    """``s3://bucket/prefix``; empty: a folder in the data folder."""
    endpoint: str | None = None
    """Address of the S3 server; None: the provider's own."""
    region: str = "us-east-1"
    credentials_file: Path | None = None
    """TOML with ``access_key_id`` and ``secret_access_key``, readable by its owner only."""


class AgentSettings(_Section):
    """The key agent: where it listens, what it may do, how others reach it."""

    address: str = "unix:agent.sock"
    """``unix:PATH`` (relative: in the data folder) or ``https://host:port``."""
    policy: Path = Path("key-policy.toml")
    """Who may use which key, for what, how often, until when."""
    database: Path = Path("agent/keys.db")
    """The agent's own audit chain (SQLite), never shared with another machine."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    """The agent accepts client certificates of this CA alone."""
    client_certificate: Path | None = None
    client_key: Path | None = None
    server_ca: Path | None = None
    timeout_s: float = Field(default=20.0, gt=0, le=180)


class WebSettings(_Section):
    """The HTTP door."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    public_url: str = ""
    """The address that clients use; empty: http://host:port."""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    """With it, clients may authenticate by certificate (mutual TLS)."""
    max_body_bytes: int = Field(default=200 * 1024 * 1024, ge=1024)
    max_waiting: int = Field(default=64, ge=1)
    """Requests served at once; the others are refused with 503 and Retry-After."""
    max_backlog: int = Field(default=5000, ge=1)
    """Signatures accepted but not published; above it new ones are refused with 503."""
    public_per_minute: float = Field(default=12.0, gt=0)
    """Files and look-ups a minute that one source may ask of /verify, which needs no login.

    Behind a proxy all visitors come from one source: raise both, and let the proxy count.
    """
    public_burst: int = Field(default=12, ge=1)
    """So many at once after a pause."""


class WorkerSettings(_Section):
    """The workers of one machine."""

    threads: int = Field(default=24, ge=1, le=64)
    """Documents in hand at once: many, because they share the commits of agent and database."""
    lease_s: float = Field(default=5.0, ge=1, le=600)
    """A job whose worker has not been heard of for so long is taken by another one."""
    seal_processes: int = Field(default=2, ge=0, le=64)
    """As many as processors that may seal; the key agent needs about a third of one for each."""
    ocr_processes: int = Field(default=1, ge=0, le=64)
    memory_bytes: int = Field(default=4 << 30, ge=256 << 20)
    """What a process that seals may use; a document that needs more, alone, fails."""
    job_cpu_s: float = Field(default=30.0, ge=1, le=3600)
    """Processor time that one document may take while it is sealed."""


class VerificationSettings(_Section):
    """What is given to those who verify."""

    receipt_key: str = ""
    """Label of the service's own key for signed receipts; empty: it has none, and receipts are
    sealed with a key of the caller's agency. The key policy must allow the purpose ``receipt``."""


class OIDCIssuer(_Section):
    """One identity provider whose bearer tokens are accepted."""

    issuer: str
    audience: str
    jwks_url: str
    ca: Path | None = None
    private_network: bool = False
    """True lets `jwks_url` name a private address."""


class IdentitySettings(_Section):
    """Who may ask."""

    oidc: tuple[OIDCIssuer, ...] = ()
    signed_request_window_s: int = Field(default=300, ge=10, le=3600)


class AuditSettings(_Section):
    """When the head of an audit chain is sealed."""

    every_entries: int = Field(default=500, ge=1)
    every_s: float = Field(default=60.0, ge=0.1)


class RegisterSettings(_Section):
    """The register of issued results."""

    origin: str = ""
    """The log's name, as ``so.example.vn/ket-qua``; the first checkpoint keeps it for ever.

    Empty: the host of the public address and this installation's id.
    """
    every_entries: int = Field(default=500, ge=1)
    every_s: float = Field(default=60.0, ge=0.1)
    """A checkpoint is signed after so many entries, or after so long with one."""
    timestamps: bool = True
    """Timestamp checkpoints where there is an authority (`trust.tsa_url`)."""
    status_validity_s: float = Field(default=86_400.0, ge=60, le=31 * 86_400)
    """How long a signed statement of a result's status may be shown."""
    public_fields: tuple[
        Literal["agency", "number", "decided_on", "digests", "reason", "reference"], ...
    ] = ("agency", "number", "decided_on", "digests", "reason", "reference")
    """What the public sees of a result, beside its code, status and times.

    Proofs show entries whole, so the public gets those alone that hold nothing masked.
    """
    open_entries: bool = False
    """True lets everybody read whole entries, codes too; else their times and digests."""


class TelemetrySettings(_Section):
    """Logs, metrics and traces."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otlp_endpoint: str | None = None
    """OTLP over HTTP for traces; None: no traces."""


class WebhookSettings(_Section):
    """Where webhooks may go."""

    private_networks: bool = False
    """True lets webhooks reach private and loopback addresses: for tests and closed networks."""


class ScannerSettings(_Section):
    """One network scanner (eSCL): ``[scanners.NAME]``. No other address is ever asked."""

    url: str
    """``http://192.168.1.20/eSCL``. A host name may only lead into a private network."""
    certificate: Path | None = None
    """PEM that proves an https scanner; None: the system's trust store."""


class InboxSettings(_Section):
    """A watched folder: ``[inboxes.NAME]``; what is dropped there becomes stacks of paper.

    The `house` worker watches it, and must be able to rename what lies in it.
    """

    path: Path
    agency: str = Field(min_length=1, max_length=32)
    principal: str = Field(min_length=1, max_length=48)
    """In whose name stacks are made: a principal of the agency that scans (``prn_…``)."""
    station: str = Field(min_length=1, max_length=200)
    officer: str = Field(min_length=1, max_length=200)
    profile: Literal["one-stop", "electronic-copy", "archive", "working"] = "one-stop"
    mode: Literal["faithful", "compact"] = "faithful"
    sides: Literal["simplex", "duplex"] = "simplex"
    patch_separators: tuple[str, ...] = ()
    blank_sheets_separate: bool = False
    scanner: str = Field(default="", max_length=200)
    settle_s: float = Field(default=10.0, ge=1, le=3600)
    """A drop is complete when nothing in it changed for so long."""
    patience_s: float = Field(default=600.0, ge=1, le=86_400)
    """A file without its end is refused when nothing came for so long."""
    rescan_s: float = Field(default=2.0, ge=0.1, le=600)


class CheckingSettings(_Section):
    """How people check papers."""

    lease_s: float = Field(default=120.0, ge=10, le=3600)
    """A paper goes to somebody else when its checker did nothing for so long."""


class Settings(_Section):
    """All settings of one installation."""

    data_dir: Path
    mode: Literal["test", "production"] = "test"
    token: TokenSettings | None = None
    """None on a machine without keys: its workers and web ask the key agent of another one."""
    keys: KeySettings = KeySettings()
    trust: TrustSettings = TrustSettings()
    embedded: EmbeddedSettings | None = None
    record: RecordSettings = RecordSettings()
    proof: ProofSettings = ProofSettings()
    database: DatabaseSettings = DatabaseSettings()
    blobs: BlobSettings = BlobSettings()
    agent: AgentSettings = AgentSettings()
    web: WebSettings = WebSettings()
    worker: WorkerSettings = WorkerSettings()
    identity: IdentitySettings = IdentitySettings()
    audit: AuditSettings = AuditSettings()
    results: RegisterSettings = RegisterSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    webhooks: WebhookSettings = WebhookSettings()
    verification: VerificationSettings = VerificationSettings()
    checking: CheckingSettings = CheckingSettings()
    scanners: dict[str, ScannerSettings] = {}
    inboxes: dict[str, InboxSettings] = {}
    officer_keys: dict[str, Annotated[str, Field(min_length=1, max_length=200)]] = {}
    """``[officer_keys]``: the CKA_LABEL of the own key of whoever checks papers, by principal."""

    @property
    def database_url(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database.url or f"sqlite:///{self.data_dir / 'house.db'}"

    @property
    def agent_address(self) -> str:
        """The agent's address, a socket path made absolute."""
        address = self.agent.address
        if address.startswith("unix:"):
            return f"unix:{self.data_dir / address.removeprefix('unix:')}"
        return address

    @property
    def lookup_url(self) -> str:
        """The page that codes on printouts open."""
        base = self.web.public_url or f"http://{self.web.host}:{self.web.port}"
        return self.proof.lookup_url or f"{base.rstrip('/')}/verify"

    def key_label(self, role: Role) -> str:
        """The CKA_LABEL of the key that `role` signs with."""
        label: str = getattr(self.keys, role)
        return label

    @property
    def sheet_label(self) -> str:
        """The CKA_LABEL of the key that signs cover sheets."""
        return self.keys.sheet or self.keys.proof

    def required_token(self) -> TokenSettings:
        """The token of this machine. Raises `SettingsError` when it has none."""
        if self.token is None:
            raise SettingsError(
                "Máy này không có khóa: cấu hình thiếu [token]; hãy chạy lệnh trên máy giữ khóa. / "
                "This machine has no keys: the settings have no [token]; run this on the key "
                "agent's machine."
            )
        return self.token

    def read_pin(self) -> str:
        """Return the token's PIN from its file, or ask for it on the terminal.

        Raises `SettingsError` when the file is missing, empty, or open to others.
        """
        token = self.required_token()
        path = token.pin_file
        if path is None:
            if not sys.stdin.isatty():
                raise SettingsError(
                    "no PIN: set token.pin_file in the settings, or run on a terminal"
                )
            return getpass.getpass(f"PIN ({token.label}): ")
        return _pin_in(path)

    def read_authority_pin(self) -> str:
        """The PIN of the embedded authority's own token. Raises as `read_pin`."""
        path = None if self.embedded is None else self.embedded.pin_file
        return self.read_pin() if path is None else _pin_in(path)


def _pin_in(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(f"cannot read the PIN file {path}: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"the PIN file {path} is open to others: chmod 600 it")
    if not text:
        raise SettingsError(f"the PIN file {path} is empty")
    return text


def default_data_dir(environ: Mapping[str, str] | None = None) -> Path:
    """``$SOHOA_DATA``, else ``$XDG_DATA_HOME/sohoa``, else ``~/.local/share/sohoa``."""
    env = os.environ if environ is None else environ
    if env.get("SOHOA_DATA"):
        return Path(env["SOHOA_DATA"])
    home = Path(env["XDG_DATA_HOME"]) if env.get("XDG_DATA_HOME") else Path.home() / ".local/share"
    return home / "sohoa"


def load_settings(
    data_dir: Path | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings of the installation in `data_dir`.

    Raises `NotInitialised` when there is none and `SettingsError` when an entry is wrong.
    """
    env = os.environ if environ is None else environ
    folder = (data_dir or default_data_dir(env)).absolute()
    path = folder / SETTINGS_FILE
    try:
        entries: dict[str, object] = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise NotInitialised(
            f"{folder} holds no installation; make one with: sohoa init --data {folder}"
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
    entries.setdefault("data_dir", str(folder))
    _overlay(entries, env)
    try:
        settings = Settings.model_validate(entries)
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: {entry}: {first['msg']}") from error
    return _absolute(settings, folder)


def _overlay(entries: dict[str, object], env: Mapping[str, str]) -> None:
    """Lay ``SOHOA_MODE`` and ``SOHOA_SECTION__ENTRY`` over the file's entries."""
    for name, value in env.items():
        if name == "SOHOA_MODE":
            entries["mode"] = value
        elif name.startswith("SOHOA_") and "__" in name:
            section, entry = name.removeprefix("SOHOA_").lower().split("__", 1)
            table = entries.setdefault(section, {})
            if not isinstance(table, dict):
                raise SettingsError(f"{name}: {section} is not a section of the settings")
            table[entry] = value


def _absolute(settings: Settings, folder: Path) -> Settings:
    """Resolve relative paths against the data folder, so that it can be moved as a whole."""
    token = settings.token and settings.token.model_copy(
        update={"pin_file": settings.token.pin_file and folder / settings.token.pin_file}
    )
    trust = settings.trust.model_copy(
        update={
            "anchors": tuple(folder / p for p in settings.trust.anchors),
            "intermediates": tuple(folder / p for p in settings.trust.intermediates),
            "proof_keys": tuple(folder / p for p in settings.trust.proof_keys),
            "sheet_keys": tuple(folder / p for p in settings.trust.sheet_keys),
            "list_signers": tuple(folder / p for p in settings.trust.list_signers),
            "rules": settings.trust.rules and folder / settings.trust.rules,
        }
    )
    record = settings.record.model_copy(
        update={
            "profiles": settings.record.profiles and folder / settings.record.profiles,
            "images": {k: folder / p for k, p in settings.record.images.items()},
        }
    )
    embedded = settings.embedded and settings.embedded.model_copy(
        update={
            "folder": folder / settings.embedded.folder,
            "pin_file": settings.embedded.pin_file and folder / settings.embedded.pin_file,
        }
    )
    agent = settings.agent.model_copy(
        update={
            name: folder / value
            for name, value in settings.agent.__dict__.items()
            if isinstance(value, Path)
        }
    )
    scanners = {
        name: one.model_copy(update={"certificate": one.certificate and folder / one.certificate})
        for name, one in settings.scanners.items()
    }
    inboxes = {
        name: one.model_copy(update={"path": folder / one.path})
        for name, one in settings.inboxes.items()
    }
    return settings.model_copy(
        update={
            "data_dir": folder,
            "inboxes": inboxes,
            "scanners": scanners,
            "agent": agent,
            "token": token,
            "trust": trust,
            "record": record,
            "embedded": embedded,
        }
    )
