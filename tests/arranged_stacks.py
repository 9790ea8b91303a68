"""Stacks through HTTP, read and split without a worker: for tests of what lies around that."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from dossier.intake.observations import PageObservation
from dossier.intake.splitting import SplitRules, split_stack
from dossier.model import new_id
from dossier.stacks.arrangement import Arrangement
from dossier.stacks.history import Doing, put_in_force
from dossier.stacks.stackrows import one_stack
from dossier.stacks.values import PageState, StackState
from dossier.storage.station_tables import stack_pages, stack_scans, stacks
from tests.fixtures_web import Web

ORDER = {"station": "quay-1", "officer": "Nguyễn Thị Mẫu"}


def filled_stack(
    web: Web, order: dict[str, Any], scans: Sequence[str], as_: str = "officer"
) -> dict[str, Any]:
    """An open stack with uploaded scans."""
    headers = {"idempotency-key": uuid.uuid4().hex}
    opened = web.ask("POST", "/v1/stacks", json=order, as_=as_, headers=headers)
    assert opened.status_code == 201, opened.text
    stack: dict[str, Any] = opened.json()
    for position, sha256 in enumerate(scans):
        form = {"sha256": sha256, "name": f"{position}.jpg", "position": position}
        added = web.ask("POST", stack["links"]["scans"], json=form, as_=as_)
        assert added.status_code == 201, added.text
    return stack


def read_and_split(web: Web, stack_id: str, agency: str, picture: bytes = b"RIFF") -> list[str]:
    """What the workers do with a closed stack: every scan one page, all in one paper; page ids."""
    info = web.room.blobs.put(picture)
    pages = []
    with web.room.database.begin() as connection:
        now = web.room.database.now(connection)
        rows = connection.execute(
            sa.select(stack_scans)
            .where(stack_scans.c.stack_id == stack_id)
            .order_by(stack_scans.c.position)
        ).all()
        for row in rows:
            pages.append(new_id("pg"))
            connection.execute(
                sa.insert(stack_pages).values(
                    id=pages[-1],
                    stack_id=stack_id,
                    scan_id=row.id,
                    scan_position=row.position,
                    index=1,
                    sha256=row.sha256,
                    state=PageState.READ,
                    picture_sha256=info.sha256,
                    summary={"words": 12},
                    read_at=now,
                )
            )
        connection.execute(
            sa.update(stack_scans).where(stack_scans.c.stack_id == stack_id).values(pages=1)
        )
        split = split_stack([PageObservation() for _ in pages], SplitRules(agency, "quay-1", now))
        first = Arrangement.of_split(split, pages, lambda: new_id("ppr"))
        stack = one_stack(connection, agency, stack_id, lock=True)
        doing = Doing("máy", now)
        put_in_force(connection, web.room.jobs, stack, first, {"kind": "split"}, doing)
        connection.execute(
            sa.update(stacks)
            .where(stacks.c.id == stack_id)
            .values(state=StackState.ARRANGED, arranged_at=now)
        )
    return pages


def arranged_stack(
    web: Web, agency: str, scans: Sequence[str], as_: str = "officer"
) -> tuple[dict[str, Any], list[str]]:
    """A stack that was closed, read and split; it as it is shown, and its pages."""
    stack = filled_stack(web, ORDER, scans, as_)
    closed = web.ask("POST", f"{stack['links']['self']}/close", as_=as_)
    assert closed.status_code == 200, closed.text
    pages = read_and_split(web, stack["id"], agency)
    return web.ask("GET", stack["links"]["self"], as_=as_).json(), pages
