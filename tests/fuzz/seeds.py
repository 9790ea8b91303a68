"""Signed files to begin with, small ones of every shape, and the root that they are trusted by.

python -m tests.fuzz.seeds FOLDER       # FOLDER/root.pem, FOLDER/seeds/*.pdf
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pikepdf
from cryptography.hazmat.primitives.serialization import Encoding

from signer.sealing.levels import Level
from signer.sealing.seal import SealRequest
from tests.fixtures_pki import MemoryBareKey, RunningPKI, no_loader, run_pki
from tests.fixtures_signed import plain_pdf, seal, seal_three, sealer_of
from tests.hostile_documents import assemble, one_page, signatures, with_streams
from tests.sealed import Box

ROOM = 6000  # bytes for a signature: less padding to waste mutations on


def write_seeds(folder: Path) -> None:
    """Make the files; some seconds."""
    (folder / "seeds").mkdir(parents=True, exist_ok=True)
    for pki in run_pki(folder / "pki", MemoryBareKey, no_loader):
        root = b"".join(one.public_bytes(Encoding.PEM) for one in pki.anchors)
        (folder / "root.pem").write_bytes(root)
        for name, pdf in _signed(pki, folder).items():
            (folder / "seeds" / f"{name}.pdf").write_bytes(pdf)


def _signed(pki: RunningPKI, folder: Path) -> dict[str, bytes]:
    packed = plain_pdf(object_streams=True)
    stamped, _ = sealer_of(pki).seal_bytes(
        plain_pdf(), SealRequest(pki.officer, Level.B_T, stamp=Box((20, 20, 90, 60)))
    )
    twice, _ = sealer_of(pki).seal_bytes(
        stamped, SealRequest(pki.leader, Level.B_LTA, stamp=Box((120, 20, 190, 60)))
    )
    return {
        "plain": plain_pdf(),
        "basic": seal(pki, plain_pdf(), pki.seal, room=ROOM),
        "timed": seal(pki, plain_pdf(), pki.leader, Level.B_T),
        "long-term": seal(pki, plain_pdf(), pki.seal, Level.B_LT),
        "three": seal_three(pki, plain_pdf(), folder),
        "certified": seal(pki, plain_pdf(), pki.seal, Level.B_LTA, certify=True),
        "streams": seal(pki, packed, pki.seal, Level.B_LTA),
        "stamped": twice,
        "not-signed": assemble(one_page(b"BT ET")),
        "streams-not-signed": with_streams(one_page()),
        "empty-signatures": signatures(1),
    }


def main() -> int:
    logging.disable(logging.ERROR)
    write_seeds(Path(sys.argv[1]))
    with pikepdf.open(next(Path(sys.argv[1]).glob("seeds/three.pdf"))) as pdf:
        print(f"{len(pdf.pages)} pages, seeds in {sys.argv[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
