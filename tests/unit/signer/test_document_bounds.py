"""Each bound on what a document may hold, by its name, for who verifies it and who seals it.

Bytes, pages, objects, revisions, signatures, fields, decoded bytes and depth are counted here;
pixels in `test_intake_hostile`, since only scans are decoded; processor time and memory in
`test_verifying` and `test_job_bounds`.
"""

from __future__ import annotations

import subprocess
import sys
import time
import zlib
from collections.abc import Callable

import pytest

from signer.errors import UnsuitableDocument
from signer.sealing.seal import SealRequest
from signer.trust import TrustStore
from signer.verification import verify
from signer.verification.file import structure, xref
from signer.verification.file.pdf_objects import PDFSyntaxError, parse_value
from signer.verification.file.structure import Document
from signer.verification.report import Indication, Integrity
from signer.verification.verify import Verifier
from tests.fakes import SoftwareKey
from tests.fixtures_signed import plain_pdf, seal
from tests.hostile_documents import (
    HOSTILE,
    assemble,
    cyclic_pages,
    deep_arrays,
    deep_form,
    fields_in_a_ring,
    huge_section,
    loop_of_previous,
    many_bombs,
    many_fields,
    nested_names,
    object_stream_bomb,
    one_object_many_times,
    one_page,
    pages_without_end,
    references_to_references,
    revisions,
    signatures,
    stray_ranges,
    stream,
    xref_stream_bomb,
    xref_stream_in_a_ring,
)
from tests.hostile_pages import HOSTILE_PAGES, deep_page_tree, encrypted, pages
from tests.running_service import ROOT
from tests.sealed import Box, blank, sealer

KEY = SoftwareKey()
VERIFIER = Verifier(TrustStore())


def refused(pdf: bytes) -> str:
    """Why the verifier calls it malformed."""
    report = VERIFIER.verify(pdf)
    assert report.indication is Indication.TOTAL_FAILED
    assert report.integrity is Integrity.MALFORMED
    return "; ".join(check.detail for check in report.checks)


def not_sealed(pdf: bytes) -> str:
    """Why it is not sealed. No signature is made for it."""
    key = SoftwareKey()
    made: list[bytes] = []
    key.sign_digests = made.extend  # type: ignore[method-assign] # whoever calls it fails
    with pytest.raises(UnsuitableDocument) as refusal:
        sealer().seal_bytes(pdf, SealRequest(key, stamp=Box((0, 0, 9, 9))))
    assert not made
    assert " / " in str(refusal.value)
    return str(refusal.value)


# --- size ---------------------------------------------------------------------------------


def test_size_of_a_file_is_bounded(monkeypatch):
    monkeypatch.setattr(verify, "MAX_SIZE", 1000)
    assert "too large" in refused(assemble(one_page()).ljust(1001))


# --- pages --------------------------------------------------------------------------------


def test_pages_cost_little_each():
    """Neither verifying nor sealing walks all pages for each of them."""
    few, many = (pages(count) for count in (1_000, 40_000))
    took = []
    for pdf in (few, many):
        began = time.process_time()
        after, _ = sealer().seal_bytes(pdf, SealRequest(KEY, stamp=Box((0, 0, 9, 9))))
        VERIFIER.verify(after)
        took.append(time.process_time() - began)
    assert took[1] < 80 * took[0] + 1


def test_pages_of_a_tree_without_end_are_refused():
    assert "broken page tree" in not_sealed(deep_page_tree())
    for pdf in (deep_page_tree(), cyclic_pages(), pages_without_end()):
        assert "second reader" in refused(pdf)


def test_pages_beyond_the_bound_are_judged_guilty(informed_verifier, test_pki, monkeypatch):
    """What is added to a page that is not looked at is a change that nobody allowed."""
    signed = seal(test_pki, plain_pdf(), test_pki.officer)
    twice = seal(test_pki, signed, test_pki.leader)
    assert informed_verifier.verify(twice).integrity is Integrity.INTACT
    monkeypatch.setattr(structure, "MAX_PAGES", 0)
    assert informed_verifier.verify(twice).integrity is not Integrity.INTACT


# --- objects ------------------------------------------------------------------------------


def test_objects_of_a_table_are_bounded(monkeypatch):
    assert "too large" in refused(huge_section())
    assert not_sealed(huge_section())
    monkeypatch.setattr(xref, "MAX_OBJECTS", 4)
    assert "too large" in refused(assemble(one_page()))


def test_objects_of_a_stream_may_not_overlap():
    """Ninety thousand numbers for one array of a megabyte cost what two of them do."""
    began = time.process_time()
    assert "overlap" in refused(one_object_many_times())
    assert time.process_time() - began < 10


# --- revisions ----------------------------------------------------------------------------


def test_revisions_are_bounded():
    assert VERIFIER.verify(revisions(xref.MAX_REVISIONS - 1)).integrity is Integrity.NONE
    assert "too long" in refused(revisions(xref.MAX_REVISIONS))


@pytest.mark.parametrize("make", [loop_of_previous, xref_stream_in_a_ring])
def test_revisions_that_loop_are_refused(make):
    assert "loops" in refused(make())
    assert "loop" in not_sealed(make())


# --- signatures and fields ----------------------------------------------------------------


def test_signatures_are_bounded(monkeypatch):
    assert "more than 200 signatures" in refused(signatures(201))
    assert "more than 200 signatures" not in refused(signatures(200))


def test_sixty_genuine_signatures_are_each_judged():
    pdf, plain = blank(), sealer()
    for _ in range(60):
        pdf, _result = plain.seal_bytes(pdf, SealRequest(KEY))
    began = time.process_time()
    report = VERIFIER.verify(pdf)
    assert time.process_time() - began < 5
    assert report.integrity is Integrity.INTACT
    assert len(report.signatures) == 60


def test_fields_of_a_form_are_bounded():
    assert "more than 5000 fields" in refused(many_fields())
    assert "more than 20000 fields" in not_sealed(many_fields())


@pytest.mark.parametrize("make", [fields_in_a_ring, nested_names])
def test_fields_that_loop_are_refused(make):
    assert "loop" in refused(make())


def test_byte_ranges_outside_the_form_cost_no_second_look():
    """Each of a hundred thousand in one stream once had the whole stream read again."""
    began = time.process_time()
    assert VERIFIER.verify(stray_ranges()).integrity is Integrity.NONE
    assert time.process_time() - began < 2


def test_a_byte_range_in_an_object_that_hides_in_a_stream_is_found():
    """Behind another one that is mere data."""
    hidden = b"/ByteRange [0 1 2 3] 6 0 obj << /ByteRange [0 1 2 3] >> endobj "
    objects = {**one_page(), 5: stream(b"", hidden), 6: b"null"}
    pdf = assemble(objects)
    inside, listed = pdf.index(b"6 0 obj <<"), pdf.rindex(b"6 0 obj\nnull")
    forged = pdf.replace(b"%010d" % listed, b"%010d" % inside)
    assert [*Document(pdf).stray_byte_ranges([])] == []
    assert [*Document(forged).stray_byte_ranges([])] == [forged.rindex(b"/ByteRange")]


# --- decoded bytes ------------------------------------------------------------------------


def test_decoded_bytes_of_a_cross_reference_are_bounded():
    assert "too large" in refused(xref_stream_bomb())
    assert not_sealed(xref_stream_bomb())


def test_decoded_bytes_of_one_object_stream_are_bounded(monkeypatch):
    document = Document(object_stream_bomb(128 << 20))
    with pytest.raises(PDFSyntaxError, match="too large"):
        document.current.get(3)


def test_decoded_bytes_of_all_object_streams_are_bounded():
    assert f"more than {structure.MAX_UNPACKED} bytes" in refused(many_bombs(9))


def test_decoded_bytes_behind_several_filters_are_never_made():
    """A structural stream has one filter: a thousandfold of a thousandfold is not begun."""
    twice = zlib.compress(zlib.compress(bytes(1 << 26), 9))
    entries = b"/Type /ObjStm /N 1 /First 4 /Filter [/FlateDecode /FlateDecode]"
    pdf = assemble({**one_page(), 5: stream(entries, twice)})
    with pytest.raises(PDFSyntaxError, match="more than one filter"):
        xref.decode_stream(Document(pdf).current.get(5))  # type: ignore[arg-type] # a stream


# --- depth --------------------------------------------------------------------------------


def test_depth_of_values_is_bounded():
    for opening in (b"[", b"<< /A "):
        with pytest.raises(PDFSyntaxError, match="nested deeper than 64"):
            parse_value(opening * 66, 0)
    assert "nested deeper than 64" in refused(deep_form())


def test_depth_of_references_is_bounded():
    assert "does not end" in refused(references_to_references())


@pytest.mark.parametrize("make", [deep_arrays, deep_form, references_to_references])
def test_depth_is_no_danger_to_sealing(make):
    after, _ = sealer().seal_bytes(make(), SealRequest(KEY, stamp=Box((0, 0, 9, 9))))
    assert after.startswith(make())


# --- encryption, and everything -----------------------------------------------------------


def test_encrypted_documents_are_neither_judged_nor_sealed():
    report = VERIFIER.verify(encrypted())
    assert report.indication is Indication.INDETERMINATE
    assert report.checks[0].check == "file.encrypted"
    assert "is encrypted" in not_sealed(encrypted())


OTHERS = {
    name: make
    for name, make in {**HOSTILE, **HOSTILE_PAGES}.items()
    if make not in (many_bombs, object_stream_bomb, xref_stream_bomb)
    # whole seconds of honest work, which `test_verifying` has stopped; and what is slow to make
    and name not in ("hardest rows", "filters in a row", "a hundred thousand pages")
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_no_other_hostile_document_is_valid_or_dear(make: Callable[[], bytes]) -> None:
    pdf = make()
    began = time.process_time()
    report = VERIFIER.verify(pdf)
    assert time.process_time() - began < 10
    assert report.indication is not Indication.TOTAL_PASSED
    assert not any(check.check == "file.escape" for check in report.checks)


def test_objects_that_memory_could_not_hold_are_not_taken_for_null() -> None:
    """qpdf goes on without the objects of a stream that it cannot unpack: nothing is sealed."""
    script = """
import resource
from pathlib import Path
from tests.fakes import SoftwareKey
from tests.hostile_pages import hardest_rows
from signer.sealing.levels import Level
from signer.sealing.seal import SealRequest, Sealer

pdf, request = hardest_rows(1), SealRequest(key=SoftwareKey(), level=Level.B_B)
sealer = Sealer(None, None, precheck=lambda key, at: None)
held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (held + (60 << 20), resource.RLIM_INFINITY))
try:
    sealer.seal_bytes(pdf, request)
except MemoryError as error:
    print("refused:", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.startswith("refused: too little memory"), (done.stdout, done.stderr)
