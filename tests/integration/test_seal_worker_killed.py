"""kill -9 between the moves of a signing: one published record each time, its bytes for good."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dossier.model import RecordState
from signer.verification.report import Integrity
from tests.fixtures_signing import SigningRoom
from tests.seal_worker import POINTS, write_key

SIGNED_BY_THEN = {"before-signing": 0}  # one at the later points


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_between_two_moves(
    signing_room: SigningRoom, database_url: str, tmp_path: Path, point: str
):
    room = signing_room
    write_key(tmp_path, room.keys["seal"], room.pki.anchors)
    record, _ = room.order(idempotency_key="k", from_book=True, symbol="QĐ-UBND")
    died = subprocess.run(
        [sys.executable, "-m", "tests.seal_worker", database_url, str(tmp_path), point],
        cwd=Path(__file__).parents[2],
        timeout=60,
        check=False,
        capture_output=True,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    signed_before = (tmp_path / "signed").read_text().count("\n") if point != POINTS[0] else 0
    assert signed_before == SIGNED_BY_THEN.get(point, 1)
    before = room.record(record.id)
    assert (before.state is RecordState.PUBLISHED) == (point == "published")

    room.work_off()

    done = room.record(record.id)
    assert (done.state, done.number) == (RecordState.PUBLISHED, 1)
    assert [r.id for r in room.published()] == [record.id]
    names = room.event_names(record.id)
    assert names.count("signature.published") == 1
    pdf = room.blobs.get(done.result_sha256 or "")
    assert room.desk().services.verifier.verify(pdf).integrity is Integrity.INTACT
    if point == "published":
        assert (names, room.signatures) == (["signature.accepted", "signature.published"], 0)
        assert done == before
    else:
        retaken = next(e for e in room.events(record.id) if e.event == "signature.retaken")
        assert retaken.details["attempt"] == 1
        assert room.signatures == 1  # every signature beyond the first has a retaking
    # the same request again: the same record, the same bytes
    again, created = room.order(idempotency_key="k", from_book=True, symbol="QĐ-UBND")
    room.work_off()
    assert not created
    assert again == done
    assert room.blobs.get(again.result_sha256 or "") == pdf
