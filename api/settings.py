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
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.errors import NotInitialised, SettingsError

SETTINGS_FILE = "sohoa.toml"
Role = Literal["officer", "leader", "seal", "tsa"]


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


class TrustSettings(_Section):
    """Anchors of the trust domains, intermediate certificates and outside services."""

    anchors: tuple[Path, ...] = ()
    intermediates: tuple[Path, ...] = ()
    tsa_url: str | None = None
    tsa_timeout_s: float = Field(default=30.0, gt=0, le=180)
    near_expiry_days: int = Field(default=1, ge=0)


class EmbeddedSettings(_Section):
    """The embedded test authority (PKI, OCSP, CRL, TSA) on loopback. Refused in production."""

    port: int = Field(ge=1, le=65535)
    folder: Path


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


class Settings(_Section):
    """All settings of one installation."""

    data_dir: Path
    mode: Literal["test", "production"] = "test"
    token: TokenSettings
    keys: KeySettings = KeySettings()
    trust: TrustSettings = TrustSettings()
    embedded: EmbeddedSettings | None = None
    record: RecordSettings = RecordSettings()

    def key_label(self, role: Role) -> str:
        """The CKA_LABEL of the key that `role` signs with."""
        label: str = getattr(self.keys, role)
        return label

    def read_pin(self) -> str:
        """Return the token's PIN from its file, or ask for it on the terminal.

        Raises `SettingsError` when the file is missing, empty, or open to others.
        """
        path = self.token.pin_file
        if path is None:
            if not sys.stdin.isatty():
                raise SettingsError(
                    "no PIN: set token.pin_file in the settings, or run on a terminal"
                )
            return getpass.getpass(f"PIN ({self.token.label}): ")
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
    token = settings.token.model_copy(
        update={"pin_file": settings.token.pin_file and folder / settings.token.pin_file}
    )
    trust = settings.trust.model_copy(
        update={
            "anchors": tuple(folder / p for p in settings.trust.anchors),
            "intermediates": tuple(folder / p for p in settings.trust.intermediates),
        }
    )
    record = settings.record.model_copy(
        update={
            "profiles": settings.record.profiles and folder / settings.record.profiles,
            "images": {k: folder / p for k, p in settings.record.images.items()},
        }
    )
    embedded = settings.embedded and settings.embedded.model_copy(
        update={"folder": folder / settings.embedded.folder}
    )
    return settings.model_copy(
        update={
            "data_dir": folder,
            "token": token,
            "trust": trust,
            "record": record,
            "embedded": embedded,
        }
    )
