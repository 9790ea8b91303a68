"""Static files held to their manifest; strangers' texts made harmless; answers kept for minutes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from api.public import results as results_module
from api.public import stage as stage_module
from api.public.results import KEPT_S, MOST_RESULTS, Result, Results
from api.public.stage import Stage, isolated, moment_text, plain, size_text
from dossier.verifying.pages import PagePictures, ShownPage

_STATIC = Path(stage_module.__file__).parent / "static"
_VENDORED = [_STATIC / "fonts", Path(__file__).parents[2] / "vendor" / "axe-core-4.14.1"]


def _sri(content: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


@pytest.mark.parametrize("folder", _VENDORED, ids=lambda folder: folder.name)
def test_vendored_files_are_those_of_the_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["licence"] in ("OFL-1.1", "MPL-2.0")
    assert any("LICEN" in p.name or p.name == "OFL.txt" for p in folder.iterdir())
    listed = manifest["files"]
    for name, entry in listed.items():
        told = entry if isinstance(entry, str) else entry["sha384"]
        assert _sri((folder / name).read_bytes()) == told
    unlisted = {p.name for p in folder.iterdir()} - set(listed) - {"manifest.json", "OFL.txt"}
    assert unlisted == set()


def test_own_files_name_no_foreign_host() -> None:
    for path in _STATIC.rglob("*"):
        if path.suffix in (".css", ".js", ".svg"):
            found = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", path.read_text("utf-8"))
            assert [link for link in found if "www.w3.org" not in link] == [], path.name


def test_the_style_sheet_names_files_that_are_there() -> None:
    named = re.findall(r'url\("([^"]+)"\)', (_STATIC / "page.css").read_text("utf-8"))
    assert named
    assert all((_STATIC / name).is_file() for name in named)


def test_every_static_file_has_an_address_that_changes_with_it() -> None:
    stage = Stage(agency="Xã Mẫu", is_test=True)
    assert {"page.css", "page.js", "mark.svg", "fonts/BeVietnamPro-Regular.woff"} <= set(
        stage.files
    )
    assert re.fullmatch("[0-9a-f]{16}", stage.build)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Nguyễn Văn Thử", "Nguyễn Văn Thử"),
        ("Nguye\u0302\u0303n", "Nguyễn"),
        ("hoa\u202egnp.exe", "hoa\ufffdgnp.exe"),
        ("a\u2066b\u2069c\u200bd\0e\x1bf\u2028g", "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf\ufffdg"),
        ("x" * 10_000, "x" * 300 + "…"),
        (None, "None"),
    ],
)
def test_plain(text: object, shown: str) -> None:
    assert plain(text) == shown


def test_isolated_is_escaped() -> None:
    assert isolated("<script>&\"'") == "<bdi>&lt;script&gt;&amp;&#34;&#39;</bdi>"


def test_times_are_local_to_vietnam() -> None:
    assert moment_text("2026-11-23T17:30:05+00:00", "vi") == "00:30:05 ngày 24/11/2026"
    assert moment_text("2026-11-23T17:30:05+00:00", "en") == "24 November 2026, 00:30:05"
    assert moment_text(None, "vi") == "–"


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (1023, "1023 B"), (1025, "2 KiB"), (3 << 20, "3 MiB")]
)
def test_sizes(size: int, shown: str) -> None:
    assert size_text(size) == shown


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _result(size: int = 10) -> Result:
    page = ShownPage("same", 1, 1, 1, 1, (), b"x" * size, b"")
    return Result({}, b"{}", PagePictures(1, 0, (page,)))


def test_answers_expire_and_can_be_dropped() -> None:
    clock = _Clock()
    kept = Results(monotonic=clock)
    first, second = kept.keep(_result()), kept.keep(_result())
    assert first != second
    assert len(first) == 43
    kept.forget(first)
    kept.forget("unknown")
    assert kept.get(first) is None
    assert kept.get(second) is not None
    clock.now = KEPT_S + 1
    assert kept.get(second) is None
    assert len(kept) == 0
    assert kept.get("../" + second) is None


def test_answers_are_bounded_in_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Results()
    tokens = [kept.keep(_result()) for _ in range(MOST_RESULTS + 3)]
    assert len(kept) == MOST_RESULTS
    assert [kept.get(token) is None for token in tokens[:4]] == [True, True, True, False]
    monkeypatch.setattr(results_module, "MOST_BYTES", 200_000)
    large = kept.keep(_result(150_000))
    assert kept.get(large) is not None
    assert len(kept) < 20


def test_a_report_without_measure_is_shown_but_not_kept_for_download() -> None:
    kept = Results()
    large = kept.get(kept.keep(Result({"a": 1}, b"x" * (3 << 20))))
    assert large is not None
    assert large.report == {"a": 1}
    assert not large.can_be_downloaded
