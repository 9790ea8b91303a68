"""Signed files of every level, and what an attacker does to them.

def test_x(signed, verifier):
    signed["B-LTA"]                      # bytes: officer, leader, seal; B-LTA
    verifier.verify(signed["B-B"])       # trusts the test PKI's root
    append(data, {4: b"<< … >>"})        # an incremental save
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Mapping
from pathlib import Path

import pikepdf
import pytest

from hsm.keys import SignatureScheme, SigningKey
from signer.sealing.levels import Level
from signer.sealing.seal import Sealer, SealRequest
from signer.services import RevocationEvidence
from signer.trust import TrustDomain, TrustStore
from signer.verification.verify import Verifier
from tests.fixtures_pki import RunningPKI


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def plain_pdf(*, object_streams: bool = False, amount: str = "1.000.000") -> bytes:
    """Two pages, a text field, XMP and an information dictionary."""
    pdf = pikepdf.new()
    font = pdf.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
    )
    for number in (1, 2):
        page = pdf.add_blank_page(page_size=(595, 842))
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        text = f"BT /F1 14 Tf 72 700 Td (Quyet dinh trang {number}: so tien {amount}) Tj ET"
        page.Contents = pdf.make_stream(text.encode())
    field = pdf.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.Annot,
            Subtype=pikepdf.Name.Widget,
            FT=pikepdf.Name.Tx,
            T=pikepdf.String("amount"),
            V=pikepdf.String("1000000"),
            Rect=[72, 600, 200, 620],
            P=pdf.pages[0].obj,
        )
    )
    pdf.pages[0].obj.Annots = pdf.make_indirect(pikepdf.Array([field]))
    pdf.Root.AcroForm = pdf.make_indirect(pikepdf.Dictionary(Fields=[field]))
    with pdf.open_metadata(set_pikepdf_as_editor=False) as meta:
        meta["dc:title"] = "Quyết định mẫu"
        meta["xmp:ModifyDate"] = "2026-01-02T03:04:05+07:00"
    pdf.docinfo["/Title"] = "Quyết định mẫu"
    out = io.BytesIO()
    mode = pikepdf.ObjectStreamMode
    pdf.save(
        out,
        deterministic_id=True,
        object_stream_mode=mode.generate if object_streams else mode.disable,
    )
    return out.getvalue()


def sealer_of(pki: RunningPKI) -> Sealer:
    """A sealer that signs whatever it is told to."""
    return Sealer(pki.timestamper, pki.revocation, precheck=lambda key, at: None)


def seal(
    pki: RunningPKI,
    pdf: bytes,
    key: SigningKey,
    level: Level = Level.B_B,
    *,
    certify: bool = False,
    claimed_at: dt.datetime | None = None,
    room: int | None = None,
) -> bytes:
    """`pdf` with one more signature."""
    request = SealRequest(key, level, claimed_at=claimed_at, certify=certify, bytes_reserved=room)
    return sealer_of(pki).seal_bytes(pdf, request)[0]


def seal_three(pki: RunningPKI, pdf: bytes, folder: Path, last: Level = Level.B_LTA) -> bytes:
    """Officer B-B, leader B-T, agency seal at `last`, all fields made before the first."""
    source, target = folder / "three-in.pdf", folder / f"three-{last.value}.pdf"
    source.write_bytes(pdf)
    sealer_of(pki).seal_many(
        source,
        target,
        [
            SealRequest(pki.officer, Level.B_B, "officer", reason="Số hoá"),
            SealRequest(pki.leader, Level.B_T, "leader"),
            SealRequest(pki.seal, last, "seal"),
        ],
    )
    return target.read_bytes()


@pytest.fixture(scope="session")
def signed(test_pki: RunningPKI, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files by what they are; "roomy" has space in /Contents, "B-LTA" three signatures."""
    folder = tmp_path_factory.mktemp("signed")
    pdf = plain_pdf()
    pss = test_pki.issue(scheme=SignatureScheme.RSA_PSS_SHA256)
    return {
        "B-B": seal(test_pki, pdf, test_pki.seal),
        "roomy": seal(test_pki, pdf, test_pki.seal, room=9000),
        "rsa": seal(test_pki, pdf, test_pki.leader),
        "pss": seal(test_pki, pdf, pss, Level.B_T),
        "B-T": seal(test_pki, pdf, test_pki.seal, Level.B_T),
        "B-LT": seal(test_pki, pdf, test_pki.seal, Level.B_LT),
        "B-LTA": seal_three(test_pki, pdf, folder),
        "certified": seal(test_pki, pdf, test_pki.seal, Level.B_LTA, certify=True),
        "streams": seal(test_pki, plain_pdf(object_streams=True), test_pki.seal, Level.B_LTA),
    }


@pytest.fixture(scope="session")
def trust(test_pki: RunningPKI) -> TrustStore:
    """The test root, in the domain that says so."""
    return TrustStore.of(test_pki.anchors, TrustDomain.TEST)


@pytest.fixture(scope="session")
def verifier(trust: TrustStore) -> Verifier:
    """Trusts the test root and nobody else."""
    return Verifier(trust)


@pytest.fixture(scope="session")
def informed_verifier(trust: TrustStore, test_pki: RunningPKI) -> Verifier:
    """Has revocation evidence of its own for all keys of the test PKI, as an agency's cache."""
    client = test_pki.new_revocation_client()
    evidence = RevocationEvidence((), (), ())
    for key in (test_pki.officer, test_pki.leader, test_pki.seal, test_pki.tsa):
        evidence = evidence.merged(client.collect((key.certificate, *key.chain), now()))
    return Verifier(trust, evidence=evidence)


def append(
    data: bytes,
    objects: Mapping[int, bytes],
    *,
    trailer: bytes = b"",
    root: int | None = None,
    size: int | None = None,
    junk: bytes = b"",
) -> bytes:
    """An incremental save with a classic cross-reference table, as any editor writes it."""
    out = bytearray(data if data.endswith(b"\n") else data + b"\n")
    out += junk
    places = {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    previous = int(re.findall(rb"startxref\s+(\d+)", data)[-1])
    with pikepdf.open(io.BytesIO(data)) as pdf:
        catalogue = root or pdf.Root.objgen[0]
        identifier = b"".join(b"<%s>" % bytes(part).hex().encode() for part in pdf.trailer["/ID"])
        info = pdf.trailer["/Info"].objgen[0] if "/Info" in pdf.trailer else None
        total = size or max(int(pdf.trailer["/Size"]), *(n + 1 for n in objects))
    out += b"xref\n"
    for number, place in sorted(places.items()):
        out += b"%d 1\n%010d 00000 n \n" % (number, place)
    out += b"trailer\n<< /Size %d /Root %d 0 R /Prev %d /ID [%s]" % (
        total, catalogue, previous, identifier,
    )  # fmt: skip
    if info:
        out += b" /Info %d 0 R" % info
    out += b" %s >>\nstartxref\n%d\n%%%%EOF\n" % (trailer, start)
    return bytes(out)


def flip(data: bytes, position: int, bit: int) -> bytes:
    """`data` with one bit changed."""
    changed = bytearray(data)
    changed[position] ^= 1 << bit
    return bytes(changed)


def objects_of(data: bytes) -> dict[str, int]:
    """Object numbers that attacks aim at: root, page, contents, annots, form, field, info, …"""
    with pikepdf.open(io.BytesIO(data)) as pdf:
        page = pdf.pages[0].obj
        return {
            "root": pdf.Root.objgen[0],
            "pages": pdf.Root.Pages.objgen[0],
            "page": page.objgen[0],
            "contents": page.Contents.objgen[0],
            "annots": page.Annots.objgen[0],
            "form": pdf.Root.AcroForm.objgen[0],
            "field": pdf.Root.AcroForm.Fields[0].objgen[0],
            "info": pdf.trailer["/Info"].objgen[0],
            "metadata": pdf.Root.Metadata.objgen[0],
            "next": int(pdf.trailer["/Size"]),
        }


def body_of(data: bytes, number: int) -> bytes:
    """The serialised value of a direct dictionary object."""
    with pikepdf.open(io.BytesIO(data)) as pdf:
        return bytes(pdf.get_object(number, 0).unparse(resolved=True))
