"""Tokens of other makers: NSS softokn and openCryptoki's soft token.

    nss_token            in a folder of its own; no service, no privileges
    opencryptoki_token   one a machine: needs its daemon, which needs root to be started

Debian packages: libnss3, libnss3-tools; opencryptoki.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hsm.token import Token
from tests.fixtures_token import PIN, SO_PIN

NSS_LABEL = "NSS Certificate DB"
OCK_LABEL = "sohoa-test"
OCK_FACTORY_LABEL = "IBM OS PKCS#11"
OCK_FACTORY_SO_PIN = "87654321"
OCK_DAEMON = Path("/usr/sbin/pkcsslotd")
OCK_PID = Path("/run/pkcsslotd.pid")
OCK_USERS = Path("/run/lock/sohoa-test-opencryptoki.users")
OCK_TURNS = Path("/run/lock/sohoa-test-opencryptoki.turns")
OCK_SLOT = "3"  # the soft token in Debian's opencryptoki.conf


def _library(name: str) -> Path | None:
    for folder in Path("/usr/lib").glob("*-linux-gnu*"):
        if (folder / name).exists():
            return folder / name
    return None


@pytest.fixture(scope="session")
def nss_token(tmp_path_factory: pytest.TempPathFactory) -> Token:
    """NSS softokn, which takes its parameters through C_Initialize."""
    folder = tmp_path_factory.mktemp("nss")
    pin_file = folder / "pin"
    pin_file.write_text(PIN)
    subprocess.run(["certutil", "-N", "-d", f"sql:{folder}", "-f", pin_file], check=True)
    module = _library("libsoftokn3.so")
    assert module is not None, "install libnss3"
    parameters = f"configDir='sql:{folder}' certPrefix='' keyPrefix='' secmod='secmod.db' flags="
    return Token.open(module, NSS_LABEL, lambda: PIN, init_reserved=parameters)


def opencryptoki_missing() -> str | None:
    """Why the soft token of openCryptoki cannot be used here, or None."""
    if not OCK_DAEMON.exists():
        return "opencryptoki is not installed"
    if os.geteuid() != 0:
        return "its daemon and its token folder belong to root"
    return None


@pytest.fixture(scope="session")
def opencryptoki_token() -> Iterator[Token]:
    """The soft token, initialised for us unless it is somebody's already."""
    if reason := opencryptoki_missing():
        pytest.skip(reason)
    module = _library("opencryptoki/libopencryptoki.so.0")
    assert module is not None
    # Test processes share the daemon: `users` is held by each while it lives; `turns` by who
    # starts or stops the daemon, and holds its pid when it is ours to stop.
    with OCK_USERS.open("a") as users, OCK_TURNS.open("a+") as turns:
        fcntl.flock(turns, fcntl.LOCK_EX)
        _start_daemon(turns.fileno())
        _initialise()
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(turns, fcntl.LOCK_UN)
        token = Token.open(module, OCK_LABEL, lambda: PIN)
        yield token
        token._module.call("C_Finalize", None)  # the daemon does not stop while it has clients
        fcntl.flock(turns, fcntl.LOCK_EX)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        turns.seek(0)
        started = turns.read().strip()
        if started and started == _daemon():
            os.kill(int(started), signal.SIGTERM)
        turns.truncate(0)


def _daemon() -> str | None:
    """The pid of the daemon, if it lives; it leaves its pid file behind."""
    try:
        pid = OCK_PID.read_text().strip()
        status = Path("/proc", pid, "status").read_text()
    except OSError:
        return None
    alive = status.startswith("Name:\tpkcsslotd\n") and "State:\tZ" not in status
    return pid if alive else None


def _start_daemon(note: int) -> None:
    """Start the daemon unless it runs, and note its pid when it is ours to stop."""
    if _daemon():
        return
    subprocess.run([OCK_DAEMON], check=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while (pid := _daemon()) is None:
        assert time.monotonic() < deadline, "pkcsslotd did not start"
        time.sleep(0.05)
    os.ftruncate(note, 0)
    os.write(note, pid.encode())


def _initialise() -> None:
    said = subprocess.run(
        ["pkcsconf", "-t", "-c", OCK_SLOT], check=True, capture_output=True, text=True
    ).stdout
    label = next(line.split(":", 1)[1].strip() for line in said.splitlines() if "Label:" in line)
    if label == OCK_LABEL:
        return
    if label != OCK_FACTORY_LABEL:
        pytest.skip(f"openCryptoki's soft token belongs to somebody: {label}")
    first = "11111111"  # openCryptoki wants the first user PIN to be changed by the user
    for arguments, typed in (
        (["-I", "-S", OCK_FACTORY_SO_PIN], f"{OCK_LABEL}\n"),
        (["-P", "-S", OCK_FACTORY_SO_PIN, "-n", SO_PIN], None),
        (["-u", "-S", SO_PIN, "-n", first], None),
        (["-p", "-U", first, "-n", PIN], None),
    ):
        subprocess.run(
            ["pkcsconf", "-c", OCK_SLOT, *arguments],
            input=typed,
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
        )
