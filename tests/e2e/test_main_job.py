"""The main job on the bundled dossier, through the command line, judged by independent programs.

Scans go in, a signed, searchable PDF/A record comes out: officer's mark (P7), leader (P1), agency
seal (P2), B-LTA.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from cryptography import x509

from bench.scoring import normalise
from ocr.conformance import check_conformance
from signer.sealing.signeddata import parse_signed_data
from signer.trust import TrustStore
from signer.verification.report import Indication, Integrity
from signer.verification.verify import Verifier
from tests.fixtures_installation import Sohoa, run_sohoa
from tests.sealed import der_value, openssl_cms, openssl_ts, pdfsig_verdicts, run, signatures

DOSSIER = Path(__file__).parents[2] / "samples" / "dossier"

pytestmark = [pytest.mark.hsm, pytest.mark.tesseract]


@dataclass(frozen=True)
class Job:
    """A finished run of `sohoa digitize`."""

    record: Path
    text: str
    fields: dict[str, Any]
    told: dict[str, Any]
    anchors: tuple[x509.Certificate, ...]
    anchor_file: Path


@pytest.fixture(scope="module")
def job(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The decision, digitized and sealed three times."""
    out = tmp_path_factory.mktemp("job")
    done = run_sohoa(
        "digitize", DOSSIER / "quyet-dinh", "-o", out / "qd.pdf", "--sidecar", out / "qd.txt",
        "--fields", out / "qd.json", "--seal", "P7", "--seal", "P1", "--seal", "P2",
        "--data", installed, "--json",
    )  # fmt: skip
    assert done.code == 0, done.told
    anchor = installed / "pki" / "root.pem"
    return Job(
        out / "qd.pdf",
        (out / "qd.txt").read_text("utf-8"),
        json.loads((out / "qd.json").read_text("utf-8")),
        done.json,
        (x509.load_pem_x509_certificate(anchor.read_bytes()),),
        anchor,
    )


def test_what_the_command_told(job: Job) -> None:
    assert job.told["verification"]["indication"] == "TOTAL-PASSED"
    assert [s["field"] for s in job.told["seals"]] == ["officer-P7", "leader-P1", "seal-P2"]
    assert [page["fault"] for page in job.told["pages"]] == [None, None]
    # yellowed, shadowed and a little askew: no reason to scan them again
    looked_at = [(q["profile"], q["findings"]) for q in (p["quality"] for p in job.told["pages"])]
    assert looked_at == [("one-stop", []), ("one-stop", [])]
    assert job.told["sha256"] == hashlib.sha256(job.record.read_bytes()).hexdigest()


def test_every_signature_is_valid_to_poppler_and_openssl(job: Job, tmp_path: Path) -> None:
    assert pdfsig_verdicts(job.record) == ["Signature is Valid."] * 3
    *seals, archive = signatures(job.record.read_bytes())
    assert len(seals) == 3
    for one in seals:
        assert one.sub_filter == "ETSI.CAdES.detached"
        assert openssl_cms(tmp_path, one, job.anchors) == ""
        signed = parse_signed_data(one.contents)
        assert signed.timestamp_token is not None
        assert openssl_ts(tmp_path, signed.timestamp_token, signed.signature, job.anchors) == ""
    assert archive.sub_filter == "ETSI.RFC3161"
    assert openssl_ts(tmp_path, der_value(archive.contents), archive.covered, job.anchors) == ""


def test_the_signed_record_is_what_it_claims_to_be(job: Job, tmp_path: Path) -> None:
    assert run("qpdf", "--check", job.record).returncode == 0
    assert check_conformance(job.record).findings == ()


def test_the_text_comes_back_from_three_readers(job: Job) -> None:
    expected = normalise(job.text).split()
    poppler = run("pdftotext", "-layout", job.record, "-").stdout
    mupdf = run("mutool", "draw", "-q", "-F", "txt", job.record).stdout
    with pypdfium2.PdfDocument(job.record) as pdf:
        pdfium = "\n".join(page.get_textpage().get_text_range() for page in pdf)
    for reader, text in (("poppler", poppler), ("mupdf", mupdf), ("pdfium", pdfium)):
        words = normalise(text).split()
        assert sorted(set(expected) - set(words)) == [], reader


def test_fields_are_proposals_with_their_places(job: Job) -> None:
    truth = json.loads((DOSSIER / "truth/quyet-dinh-p1.json").read_text("utf-8"))["fields"]
    found = {field["name"]: field for field in job.fields["fields"]}
    assert job.fields["state"] == "DRAFT"
    for name in ("doc_number", "doc_symbol", "issued_date"):
        assert found[name]["value"] == truth[name]
        assert found[name]["confidence"] > 50
        assert len(found[name]["box"]) == 4


def test_the_manifest_is_under_the_signature(job: Job) -> None:
    with pikepdf.open(job.record) as pdf:
        manifest = json.loads(pdf.attachments["provenance.json"].get_file().read_bytes())
    assert [page["number"] for page in manifest["pages"]] == [1, 2]
    source = DOSSIER / "quyet-dinh/quyet-dinh.tif"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert {page["source_sha256"] for page in manifest["pages"]} == {digest}
    assert job.told["pages_root"] in json.dumps(manifest)


def test_doubtful_words_are_named_with_their_places(job: Job) -> None:
    for page in job.told["pages"]:
        doubts = page["doubtful"]
        assert doubts["count"] == len(doubts["words"]) < 0.15 * page["words"]
        for word in doubts["words"]:
            left, top, right, bottom = word["box"]
            assert 0 <= left < right
            assert 0 <= top < bottom
            assert 0 <= word["certainty"] <= 100
            assert word["alternative"] != word["text"]
    assert any(page["doubtful"]["count"] for page in job.told["pages"])


def test_verify_speaks_json_and_exit_codes(job: Job, sohoa: Sohoa, tmp_path: Path) -> None:
    done = sohoa("verify", job.record, "--json")
    assert done.code == 0, done.told
    assert done.json["indication"] == "TOTAL-PASSED"
    assert done.json["integrity"] == "INTACT"
    assert [s["level"] for s in done.json["signatures"]] == ["B-LTA"] * 3
    assert len(done.json["document_timestamps"]) == 1
    # pinned by hand, without any installation
    alone = run_sohoa("verify", job.record, "--trust", job.anchor_file)
    assert alone.code == 0, alone.told
    # nobody is trusted: intact, but by whom is not known
    stranger = run_sohoa("verify", job.record, "--json", SOHOA_DATA=str(tmp_path / "none"))
    assert stranger.code == 2
    assert stranger.json["integrity"] == "INTACT"
    # spoilt
    spoilt = tmp_path / "spoilt.pdf"
    data = bytearray(job.record.read_bytes())
    data[len(data) // 3] ^= 4
    spoilt.write_bytes(data)
    assert sohoa("verify", spoilt).code == 1
    # a scan is no signed document
    assert sohoa("verify", DOSSIER / "thanh-phan/03-to-trinh.pdf").code == 2
    assert sohoa("verify", tmp_path / "absent.pdf").code == 4


def test_one_flipped_bit_is_found(job: Job) -> None:
    """A sample of all positions; the dense sweep is signer's own property test."""
    verifier = Verifier(TrustStore.of(job.anchors))
    original = job.record.read_bytes()
    last_token = original.rindex(b"/Contents <")
    rng = random.Random(20261123)
    for _ in range(40):
        data = bytearray(original)
        position, bit = rng.randrange(len(data)), rng.randrange(8)
        data[position] ^= 1 << bit
        report = verifier.verify(bytes(data))
        assert report.indication is not Indication.TOTAL_PASSED, (position, bit)
        # only within the last token, which nothing covers, may a flip leave the document INTACT
        # and its proof in doubt
        if not last_token <= position < len(original):
            assert report.integrity is not Integrity.INTACT, (position, bit)


def test_renewing_keeps_it_valid_and_conformant(job: Job, sohoa: Sohoa, tmp_path: Path) -> None:
    renewed = tmp_path / "renewed.pdf"
    done = sohoa("renew", job.record, "-o", renewed, "--json")
    assert done.code == 0, done.told
    assert done.json["verification"]["indication"] == "TOTAL-PASSED"
    assert len(done.json["verification"]["document_timestamps"]) == 2
    assert check_conformance(renewed).findings == ()
    assert renewed.read_bytes().startswith(job.record.read_bytes())


def test_original_jpegs_are_given_back_bit_for_bit(sohoa: Sohoa, tmp_path: Path) -> None:
    scans = sorted((DOSSIER / "thanh-phan").glob("*.jpg"))
    record = tmp_path / "papers.pdf"
    done = sohoa("digitize", *scans, "-o", record, "--seal", "P7", "--level", "B-B", "--json")
    assert done.code == 0, done.told
    subprocess.run(["pdfimages", "-all", record, tmp_path / "image"], check=True)
    given_back = [hashlib.sha256(p.read_bytes()).digest() for p in tmp_path.glob("image-*.jpg")]
    assert sorted(given_back) == sorted(hashlib.sha256(s.read_bytes()).digest() for s in scans)
    assert done.json["verification"]["sub_indication"] == "TRY_LATER"  # B-B holds no evidence


def test_signing_a_document_of_somebody_else(sohoa: Sohoa, tmp_path: Path) -> None:
    signed = tmp_path / "signed.pdf"
    letter = DOSSIER / "thanh-phan/03-to-trinh.pdf"
    done = sohoa(
        "sign", letter, "-o", signed, "--seal", "P1", "--seal", "P2",
        "--reason", "Phê duyệt (mẫu)", "--json",
    )  # fmt: skip
    assert done.code == 0, done.told
    assert done.json["verification"]["indication"] == "TOTAL-PASSED"
    again = sohoa(
        "sign", signed, "-o", signed, "--invisible", "officer", "--level", "B-LTA", "--json"
    )
    assert again.code == 0, again.told
    assert len(again.json["verification"]["signatures"]) == 3
    assert pdfsig_verdicts(signed) == ["Signature is Valid."] * 3
    certified = sohoa(
        "sign", letter, "-o", tmp_path / "c.pdf", "--seal", "P7", "--certify",
        "--level", "B-T", "--json",
    )  # fmt: skip
    assert certified.code == 0, certified.told
    assert certified.json["verification"]["signatures"][0]["certification"] == 2
