"""A seal worker in a process of its own that kills itself (-9) at a named point.

    python -m tests.seal_worker DATABASE_URL FOLDER POINT

FOLDER holds ``blobs``, the keys as ``seal.pem`` with ``chain.pem`` and ``root.pem``, and takes
one line in ``signed`` for each signature. POINT is one of `POINTS`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from dossier.audit.log import AuditLog
from dossier.queue.jobs import Job, JobQueue
from dossier.queue.worker import Worker
from dossier.signing.records import Records
from dossier.signing.sealing import Services
from dossier.signing.work import Desk, SigningWork
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from signer.sealing.appearance.profiles import default_profiles
from signer.sealing.augment import Augmenter
from signer.sealing.seal import Sealer
from signer.trust import TrustStore
from signer.verification.verify import Verifier
from tests.fakes import SoftwareKey

POINTS = ("before-signing", "signed", "result-stored", "stored", "publishing", "published")
LEASE_S = 1.0


def write_key(folder: Path, key: SoftwareKey, anchors: Sequence[x509.Certificate]) -> None:
    """Put the key where the worker finds it."""
    pem = serialization.Encoding.PEM
    (folder / "seal.pem").write_bytes(
        key.private_key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    chain = (key.certificate, *key.chain)
    (folder / "chain.pem").write_bytes(b"".join(c.public_bytes(pem) for c in chain))
    (folder / "root.pem").write_bytes(b"".join(c.public_bytes(pem) for c in anchors))


class _Mortal:
    """Dies where it was told to."""

    def __init__(self, folder: Path, point: str) -> None:
        self.folder = folder
        self.point = point
        self.puts = 0

    def reached(self, point: str) -> None:
        if point == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


class _Key(SoftwareKey):
    """Writes down each signature, and dies before or after it."""

    mortal: _Mortal

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        self.mortal.reached("before-signing")
        made = super().sign_digests(digests)
        with (self.mortal.folder / "signed").open("a") as lines:
            lines.write("signed\n")
        self.mortal.reached("signed")
        return made


class _Blobs(FolderBlobs):
    """Dies after the first blob of a record, or after the last."""

    mortal: _Mortal

    def put(self, source: Any, *, sha256: str | None = None) -> Any:
        info = super().put(source, sha256=sha256)
        self.mortal.puts += 1
        self.mortal.reached({1: "result-stored", 3: "stored"}.get(self.mortal.puts, ""))
        return info


def main(url: str, folder: Path, point: str) -> None:
    """Work until killed."""
    mortal = _Mortal(folder, point)
    leaf, *chain = x509.load_pem_x509_certificates((folder / "chain.pem").read_bytes())
    private = serialization.load_pem_private_key((folder / "seal.pem").read_bytes(), None)
    key = _Key(label="seal", certificate=leaf, chain=tuple(chain), private_key=private)  # type: ignore[arg-type] - the test wrote an EC key
    key.mortal = mortal
    blobs = _Blobs(folder / "blobs")
    blobs.mortal = mortal
    anchors = x509.load_pem_x509_certificates((folder / "root.pem").read_bytes())
    services = Services(
        Sealer(precheck=lambda key, at: None),
        Augmenter(),
        Verifier(TrustStore.of(tuple(anchors))),
        default_profiles(),
    )
    database = Database(url)
    audit = AuditLog(database)
    jobs = JobQueue(database, audit)
    holdings = Holdings(database)
    work = SigningWork(
        database, blobs, holdings, audit, jobs,
        Records(database, blobs, holdings, audit, jobs),
        Desk(services, lambda label, context: key),
        on_published=[lambda connection, record: mortal.reached("publishing")],
    )  # fmt: skip

    def handler(job: Job) -> None:
        work(job)
        mortal.reached("published")

    Worker(jobs, "seal", {"signature": handler}, threads=1, lease_s=LEASE_S).run(threading.Event())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
