"""Files that other people's programs made and signed, live: every one is INTACT."""

from __future__ import annotations

import io

import pikepdf
import pytest
from cryptography import x509

from signer.trust import TrustStore
from signer.verification.checks import Integrity
from signer.verification.verify import Verifier
from tests.foreign import pyhanko_sign
from tests.increments import Increment
from tests.odd_cms import signer_of
from tests.office_signing import LEADER_BOX, SEAL_BOX, Stroke, sign_visibly
from tests.other_tools import (
    VECTORS,
    mutool_sign,
    pdfsig_sign,
    signature_fields,
    with_empty_field,
)
from tests.workshop import BASES


@pytest.mark.parametrize("base", BASES)
def test_two_visible_signatures_on_every_producers_file(workshop, base):
    data = workshop.bases[base]
    for stroke in (
        Stroke("S1", signer_of(workshop.key), LEADER_BOX, picture="signature"),
        Stroke("S2", signer_of(workshop.key), SEAL_BOX, picture="seal"),
    ):
        data = sign_visibly(data, stroke, xref_stream=base.endswith("streams"))
    report = workshop.require_intact(data, 2)
    assert [c.kind for c in report.signatures[0].changes] == ["signature"]


def test_pdfbox_with_bouncycastle(workshop):
    """Invisible in DER, then visible and streamed in BER with PSS, on every producer's file."""
    ways = (("SHA256withRSA", "der", "invisible"), ("SHA256withRSAandMGF1", "ber", "visible"))
    for data in workshop.pdfbox_sign(list(workshop.bases.values()), *ways):
        report = workshop.require_intact(data, 2)
        assert [s.algorithm for s in report.signatures] == ["rsa-pkcs1-sha256", "rsa-pss-sha256"]


@pytest.mark.parametrize("base", ["pikepdf", "linearised-streams", "ghostscript-1.4"])
def test_poppler_with_nss(workshop, base):
    """Fields of poppler's own, which bring fonts and leave appearances over."""
    data = pdfsig_sign(workshop.bases[base], workshop.store)
    report = workshop.require_intact(pdfsig_sign(data, workshop.store, "-reason", "Kiem tra"), 2)
    assert report.signatures[1].reason == "Kiem tra"


def test_poppler_in_an_existing_field(workshop):
    base = with_empty_field(workshop.bases["pikepdf"], "Chu ky", LEADER_BOX)
    workshop.require_intact(pdfsig_sign(base, workshop.store, "-etsi", field="Chu ky"), 1)


@pytest.mark.parametrize("base", ["pikepdf", "mupdf-packed", "hybrid"])
def test_mupdf(workshop, base):
    """Two fields made before the first signature, each filled in a save of its own."""
    data = with_empty_field(workshop.bases[base], "Lanh dao", (330, 100, 480, 170))
    data = with_empty_field(data, "Con dau", (60, 80, 170, 190))
    for field in signature_fields(data):
        data = mutool_sign(data, workshop.store, field)
    report = workshop.require_intact(data, 2)
    assert [s.part for s in report.signatures] == ["leader", "seal"]
    assert {s.algorithm for s in report.signatures} == {"rsa-pkcs1-sha1"}  # MuPDF 1.21 still does


def test_one_program_after_the_other(workshop, test_pki):
    """MuPDF, pyHanko, poppler, PDFBox and an office's tool on one document."""
    data = with_empty_field(workshop.bases["ghostscript-1.4"], "S1", LEADER_BOX)
    data = mutool_sign(data, workshop.store, signature_fields(data)[0])
    data = pyhanko_sign(data, test_pki.leader, "S2", box=(40, 700, 140, 740))
    data = pdfsig_sign(data, workshop.store)
    [data] = workshop.pdfbox_sign([data], ("SHA512withRSA", "der", "visible"))
    data = sign_visibly(data, Stroke("S5", signer_of(workshop.key), SEAL_BOX, picture="seal"))
    workshop.require_intact(data, 5)


def test_resources_replaced_under_the_cover_of_a_signature(workshop):
    """Fonts may be added to the form; none that was there may become another."""
    base = pdfsig_sign(workshop.bases["pikepdf"], workshop.store)
    data = pdfsig_sign(base, workshop.store)
    workshop.require_intact(data, 2)
    save = Increment(base)
    form = save.indirect(save.root, "/AcroForm")
    font = save.add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>")

    def swap(body: bytes) -> bytes:
        with pikepdf.open(io.BytesIO(base)) as opened:
            old = opened.Root.AcroForm.DR.Font.popplerfont.objgen[0]
        return body.replace(b"/popplerfont %d 0 R" % old, b"/popplerfont %d 0 R" % font)

    save.edit(form, swap)
    stroke = Stroke("S3", signer_of(workshop.key), SEAL_BOX, picture="seal")
    report = workshop.verifier.verify(sign_visibly(save.close(), stroke))
    assert report.signatures[0].integrity is Integrity.CHANGED


@pytest.mark.parametrize("vector", ["libreoffice-signed", "libreoffice-signed-pdfa"])
def test_libreoffice(workshop, vector):
    """Signed as it was exported; then by others too. Made by `tests/vectors/libreoffice.py`."""
    data = (VECTORS / f"{vector}.pdf").read_bytes()
    root = x509.load_der_x509_certificate((VECTORS / "libreoffice-root.der").read_bytes())
    verifier = Verifier(TrustStore.of([root, workshop.authority.anchor]))
    alone = verifier.verify(data)
    assert alone.integrity is Integrity.INTACT
    assert alone.signatures[0].signer == "Nguoi Ky Thu"
    assert alone.signatures[0].covers_whole_file
    assert alone.signatures[0].trust_domain is not None
    [data] = workshop.pdfbox_sign([data], ("SHA256withRSA", "der", "visible"))
    data = sign_visibly(data, Stroke("S3", signer_of(workshop.key), SEAL_BOX, picture="seal"))
    report = verifier.verify(data)
    found = [(c.check, c.detail) for c in report.all_checks() if c.integrity is not None]
    assert report.integrity is Integrity.INTACT, found
    assert len(report.signatures) == 3
