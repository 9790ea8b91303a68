"""Our side of the signing measurements, and the floor below it: hashing, copying, C_Sign."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from bench.harness import Actions
from bench.raw_sign import raw_signer
from bench.sign_stage import EC_ROLE, RSA_ROLE, Stage
from signer.policy import PreSigningCheck
from signer.revocation import RevocationClient
from signer.sealing.appearance.plan import StampFacts, plan_stamp, specimen_images
from signer.sealing.levels import Level
from signer.sealing.seal import Sealer, SealRequest
from signer.timestamp import TSAClient


def prepare(stage: Stage) -> Actions:
    """The actions of our party; one sealer for all, as a service has it."""
    token = stage.open_token()
    pki = stage.open_pki(token)
    rsa, ec = pki.key(RSA_ROLE), pki.key(EC_ROLE)
    revocation = RevocationClient(pki.anchors)
    sealer = Sealer(
        TSAClient(f"{pki.base_url}/tsa"),
        revocation,
        precheck=PreSigningCheck(pki.anchors, revocation),
    )
    small, large = stage.document("1p.pdf"), stage.document("15mb.pdf")
    small_bytes = small.read_bytes()
    huge, out = stage.document("100mb.pdf"), stage.folder / "ours.pdf"
    images, facts = specimen_images(), StampFacts(agency="UBND xã Thử Nghiệm")
    raw_rsa, raw_ec = raw_signer(token, rsa), raw_signer(token, ec)
    digest = hashlib.sha256(b"bench").digest()

    def seal(source: Path, request: SealRequest) -> None:
        sealer.seal_file(source, out, request)

    def seal_in_memory(request: SealRequest) -> None:
        sealer.seal_bytes(small_bytes, request)

    def stamped() -> None:
        plan = plan_stamp("P6", facts, datetime.now(UTC), images)
        seal_in_memory(SealRequest(rsa, stamp=plan))

    def floor() -> None:
        hashlib.sha256(large.read_bytes()).digest()
        _copy(large, out)
        raw_rsa(digest)

    return {
        "raw.rsa3072": lambda: raw_rsa(digest),
        "raw.p256": lambda: raw_ec(digest),
        "bb.rsa3072.1p": lambda: seal_in_memory(SealRequest(rsa)),
        "bb.p256.1p": lambda: seal_in_memory(SealRequest(ec)),
        "bb.p256.1p.file": lambda: seal(small, SealRequest(ec)),
        "bb.stamped.1p": stamped,
        "bb.rsa3072.15mb": lambda: seal(large, SealRequest(rsa)),
        "floor.15mb": floor,
        "blta.1p": lambda: seal_in_memory(SealRequest(rsa, level=Level.B_LTA)),
        "bb.rsa3072.100mb": lambda: seal(huge, SealRequest(rsa)),
        "start_peak": _start_peak,
        "peak": _peak_mib,
    }


def _copy(source: Path, target: Path) -> None:
    import shutil

    shutil.copyfile(source, target)


def _start_peak() -> float:
    """Forget the peak so far; return what the process holds now, in MiB (proc(5))."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status_mib("VmRSS")


def _peak_mib() -> float:
    """The most memory held since `_start_peak`, in MiB; unlike ru_maxrss nothing inherited."""
    return _status_mib("VmHWM")


def _status_mib(entry: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{entry}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {entry}")
