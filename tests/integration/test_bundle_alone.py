"""verify.py of a proof bundle on a machine that has Python and `cryptography`, and nothing else.

The machine is a virtual environment of its own: no package of ours, none of the libraries that we
use, only links to `cryptography` and what it is built on.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dossier.bundle.contents import REGISTER
from dossier.bundle.making import Parts, make_bundle
from dossier.trust.snapshot import Snapshot
from signer.sealing.levels import Level
from signer.services import RevocationEvidence
from signer.trust import TrustStore
from signer.verification.verify import Verifier
from tests.fixtures_signed import append, flip, now, objects_of, plain_pdf, seal

_PARTS = ("cryptography", "cffi", "pycparser", "_cffi_backend*.so")


@dataclasses.dataclass(frozen=True)
class Machine:
    """Somebody's computer. `run` starts its Python on a file, isolated."""

    python: Path

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "-I", *arguments],
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
            env={"LC_ALL": "C"},
        )


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder = tmp_path_factory.mktemp("machine")
    made = [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(folder)]
    subprocess.run(made, check=True, timeout=120)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    theirs = folder / "lib" / version / "site-packages"
    ours = Path(sysconfig.get_path("purelib"))
    for pattern in _PARTS:
        for found in ours.glob(pattern):
            (theirs / found.name).symlink_to(found)
    made = Machine(folder / "bin" / "python")
    for absent in ("signer", "pikepdf", "pypdfium2", "numpy", "defusedxml", "sqlalchemy"):
        assert made.run("-c", f"import {absent}").returncode != 0
    assert made.run("-c", "import cryptography").returncode == 0
    return made


def bundle(
    folder: Path, document: bytes, snapshot: Snapshot, at: dt.datetime | None = None, **more: Any
) -> tuple[Path, dict[str, Any]]:
    """A bundle in `folder`, and the report that it was made with."""
    report = snapshot.verifier().verify(document, at or now()).to_json()
    path = folder / "goi.zip"
    path.write_bytes(make_bundle(Parts(document, report, snapshot, **more)))
    return path, report


def unpacked(bundle: Path, folder: Path) -> Path:
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def files(test_pki: Any, signed: dict[str, bytes]) -> dict[str, bytes]:
    """One file for each kind of answer."""
    lta = signed["B-LTA"]
    text = b"BT /F1 14 Tf 72 700 Td (9) Tj ET"
    page = {objects_of(lta)["contents"]: b"<< /Length 32 >> stream\n%s\nendstream" % text}
    return {
        "archived": lta,
        "certified": signed["certified"],
        "pss": signed["pss"],
        "without evidence": signed["B-B"],
        "changed": append(lta, page),
        "broken": flip(lta, lta.index(b" 595 ") + 1, 0),
        "malformed": lta[:-20],
        "unsigned": plain_pdf(),
        "stranger": seal(test_pki, plain_pdf(), test_pki.issue(), Level.B_T),
    }


@pytest.mark.parametrize(
    "kind",
    ["archived", "certified", "pss", "without evidence", "changed", "broken", "malformed",
     "unsigned", "stranger"],
)  # fmt: skip
def test_the_single_file_gives_the_same_answer(
    kind: str, files: dict[str, bytes], trust: TrustStore, machine: Machine, tmp_path: Path
) -> None:
    path, report = bundle(tmp_path, files[kind], Snapshot(trust))
    place = unpacked(path, tmp_path / "unpacked")
    done = machine.run(place / "verify.py", "--json")
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    for key in ("indication", "sub_indication", "integrity", "verified_at", "document"):
        assert said[key] == report[key], (key, done.stderr)
    assert said["bundle"]["indication"] == report["indication"]
    assert said["bundle"]["agrees_with_manifest"] is True
    expected = {"TOTAL-PASSED": 0, "TOTAL-FAILED": 1, "INDETERMINATE": 2}[report["indication"]]
    assert done.returncode == expected
    assert report["message"]["vi"] in done.stderr
    for mine, theirs in zip(said["signatures"], report["signatures"], strict=True):
        same = ("indication", "sub_indication", "integrity", "signer", "proved_time", "level")
        assert {key: mine[key] for key in same} == {key: theirs[key] for key in same}
    if said["signatures"] and kind != "malformed":  # what was not done is said
        outcomes = {check["check"]: check["outcome"] for check in said["checks"]}
        assert outcomes["file.second-reader"] == "WARNING"
        assert outcomes["shown.engines"] == "WARNING"
        assert said["engines"] == "NOT_COMPARED"


def test_evidence_from_outside_the_file_travels_along(
    signed: dict[str, bytes], trust: TrustStore, test_pki: Any, machine: Machine, tmp_path: Path
) -> None:
    client = test_pki.new_revocation_client()
    chain = (test_pki.seal.certificate, *test_pki.seal.chain)
    tsa = (test_pki.tsa.certificate, *test_pki.tsa.chain)
    values = client.collect(chain, now()).merged(client.collect(tsa, now()))
    kept = Snapshot(trust, RevocationEvidence((), values.crls, values.ocsps))
    path, report = bundle(tmp_path, signed["B-T"], kept)
    assert report["indication"] == "TOTAL-PASSED"
    assert Verifier(trust).verify(signed["B-T"]).indication.value == "INDETERMINATE"
    place = unpacked(path, tmp_path / "unpacked")
    assert machine.run(place / "verify.py", path).returncode == 0


def test_whom_to_believe_is_for_the_reader_to_say(
    files: dict[str, bytes], trust: TrustStore, test_pki: Any, machine: Machine, tmp_path: Path
) -> None:
    path, _ = bundle(tmp_path, files["archived"], Snapshot(trust))
    place = unpacked(path, tmp_path / "unpacked")
    from cryptography.hazmat.primitives.serialization import Encoding

    right, wrong = tmp_path / "root.pem", tmp_path / "other.pem"
    right.write_bytes(test_pki.anchors[0].public_bytes(Encoding.PEM))
    wrong.write_bytes(test_pki.seal.certificate.public_bytes(Encoding.PEM))
    assert machine.run(place / "verify.py", "--trust", right).returncode == 0
    said = machine.run(place / "verify.py", "--trust", wrong, "--json")
    assert said.returncode == 2
    assert json.loads(said.stdout)["bundle"]["roots_of"] == "caller"


def test_what_the_maker_found_worse_counts(
    files: dict[str, bytes], trust: TrustStore, machine: Machine, tmp_path: Path
) -> None:
    document = files["archived"]
    report = Verifier(trust).verify(document).to_json() | {"indication": "INDETERMINATE"}
    path = tmp_path / "goi.zip"
    path.write_bytes(make_bundle(Parts(document, report, Snapshot(trust))))
    place = unpacked(path, tmp_path / "unpacked")
    said = machine.run(place / "verify.py")
    assert said.returncode == 2
    assert "the worse one counts" in said.stderr


def test_altered_bundles_are_refused(
    files: dict[str, bytes], trust: TrustStore, machine: Machine, tmp_path: Path
) -> None:
    path, _ = bundle(tmp_path, files["archived"], Snapshot(trust))
    place = unpacked(path, tmp_path / "unpacked")
    document = place / "document.pdf"
    document.write_bytes(document.read_bytes() + b" ")
    done = machine.run(place / "verify.py")
    assert done.returncode == 4
    assert "document.pdf is not the one of the manifest" in done.stderr
    document.unlink()
    assert "document.pdf is missing" in machine.run(place / "verify.py").stderr
    nothing = machine.run(place / "verify.py", tmp_path / "none.zip")
    assert nothing.returncode == 4


def test_a_proof_that_does_not_hold_leaves_doubt(
    files: dict[str, bytes], trust: TrustStore, machine: Machine, tmp_path: Path
) -> None:
    wrong = {"type": "sohoa register proof 1", "entries": [], "checkpoint": {}}
    path, _ = bundle(tmp_path, files["archived"], Snapshot(trust), register=wrong)
    place = unpacked(path, tmp_path / "unpacked")
    assert (place / REGISTER).is_file()
    done = machine.run(place / "verify.py", "--json")
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert said["indication"] == "TOTAL-PASSED"
    assert said["bundle"]["indication"] == "INDETERMINATE"
    assert said["bundle"]["register_refused"]
    assert "The register's proof is not confirmed" in done.stderr
