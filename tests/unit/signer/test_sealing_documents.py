"""The incremental writer over documents of every build: tables, streams, hybrids, broken ones."""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
from pathlib import Path

import pikepdf
import pytest

from signer.errors import UnsuitableDocument
from signer.sealing.release import memory_file
from signer.sealing.seal import SealRequest
from signer.sealing.session import sealing_run
from tests.fakes import SoftwareKey
from tests.sealed import (
    NO_OBJECT_STREAMS,
    OBJECT_STREAMS,
    blank,
    edited,
    pdfsig_verdicts,
    run,
    saved,
    sealer,
    signatures,
)

KEY = SoftwareKey()


def ghostscript() -> bytes:
    """A page printed by ghostscript."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "gs.pdf"
        done = run(
            "gs",
            "-q",
            "-sDEVICE=pdfwrite",
            "-o",
            out,
            "-c",
            "100 100 moveto 9 9 lineto stroke showpage",
        )
        assert done.returncode == 0
        return out.read_bytes()


def mutool() -> bytes:
    """A page cleaned by MuPDF."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.pdf", Path(folder) / "mu.pdf"
        source.write_bytes(blank(2))
        assert run("mutool", "clean", "-gg", source, out).returncode == 0
        return out.read_bytes()


def hybrid() -> bytes:
    """A table whose trailer points to a cross-reference stream (/XRefStm), made by hand."""
    out = bytearray(b"%PDF-1.5\n")
    offsets = {}
    for number, body in {
        1: b"<< /Type /Catalog /Pages 2 0 R /Hidden 6 0 R >>",
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Resources << >> >>",
        4: b"<< /Type /ObjStm /N 1 /First 4 /Length 17 >>\nstream\n6 0 << /A true >>\nendstream",
    }.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    offsets[5] = len(out)
    rows = b"\x01" + offsets[5].to_bytes(2, "big") + b"\x00" + b"\x02\x00\x04\x00"
    out += b"5 0 obj\n<< /Type /XRef /W [1 2 1] /Index [5 2] /Size 7 /Length %d >>" % len(rows)
    out += b"\nstream\n" + rows + b"\nendstream\nendobj\n"
    start = len(out)
    out += b"xref\n0 5\n0000000000 65535 f \n"
    out += b"".join(b"%010d 00000 n \n" % offsets[n] for n in (1, 2, 3, 4))
    out += b"trailer\n<< /Size 7 /Root 1 0 R /XRefStm %d >>\n" % offsets[5]
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)


def deep_tree(pdf: pikepdf.Pdf) -> None:
    """Two levels of pages nodes of uneven size, boxes inherited."""
    pages = [pdf.make_indirect(page.obj) for page in pdf.pages]
    for page in pages:
        del page["/MediaBox"]
    inner = pdf.make_indirect(
        pikepdf.Dictionary(Type=pikepdf.Name.Pages, Kids=pages[1:], Count=len(pages) - 1)
    )
    root = pdf.Root.Pages
    root.Kids, root.Count = pikepdf.Array([pages[0], inner]), len(pages)
    root.MediaBox = [0, 0, 300, 400]
    for page in pages[1:]:
        page.Parent = inner


def form_with_text_field(direct: bool):
    def edit(pdf: pikepdf.Pdf) -> None:
        field = pdf.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, FT=pikepdf.Name.Tx,
                T=pikepdf.String("họ tên"), Rect=[0, 0, 9, 9], F=4, P=pdf.pages[0].obj,
            )
        )  # fmt: skip
        annots, fields = pikepdf.Array([field]), pikepdf.Array([field])
        form = pikepdf.Dictionary(Fields=fields if direct else pdf.make_indirect(fields))
        pdf.pages[0].Annots = annots if direct else pdf.make_indirect(annots)
        pdf.Root.AcroForm = form if direct else pdf.make_indirect(form)

    return edit


INPUTS = {
    "table": lambda: blank(),
    "stream": lambda: blank(object_stream_mode=OBJECT_STREAMS),
    "linearised": lambda: blank(3, linearize=True),
    "linearised-stream": lambda: blank(3, linearize=True, object_stream_mode=OBJECT_STREAMS),
    "ghostscript": ghostscript,
    "mutool": mutool,
    "hybrid": hybrid,
    "no-newline-at-end": lambda: blank().rstrip(b"\r\n"),
    "zeros-at-end": lambda: blank() + b"\0\0",
    "no-id": lambda: re.sub(rb"/ID *\[.*?\]", lambda m: b" " * len(m[0]), blank()),
    "deep-tree": lambda: edited(blank(4), deep_tree),
    "form-direct": lambda: edited(blank(), form_with_text_field(True)),
    "form-indirect": lambda: edited(blank(), form_with_text_field(False)),
    "form-in-object-stream": lambda: edited(
        blank(), form_with_text_field(False), object_stream_mode=OBJECT_STREAMS
    ),
}


@pytest.mark.parametrize("make", INPUTS.values(), ids=INPUTS.keys())
def test_seals_documents_of_every_build(make, tmp_path):
    original = make()
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(original)
    result = sealer().seal_file(source, target, SealRequest(KEY, reason="Phê duyệt"))
    after = target.read_bytes()
    assert after.startswith(original)
    (one,) = signatures(after)
    assert hashlib.sha256(one.covered).digest() == result.digest
    assert pdfsig_verdicts(target) == ["Signature is Valid."]
    assert "total document signed" in run("pdfsig", target).stdout.lower()
    assert run("qpdf", "--check", target).returncode in {0, 3}  # 3: remarks on the page content
    assert not run("mutool", "info", target).stderr
    with pikepdf.open(target, attempt_recovery=False) as reread:
        before = pikepdf.open(io.BytesIO(original))
        assert len(reread.pages) == len(before.pages)
        assert reread.trailer.get("/ID") == before.trailer.get("/ID")
        assert reread.Root.AcroForm.SigFlags == 3
        field = reread.Root.AcroForm.Fields[-1]
        assert field.F == 132
        assert field.V.SubFilter == "/ETSI.CAdES.detached"
        assert str(field.V.Reason) == "Phê duyệt"
        assert any(a.objgen == field.objgen for a in reread.pages[0].Annots)
        assert not reread.get_warnings()
        before.close()


@pytest.mark.parametrize("mode", [OBJECT_STREAMS, NO_OBJECT_STREAMS])
def test_a_revision_uses_the_kind_of_section_the_file_uses(mode):
    after, _ = sealer().seal_bytes(blank(object_stream_mode=mode), SealRequest(KEY))
    start = int(re.findall(rb"startxref\n(\d+)", after)[-1])
    assert after[start:].startswith(b"xref") is (mode is NO_OBJECT_STREAMS)


def test_the_hybrid_input_is_one_and_keeps_its_hidden_object(tmp_path):
    after, _ = sealer().seal_bytes(hybrid(), SealRequest(KEY))
    with pikepdf.open(io.BytesIO(after), attempt_recovery=False) as reread:
        assert reread.Root.Hidden.A is True
        assert reread.Root.AcroForm.Fields[0].objgen[0] >= 7


def test_pages_of_an_uneven_tree_are_found_with_what_they_inherit():
    with memory_file() as fd, sealing_run(edited(blank(4), deep_tree), fd, []) as run:
        assert [page.box for page in run.fields.pages] == [(0.0, 0.0, 300.0, 400.0)] * 4
        wide = run.fields.pages[2]
    assert wide.rotate == 0


def test_metadata_and_information_dictionary_stay_as_they_are():
    def describe(pdf: pikepdf.Pdf) -> None:
        pdf.docinfo["/Title"] = "Quyết định"
        pdf.Root.Metadata = pdf.make_stream(b"<xmp/>")

    original = edited(blank(), describe)
    after, _ = sealer().seal_bytes(original, SealRequest(KEY))
    with pikepdf.open(io.BytesIO(original)) as before, pikepdf.open(io.BytesIO(after)) as reread:
        assert reread.Root.Metadata.objgen == before.Root.Metadata.objgen
        assert reread.trailer.Info.objgen == before.trailer.Info.objgen
        metadata = b"%d %d obj" % before.Root.Metadata.objgen
    assert metadata not in after[len(original) :]


def test_an_object_number_in_use_is_never_given_again_though_size_is_too_small():
    original = blank()
    size = int(re.search(rb"/Size (\d+)", original)[1])
    lying = original.replace(b"/Size %d" % size, b"/Size %d" % (size - 2))
    with pytest.raises(UnsuitableDocument) if _unreadable(lying) else _nothing():
        after, _ = sealer().seal_bytes(lying, SealRequest(KEY))
        fresh = [int(n) for n in re.findall(rb"(\d+) 0 obj", after[len(lying) :])]
        assert max(fresh) >= size
        with pikepdf.open(io.BytesIO(after)) as reread:
            assert reread.pages[0].Contents.read_bytes() == b"0 0 m 10 0 l S"


def _unreadable(pdf: bytes) -> bool:
    try:
        pikepdf.open(io.BytesIO(pdf), attempt_recovery=False).close()
    except pikepdf.PdfError:
        return True
    return False


class _nothing:  # noqa: N801 - reads as a context
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def encrypted(password: str) -> bytes:
    pdf = pikepdf.open(io.BytesIO(blank()))
    return saved(pdf, static_id=False, encryption=pikepdf.Encryption(owner="o", user=password))


def without_root() -> bytes:
    return re.sub(rb"/Root \d+ 0 R", lambda m: b" " * len(m[0]), blank())


def direct_root() -> bytes:
    return re.sub(rb"/Root \d+ 0 R", b"/Root << /Pages 2 0 R >>", blank())


def unpaged() -> bytes:
    return blank().replace(b"/Pages", b"/Pegas", 1)


def deep_value(pdf: pikepdf.Pdf) -> None:
    value = pikepdf.Array([])
    for _ in range(150):
        value = pikepdf.Array([value])
    pdf.Root.Deep = value


def form_is_xfa(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AcroForm = pikepdf.Dictionary(XFA=pikepdf.Array([]), Fields=pikepdf.Array([]))


def page_is_an_array(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AcroForm = pdf.make_indirect(pikepdf.Array([]))


BROKEN = {
    "empty": (lambda: b"", "empty"),
    "text": (lambda: "Kính gửi".encode(), "not a PDF"),
    "leading": (lambda: b"\n\n" + blank(), "before the PDF header"),
    "trailing": (lambda: blank() + b"<html>", "after its end"),
    "truncated": (lambda: blank()[:-40], "truncated"),
    "startxref": (lambda: re.sub(rb"startxref\n\d+", b"startxref\n7", blank()), "damaged"),
    "password": (lambda: encrypted("secret"), "encrypted"),
    "owner-password": (lambda: encrypted(""), "encrypted"),
    "no-root": (without_root, "unable to find /Root"),
    "root-direct": (direct_root, "no document catalog"),
    "no-pages": (unpaged, "page tree"),
    "kids-no-pages": (lambda: with_pages(b"<< /Count 1 /Kids [17] >>"), "page tree"),
    "kids-circle": (lambda: with_pages(b"<< /Count 2 /Kids [%s 0 R] >>"), "page tree"),
    "kids-missing": (lambda: with_pages(b"<< /Count 2 /Kids [] >>"), "page tree"),
    "count": (lambda: with_pages(b"<< /Count -4 /Kids [] >>"), "page tree"),
    "deep": (lambda: edited(blank(), deep_value), "100 levels"),
    "xfa": (lambda: edited(blank(), form_is_xfa), "XFA"),
}


def with_pages(body: bytes) -> bytes:
    """A document with another page tree root; qpdf would mend it on saving, so no qpdf."""
    original = blank()
    number, old = re.search(rb"(\d+) 0 obj\n(<< /Count 1.*?>>)", original).groups()
    return original.replace(old, body.replace(b"%s", number).ljust(len(old)))


@pytest.mark.parametrize(("make", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_refuses_what_cannot_be_continued_and_leaves_nothing(make, says, tmp_path):
    key = SoftwareKey()
    source, target = tmp_path / "in.pdf", tmp_path / "out.pdf"
    source.write_bytes(make())
    with pytest.raises(UnsuitableDocument, match=says) as refusal:
        sealer().seal_file(source, target, SealRequest(key))
    assert " / " in str(refusal.value)
    assert key.calls == 0
    assert list(tmp_path.iterdir()) == [source]


def test_an_array_where_the_form_should_be_is_replaced_not_followed():
    after, _ = sealer().seal_bytes(edited(blank(), page_is_an_array), SealRequest(KEY))
    with pikepdf.open(io.BytesIO(after)) as reread:
        assert len(reread.Root.AcroForm.Fields) == 1
