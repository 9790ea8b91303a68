"""Faults that a folder or a bucket alone can have: gone, in the way, wrong settings."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dossier.errors import StoreError
from dossier.storage.blobs import open_blobs
from tests.blob_places import Line, Place
from tests.fixtures_s3 import SECRET_KEY, S3Server


def test_folder_sweeps_what_the_dead_left(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    open_blobs("", folder)
    old, young = folder / "tmp" / "old", folder / "tmp" / "young"
    for path in (old, young):
        path.write_bytes(b"half a blob")
    os.utime(old, (time.time() - 90_000,) * 2)
    open_blobs("", folder)
    assert not old.exists()
    assert young.exists()


def test_folder_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    blobs = open_blobs("", folder)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="nothing is lost"):
        blobs.check()
    with pytest.raises(StoreError):
        blobs.put(b"x")


def test_folder_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"")
    with pytest.raises(StoreError):
        open_blobs("", tmp_path / "blobs")


def test_blobs_are_their_owners_alone(tmp_path: Path) -> None:
    blobs = open_blobs("", tmp_path / "blobs")
    with blobs.local(blobs.put(b"x").sha256) as path:
        assert path.stat().st_mode & 0o777 == 0o400
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_s3_that_is_gone_and_back(s3_server: S3Server, s3_url: str, tmp_path: Path) -> None:
    line = Line(s3_server.endpoint)
    try:
        blobs = Place(s3_url, tmp_path, line.endpoint, s3_server.credentials_file).open()
        info = blobs.put(b"before")
        line.cut()
        began = time.monotonic()
        for attempt in (blobs.check, lambda: blobs.put(b"x"), lambda: blobs.get(info.sha256)):
            with pytest.raises(StoreError, match="nothing is lost") as caught:
                attempt()
            assert SECRET_KEY not in str(caught.value)
        assert time.monotonic() - began < 60  # three calls, each bounded
        line.mend()
        assert blobs.get(info.sha256) == b"before"
        assert blobs.put(b"after").size_bytes == 5
    finally:
        line.close()


def test_s3_sweeps_the_copies_of_the_dead(s3_server: S3Server, s3_url: str, tmp_path: Path) -> None:
    place = Place(s3_url, tmp_path / "spool", s3_server.endpoint, s3_server.credentials_file)
    blobs = place.open()
    with blobs.local(blobs.put(b"x").sha256) as path:
        old = path.parent.rename(place.folder / "local-old")
        os.utime(old, (time.time() - 90_000,) * 2)
        (place.folder / "local-young").mkdir()
        place.open()
        assert [p.name for p in place.folder.iterdir()] == ["local-young"]


def test_s3_refusals_are_told(s3_server: S3Server, s3_url: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.touch(mode=0o600)
    wrong.write_text('access_key_id = "nobody"\nsecret_access_key = "wrong"\n', "utf-8")
    with pytest.raises(StoreError):
        Place(s3_url, tmp_path, s3_server.endpoint, wrong).open().check()
    nowhere = Place("s3://no-such-bucket", tmp_path, s3_server.endpoint, wrong)
    with pytest.raises(StoreError):
        nowhere.open().put(b"x")


@pytest.mark.parametrize("url", ["s3://", "http://bucket", "bucket", "file:///tmp"])
def test_s3_urls(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="s3://bucket/prefix"):
        open_blobs(url, tmp_path)


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ('access_key_id = "a"\nsecret_access_key = "b"\n', 0o644, "chmod 600"),
        ('access_key_id = "a"\n', 0o600, "secret_access_key"),
        ("not toml", 0o600, "as TOML"),
        (None, 0o600, "Cannot read"),
    ],
)
def test_s3_credentials(tmp_path: Path, text: str | None, mode: int, told: str) -> None:
    path = tmp_path / "credentials.toml"
    if text is not None:
        path.write_text(text, "utf-8")
        path.chmod(mode)
    with pytest.raises(StoreError, match=told):
        open_blobs("s3://bucket", tmp_path, credentials_file=path)
