"""The PIN is found nowhere (security.md 19): logs, errors, audit, environment, arguments, cores."""

from __future__ import annotations

import re
import resource
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.embedded import TOKEN_LABEL
from hsm.errors import HSMError, TokenUnavailable
from hsm.secrecy import forbid_dumps
from signer.errors import SignerError
from tests.fixtures_fault_module import ROOT

WRONG_PIN = "90817263"


def everything_written(agent) -> dict[str, bytes]:
    """Every file that the agent or its clients could have written, but the PIN files."""
    found = {
        str(path.relative_to(agent.folder)): path.read_bytes()
        for path in agent.folder.rglob("*")
        if path.is_file() and path.name not in ("token-pin", "authority-pin")
    }
    assert any(name.endswith("keys.db") for name in found)
    return found


def provoke(agent, told: list[str]) -> None:
    """Make it fail in every way that has a message of its own; collect what it says."""
    client = agent.client()
    attempts = [
        lambda: client.key("nobody"),
        lambda: client.key("test-seal").sign_digests([secrets.token_bytes(32)]),
        lambda: client.key("test-seal").bound(purpose="x" * 30).sign_digests([bytes(32)]),
    ]
    for function, code in (("C_Sign", "0x30"), ("C_SignInit", "0x6"), ("C_Login", "0x6")):

        def broken(function=function, code=code):
            agent.fault(fn=function, rv=code, n=2)
            client.key("test-seal").bound(purpose="document").sign_digests([bytes(32)])

        attempts.append(broken)
    for attempt in attempts:
        try:
            attempt()
        except (HSMError, SignerError) as error:
            told.append(repr(error))
    agent.heal()
    told.append(repr(client.health()))


def test_the_pin_is_found_nowhere(make_agent):
    agent = make_agent(SOHOA_TELEMETRY__LOG_LEVEL="debug")
    pin = (agent.folder / "token-pin").read_text().strip()
    assert re.fullmatch("[0-9]{8}", pin)
    agent.start()
    told: list[str] = []
    provoke(agent, told)
    pid = agent.process.pid
    for name in ("environ", "cmdline"):
        assert pin.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    for name, content in everything_written(agent).items():
        assert pin.encode() not in content, name
    assert pin not in "".join(told)
    assert len(told) >= 4
    assert agent.stop() == 0
    assert pin not in agent.log()


def test_a_wrong_pin_is_tried_once_and_found_nowhere(make_agent):
    """It stays up, says what to do, and never asks the token again."""
    agent = make_agent(SOHOA_TELEMETRY__LOG_LEVEL="debug")
    right = (agent.folder / "token-pin").read_text().strip()
    (agent.folder / "token-pin").write_text(WRONG_PIN)
    agent.start(healthy=False)
    client = agent.client()
    deadline = time.monotonic() + 20
    while client.health().details.get("token", {}).get("state") != "latched":
        assert time.monotonic() < deadline, client.health()
        time.sleep(0.05)
    for _ in range(3):
        with pytest.raises(TokenUnavailable, match="correct the PIN") as failure:
            client.key("test-seal")
        assert failure.value.retry_after_s == 60
    health = client.health()
    assert not health.ok
    assert health.retry_after_s == 60
    (agent.folder / "token-pin").write_text(right)  # in vain: a person has to start it again
    time.sleep(2.5)
    with pytest.raises(TokenUnavailable, match="correct the PIN"):
        client.key("test-seal")
    assert agent.process.poll() is None
    assert agent.calls() == []
    text = repr(health) + agent.log()
    for name, content in everything_written(agent).items():
        assert WRONG_PIN.encode() not in content, name
        assert right.encode() not in content, name
    assert WRONG_PIN not in text
    assert agent.stop() == 0
    agent.start()
    assert TOKEN_LABEL not in agent.client().health().message


def test_no_core_and_no_reader(make_agent, tmp_path):
    """RLIMIT_CORE 0, not dumpable: a crash writes nothing, others of the user read nothing."""
    agent = make_agent()
    agent.start()
    pid = agent.process.pid
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0\s", limits)
    # the kernel gives the files of a process that is not dumpable to root
    assert Path(f"/proc/{pid}/mem").stat().st_uid == 0
    agent._end(6)  # SIGABRT, which would leave a core
    assert not list(agent.folder.rglob("core*"))
    assert not list(ROOT.glob("core*"))


SAME_USER = """
import ctypes, os, sys, time
from hsm.secrecy import forbid_dumps
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
ready, told = os.pipe()
child = os.fork()
if child == 0:
    # a process that changed its user begins as not dumpable
    assert ctypes.CDLL(None).prctl(4, 1, 0, 0, 0) == 0
    if sys.argv[1] == "kept":
        forbid_dumps()
    os.write(told, b".")
    time.sleep(30)
    os._exit(0)
os.read(ready, 1)
said = []
for name in ("environ", "mem", "maps"):
    try:
        open(f"/proc/{child}/{name}", "rb").read(0)
        said.append("open")
    except PermissionError:
        said.append("refused")
print(*said)
os.kill(child, 9)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize(("kind", "said"), [("open", "open"), ("kept", "refused")])
def test_another_process_of_the_same_user_is_refused(kind, said):
    """Without privilege; root reads everything, always."""
    done = subprocess.run(
        [sys.executable, "-c", SAME_USER, kind], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.split() == [said] * 3, done.stderr


def test_the_limit_is_set_in_the_process_that_asks_for_it():
    script = (
        "import resource\nfrom hsm.secrecy import forbid_dumps\nforbid_dumps()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "(0, 0)"
    assert callable(forbid_dumps)
    assert resource.getrlimit(resource.RLIMIT_CORE)  # ours is untouched
