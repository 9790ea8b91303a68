"""What a digitization read is found from the moment on in which it is published, or never."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from dossier.errors import StoreError
from dossier.model import JobState
from dossier.storage.tables import SEARCH_TERMS
from tests.fixtures_digitizing import AGENCIES, ScanningRoom
from tests.search_pages import page_of, reader

WORDS = (page_of("Số: 123/QĐ-UBND"), page_of("Nay quyết định cấp phép", 2))


def found_pages(room: ScanningRoom, text: str, agency: str = AGENCIES[0]) -> list[tuple[str, int]]:
    hits = room.search.search(reader(agency), text).hits
    return [(hit.document.id, hit.page) for hit in hits]


def test_published_and_found(scanning_room: ScanningRoom) -> None:
    room = scanning_room
    found, _ = room.order()
    job = room.claim()
    assert found_pages(room, "quyet dinh") == []
    room.digitizations.publish(job, replace(room.made(), words=WORDS))
    assert room.get(found).state is JobState.DONE
    assert found_pages(room, "quyet dinh") == [(found.id, 2)]
    assert found_pages(room, "quyet dinh", AGENCIES[1]) == []
    (hit,) = room.search.search(reader(), "123/qd-ubnd").hits
    assert (hit.document.title, hit.document.dossier_code, hit.document.component_code) == (
        found.order.title,
        found.order.dossier_code,
        found.order.component_code,
    )


def test_what_was_cancelled_meanwhile_is_not_found(scanning_room: ScanningRoom) -> None:
    room = scanning_room
    found, _ = room.order()
    job = room.claim()
    with room.database.begin() as connection:  # the worker did not see it yet
        connection.execute(
            sa.text("UPDATE digitizations SET state = 'cancelled' WHERE id = :id"), {"id": found.id}
        )
    room.digitizations.publish(job, replace(room.made(), words=WORDS))
    assert room.get(found).state is JobState.CANCELLED
    assert found_pages(room, "quyet dinh") == []


def test_not_published_when_it_cannot_be_indexed(scanning_room: ScanningRoom) -> None:
    """Neither without the other: the job is tried again, and both come."""
    room = scanning_room
    found, _ = room.order()
    job = room.claim()
    with room.database.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE {SEARCH_TERMS}"))
    made = replace(room.made(), words=WORDS)
    with pytest.raises(StoreError):
        room.digitizations.publish(job, made)
    assert room.get(found).state is JobState.RUNNING
    room.search.prepare()
    room.digitizations.publish(job, made)
    assert room.get(found).state is JobState.DONE
    assert found_pages(room, "quyet dinh") == [(found.id, 2)]
