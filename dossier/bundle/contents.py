"""What stands where in a proof bundle, read and held to its manifest.

    document.pdf            the result as it was issued or handed in
    manifest.json           what belongs to the bundle, with digests; the time and the verdict
    trust.json              whom the maker believed, by which rules (`dossier.trust.snapshot`)
    evidence/report.json    the maker's verification report; report.xml: ETSI TS 119 102-2
    evidence/N.crl, N.ocsp  revocation values that the verdict used and the PDF does not hold
    register.json           proof of entry in the register of issued results, where there is one
    README.txt, verify.py   how to check it, and the program that does

Everything in the manifest has to be there with its digest, and nothing else but the manifest.
The manifest is not signed: who alters a bundle can alter it too. What cannot be altered is what
the signatures in the PDF, the timestamps and the register's checkpoint prove.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = "sohoa proof bundle 1"
DOCUMENT, MANIFEST, TRUST = "document.pdf", "manifest.json", "trust.json"
REGISTER, README, PROGRAM = "register.json", "README.txt", "verify.py"
REPORT, REPORT_XML = "evidence/report.json", "evidence/report.xml"
_INDICATIONS = ("TOTAL-PASSED", "INDETERMINATE", "TOTAL-FAILED")
_MOST_FILES = 2_000
_MOST_BYTES = 512 << 20


class BundleBroken(ValueError):
    """The bundle is not whole, or is none; the message says what is wrong with which part."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A bundle whose parts are those of its manifest. `at` is the time of the verdict (aware)."""

    files: Mapping[str, bytes]
    manifest: Mapping[str, Any]
    at: dt.datetime

    @property
    def document(self) -> bytes:
        """The PDF."""
        return self.files[DOCUMENT]

    def evidence(self, suffix: str) -> tuple[bytes, ...]:
        """The revocation values of one kind: ``.crl`` or ``.ocsp``."""
        names = sorted(name for name in self.files if name.startswith("evidence/"))
        return tuple(self.files[name] for name in names if name.endswith(suffix))


def read_contents(place: Path) -> Contents:
    """Read the bundle: a ZIP, or the folder that it was unpacked to.

    Raises `BundleBroken`, and `OSError` when it cannot be read.
    """
    files = _from_folder(place) if place.is_dir() else _from_zip(place)
    return _checked(files)


def _from_zip(place: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(place) as archive:
            entries = archive.infolist()
            if len({entry.filename for entry in entries}) != len(entries):
                raise BundleBroken("two parts have the same name")
            if len(entries) > _MOST_FILES or sum(e.file_size for e in entries) > _MOST_BYTES:
                raise BundleBroken("it has too many parts, or too large ones")
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise BundleBroken(f"{place.name} cannot be read as a ZIP: {error}") from error


def _from_folder(place: Path) -> dict[str, bytes]:
    try:
        manifest = (place / MANIFEST).read_bytes()
    except FileNotFoundError as error:
        raise BundleBroken(f"{place} holds no {MANIFEST}") from error
    files = {MANIFEST: manifest}
    for name in _listed(manifest):
        path = place.joinpath(*name.split("/"))
        if path.is_file() and path.stat().st_size <= _MOST_BYTES:
            files[name] = path.read_bytes()
    return files


def _listed(manifest: bytes) -> dict[str, Any]:
    try:
        said = json.loads(manifest)
        listed = said["files"]
        if said["format"] != FORMAT or not isinstance(listed, dict):
            raise BundleBroken(f"{MANIFEST} is of another format")
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, BundleBroken):
            raise
        raise BundleBroken(f"{MANIFEST} cannot be read: {error!r}") from error
    for name in listed:
        parts = name.split("/")
        if len(listed) > _MOST_FILES or "" in parts or ".." in parts or "\\" in name or ":" in name:
            raise BundleBroken(f"{MANIFEST} names {name!r}, which is no name of a part")
    return listed


def _checked(files: dict[str, bytes]) -> Contents:
    if MANIFEST not in files:
        raise BundleBroken(f"it holds no {MANIFEST}")
    listed = _listed(files[MANIFEST])
    for name, told in listed.items():
        if name not in files:
            raise BundleBroken(f"{name} is missing")
        content = files[name]
        if told != {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}:
            raise BundleBroken(f"{name} is not the one of the manifest")
    for name in files.keys() - listed.keys() - {MANIFEST}:
        raise BundleBroken(f"{name} does not belong to it")
    missing = {DOCUMENT, TRUST} - listed.keys()
    if missing:
        raise BundleBroken(f"the manifest lists no {min(missing)}")
    manifest = json.loads(files[MANIFEST])
    try:
        at = dt.datetime.fromisoformat(manifest["verified_at"])
        if at.utcoffset() is None or manifest["indication"] not in _INDICATIONS:
            raise BundleBroken(f"{MANIFEST} lacks the verdict or its time")
    except (KeyError, TypeError, ValueError) as error:
        raise BundleBroken(f"{MANIFEST} cannot be read: {error!r}") from error
    return Contents(files, manifest, at)
