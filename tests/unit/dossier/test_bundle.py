"""A proof bundle is the same octets each time, whole or refused; its verifier needs no library."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dossier.bundle import single_file as single_file_module
from dossier.bundle.contents import MANIFEST, BundleBroken, read_contents
from dossier.bundle.judging import judge
from dossier.bundle.making import Parts, make_bundle
from dossier.bundle.replacements.xml_without_dtd import DefusedXmlException, fromstring
from dossier.bundle.single_file import NotAlone, modules, single_file
from dossier.errors import StateConflict
from dossier.register.codes import new_code, printed
from dossier.trust.snapshot import Snapshot
from signer.services import RevocationEvidence
from signer.trust import TrustStore
from signer.verification.verify import Verifier


@pytest.fixture(scope="module")
def parts(signed: dict[str, bytes], trust: TrustStore) -> Parts:
    report = Verifier(trust).verify(signed["B-LTA"]).to_json()
    kept = RevocationEvidence((), (b"crl 2", b"crl 1"), (b"ocsp",))
    return Parts(signed["B-LTA"], report, Snapshot(trust, kept), code=new_code())


def rewritten(bundle: bytes, **changes: Any) -> bytes:
    """The bundle with parts replaced, or dropped where None; its manifest stays."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as old, zipfile.ZipFile(out, "w") as new:
        names = [*old.namelist(), *(n for n in changes if n not in old.namelist())]
        for name in names:
            content = changes.get(name, old.read(name) if name in old.namelist() else b"")
            if content is not None:
                new.writestr(name, content)
    return out.getvalue()


def read(bundle: bytes, folder: Path) -> Any:
    path = folder / "goi.zip"
    path.write_bytes(bundle)
    return read_contents(path)


def test_the_same_parts_give_the_same_octets(parts: Parts) -> None:
    made = make_bundle(parts)
    assert make_bundle(parts) == made
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {e.date_time for e in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        readme = archive.read("README.txt").decode()
        manifest = json.loads(archive.read(MANIFEST))
    assert {"README.txt", "document.pdf", "evidence/report.json", "evidence/report.xml",
            "manifest.json", "trust.json", "verify.py"} <= set(names)  # fmt: skip
    assert len([name for name in names if name.endswith((".crl", ".ocsp"))]) == 3
    assert parts.code is not None
    assert printed(parts.code) in readme
    assert "CÁCH KIỂM TRA" in readme
    assert "HOW TO CHECK IT" in readme
    assert manifest["indication"] == "TOTAL-PASSED"


def test_it_is_read_from_a_zip_and_from_a_folder(parts: Parts, tmp_path: Path) -> None:
    contents = read(make_bundle(parts), tmp_path)
    assert contents.evidence(".crl") == tuple(
        sorted((b"crl 1", b"crl 2"), key=lambda v: hashlib.sha256(v).digest())
    )
    folder = tmp_path / "goi"
    with zipfile.ZipFile(tmp_path / "goi.zip") as archive:
        archive.extractall(folder)
    (folder / "notes-of-the-reader.txt").write_text("x")  # not of the bundle, and not looked at
    assert read_contents(folder).files == contents.files


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"document.pdf": b"%PDF-1.7"}, "document.pdf is not the one"),
        ({"verify.py": b"print('ok')"}, "verify.py is not the one"),
        ({"trust.json": None}, "trust.json is missing"),
        ({"other.txt": b"x"}, "other.txt does not belong"),
        ({MANIFEST: None}, "holds no manifest.json"),
        ({MANIFEST: b"{"}, "cannot be read"),
        ({MANIFEST: b'{"format": "other", "files": {}}'}, "another format"),
        ({MANIFEST: b'{"format": "sohoa proof bundle 1", "files": {}}'}, "does not belong"),
        (
            {MANIFEST: b'{"format": "sohoa proof bundle 1", "files": {"../x": {}}}'},
            "no name of a part",
        ),
    ],
)
def test_what_is_not_whole_is_refused(
    changes: dict[str, bytes | None], why: str, parts: Parts, tmp_path: Path
) -> None:
    with pytest.raises(BundleBroken, match=why):
        read(rewritten(make_bundle(parts), **changes), tmp_path)


def test_what_is_no_bundle_is_refused(parts: Parts, tmp_path: Path) -> None:
    for content in (b"", b"PK", make_bundle(parts)[:-400]):
        with pytest.raises(BundleBroken):
            read(content, tmp_path)
    with pytest.raises(BundleBroken, match=r"holds no manifest\.json"):
        read_contents(tmp_path)


def test_a_report_of_another_document_makes_no_bundle(parts: Parts) -> None:
    with pytest.raises(StateConflict, match="not of this document"):
        make_bundle(Parts(b"%PDF-", parts.report, parts.snapshot))


def test_believing_the_bundle_or_oneself(parts: Parts, trust: TrustStore, tmp_path: Path) -> None:
    whole = Parts(parts.document, parts.report, Snapshot(trust))
    contents = read(make_bundle(whole), tmp_path)
    assert judge(contents).indication == "TOTAL-PASSED"
    assert judge(contents, trust).indication == "TOTAL-PASSED"
    stranger = judge(contents, TrustStore())
    assert (stranger.indication, stranger.own_roots) == ("INDETERMINATE", True)


def test_the_single_file_holds_the_sources_as_they_are() -> None:
    text = single_file().decode()
    ast.parse(text)
    held = modules()
    assert "signer/verification/verify.py" in held
    assert "signer/trust/rules.toml" in held
    for name, source in held.items():
        begin = text.index(f"#@ {name}\n") + len(f"#@ {name}\n")
        end = text.find("\n#@ ", begin)
        lines = text[begin : end + 1 if end > 0 else None].splitlines(keepends=True)
        assert "".join(line[3:] if line.startswith("#| ") else "\n" for line in lines) == source


def test_no_module_of_it_needs_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(
        single_file_module._STAND_INS, "signer.verification.file.second_reader"
    )  # which imports pikepdf
    with pytest.raises(NotAlone, match=r"signer\.verification\.file\.second_reader needs pikepdf"):
        modules()


def test_xml_with_a_dtd_is_refused() -> None:
    assert fromstring("<a><b/></a>")[0].tag == "b"
    bomb = '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'
    for text in (bomb, bomb.encode("utf-16"), "<!DOCTYPE a><a/>"):
        with pytest.raises(DefusedXmlException):
            fromstring(text)
    with pytest.raises(SyntaxError):
        fromstring("<a>")
