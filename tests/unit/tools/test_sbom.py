"""The bill of materials and the lock files that it is made of (security.md 25)."""

from __future__ import annotations

import hashlib
import json
import re
from importlib import metadata
from pathlib import Path

import pytest

from tools import sbom

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")
# CycloneDX 1.6: what a document must have, and the forms of what we write
TYPES = {"application", "library", "file"}
SCOPES = {"required", "optional", "excluded"}
SERIAL = re.compile(
    r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)
PURL = re.compile(
    r"pkg:(pypi|deb/debian|generic)/[a-z0-9.+%-]+(@[A-Za-z0-9.+~%-]+)?(\?[a-z0-9=&]+)?"
)
STATUS = """Package: libsofthsm2
Status: install ok installed
Architecture: amd64
Version: 2.6.1-2.1
Description: a token in software
 with a second line: that is none

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: tzdata
Status: install ok installed
Architecture: all
Version: 1:2026a-0+deb12u1
"""


@pytest.fixture(scope="module")
def whole() -> dict:
    return sbom.bill()


def faults(bom: dict) -> list[str]:
    """What CycloneDX 1.6 does not allow."""
    found = []
    if (bom["bomFormat"], bom["specVersion"]) != ("CycloneDX", "1.6"):
        found.append("format")
    if not SERIAL.fullmatch(bom["serialNumber"]) or bom["version"] < 1:
        found.append("serial number")
    everything = [bom["metadata"]["component"], *bom["components"]]
    references = [one["bom-ref"] for one in everything]
    if len(set(references)) != len(references):
        found.append("references are not unique")
    for one in everything:
        good = (
            one["type"] in TYPES
            and one["name"]
            and one.get("scope", "required") in SCOPES
            and ("purl" not in one or PURL.fullmatch(one["purl"]))
            and all(
                entry["alg"] == "SHA-256" and re.fullmatch("[0-9a-f]{64}", entry["content"])
                for entry in one.get("hashes", ())
            )
        )
        if not good:
            found.append(one["bom-ref"])
    for entry in bom["dependencies"]:
        found += sorted({entry["ref"], *entry["dependsOn"]} - set(references))
    return found


def test_it_is_cyclonedx(whole: dict) -> None:
    assert faults(whole) == []
    spoilt = json.loads(json.dumps(whole))
    spoilt["components"][0]["hashes"][0]["content"] = "0"
    spoilt["components"][1]["type"] = "thing"
    spoilt["components"][3]["bom-ref"] = spoilt["components"][2]["bom-ref"]
    assert len(faults(spoilt)) >= 3


def test_everything_that_runs_is_in_it_with_its_hashes(whole: dict) -> None:
    required = {one["bom-ref"]: one for one in whole["components"] if one["scope"] == "required"}
    locked = sbom.read_lock(sbom.ROOT / "requirements.lock")
    assert len(locked) > 40
    for name, one in locked.items():
        component = required[f"pkg:pypi/{name}@{one.version}"]
        assert [entry["content"] for entry in component["hashes"]] == list(one.hashes)
        assert metadata.version(name) == one.version  # what is installed is what is locked
    assert {"pkg:deb/debian/libsofthsm2?distro=bookworm", "file:ocr/record/assets/sRGB.icc"} <= {
        *required
    }
    assert not any("pytest" in reference or "gcc" in reference for reference in required)
    excluded = {one["name"] for one in whole["components"] if one["scope"] == "excluded"}
    assert {"pytest", "gcc", "postgresql"} <= excluded
    (ours,) = whole["dependencies"]
    assert any(reference.startswith("pkg:pypi/cryptography@") for reference in ours["dependsOn"])


def test_assets_that_others_made_are_all_named() -> None:
    found = {
        str(path.relative_to(sbom.ROOT))
        for part in ("api", "dossier", "hsm", "ocr", "signer", "sohoa")
        for path in (sbom.ROOT / part).rglob("*")
        if path.suffix in {".ttf", ".otf", ".icc", ".so", ".onnx", ".traineddata", ".whl", ".jar"}
    }
    assert found == set(sbom.ASSETS)


def test_the_same_sources_give_the_same_bytes(tmp_path: Path, capsys) -> None:
    assert sbom.main(["-o", str(tmp_path / "a" / "sbom.json")]) == 0
    assert sbom.main([]) == 0
    written = (tmp_path / "a" / "sbom.json").read_bytes()
    assert written == capsys.readouterr().out.encode()
    hosts = set(re.findall(rb"https?://([^/\"]+)", written))
    assert hosts == {b"cyclonedx.org"}  # the name of the schema; no registry, no mirror
    assert str(Path.home()).encode() not in written
    assert str(sbom.ROOT).encode() not in written


def test_an_image_is_told_by_its_own_packages(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(STATUS)
    bom = sbom.bill(dpkg_status=status)
    assert faults(bom) == []
    debian = [one["purl"] for one in bom["components"] if "deb/" in one.get("purl", "")]
    assert debian == [
        "pkg:deb/debian/libsofthsm2@2.6.1-2.1?arch=amd64&distro=bookworm",
        "pkg:deb/debian/tzdata@1%3A2026a-0%2Bdeb12u1?arch=all&distro=bookworm",
    ]
    assert bom["serialNumber"] != sbom.bill()["serialNumber"]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_files_pin_hashes_and_name_no_index(name: str) -> None:
    text = (sbom.ROOT / name).read_text("utf-8")
    assert "://" not in text
    assert "index" not in text
    for one in sbom.read_lock(sbom.ROOT / name).values():
        assert one.hashes
        assert len(set(one.hashes)) == len(one.hashes)


def test_installing_demands_hashes() -> None:
    for path in ("tools/setup.sh", "Dockerfile"):
        lines = (sbom.ROOT / path).read_text("utf-8").splitlines()
        installs = [line for line in lines if re.search(r"pip install", line)]
        assert len(installs) == 2, path
        # everything by its hashes, and Sohoa itself without asking for anything
        assert sum("--require-hashes" in line for line in installs) == 1, path
        assert sum("--no-deps --no-build-isolation" in line for line in installs) == 1, path


@pytest.mark.parametrize(
    "line",
    [
        "loose>=1",
        "without-hash==1.0",
        "https://example.org/x.whl --hash=sha256:" + "0" * 64,
        "wrong-hash==1.0 --hash=md5:" + "0" * 32,
    ],
)
def test_what_is_not_pinned_is_refused(line: str, tmp_path: Path, monkeypatch, capsys) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(line + "\n")
    with pytest.raises(sbom.LockInvalid, match="make lock"):
        sbom.read_lock(lock)
    monkeypatch.setattr(sbom, "bill", lambda **_: sbom.read_lock(lock))
    assert sbom.main([]) == 1
    assert "make lock" in capsys.readouterr().err


def test_markers_and_extras_are_read(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    lock = tmp_path / "x.lock"
    lock.write_text(
        f"# made\n\nColour_Ama[extra]==0.4.6 ; sys_platform == 'win32' \\\n"
        f"    --hash=sha256:{digest}\n"
    )
    (one,) = sbom.read_lock(lock).values()
    assert one == sbom.Locked("colour-ama", "0.4.6", (digest,), "sys_platform == 'win32'")
    (component,) = sbom.python_components(lock, ())
    assert component["properties"] == [{"name": "sohoa:marker", "value": "sys_platform == 'win32'"}]
