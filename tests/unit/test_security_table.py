"""The table of docs/security.md: each requirement has tests, and each test that it names is there.

Tests are found by reading their files, not by running them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TABLE = ROOT / "docs" / "security.md"
REQUIREMENTS = range(10, 26)
_ROW = re.compile(r"\| (\d+) \| (.+?) \| (.+) \|")
_TEST = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_\w+)`")


def rows(text: str) -> Iterator[tuple[int, str, list[tuple[str, str]]]]:
    """Number, what holds, and the tests (path and name) of each row."""
    for line in text.splitlines():
        row = _ROW.fullmatch(line)
        if row is not None:
            yield int(row[1]), row[2], _TEST.findall(row[3])


def collected(path: Path) -> set[str]:
    """The test functions that pytest would collect from a file: at the top, or in a class."""
    if not path.is_file() or not path.name.startswith("test_"):
        return set()
    tree = ast.parse(path.read_text("utf-8"))
    bodies = [tree.body]
    bodies += [n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name[:4] == "Test"]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name
        for body in bodies
        for node in body
        if isinstance(node, functions) and node.name.startswith("test_") and not _is_skipped(node)
    }


def _is_skipped(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    words = {word for mark in node.decorator_list for word in re.findall(r"\w+", ast.unparse(mark))}
    return bool(words & {"skip", "skipif", "xfail"})


def faults(text: str, root: Path = ROOT) -> list[str]:
    """What is wrong with the table."""
    found, covered = [], set()
    for number, holds, named in rows(text):
        if number not in REQUIREMENTS:
            found.append(f"no requirement {number}: {holds}")
        if not named:
            found.append(f"no test: {number} {holds}")
        for path, name in named:
            if name in collected(root / path):
                covered.add(number)
            else:
                found.append(f"not there: {number} {path}::{name}")
    found += [f"without a test: {n}" for n in REQUIREMENTS if n not in covered]
    # a cell that is written in another way would be passed over
    mentioned = len(re.findall(r"::test_", text))
    counted = sum(len(named) for _, _, named in rows(text))
    if mentioned != counted:
        found.append(f"{mentioned} tests are mentioned, {counted} read")
    return found


def test_every_requirement_has_tests_that_exist() -> None:
    assert faults(TABLE.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("::test_expired`", "::test_no_longer_there`", "not there: 10"),
        ("tests/contract/test_lease_clock.py", "tests/contract/test_gone.py", "not there: 22"),
        ("| 18 | ", "| 17 | ", "without a test: 18"),
        ("| 16 | ", "| 26 | ", "no requirement 26"),
        ("`tests/integration/test_key_agent_faults.py::test_sixty", "`::test_sixty", "mentioned"),
    ],
)
def test_a_table_that_is_not_true_is_found(old: str, new: str, fault: str) -> None:
    text = TABLE.read_text("utf-8")
    assert old in text
    assert any(fault in told for told in faults(text.replace(old, new)))


def test_what_is_skipped_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "test_x.py"
    path.write_text(
        "import pytest\n@pytest.mark.skip\ndef test_a(): pass\nasync def test_b(): pass\n"
        "def helper():\n    def test_c(): pass\nclass TestD:\n    def test_e(self): pass\n"
        "@pytest.mark.parametrize('x', [1])\ndef test_f(x): pass\n"
    )
    assert collected(path) == {"test_b", "test_e", "test_f"}
    path.rename(tmp_path / "draft_x.py")
    assert collected(tmp_path / "draft_x.py") == set()
