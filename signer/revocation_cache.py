"""A folder of OCSP responses and CRLs, so that a new process need not ask again.

What is read back is judged like an answer from the network: a damaged or planted file is
worth nothing, and a folder that cannot be written only costs requests.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from pathlib import Path

_log = logging.getLogger(__name__)


class RevocationCache:
    """Bytes by key; each entry appears whole or not at all. Safe for several processes."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when the first entry is stored."""
        self._folder = folder

    def load(self, key: bytes, *, max_bytes: int) -> bytes | None:
        """What was stored under `key`, or None."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                content = file.read(max_bytes + 1)
        except OSError:
            return None
        return content if len(content) <= max_bytes else None

    def store(self, key: bytes, content: bytes) -> None:
        """Keep `content` under `key` in place of what was there."""
        path = self._path(key)
        scratch = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                scratch.write_bytes(content)
                scratch.replace(path)
            finally:
                scratch.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("The revocation cache %s cannot be written: %s", self._folder, error)

    def _path(self, key: bytes) -> Path:
        return self._folder / f"{hashlib.sha256(key).hexdigest()}.der"
