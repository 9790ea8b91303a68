"""What the mark `no_cover` of pytest-cov means for the processes that a test starts: the same.

Counting lines costs a process a quarter to a half of its time, and what is ended by kill -9 takes
its counts along. Tests that start whole services to stop or kill them are marked; what runs in
there is counted by the tests that call it.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

_SWITCHES = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")  # that new processes look for


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Around the fixtures, too."""
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    kept = {name: os.environ.pop(name) for name in _SWITCHES if name in os.environ}
    try:
        return (yield)
    finally:
        os.environ.update(kept)
