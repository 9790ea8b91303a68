"""docs/api.md is true: its examples run, in their order, against a real service.

The ``bash`` blocks are one script, the ``python`` block one program with the script's variables.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.clerical import decision as draft
from tests.running_service import ROOT, RunningService
from tests.storm import decision

DOCUMENT = (ROOT / "docs" / "api.md").read_text("utf-8")
KEYS = ("OFFICER_KEY", "LEADER_KEY", "AUDITOR_KEY")
RESOURCES = (
    "agencies", "clients", "keys", "profiles", "signatures", "blobs", "sequences",
    "signature-batches", "digitizations", "verifications", "jobs", "audit", "webhooks",
)  # fmt: skip


def blocks(language: str) -> list[str]:
    """The fenced blocks of `language`, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


@dataclass
class Ran:
    """What the script did: its output, the folder that it ran in, the keys that it made."""

    told: str
    folder: Path
    variables: dict[str, str]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, scan: Path) -> Iterator[Ran]:
    """The whole script, run once."""
    folder = tmp_path_factory.mktemp("docs")
    with RunningService(folder / "data") as service:
        leader = x509.load_pem_x509_certificate((service.data / "pki" / "leader.pem").read_bytes())
        name = leader.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        work = folder / "work"
        work.mkdir()
        (work / "decision.pdf").write_bytes(decision(1))
        (work / "annex.pdf").write_bytes(decision(2))
        (work / "draft.pdf").write_bytes(draft(signer=str(name).partition(" – ")[0]))
        shutil.copy(scan, work / "scan.jpg")
        told_keys = "".join(f'printf "{key}=%s\\n" "${key}" >> keys\n' for key in KEYS)
        script = "set -euo pipefail\n" + "\n".join(blocks("bash")) + told_keys
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=work,
            env={**os.environ, "SOHOA": service.url, "ROOT_KEY": service.secret},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, (done.stdout, done.stderr, service.told()[-3000:])
        pairs = [line.partition("=") for line in (work / "keys").read_text().split()]
        variables = {"SOHOA": service.url, **{key: value for key, _, value in pairs}}
        yield Ran(done.stdout, work, variables)


def test_every_resource_has_an_example() -> None:
    script = "\n".join(blocks("bash"))
    assert [name for name in RESOURCES if f"/v1/{name}" not in script] == []


def test_files_of_the_examples_are_what_they_should_be(ran: Ran) -> None:
    for name in ("signed.pdf", "issued.pdf", "sheet.pdf", "record.pdf"):
        assert (ran.folder / name).read_bytes().startswith(b"%PDF-"), name
    for name in ("report.json", "evidence.json"):
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
    for line in ("issued", "HS-01 published", "HS-02 published", "event: done", "TOTAL-PASSED"):
        assert line in ran.told, (line, ran.told)
    assert '"code": "not-found"' in ran.told


def test_python_example_runs(ran: Ran) -> None:
    (block,) = blocks("python")
    program = "".join(f"{name} = {value!r}\n" for name, value in ran.variables.items()) + block
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ran.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "TOTAL-PASSED" in done.stdout
    assert "idempotency-conflict" in done.stdout
    assert "HS-11 published" in done.stdout
