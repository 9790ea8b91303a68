"""Certificates that may not sign, through the whole service: refused, and the key is not used.

Uses are counted by the PKCS#11 module itself, call by call of C_Sign (security.md 10).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.proof_kill_storm import counting
from tests.running_service import ROOT, RunningService
from tests.storm import decision

SPOIL = """
import datetime as dt, sys
from pathlib import Path
from api.tokens import open_authority_token, open_token
from api.wiring import load_settings
from hsm import provision
from hsm.keys import SignatureScheme
from signer.insecure_testpki import InsecureTestPKI, Role, TokenKeys
from signer.insecure_testpki.roles import PROFILES, KeyUses

settings = load_settings(Path(sys.argv[1]))
token = open_token(settings)
keys = TokenKeys(token)
issuers = TokenKeys(open_authority_token(settings))
pki = InsecureTestPKI(settings.embedded.folder, issuers.load)
day = dt.timedelta(days=1)
officer = PROFILES[Role.OFFICER].but(scheme=SignatureScheme.ECDSA_SHA256)
for label, changes in {
    "good": {},
    "expired": {"starts_after": -9 * day, "lifetime": 8 * day},
    "not-yet-valid": {"starts_after": day},
    "near-expiry": {"lifetime": day / 2},
    "wrong-usage": {"uses": KeyUses(key_cert_sign=True)},
    "revoked": {},
}.items():
    key = pki.issue(officer.but(**changes), keys.make(label, officer.scheme))
    if label == "revoked":
        pki.revoke(key.certificate)
info = provision.create(token, "of-another-key", provision.KeyKind.P_256)
strange = provision._certificate_template(key.certificate, "of-another-key", info.ref.id)
token.in_session(lambda session: session.create(strange), writable=True)
"""
REFUSED = {
    # the client of the key agent sees the first two before the sealer looks at them
    "expired": ("KeyUseRefused", "chứng thư hết hiệu lực"),
    "not-yet-valid": ("KeyUseRefused", "chứng thư hết hiệu lực"),
    "near-expiry": ("CertificateRefused", "sắp hết hạn"),
    "wrong-usage": ("CertificateRefused", "digitalSignature"),
    "revoked": ("CertificateRefused", "thu hồi"),
}
RULE = '[keys.{}]\nagencies = ["*"]\ncallers = ["local"]\npurposes = ["document"]\n'


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module writes a line for each C_Sign."""
    return tmp_path_factory.mktemp("count") / "c-sign"


@pytest.fixture(scope="module")
def service(
    installed: Path, counter: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    data = tmp_path_factory.mktemp("spoilt") / "data"
    shutil.copytree(installed, data)
    configuration = data / "token" / "softhsm2.conf"
    text = configuration.read_text("utf-8").replace(str(installed), str(data))
    configuration.write_text(text, "utf-8")
    subprocess.run([sys.executable, "-c", SPOIL, str(data)], check=True, cwd=ROOT)
    with (data / "key-policy.toml").open("a", encoding="utf-8") as policy:
        for label in ("good", "of-another-key", *REFUSED):
            policy.write(RULE.format(label))
    with RunningService(data, counting(counter.parent, counter)) as running:
        running.secret = running.new_client(keys=("good", "of-another-key", *REFUSED))
        yield running


def order(service: RunningService, label: str) -> tuple[int, dict[str, Any]]:
    """Ask for a decision signed with `label`; the answer, and the record when it has ended."""
    answer = service.ask(
        "POST",
        "/v1/signatures",
        decision(len(label), 7),
        query={"key": label, "level": "B-B"},
        headers={"Content-Type": "application/pdf", "Idempotency-Key": f"order-{label}"},
    )
    if answer.status != 202:
        return answer.status, answer.json
    deadline = time.monotonic() + 30
    while True:
        record = service.ask("GET", f"/v1/signatures/{answer.json['id']}").json
        if record["state"] in ("published", "failed"):
            return answer.status, record
        assert time.monotonic() < deadline, record
        time.sleep(0.05)


def signed_with(counter: Path, label: str) -> int:
    """How often C_Sign was called with a key. A line: handle, label, CK_RV."""
    lines = counter.read_text().splitlines()
    return sum(line.split(maxsplit=1)[1].rpartition(" ")[0] == label for line in lines)


def test_a_sound_certificate_signs_and_its_use_is_counted(
    service: RunningService, counter: Path
) -> None:
    before = signed_with(counter, "good")
    _, record = order(service, "good")
    assert record["state"] == "published", record
    assert signed_with(counter, "good") == before + 1


@pytest.mark.parametrize("label", REFUSED)
def test_a_certificate_that_may_not_sign_costs_no_c_sign(
    service: RunningService, counter: Path, label: str
) -> None:
    before = signed_with(counter, label)
    assert before == 1  # the proof of the key when the agent started, before any document
    _, record = order(service, label)
    assert record["state"] == "failed"
    kind, words = REFUSED[label]
    assert record["error"]["kind"] == kind
    assert words in record["error"]["message"]
    assert record["result_sha256"] is None
    assert signed_with(counter, label) == before


def test_a_certificate_of_another_key_is_not_even_loaded(
    service: RunningService, counter: Path
) -> None:
    assert service.ask("GET", "/v1/keys/of-another-key").status == 404
    status, told = order(service, "of-another-key")
    assert (status, told["state"], told["error"]["kind"]) == (202, "failed", "KeyNotFound")
    assert "does not belong" in told["error"]["message"]
    assert signed_with(counter, "of-another-key") == 0
