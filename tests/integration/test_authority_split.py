"""The embedded authority has a token of its own; installations of the old shape still open."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

from tests.fixtures_fault_module import ROOT
from tests.fixtures_installation import run_sohoa

OLD_SHAPE = """
import json, sys
from pathlib import Path
from hsm import softhsm
from hsm.token import Token
from signer.insecure_testpki import InsecureTestPKI, Role, TokenKeys
from signer.insecure_testpki import authority
from api.loopback import choose_port

folder = Path(sys.argv[1])
folder.mkdir(parents=True)
(folder / "token-pin").touch(mode=0o600)
(folder / "token-pin").write_text("51627384")
module = softhsm.create_token(folder / "token", "sohoa-test", "51627384", "62738495")
keys = TokenKeys(Token.open(module, "sohoa-test", "51627384"))
port = choose_port()
# as it was before the audit key: seven roles in one token
authority.Role = [role for role in Role if role is not Role.AUDIT]
for name in ("ROOT", "ISSUING", "AUDIT"):
    pass
class Seven(list):
    def __getattr__(self, name):
        return getattr(Role, name)
authority.Role = Seven(authority.Role)
InsecureTestPKI.create(
    folder / "pki", keys.make, keys.load, base_url=f"http://127.0.0.1:{port}"
)
root = folder / "pki" / "root.pem"
root.write_bytes(b"Trust-Domain: TEST\\n" + root.read_bytes())
(folder / "sohoa.toml").write_text(
    'mode = "test"\\n[token]\\n'
    f'module = {json.dumps(str(module))}\\nlabel = "sohoa-test"\\npin_file = "token-pin"\\n'
    '[keys]\\nofficer = "test-officer"\\nleader = "test-leader"\\nseal = "test-seal"\\n'
    'tsa = "test-tsa"\\n'
    f'[trust]\\nanchors = ["pki/root.pem"]\\ntsa_url = "http://127.0.0.1:{port}/tsa"\\n'
    f'[embedded]\\nport = {port}\\nfolder = "pki"\\n'
)
"""


def test_the_documents_token_holds_no_key_of_the_authority(sohoa):
    done = sohoa("keys", "list", "--json")
    assert done.code == 0, done.told
    text = json.dumps(done.json)
    labels = set(re.findall(r"test-[a-z]+", text)) - {"test-authority"}
    assert {"test-officer", "test-leader", "test-seal", "test-audit"} <= labels
    assert not labels & {"test-root", "test-issuing", "test-ocsp", "test-tsa"}


def test_one_shot_commands_use_both_tokens(sohoa, scan, tmp_path):
    """Digitize, seal with a timestamp and revocation data, verify: token and authority."""
    record = tmp_path / "record.pdf"
    done = sohoa("digitize", scan, "-o", record, "--seal", "P7", "--level", "B-LTA")
    assert done.code == 0, done.told
    assert sohoa("verify", record).code == 0


def test_an_installation_of_the_old_shape_still_opens(tmp_path, scan):
    folder = tmp_path / "old"
    subprocess.run([sys.executable, "-c", OLD_SHAPE, folder], check=True, cwd=ROOT)
    record = tmp_path / "record.pdf"
    arguments = ("digitize", scan, "-o", record, "--seal", "P7", "--level", "B-LT")
    done = run_sohoa(*arguments, "--data", folder)
    assert done.code == 0, done.told
    again = run_sohoa("init", "--data", folder)  # adds the key policy, changes nothing else
    assert again.code == 0, again.told
    assert (folder / "key-policy.toml").exists()
    assert not (folder / "authority-pin").exists()


def test_the_authority_runs_alone(own_installation):
    port = re.search(r"port = (\d+)", (own_installation / "sohoa.toml").read_text())[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "api", "authority", "--data", own_installation],
        cwd=ROOT, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                url = f"http://127.0.0.1:{port}/crl/issuing.crl"
                with urllib.request.urlopen(url, timeout=2) as answer:
                    assert answer.read()[:1] == b"0"
                break
            except OSError:
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_production_refuses_it(own_installation):
    for command in ("authority", "agent"):
        done = run_sohoa(command, "--data", own_installation, SOHOA_MODE="production")
        assert done.code == 9, done.told
        assert "embedded" in done.told or "TEST ONLY" in done.told
    settings = own_installation / "sohoa.toml"
    settings.write_text(settings.read_text().partition("[embedded]")[0])
    done = run_sohoa("authority", "--data", own_installation)
    assert done.code == 9
    assert "no embedded" in done.told


def test_the_agent_refuses_what_it_cannot_serve(own_installation, tmp_path):
    policy = own_installation / "key-policy.toml"
    policy.write_text('[keys.a]\nagencies = "H1"\n')
    done = run_sohoa("agent", "--data", own_installation)
    assert done.code == 9
    assert "keys.a.agencies" in done.told
    policy.unlink()
    done = run_sohoa("agent", "--data", own_installation)
    assert done.code == 9
    assert "key-policy.toml" in done.told
    assert os.access(own_installation, os.W_OK)
