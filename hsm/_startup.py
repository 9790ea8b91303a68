"""A turnstile for processes that open the same module together (signing.md, trap 6)."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hsm.errors import ModuleError


@contextmanager
def startup_lock(module: Path, lock_file: Path | None = None) -> Iterator[None]:
    """Hold the lock of `module` between processes of this user while the block runs.

    The lock is advisory (flock) and vanishes with the process. Raises `ModuleError` when the
    lock file cannot be made.
    """
    if lock_file is None:
        name = hashlib.sha256(os.fspath(module.resolve()).encode()).hexdigest()[:16]
        lock_file = Path(tempfile.gettempdir()) / f"sohoa-hsm-{os.getuid()}-{name}.lock"
    try:
        # not through a link that somebody else has put into the temporary folder
        descriptor = os.open(
            lock_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
    except OSError as error:
        raise ModuleError(
            f"the lock file {lock_file} cannot be opened ({error.strerror}); "
            "make its folder writable, or remove what stands in its place"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
