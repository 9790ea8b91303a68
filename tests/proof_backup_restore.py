"""Backup while signing, and restore elsewhere, on PostgreSQL and S3.

python -m tests.proof_backup_restore      # the tests of tests/e2e/test_backup_restore.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.e2e.test_backup_restore import (  # noqa: F401 - collected here once more
    exports,
    life,
    test_agent_s_chain_cut_in_its_own_database_is_found_by_the_house,
    test_both_chains_of_the_new_place_agree,
    test_restored_house_goes_on,
    test_restored_house_proves_itself,
    test_tampering_with_either_chain_is_found,
    test_uses_of_keys_are_explained_across_the_move,
)
from tests.moved_house import MovedHouse, moved


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MovedHouse]:
    """Restored, and not started yet when its first test begins."""
    with moved("postgresql", tmp_path_factory.mktemp("moved")) as found:
        yield found
        told = {"rows": found.told["rows"], "blobs": found.told["blobs"]}
        known = {"before": len(found.before), "after": len(found.after)}
        sys.stderr.write(json.dumps({"on": "postgresql + s3", **told, **known}) + "\n")


def main() -> int:
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", __file__, "-q", "-s", "-p", "no:cacheprovider"]
    code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
    seconds = round(time.monotonic() - began)
    sys.stdout.write(json.dumps({"passed": code == 0, "seconds": seconds}) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
