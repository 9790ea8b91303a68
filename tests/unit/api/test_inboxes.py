"""``[inboxes.NAME]``: what the settings say, and the chores that watch the folders."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api.chores import chores_of
from api.errors import SettingsError
from api.inboxes import inboxes_of, order_of
from api.settings import InboxSettings, Settings, TokenSettings, load_settings
from tests.drop_room import AGENCIES, DropRoom, jpeg

TEXT = """\
[inboxes.quay-3]
path = "vao/quay-3"
agency = "H22.12"
principal = "prn_x"
station = "quay-3"
officer = "Nguyễn Thị Mẫu"
sides = "duplex"
patch_separators = ["patch-t"]
settle_s = 5
"""


def test_what_the_settings_say(tmp_path: Path) -> None:
    (tmp_path / "sohoa.toml").write_text(TEXT, "utf-8")
    one = load_settings(tmp_path).inboxes["quay-3"]
    order = order_of("quay-3", one.model_copy(update={"patch_separators": ()}))
    assert order.folder == tmp_path / "vao/quay-3"
    assert (order.duplex, order.settle_s, order.patience_s) == (True, 5, 600)
    assert (order.order.station, order.order.officer) == ("quay-3", "Nguyễn Thị Mẫu")
    with pytest.raises(SettingsError, match=r"inboxes\.quay-3\.patch_separators"):
        order_of("quay-3", one.model_copy(update={"patch_separators": ("X",)}))
    (tmp_path / "sohoa.toml").write_text(TEXT.replace("settle_s = 5", "settle_s = 0"), "utf-8")
    with pytest.raises(SettingsError, match="settle_s"):
        load_settings(tmp_path)


def test_the_house_worker_watches_them(sqlite_url: str, open_database: Any, tmp_path: Path) -> None:
    room = DropRoom(open_database(sqlite_url), tmp_path)
    principal = room.people()[AGENCIES[0]]
    assert room.made() == []
    entries = InboxSettings(
        path=room.root,
        agency=AGENCIES[0],
        principal=principal,
        station="quay-3",
        officer="Nguyễn Thị Mẫu",
        settle_s=1,
        rescan_s=0.1,
    )
    settings = Settings(
        data_dir=tmp_path,
        token=TokenSettings(module=tmp_path / "none.so", label="none"),
        inboxes={"quay-3": entries},
    )
    house: Any = SimpleNamespace(
        settings=settings,
        database=room.database,
        blobs=room.blobs,
        holdings=room.holdings,
        audit=room.audit,
        jobs=room.jobs,
    )
    assert list(inboxes_of(house)) == ["quay-3"]
    [chore] = [chore for chore in chores_of(house) if chore.name.startswith("inbox")]
    room.drop("hồ sơ", {"1.jpg": jpeg(1), "XONG": b""})
    stop = threading.Event()
    thread = threading.Thread(target=chore.run, args=(stop,))
    thread.start()
    for _ in range(100):
        if room.made():
            break
        stop.wait(0.1)
    stop.set()
    thread.join()
    [stack] = room.made()
    assert stack.principal_id == principal
