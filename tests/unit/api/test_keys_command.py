"""`sohoa keys` over a real SoftHSM token."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

from api.commands import keys
from hsm.errors import CeremonyRefused, KeyMismatch
from hsm.keys import KeyRef
from hsm.provision import CertificateInfo, KeyInfo

runner = CliRunner()


@pytest.fixture
def sohoa_keys(softhsm_token, monkeypatch):
    """Run ``sohoa keys …`` against the test token; errors are raised as they are."""
    monkeypatch.setattr(keys, "_token", lambda data: softhsm_token)

    def run(*arguments: str, typed: str | None = None):
        return runner.invoke(keys.app, arguments, input=typed, catch_exceptions=False)

    return run


def test_the_whole_ceremony(sohoa_keys, softhsm_token, test_ca, tmp_path):
    made = sohoa_keys("create", "lanh-dao", "--kind", "p-256", "--json")
    assert made.exit_code == 0
    assert json.loads(made.stdout)["kind"] == "p-256"
    assert json.loads(made.stdout)["non_exportable"] is True
    assert "Đã tạo khóa lanh-dao" in made.stderr

    request_file = tmp_path / "lanh-dao.csr"
    asked = sohoa_keys(
        "csr", "lanh-dao", "--cn", "Nguyễn Văn Mẫu", "--o", "UBND xã Mẫu", "-o", str(request_file)
    )
    assert asked.stdout == ""
    request = x509.load_pem_x509_csr(request_file.read_bytes())
    assert request.is_signature_valid
    assert "Nguyễn Văn Mẫu" in request.subject.rfc4514_string()

    certificate = test_ca.issue(request.public_key(), "Nguyễn Văn Mẫu")
    (tmp_path / "lanh-dao.der").write_bytes(certificate.public_bytes(Encoding.DER))
    stored = sohoa_keys("import", "lanh-dao", str(tmp_path / "lanh-dao.der"), "--json")
    assert json.loads(stored.stdout)["certificates"][0]["matches_key"] is True
    assert softhsm_token.signing_key("lanh-dao").certificate == certificate

    listed = sohoa_keys("list", "--json")
    assert "lanh-dao" in {entry["label"] for entry in json.loads(listed.stdout)}
    assert "lanh-dao" in listed.stderr

    retired = sohoa_keys("retire", "lanh-dao", "--json", typed="lanh-dao\n")
    done = json.loads(retired.stdout[retired.stdout.index("{") :])  # the runner echoes input
    assert done["destroyed"] is False
    assert done["new_label"].startswith("retired ")
    destroyed = sohoa_keys(
        "retire", done["new_label"], "--destroy", "--confirm", done["new_label"], "--json"
    )
    assert json.loads(destroyed.stdout)["destroyed"] is True


def test_csr_is_printed_as_pem_or_json(sohoa_keys, seal_key):
    printed = sohoa_keys("csr", "seal", "--cn", "Con dấu mẫu")
    assert x509.load_pem_x509_csr(printed.stdout.encode()).is_signature_valid
    as_json = sohoa_keys("csr", "seal", "--cn", "Con dấu mẫu", "--json")
    assert "BEGIN CERTIFICATE REQUEST" in json.loads(as_json.stdout)["csr"]


def test_destroying_asks_for_the_label(sohoa_keys, seal_key):
    with pytest.raises(CeremonyRefused, match="nothing was changed"):
        sohoa_keys("retire", "seal", "--destroy", typed="seel\n")
    sohoa_keys("list")
    seal_key.sign_digests([bytes(32)])


def test_import_of_a_file_that_is_not_there(sohoa_keys, tmp_path):
    with pytest.raises(keys.InputUnusable, match="check the path"):
        sohoa_keys("import", "seal", str(tmp_path / "none.pem"))


def test_import_of_a_stranger_s_certificate(sohoa_keys, seal_key, test_ca, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_bytes(test_ca.certificate.public_bytes(Encoding.PEM))
    with pytest.raises(KeyMismatch):
        sohoa_keys("import", "seal", str(file))


def test_states(sohoa_keys, softhsm_token, test_ca, tmp_path):
    def state() -> str:
        entries = json.loads(sohoa_keys("list", "--json").stdout)
        (found,) = {e["state"] for e in entries if e["label"].endswith("het-han")}
        return found

    def put(certificate) -> None:
        (tmp_path / "c.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        sohoa_keys("import", "het-han", str(tmp_path / "c.pem"))

    sohoa_keys("create", "het-han", "--kind", "p-256")
    assert state() == "no-certificate"
    public_key = softhsm_token.private_key("het-han").public_key
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    put(test_ca.issue(public_key, "a", not_before=past, not_after=past + dt.timedelta(days=1)))
    assert state() == "not-valid"
    put(test_ca.issue(public_key, "b"))
    assert state() == "ready"
    sohoa_keys("retire", "het-han", "--confirm", "het-han")
    assert state() == "retired"


@pytest.mark.parametrize(("non_exportable", "state"), [(False, "exportable"), (True, "mismatch")])
def test_states_that_a_sound_token_never_shows(non_exportable, state):
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = CertificateInfo("a", "CN=a", "CN=b", "1", past, past, "00", matches_key=False)
    info = KeyInfo("a", KeyRef(), "p-256", non_exportable, True, False, (certificate,))
    assert keys._state(info) == state


@pytest.mark.parametrize("command", ["create", "list", "csr", "import", "retire"])
def test_help_is_vietnamese_first_with_an_example(command):
    shown = runner.invoke(keys.app, [command, "--help"])
    assert shown.exit_code == 0
    assert "Ví dụ / Example" in shown.stdout
