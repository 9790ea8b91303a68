"""The docs are true: their examples run, in their order, against one real service.

The ``bash`` blocks of a document are one script, each ``python`` block is a program with the
script's variables. docs/api.md runs first; the others find what it left.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.clerical import decision as draft
from tests.running_service import ROOT, RunningService
from tests.storm import decision

DOCUMENTS = {
    name: (ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("api", "identity", "audit")
}
HANDED_ON = ("OFFICER_KEY", "LEADER_KEY", "AUDITOR_KEY", "KEY", "NEW_KEY")
RESOURCES = (
    "agencies", "clients", "keys", "profiles", "signatures", "blobs", "sequences",
    "signature-batches", "digitizations", "verifications", "kept-verifications",
    "verification-batches", "jobs", "audit", "webhooks",
)  # fmt: skip


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of `language` in a document, in their order."""
    fenced = rf"^```{language}\n(.*?)^```$"
    return re.findall(fenced, DOCUMENTS[name], re.DOTALL | re.MULTILINE)


@dataclass
class Ran:
    """What the script did: its output, the folder that it ran in, the keys that it made."""

    told: str
    folder: Path
    variables: dict[str, str]


@dataclass
class Office:
    """The service that all documents talk to, and a folder with what they take as given."""

    service: RunningService
    folder: Path

    def environ(self, known: Mapping[str, str]) -> dict[str, str]:
        """What a document's reader has set: addresses, and the command line on the PATH."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        own = {"SOHOA": self.service.url, "SOHOA_DATA": str(self.service.data), "PATH": path}
        python = {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}
        return {**os.environ, **python, **own, "ROOT_KEY": self.service.secret, **known}

    def run(self, name: str, known: Mapping[str, str]) -> Ran:
        """Run the shell blocks of a document; `known` are variables of the one before."""
        kept = f"keys-{name}"
        told = "".join(f'printf "{key}=%s\\n" "${{{key}:-}}" >> {kept}\n' for key in HANDED_ON)
        script = "set -euo pipefail\n" + "\n".join(blocks(name, "bash")) + told
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environ(known),
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == 0, (done.stdout, done.stderr, self.service.told()[-3000:])
        pairs = [line.partition("=") for line in (self.folder / kept).read_text().split()]
        found = {key: value for key, _, value in pairs if value}
        return Ran(done.stdout, self.folder, {"SOHOA": self.service.url, **found})

    def run_python(self, name: str, variables: Mapping[str, str]) -> str:
        """Run the one program of a document; what it printed."""
        (block,) = blocks(name, "python")
        program = "".join(f"{key} = {value!r}\n" for key, value in variables.items()) + block
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=self.folder,
            env=self.environ({}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, scan: Path) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("docs")
    with RunningService(folder / "data") as service:
        leader = x509.load_pem_x509_certificate((service.data / "pki" / "leader.pem").read_bytes())
        name = leader.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        work = folder / "work"
        (work / "bin").mkdir(parents=True)
        command = work / "bin" / "sohoa"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m api "$@"\n', "utf-8")
        command.chmod(0o755)
        (work / "decision.pdf").write_bytes(decision(1))
        (work / "annex.pdf").write_bytes(decision(2))
        (work / "draft.pdf").write_bytes(draft(signer=str(name).partition(" – ")[0]))
        shutil.copy(scan, work / "scan.jpg")
        yield Office(service, work)


@pytest.fixture(scope="module")
def ran(office: Office) -> Ran:
    """The whole script of docs/api.md, run once."""
    return office.run("api", {})


def test_every_resource_has_an_example() -> None:
    script = "\n".join(blocks("api", "bash"))
    assert [name for name in RESOURCES if f"/v1/{name}" not in script] == []


@pytest.mark.parametrize("name", ["identity", "audit"])
def test_every_command_of_a_document_is_run(name: str) -> None:
    """No block of commands is only to be looked at."""
    fences = re.findall(r"^```(\w+)$", DOCUMENTS[name], re.MULTILINE)
    assert set(fences) <= {"bash", "python"}
    assert "bash" in fences


def test_files_of_the_examples_are_what_they_should_be(ran: Ran) -> None:
    for name in ("signed.pdf", "issued.pdf", "sheet.pdf", "record.pdf", "verification.pdf",
                 "receipt.pdf"):  # fmt: skip
        assert (ran.folder / name).read_bytes().startswith(b"%PDF-"), name
    for name in ("report.json", "evidence.json", "kept.json"):
        json.loads((ran.folder / name).read_bytes())
    lines = (ran.folder / "audit.jsonl").read_text("utf-8").splitlines()
    assert len(lines) > 20
    told = subprocess.run(
        ["pdfsig", "-nocert", str(ran.folder / "issued.pdf")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.count("Signature Validation: Signature is Valid.") >= 4


def test_examples_say_what_the_text_says(ran: Ran) -> None:
    for line in ("issued", "HS-01 published", "HS-02 published", "event: done", "TOTAL-PASSED",
                 "SIG_CONSTRAINTS_FAILURE", "receipt TOTAL-PASSED", "1 TOTAL-PASSED",
                 "2 INDETERMINATE", "văn bản còn nguyên vẹn"):  # fmt: skip
        assert line in ran.told, (line, ran.told)
    assert '"code": "not-found"' in ran.told


def test_python_example_runs(office: Office, ran: Ran) -> None:
    told = office.run_python("api", ran.variables)
    assert "TOTAL-PASSED" in told
    assert "idempotency-conflict" in told
    assert "HS-11 published" in told
    assert "verified 2 / 2" in told


def test_the_first_example_of_the_readme(office: Office, ran: Ran) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    command = re.search(r"^curl (?:.*\\\n)*.*", readme, re.MULTILINE)
    program = re.search(r"^```python\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    assert command is not None
    assert program is not None
    own = office.environ({"KEY": ran.variables["OFFICER_KEY"]})
    shell = ["bash", "-c", command[0].replace("http://127.0.0.1:8080", office.service.url)]
    python = [sys.executable, "-c", "import os; key = os.environ['KEY']\n" +
              program[1].replace("http://127.0.0.1:8080", office.service.url) +
              "print(record.state)"]  # fmt: skip
    for words in (shell, python):
        done = subprocess.run(
            words, cwd=office.folder, env=own, capture_output=True, text=True, timeout=120,
            check=True,
        )  # fmt: skip
        assert "published" in done.stdout, done


def test_identity_is_as_it_is_told(office: Office, ran: Ran) -> None:
    done = office.run("identity", ran.variables)
    codes = [line for line in done.told.split() if line in ("200", "401")]
    assert codes == ["200", "200", "401", "200"]
    assert "sohoa_agent_up" in done.told
    told = office.run_python("identity", done.variables)
    assert "signed request: ['test-seal']" in told
    assert "revoked: 401" in told


def test_audit_and_backup_are_as_they_are_told(office: Office, ran: Ran) -> None:
    """What `sohoa audit verify` and `check` find broken or unproved ends the script."""
    done = office.run("audit", ran.variables)
    assert " B-LTA 20" in done.told  # a record, its level, the day of its renewal
    restored = office.folder / "new-house"
    assert (restored / "house.db").is_file()
    ends = [json.loads((office.folder / f"{name}.jsonl").read_bytes().splitlines()[-1])
            for name in ("service", "restored")]  # fmt: skip
    assert 0 < ends[0]["seq"] <= ends[1]["seq"]
