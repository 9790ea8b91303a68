"""A SoftHSM2 token in a folder of its own: the embedded default, for trying out and for tests.

SoftHSM finds its configuration through the environment variable SOFTHSM2_CONF and in no other
way, and reads it at C_Initialize. This is therefore the one place beside the settings that
writes to the environment, and a process can use one such folder only.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hsm import _cryptoki as ck
from hsm._login import PinSource
from hsm._pkcs11 import Module, error_for, is_loaded, load_module
from hsm._session import Session
from hsm._startup import startup_lock
from hsm.errors import CeremonyRefused, ModuleError
from hsm.token import slots

LABEL_BYTES: Final = 32  # of CK_TOKEN_INFO
VARIABLE: Final = "SOFTHSM2_CONF"
_PLACES: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
_lock = threading.Lock()


def module_path() -> Path:
    """Where the distribution keeps the module. Raises `ModuleError` when it is not installed."""
    for place in _PLACES:
        if Path(place).is_file():
            return Path(place)
    raise ModuleError("SoftHSM is not installed; install it with: apt-get install libsofthsm2")


def use_folder(folder: Path) -> Path:
    """Point this process at the tokens in `folder` (made if absent); returns the module's path.

    Raises `ModuleError` when the process uses another folder already.
    """
    folder = folder.resolve()
    configuration = folder / "softhsm2.conf"
    with _lock:
        current = os.environ.get(VARIABLE)
        if current is not None and Path(current) != configuration and _in_use():
            raise ModuleError(
                f"this process already uses the SoftHSM folder {Path(current).parent}, and "
                "SoftHSM allows one a process; do this in a new process"
            )
        tokens = folder / "tokens"
        tokens.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not configuration.exists():
            configuration.write_text(
                f"directories.tokendir = {tokens}\nobjectstore.backend = file\n"
                "log.level = ERROR\nslots.removable = false\n",
                encoding="utf-8",
            )
        os.environ[VARIABLE] = str(configuration)
    return module_path()


def create_token(
    folder: Path, label: str, pin: str | Callable[[], str], so_pin: str | Callable[[], str]
) -> Path:
    """Make a token `label` in `folder` by C_InitToken and C_InitPIN; returns the module's path.

    softhsm2-util would take both PINs on its command line, where every user can read them.
    Raises `CeremonyRefused` when a token of that label exists.
    """
    user, officer = PinSource(pin), PinSource(so_pin)
    del pin, so_pin  # so that no traceback that shows local variables can show them
    path = use_folder(folder)
    with startup_lock(path):
        module = load_module(path)
        with module.use() as generation:
            free = None
            for slot, info in slots(module):
                if ck.text(info.label) == label and info.flags & ck.CKF_TOKEN_INITIALIZED:
                    raise CeremonyRefused(
                        f"{folder} already holds a token {label!r}; choose another label or folder"
                    )
                if not info.flags & ck.CKF_TOKEN_INITIALIZED:
                    free = slot
            if free is None:
                raise ModuleError("SoftHSM offers no free slot; check the folder's permissions")
            _initialise_token(module, free, generation, label, user, officer)
    return path


def _in_use() -> bool:
    return is_loaded(module_path())


def _initialise_token(
    module: Module, slot: int, generation: int, label: str, user: PinSource, officer: PinSource
) -> None:
    padded = label.encode().ljust(LABEL_BYTES)
    if len(padded) > LABEL_BYTES:
        raise CeremonyRefused(
            f"the token label {label!r} is longer than {LABEL_BYTES} bytes; shorten it"
        )
    init_token = officer.lend(lambda *room: module.call("C_InitToken", slot, *room, padded))
    _check(init_token, "C_InitToken")
    session = Session(module, slot, generation, writable=True)
    try:
        _check(officer.present(session, ck.CKU_SO)[0], "C_Login")
        _check(
            user.lend(lambda *room: module.call("C_InitPIN", session.handle, *room)), "C_InitPIN"
        )
        module.do("C_Logout", session.handle)
    finally:
        session.close()


def _check(code: int, function: str) -> None:
    if code != ck.CKR_OK:
        raise error_for(code, function)
