"""The software bill of materials: CycloneDX 1.6 JSON of what the lock files and the image name.

    python -m tools.sbom -o sbom.cdx.json
    python -m tools.sbom --dpkg-status /var/lib/dpkg/status    # Debian packages as installed

Python packages come from the lock files with the SHA-256 of every file that may be installed for
them; what only tests and builds need has the scope "excluded". Debian packages are those of the
Dockerfile's last stage, by name alone, since their archive decides the version; run inside an
image with --dpkg-status, all installed ones are named with their versions. Fonts and colour
profiles that are part of Sohoa are files with their digests. The same sources give the same
bytes: there is no time in it, and its serial number is made of its content.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).parent.parent
ASSETS = (
    "ocr/record/assets/sRGB.icc",
    "signer/sealing/appearance/assets/sohoa-serif.ttf",
)
_RELEASE = "bookworm"
_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)\s*(?:;\s*([^\\]+))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class LockInvalid(Exception):
    """A lock file has a line that is not a pinned requirement with its hashes."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One requirement of a lock file. `marker` says where it applies ("" is everywhere)."""

    name: str
    version: str
    hashes: tuple[str, ...]
    marker: str = ""


def normalised(name: str) -> str:
    """The one spelling of a package's name (the packaging specification of names)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(path: Path) -> dict[str, Locked]:
    """All requirements of a lock file by name. Raises `LockInvalid`."""
    found: dict[str, Locked] = {}
    text = re.sub(r"\\\n\s*", " ", path.read_text("utf-8"))
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _PINNED.match(line)
        hashes = tuple(sorted(_HASH.findall(line)))
        if match is None or not hashes:
            raise LockInvalid(
                f"{path.name}: {line[:80]!r}: mỗi gói phải có phiên bản và mã băm; chạy `make "
                "lock`. / every package needs its version and hashes: run `make lock`"
            )
        name = normalised(match[1])
        marker = (match[3] or "").partition("--hash")[0].strip()
        found[name] = Locked(name, match[2], hashes, marker)
    return found


def python_components(runtime: Path, others: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    """What `runtime` locks, then what only `others` do, with the scope "excluded"."""
    needed = read_lock(runtime)
    rest: dict[str, Locked] = {}
    for path in others:
        rest |= read_lock(path)
    for name in sorted(needed | rest):
        locked = needed.get(name) or rest[name]
        yield {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{quote(locked.version)}",
            "name": name,
            "version": locked.version,
            "scope": "required" if name in needed else "excluded",
            "hashes": [{"alg": "SHA-256", "content": digest} for digest in locked.hashes],
            "purl": f"pkg:pypi/{name}@{quote(locked.version)}",
            **({"properties": [_property("marker", locked.marker)]} if locked.marker else {}),
        }


def image_packages(dockerfile: Path) -> list[str]:
    """The Debian packages that the last stage of the Dockerfile installs."""
    last = dockerfile.read_text("utf-8").replace("\\\n", " ").split("\nFROM ")[-1]
    found: set[str] = set()
    for command in re.findall(r"apt-get install ([^&\n]+)", last):
        found |= {word for word in command.split() if _NAMED.fullmatch(word)}
    return sorted(found)


def apt_list(path: Path) -> list[str]:
    """The names in tools/apt-packages.txt."""
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return sorted({line for line in lines if line})


def named_debian(image: list[str], machine: list[str]) -> Iterator[dict[str, Any]]:
    """Packages by name: those of the image, and those that only a developer's machine needs."""
    for name in sorted({*image, *machine}):
        yield _debian(name, None, None, "required" if name in image else "excluded")


def installed_debian(status: Path) -> Iterator[dict[str, Any]]:
    """Every package that dpkg's status file calls installed, with version and architecture."""
    for paragraph in sorted(status.read_text("utf-8").split("\n\n")):
        fields = dict(re.findall(r"^(\S+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") == "install ok installed":
            yield _debian(fields["Package"], fields["Version"], fields["Architecture"], "required")


def _debian(name: str, version: str | None, arch: str | None, scope: str) -> dict[str, Any]:
    at = f"@{quote(version, safe='')}" if version else ""
    where = f"?arch={arch}&distro={_RELEASE}" if arch else f"?distro={_RELEASE}"
    purl = f"pkg:deb/debian/{quote(name, safe='')}{at}{where}"
    told = {"version": version} if version else {}
    return {
        "type": "library", "bom-ref": purl, "name": name, **told, "scope": scope, "purl": purl,
    }  # fmt: skip


def asset_components(root: Path) -> Iterator[dict[str, Any]]:
    """Files of others that are part of Sohoa, and of the wheel that is made of it."""
    for name in ASSETS:
        digest = hashlib.sha256((root / name).read_bytes()).hexdigest()
        yield {
            "type": "file",
            "bom-ref": f"file:{name}",
            "name": name,
            "scope": "required",
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }


def bill(root: Path = ROOT, dpkg_status: Path | None = None) -> dict[str, Any]:
    """The whole bill. Raises `LockInvalid`, and OSError for a file that is not there."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    debian = (
        named_debian(
            image_packages(root / "Dockerfile"), apt_list(root / "tools" / "apt-packages.txt")
        )
        if dpkg_status is None
        else installed_debian(dpkg_status)
    )
    components = [
        *python_components(
            root / "requirements.lock",
            (root / "requirements-dev.lock", root / "requirements-build.lock"),
        ),
        *debian,
        *asset_components(root),
    ]
    ours = f"pkg:generic/{project['name']}@{project['version']}"
    whole: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "licenses": [{"license": {"id": project["license"]}}],
                "purl": ours,
            },
        },
        "components": components,
        "dependencies": [{"ref": ours, "dependsOn": _direct(project, components)}],
    }
    content = json.dumps(whole, sort_keys=True).encode()
    serial = uuid.UUID(bytes=hashlib.sha256(content).digest()[:16], version=4)
    return {**whole, "serialNumber": f"urn:uuid:{serial}"}


def _direct(project: Mapping[str, Any], components: list[dict[str, Any]]) -> list[str]:
    """References of what Sohoa itself asks for; what those ask for is not in a lock file."""
    asked = {
        normalised(match[0]) for line in project["dependencies"] if (match := _NAMED.match(line))
    }
    return sorted(
        one["bom-ref"]
        for one in components
        if one["scope"] == "required"
        and (not one.get("purl", "").startswith("pkg:pypi/") or one["name"] in asked)
    )


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"sohoa:{name}", "value": value}


def main(arguments: list[str] | None = None) -> int:
    """Write the bill; the exit code."""
    parser = argparse.ArgumentParser(prog="tools.sbom", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "-o", "--output", type=Path, help="file to write (default: standard output)"
    )
    parser.add_argument("--dpkg-status", type=Path, help="the status file of an image's dpkg")
    asked = parser.parse_args(arguments)
    try:
        text = json.dumps(bill(dpkg_status=asked.dpkg_status), ensure_ascii=False, indent=1) + "\n"
        if asked.output is None:
            sys.stdout.write(text)
        else:
            asked.output.parent.mkdir(parents=True, exist_ok=True)
            asked.output.write_text(text, "utf-8")
    except (OSError, LockInvalid) as error:
        sys.stderr.write(f"sbom: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
