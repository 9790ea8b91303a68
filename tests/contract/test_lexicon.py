"""The lexicon on both databases: a pair that helps is proposed, one that harms is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dossier.checking.lexicon import Lexicon
from dossier.checking.pairs import is_held_out
from dossier.errors import AccessRefused
from dossier.model import new_id
from tests.checking_room import DU, MAU, STRANGER, VI, CheckingRoom

LEARN, HOLD = False, True


@pytest.fixture
def room(database, tmp_path) -> CheckingRoom:
    return CheckingRoom(database, tmp_path).found()


def checked(room: CheckingRoom, half: bool, truths: dict[str, str], who=MAU) -> str:
    """A paper of one half whose doubtful words a person confirmed."""
    paper_id = new_id("ppr")
    while is_held_out(paper_id) is not half:
        paper_id = new_id("ppr")
    numbers = range(1, len(truths) + 1)
    room.paper(tuple(truths), tuple(numbers), paper_ids=[paper_id])
    room.desk.take(who, paper_id)
    for number, truth in zip(numbers, truths.values(), strict=True):
        room.desk.confirm(who, paper_id, room.word(paper_id, number), truth)
    room.desk.finish(who, paper_id)
    return paper_id


def test_a_pair_that_helps_is_active_and_one_that_harms_is_refused(room):
    lexicon = Lexicon(room.database, room.blobs, room.audit)
    for person in (MAU, VI, MAU):
        checked(room, LEARN, {"dan": "dân", "Thu": "Thư", "QD": "QĐ"}, person)
    for _ in range(3):
        checked(room, HOLD, {"dan": "dân", "Thu": "Thu", "khác": "khác"})
    found = {word.misread: word for word in lexicon.measure(DU)}
    assert {misread: word.state for misread, word in found.items()} == {
        "dan": "active",
        "Thu": "refused",  # a name here: what was right would be spoiled
        "QD": "proposed",  # it was not seen where it was not learned
    }
    assert found["dan"].gain == {
        "papers": 3,
        "mended": 3,
        "spoiled": 0,
        "neither": 0,
        "net": 3,
        "lower_bound": pytest.approx(0.0517, abs=1e-3),
    }
    assert found["Thu"].gain["net"] == -3
    waiting = room.paper(("dan.", "dan", "Thu"), doubtful=(1, 3))
    assert room.desk.suggestions(MAU, waiting) == {str(room.word(waiting, 1)): "dân."}
    [event] = room.audit_events("lexicon.measured")
    assert (event.details["active"], event.details["refused"]) == (1, 1)
    assert lexicon.words(STRANGER) == ()
    for _ in range(3):
        checked(room, HOLD, {"dan": "dan"})  # now it is right as it is read
    again = {word.misread: word.state for word in lexicon.measure(DU)}
    assert again["dan"] == "refused"
    assert room.desk.suggestions(MAU, waiting) == {}


def test_measuring_is_for_officers(room):
    lexicon = Lexicon(room.database, room.blobs, room.audit)
    with pytest.raises(AccessRefused):
        lexicon.measure(MAU)
    assert lexicon.measure(replace(DU, name="ai khác")) == ()
