"""Files that `sohoa register` reads and writes, and whom it trusts with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.errors import InputUnusable

if TYPE_CHECKING:
    from dossier.register.checkpoint import ProvedCheckpoint
    from dossier.register.notes import NoteKey
    from signer.trust import TrustStore


def trusted(
    anchor: list[Path] | None, key: list[str] | None, data: Path | None
) -> tuple[TrustStore, list[NoteKey]]:
    """Roots and keys to trust. With keys alone, no installation is asked for roots."""
    from api.commands.verify import choose_trust
    from dossier.register.notes import NoteInvalid, NoteKey
    from signer.trust import TrustStore

    try:
        keys = [NoteKey.parse(one) for one in key or []]
    except NoteInvalid as error:
        raise InputUnusable(
            f"--key: {error}. Xem /v1/register/checkpoint, mục key. / See its entry key."
        ) from error
    store = TrustStore.of([]) if keys and not anchor else choose_trust(anchor, data).store
    return store, keys


def proved(path: Path, store: TrustStore, keys: list[NoteKey]) -> ProvedCheckpoint:
    """The checkpoint in a file (JSON or a bare note). Raises `RegisterBroken`."""
    from dossier.errors import RegisterBroken
    from dossier.register.checkpoint import SignedCheckpoint
    from dossier.register.notes import NoteInvalid

    text = _read(path).decode("utf-8", "replace")
    value = read_json(path) if text.lstrip().startswith("{") else text
    try:
        return SignedCheckpoint.read(value).proved(
            [one.certificate for one in store.anchors], candidates=store.intermediates, keys=keys
        )
    except NoteInvalid as error:
        raise RegisterBroken(
            f"{path}: điểm niêm phong không đúng. / The checkpoint does not hold: {error}.",
            findings=(str(error),),
        ) from error


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise InputUnusable(f"{path} is no JSON: {error}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputUnusable(f"{path}: {error.strerror or error}; check the path") from error


def digest_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputUnusable(f"{path}: {error.strerror or error}; check the path") from error


@contextmanager
def lines_of(path: Path | None) -> Iterator[Iterator[bytes] | None]:
    """The lines of a file; one that is too long comes cut off, and is refused as unreadable."""
    from dossier.register.copy import MAX_LINE

    if path is None:
        yield None
        return
    try:
        with path.open("rb") as stream:
            yield iter(lambda: stream.readline(MAX_LINE + 1), b"")
    except OSError as error:
        raise InputUnusable(f"{path}: {error.strerror or error}; check the path") from error


def write_new(target: Path, pieces: Iterable[bytes]) -> None:
    """A new file, whole or not at all."""
    part = target.with_name(target.name + ".part")
    try:
        if target.exists():
            raise FileExistsError(17, "the file exists; choose another name")
        with part.open("xb") as stream:
            for piece in pieces:
                stream.write(piece)
        part.replace(target)
    except OSError as error:
        raise InputUnusable(f"{target}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
