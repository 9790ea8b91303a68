"""One suite for every blob store: a folder, and a bucket of a real S3 server."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO

import pytest

from dossier.errors import BlobDamaged, InvalidOrder, NotFound
from dossier.storage.store import BlobInfo, BlobStore, digest_of
from tests.blob_places import Place
from tests.fixtures_s3 import S3Server

PROCESSES = multiprocessing.get_context("forkserver")
PART = 8 << 20
UNKNOWN = "0" * 64


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    folder = tmp_path / "blobs"
    if request.param == "folder":
        return Place("", folder)
    server: S3Server = request.getfixturevalue("s3_server")
    url: str = request.getfixturevalue("s3_url")
    return Place(url, folder, server.endpoint, server.credentials_file)


@pytest.fixture
def blobs(place: Place) -> BlobStore:
    return place.open()


def noise(size: int, seed: int = 7) -> bytes:
    return random.Random(seed).randbytes(size)


def as_bytes(data: bytes, folder: Path) -> bytes:
    return data


def as_path(data: bytes, folder: Path) -> Path:
    path = folder / "source"
    path.write_bytes(data)
    return path


def as_stream(data: bytes, folder: Path) -> BinaryIO:
    stream = io.BytesIO(b"read already" + data)
    stream.seek(12)
    return stream


@pytest.mark.parametrize(
    ("form", "size"),
    [
        *((as_bytes, size) for size in (0, 1, PART, 2 * PART + 5)),
        *((as_path, size) for size in (0, 300_000, PART + 1)),
        *((as_stream, size) for size in (0, PART, PART + 1)),
    ],
)
def test_what_was_put_comes_back(
    blobs: BlobStore, tmp_path: Path, form: Callable[[bytes, Path], bytes], size: int
) -> None:
    data = noise(size)
    info = blobs.put(form(data, tmp_path), sha256=digest_of(data))
    assert info == BlobInfo(hashlib.sha256(data).hexdigest(), size)
    assert blobs.stat(info.sha256) == info
    assert blobs.get(info.sha256) == data
    assert b"".join(blobs.read(info.sha256)) == data
    with blobs.local(info.sha256) as path:
        assert path.read_bytes() == data


@pytest.mark.parametrize("size", [5000, PART + 5000])
def test_the_same_blob_may_be_put_again(blobs: BlobStore, place: Place, size: int) -> None:
    data = noise(size)
    first = blobs.put(data)
    before = sorted(place.names())
    assert blobs.put(io.BytesIO(data)) == first
    assert place.open().put(data, sha256=first.sha256) == first
    assert sorted(place.names()) == before
    assert list(blobs.all()) == [first]


@pytest.mark.parametrize("size", [5000, PART + 5000])
def test_bytes_of_another_name_are_refused(blobs: BlobStore, place: Place, size: int) -> None:
    data = noise(size)
    for source in (data, io.BytesIO(data)):
        with pytest.raises(BlobDamaged, match="send them again"):
            blobs.put(source, sha256=UNKNOWN)
    assert place.names() == []


@pytest.mark.parametrize(
    "name", [UNKNOWN, "", "..", "../../etc/passwd", "A" * 64, "0" * 63 + "\n", "é" * 64]
)
def test_unknown_names(blobs: BlobStore, name: str) -> None:
    assert blobs.stat(name) is None
    with pytest.raises(NotFound):
        blobs.get(name)
    with pytest.raises(NotFound):
        blobs.read(name)
    with pytest.raises(NotFound), blobs.local(name):
        pass


def test_a_name_is_a_digest(blobs: BlobStore) -> None:
    with pytest.raises(InvalidOrder):
        blobs.put(b"x", sha256="../x")


def test_ranges(blobs: BlobStore) -> None:
    data = noise(2 * PART + 77)
    name = blobs.put(data).sha256
    size = len(data)
    for start, end in [
        (0, 1), (5, 10), (0, size), (size - 1, None), (1, None), (PART - 1, PART + 1),
        (7, 7), (9, 3), (size, None), (size + 5, size + 9), (100, size + 100),
    ]:  # fmt: skip
        assert b"".join(blobs.read(name, start, end)) == data[start:end]


@pytest.mark.parametrize(
    ("how", "size"),
    [("bit", 5000), ("short", 5000), ("long", 5000), ("empty", 5000), ("bit", PART + 5000)],
)
def test_damage_is_found_and_healed(blobs: BlobStore, place: Place, size: int, how: str) -> None:
    data = noise(size)
    info = blobs.put(data)
    spoilt = {
        "bit": data[:-1] + bytes([data[-1] ^ 1]),
        "short": data[:-1],
        "long": data + b"x",
        "empty": b"",
    }[how]
    place.damage(info.sha256, spoilt)

    with pytest.raises(BlobDamaged, match="restore it from a backup"):
        blobs.get(info.sha256)
    got: list[bytes] = []
    with pytest.raises(BlobDamaged):
        got.extend(blobs.read(info.sha256))  # extend keeps what came before the error
    assert len(b"".join(got)) < max(len(spoilt), 1)  # who counts the bytes sees that it broke off
    with pytest.raises(BlobDamaged), blobs.local(info.sha256):
        pytest.fail("damaged bytes were handed out")

    assert blobs.put(data) == info
    assert blobs.get(info.sha256) == data


def test_all(blobs: BlobStore) -> None:
    made = {blobs.put(noise(100, seed)) for seed in range(40)}
    assert set(blobs.all()) == made


def _race(place: Place, gate: float, size: int) -> BlobInfo:
    blobs, data = place.open(), noise(size)
    time.sleep(max(0.0, gate - time.time()))
    info = blobs.put(data)
    assert blobs.get(info.sha256) == data  # what put has promised holds at once
    return info


@pytest.mark.parametrize("size", [70_000, PART + 1])
def test_twelve_racers_agree(place: Place, size: int) -> None:
    PROCESSES.set_forkserver_preload(["tests.contract.test_blob_store"])
    with PROCESSES.Pool(12) as pool:
        done = pool.starmap(_race, [(place, time.time() + 1.0, size)] * 12, chunksize=1)
        pool.close()
        pool.join()
    assert len(set(done)) == 1
    assert place.open().get(done[0].sha256) == noise(size)
    assert len([name for name in place.names() if done[0].sha256 in name]) == 1


def test_threads_share_a_store(blobs: BlobStore) -> None:
    data = [noise(20_000, seed % 10) for seed in range(60)]
    with ThreadPoolExecutor(16) as pool:
        infos = list(pool.map(blobs.put, data))
        assert list(pool.map(lambda info: blobs.get(info.sha256), infos)) == data


def _write_on(place: Place, told: Connection, seed: int) -> None:
    blobs, chance = place.open(), random.Random(seed)
    while True:
        told.send(blobs.put(chance.randbytes(chance.choice([10, 90_000, 3_000_000, PART + 1]))))


def test_killed_writers_leave_whole_blobs_or_none(place: Place) -> None:
    PROCESSES.set_forkserver_preload(["tests.contract.test_blob_store"])
    chance = random.Random(11)
    promised: list[BlobInfo] = []
    for n in range(6):
        ours, theirs = PROCESSES.Pipe(duplex=False)
        writer = PROCESSES.Process(target=_write_on, args=(place, theirs, n))
        writer.start()
        theirs.close()
        promised.append(ours.recv())
        time.sleep(chance.uniform(0, 0.3))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        try:
            while True:
                promised.append(ours.recv())
        except (EOFError, OSError):  # OSError: cut off within a message
            ours.close()
    blobs = place.open()
    found = {info.sha256: info for info in blobs.all()}
    for info in found.values():
        assert digest_of(blobs.get(info.sha256)) == info.sha256
    assert [info for info in promised if found.get(info.sha256) != info] == []


class _Slow(io.RawIOBase):
    """A stream of `size` bytes that exist nowhere at once."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        piece = bytes(min(size, self._left))
        self._left -= len(piece)
        return piece


def _grown(place: Place, size: int) -> int:
    """By how many bytes this process grew while a blob went in and came out."""
    blobs = place.open()
    blobs.get(blobs.put(b"connections are made").sha256)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    info = blobs.put(_Slow(size))  # type: ignore[arg-type]  # reads like a BinaryIO
    assert sum(len(piece) for piece in blobs.read(info.sha256)) == size
    with blobs.local(info.sha256) as path:
        assert path.stat().st_size == size
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def test_large_blobs_do_not_pass_through_memory(place: Place) -> None:
    with PROCESSES.Pool(1) as pool:
        grown = pool.apply(_grown, (place, 128 << 20))
        pool.close()
        pool.join()
    assert grown < 80 << 20


def test_check(blobs: BlobStore, place: Place) -> None:
    blobs.check()
    assert place.names() == []


def test_a_full_disk_keeps_nothing(place: Place, tmp_path: Path) -> None:
    """The folder's own disk; for S3 the local one, through which large blobs pass."""
    told = _put_on_a_full_disk(place, tmp_path)
    assert told.startswith("StoreError: "), told
    assert "left: []" in told
    if not place.url:
        assert "the disk is full, free some space" in told
    blobs = place.open()
    assert list(blobs.all()) == []


def _put_on_a_full_disk(place: Place, tmp_path: Path) -> str:
    """What a process tells that puts 9 MB with 2 MB of disk, in a mount namespace of its own."""
    small = tmp_path / "small"
    small.mkdir()
    script = tmp_path / "put.py"
    script.write_text(
        "import io, os\n"
        "from pathlib import Path, PosixPath\n"
        "from dossier.errors import StoreError\n"
        "from tests.blob_places import Place\n"
        f"blobs = {replace(place, folder=small)!r}.open()\n"
        "try:\n"
        "    blobs.put(io.BytesIO(os.urandom(9 << 20)))\n"
        "except StoreError as error:\n"
        f"    left = [str(p) for p in Path({str(small)!r}).rglob('*') if p.is_file()]\n"
        "    print(f'StoreError: {error} left: {left}')\n",
        "utf-8",
    )
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c"),
            f'mount -t tmpfs -o size=2m tmpfs "{small}" && exec "$@"',
            *("sh", sys.executable, script),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
