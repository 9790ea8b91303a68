"""The `ocr` worker, put together as the service does it, takes a stack to its proposals."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.settings import Settings, TokenSettings
from api.work import _PLACES, _threads_of
from dossier.stacks.stacks import Stacks
from dossier.stacks.values import PaperState, StackState, Way
from dossier.storage.station_tables import papers
from dossier.storage.tables import agencies
from tests.reading_room import AGENCY, CALLER, ORDER, page

PAGE = page("Điều 1. Công nhận quyền sử dụng đất cho ông Nguyễn Văn Mẫu.")


@pytest.mark.tesseract
def test_the_worker_takes_a_stack_to_its_proposals(sqlite_url: str, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        database={"url": sqlite_url},
        token=TokenSettings(module=tmp_path / "none.so", label="none"),
    )
    with contextlib.ExitStack() as stack:
        house, handlers = _PLACES["ocr"](settings, stack)
        with house.database.begin() as connection:
            connection.execute(
                sa.insert(agencies).values(
                    id=AGENCY, name="UBND xã Mẫu", policy={}, created_at=datetime.now(UTC)
                )
            )
            info = house.blobs.put(PAGE)
            house.holdings.register(connection, AGENCY, info, "image/jpeg")
        stacks = Stacks(house.database, house.holdings, house.audit, house.jobs)
        opened, _ = stacks.open(CALLER, Way.HTTP, ORDER)
        stacks.add_scan(CALLER, opened.id, info.sha256, "1.jpg")
        stacks.close(CALLER, opened.id)
        while taken := house.jobs.claim("ocr", "here", 1, 60.0):
            handlers[taken[0].kind](taken[0])
        assert stacks.get(CALLER, opened.id)[0].state is StackState.ARRANGED
        with house.database.read() as connection:
            states = connection.execute(sa.select(papers.c.state)).scalars().all()
        assert states == [PaperState.TO_CHECK]


def test_the_worker_holds_few_more_pages_than_it_reads_at_once(tmp_path: Path) -> None:
    token = TokenSettings(module=tmp_path / "none.so", label="none")
    settings = Settings(data_dir=tmp_path, token=token)
    assert _threads_of("seal", settings) == settings.worker.threads == 24
    assert _threads_of("ocr", settings) <= 24
    few = Settings(data_dir=tmp_path, token=token, worker={"threads": 2})
    assert _threads_of("ocr", few) == 2
