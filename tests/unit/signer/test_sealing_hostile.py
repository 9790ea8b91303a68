"""Hostile documents: whatever the bytes are, sealing seals or refuses with a typed error."""

from __future__ import annotations

import io
import random
import re

import pikepdf
import pytest

from signer.errors import SignerError, UnsuitableDocument
from signer.sealing import document
from signer.sealing.release import memory_file
from signer.sealing.seal import SealRequest
from signer.sealing.securitystore import SecurityStore
from signer.sealing.session import sealing_run
from signer.services import RevocationEvidence
from tests.fakes import SoftwareKey
from tests.sealed import OBJECT_STREAMS, Box, blank, edited, sealer, signatures

KEY = SoftwareKey()
TOKEN = re.compile(rb"\d+ \d+ R|/[A-Z]\w+|\b\d+\b")


class Everywhere:
    """A plan that asks the document for all that a plan may ask."""

    def resolve(self, document):
        assert len(list(document.pages)) == len(document.pages)
        dict(document.signature_rects)
        return Box((0.0, 0.0, 9.0, 9.0))


def with_store(pdf: pikepdf.Pdf) -> None:
    pdf.Root.DSS = pikepdf.Dictionary(
        OCSPs=[pdf.make_stream(b"ocsp" * 30)], VRI=pdf.make_indirect(pikepdf.Dictionary())
    )


@pytest.fixture(scope="module")
def seeds() -> list[bytes]:
    signed = sealer().seal_bytes(blank(3), SealRequest(KEY, stamp=Box((0, 0, 9, 9), 2)))[0]
    return [signed, edited(signed, with_store), blank(2, object_stream_mode=OBJECT_STREAMS)]


def mutate(pdf: bytes, chance: random.Random) -> bytes:
    """Flip bytes, exchange numbers, names and references, copy pieces about."""
    data = bytearray(pdf)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                spots = [match.span() for match in TOKEN.finditer(bytes(data))]
                (start, end), (first, last) = chance.choice(spots), chance.choice(spots)
                data[start:end] = bytes(data[first:last]).ljust(end - start)[: end - start]
            case _:
                source = chance.randrange(len(data))
                data[at : at + 5] = data[source : source + 5]
    return bytes(data)


@pytest.mark.parametrize("seed", range(6))
def test_mutated_documents_are_sealed_or_refused(seeds, seed):
    chance = random.Random(seed)
    outcomes = {True: 0, False: 0}
    for _ in range(60):
        pdf = mutate(chance.choice(seeds), chance)
        try:
            after, _ = sealer().seal_bytes(pdf, SealRequest(KEY, stamp=Everywhere()))
            assert after.startswith(pdf)
            with memory_file() as fd, sealing_run(pdf, fd, []) as run:
                store = SecurityStore(run.source, run.revisions)
                store.add(b"x", RevocationEvidence((b"a",), (b"b",), (b"ocsp" * 30,)))
                run.revisions.commit()
            outcomes[True] += 1
        except SignerError:
            outcomes[False] += 1
    assert all(outcomes.values()), outcomes


def test_an_object_in_anothers_place_is_refused():
    """Read while its neighbour is walked, it once crashed the process inside qpdf."""
    original = blank()
    number = max(int(n) for n in re.findall(rb"(\d+) 0 obj", original))
    swapped = original.replace(b"%d 0 obj" % number, b"%d 0 obj" % (number - 1))
    with pytest.raises(UnsuitableDocument, match="cross-reference table that errs"):
        sealer().seal_bytes(swapped, SealRequest(KEY))


def test_documents_with_too_many_objects_are_refused(monkeypatch):
    monkeypatch.setattr(document, "_MAX_OBJECTS", 3)
    with pytest.raises(UnsuitableDocument, match="more than 3 objects"):
        sealer().seal_bytes(blank(), SealRequest(KEY))


def test_objects_that_cannot_be_read_are_refused(monkeypatch):
    def fail(self, number, generation):
        raise pikepdf.PdfError("object is out of reach")

    monkeypatch.setattr(pikepdf.Pdf, "get_object", fail)
    with pytest.raises(UnsuitableDocument, match="out of reach"):
        sealer().seal_bytes(blank(), SealRequest(KEY))


def test_a_document_that_counts_no_pages_is_refused():
    none = re.sub(rb"/Count 1", b"/Count 0", blank())
    with pytest.raises(UnsuitableDocument, match="no pages"):
        sealer().seal_bytes(none, SealRequest(KEY))


def test_names_that_are_not_utf8_stay_as_they_are():
    latin = blank().replace(b"/Resources << >>", b"/Res#E9 << >>   ")
    assert latin != blank()
    after, _ = sealer().seal_bytes(latin, SealRequest(KEY))
    assert b"/Res#E9" in after[len(latin) :]


def test_a_field_type_that_is_not_utf8_is_another_type():
    def add(pdf: pikepdf.Pdf) -> None:
        field = pikepdf.Dictionary(T=pikepdf.String("A"), FT=pikepdf.Name.Sig)
        pdf.Root.AcroForm = pikepdf.Dictionary(Fields=[pdf.make_indirect(field)])

    strange = edited(blank(), add).replace(b"/FT /Sig", b"/FT /S\xe9g")
    after, result = sealer().seal_bytes(strange, SealRequest(KEY))
    assert result.field_name == "Signature1"
    assert len(signatures(after)) == 1


def test_evidence_that_cannot_be_read_is_stored_again():
    def broken(pdf: pikepdf.Pdf) -> None:
        stream = pdf.make_stream(b"never deflated")
        stream.Filter = pikepdf.Name.FlateDecode
        pdf.Root.DSS = pikepdf.Dictionary(OCSPs=[stream])

    with pikepdf.open(io.BytesIO(blank())) as pdf:
        broken(pdf)
        out = io.BytesIO()
        pdf.save(out, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    with memory_file() as fd, sealing_run(out.getvalue(), fd, []) as run:
        store = SecurityStore(run.source, run.revisions)
        store.add(b"x", RevocationEvidence((), (), (b"never deflated",)))
        run.revisions.commit()
        with pikepdf.open(f"/proc/self/fd/{fd}") as reread:
            assert len(reread.Root.DSS.OCSPs) == 2
