"""Keystrokes that were acknowledged are there after kill -9, and for whoever goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dossier.errors import LeaseLost
from tests.checking_room import MAU, VI, CheckingRoom
from tests.typing_victim import TARGET, value_of


@pytest.mark.parametrize("keystrokes", [1, 23])
def test_what_was_acknowledged_survives_kill_9(database, database_url, tmp_path, keystrokes):
    room = CheckingRoom(database, tmp_path).found()
    paper_id = room.paper()
    command = [sys.executable, "-m", "tests.typing_victim", database_url, str(tmp_path), paper_id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        told = 0
        for line in victim.stdout:
            told = int(line)
            if told == keystrokes:
                victim.kill()
        victim.wait(30)
    assert told >= keystrokes
    again = CheckingRoom(database, tmp_path)  # what a new process begins with
    kept = again.desk.entries(MAU, paper_id)[str(TARGET)]
    assert kept.version >= told
    assert kept.value == value_of(kept.version)
    assert again.desk.type(MAU, paper_id, TARGET, "muộn", 1) == kept, "the lease is still hers"
    with pytest.raises(LeaseLost):
        again.desk.take(VI, paper_id)
    assert again.desk.type(MAU, paper_id, TARGET, "tiếp", kept.version + 1).value == "tiếp"
