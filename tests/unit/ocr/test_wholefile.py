"""Outputs appear whole or not at all; the message says what to do."""

from __future__ import annotations

import resource
import signal
import stat
from contextlib import contextmanager

import pytest

from ocr.errors import IntakeError, OutputError
from ocr.wholefile import output_error, whole_file


@contextmanager
def small_disk(limit: int):
    """Files may not grow beyond `limit` bytes: a real error of a real write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_the_file_appears_with_its_bytes_and_usual_rights(tmp_path):
    target = tmp_path / "out.pdf"
    with whole_file(target) as stream:
        stream.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert {p.name for p in tmp_path.iterdir()} == {"out.pdf", "plain"}


def test_an_older_file_is_replaced(tmp_path):
    target = tmp_path / "out.pdf"
    target.write_bytes(b"old")
    with whole_file(target) as stream:
        stream.write(b"new")
    assert target.read_bytes() == b"new"


def test_an_error_of_the_block_leaves_everything_as_it_was(tmp_path):
    target = tmp_path / "out.pdf"
    target.write_bytes(b"old")

    def fail_half_way() -> None:
        with whole_file(target) as stream:
            stream.write(b"half")
            raise IntakeError("broken", source="a.jpg", page=2)

    with pytest.raises(IntakeError):
        fail_half_way()
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.pdf"]


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    target = tmp_path / "out.pdf"
    with (
        small_disk(1000),
        pytest.raises(OutputError, match=r"out\.pdf cannot be written: .*run again"),
        whole_file(target) as stream,
    ):
        stream.write(b"x" * 1_000_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda folder: folder / "no" / "out.pdf", "no such folder; make it first"),
        (lambda folder: folder, "a folder has this name"),
        (lambda folder: folder / "file" / "out.pdf", "not a folder; choose another folder"),
    ],
)
def test_places_that_cannot_be_written(make, advice, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=advice), whole_file(make(tmp_path)):
        pytest.fail("the block must not begin")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (28, "the disk is full; free some space"),
        (13, "no permission"),
        (30, "read-only"),
        (122, "quota"),
        (5, "Input/output error"),
    ],
)
def test_the_message_says_what_to_do(code, advice, tmp_path):
    cause = OSError(code, "Input/output error")
    assert advice in str(output_error(tmp_path / "x", cause))
