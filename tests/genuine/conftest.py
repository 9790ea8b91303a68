"""One workshop for all tests of genuine files: its base files take some seconds to make."""

from __future__ import annotations

import pytest

from tests.workshop import Workshop


@pytest.fixture(scope="session")
def workshop(tmp_path_factory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"))
