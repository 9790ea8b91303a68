"""A scan is read by a worker, found by its words, and the boxes lie where they are printed."""

from __future__ import annotations

from pathlib import Path

from PIL import ImageFont

from dossier.model import JobState
from tests.fixtures_digitizing import ScanningRoom
from tests.fixtures_installation import FONT, LINES
from tests.search_pages import reader


def test_words_of_a_scan_are_found_where_they_are_printed(
    sqlite_scanning_room: ScanningRoom, scan: Path
) -> None:
    room = sqlite_scanning_room
    found, _ = room.order(room.bring(scan.read_bytes()))
    room.work(room.claim())
    assert room.get(found).state is JobState.DONE
    (hit,) = room.search.search(reader(), "quyet dinh nay co hieu luc").hits
    assert (hit.document.id, hit.page) == (found.id, 1)
    assert (hit.width_px, hit.height_px) == (1240, 900)
    assert not hit.exact
    (exact,) = room.search.search(reader(), "Quyết định này có hiệu lực").hits
    assert exact.exact
    assert [word.text for word in hit.words][:2] == ["Quyết", "định"]
    # each word where the fixture printed it
    font = ImageFont.truetype(FONT, 40)
    (number,) = [n for n, line in enumerate(LINES) if "hiệu lực" in line]
    for word in hit.words:
        left, top, right, bottom = word.box
        before = LINES[number].partition(word.text)[0]
        assert abs(left - 100 - font.getlength(before)) < 8, word
        assert abs(right - left - font.getlength(word.text)) < 16, word
        assert 120 + 90 * number - 5 < top < bottom < 120 + 90 * number + 65, word
