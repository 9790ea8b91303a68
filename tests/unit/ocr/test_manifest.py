"""The provenance manifest: canonical bytes, Merkle tree, proof of one page alone."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.errors import ManifestError
from ocr.page import PageFault
from ocr.record.manifest import (
    PageProof,
    build_manifest,
    canonical,
    page_entry,
    page_proof,
    pages_root,
    verify_page_proof,
)
from ocr.record.pdfa import write_record
from tests.record_pages import META, PROVENANCE, PageSpec, make_page


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def pages(count: int) -> list[dict[str, object]]:
    return [{"number": n} for n in range(1, count + 1)]


def test_the_tree_is_that_of_rfc_9162():
    a, b, c, d, e = (leaf(canonical(p)) for p in pages(5))
    assert pages_root([]) == hashlib.sha256(b"").hexdigest()
    assert pages_root(pages(1)) == a.hex()
    assert pages_root(pages(3)) == node(node(a, b), c).hex()
    assert pages_root(pages(5)) == node(node(node(a, b), node(c, d)), e).hex()


@settings(max_examples=60)
@given(st.data())
def test_each_page_is_proved_alone_and_no_other_in_its_place(data):
    count = data.draw(st.integers(1, 70))
    manifest = build_manifest(META, PROVENANCE, pages(count))
    root = json.loads(manifest)["tree"]["root"]
    number = data.draw(st.integers(1, count))
    proof = page_proof(manifest, number)
    verify_page_proof(proof, root)
    with pytest.raises(ManifestError):
        verify_page_proof(replace(proof, page={"number": 0}), root)
    if count > 1:
        other = data.draw(st.integers(0, count - 1).filter(lambda n: n != number - 1))
        with pytest.raises(ManifestError):
            verify_page_proof(replace(proof, page=pages(count)[other]), root)
        with pytest.raises(ManifestError):
            verify_page_proof(replace(proof, path=proof.path[:-1]), root)
    with pytest.raises(ManifestError):
        verify_page_proof(replace(proof, path=(*proof.path, "00" * 32)), root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": -1}, "malformed"),
        ({"index": 3}, "malformed"),
        ({"path": ("00",)}, "malformed"),
        ({"path": ("zz" * 32,)}, "hexadecimal"),
        ({"page": {"x": float("nan")}}, "JSON cannot carry"),
    ],
)
def test_malformed_proofs_are_typed_errors(change, message):
    manifest = build_manifest(META, PROVENANCE, pages(3))
    proof = replace(page_proof(manifest, 1), **change)
    with pytest.raises(ManifestError, match=message):
        verify_page_proof(proof, json.loads(manifest)["tree"]["root"])


@pytest.mark.parametrize("number", [0, 4])
def test_there_is_no_such_page(number):
    with pytest.raises(ManifestError, match="the record has 3 pages"):
        page_proof(build_manifest(META, PROVENANCE, pages(3)), number)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (b"", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"{}", "cannot be read"),
        (b'{"format":"other","version":1}', "not a provenance manifest"),
        (
            b'{"format":"sohoa-provenance","version":1,"pages":{},"tree":{"root":"a"}}',
            "wrong type",
        ),
        (
            b'{"format":"sohoa-provenance","version":1,"pages":[1],"tree":{"root":"a"}}',
            "not an object",
        ),
        (
            b'{"format":"sohoa-provenance","version":1,"pages":[{}],"tree":{"root":"a"}}',
            "it was altered",
        ),
    ],
)
def test_malformed_manifests_are_typed_errors(manifest, message):
    with pytest.raises(ManifestError, match=message):
        page_proof(manifest, 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [1.0, 0.5, 0.12345]}, b'{"a":[1,0.5,0.123],"b":1}'),
        ({"\U00010000": 1, "\uffff": 2}, '{"\U00010000":1,"\uffff":2}'.encode()),  # UTF-16 order
        ("Tiê\u0301ng\n", '"Tiếng\\n"'.encode()),
        ([True, None, -0.0], b"[true,null,0]"),
    ],
)
def test_canonical_bytes_follow_rfc_8785(value, expected):
    assert canonical(value) == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"a": ["\udfff"]}])
def test_what_json_cannot_carry_is_refused(value):
    with pytest.raises(ManifestError, match="JSON cannot carry"):
        canonical(value)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e6, 1e6)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5, alphabet="abcđ"), inner),
)


@settings(max_examples=50)
@given(JSON_VALUES)
def test_canonical_bytes_are_stable(value):
    once = canonical(value)
    assert canonical(json.loads(once)) == once


def test_the_entry_tells_all_that_is_asked(tmp_path):
    page = make_page(tmp_path, PageSpec(skew_degrees=1.5, encoding="jpeg"))
    page = replace(
        page,
        image=replace(page.image, source="b\udce9.jpg"),  # a name that is not UTF-8
        fault=PageFault("EngineCrashed", "the worker died"),
    )
    info = write_record([page], tmp_path / "r.pdf", META, PROVENANCE)
    document = json.loads(info.manifest)
    (entry,) = document["pages"]
    digest = hashlib.sha256(page.image.kept.path.read_bytes()).hexdigest()
    text = "\n".join(" ".join(w.text for w in line.words) for line in page.lines)
    assert entry == {
        "number": 1,
        "source": "b\\udce9.jpg",
        "source_page": 1,
        "source_sha256": digest,
        "original_sha256": digest,
        "kept_sha256": digest,
        "kept_is_original": True,
        "stored": [{"role": "kept", "filter": "DCTDecode", "sha256": digest}],
        "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "words": text.count(" ") + len(page.lines),
        "width_px": page.width_px,
        "height_px": page.height_px,
        "dpi": [150, 150],
        "dpi_assumed": False,
        "turns": 0,
        "skew_degrees": 1.5,
        "blank": False,
        "confidence": 96,
        "fault": {"kind": "EngineCrashed", "message": "the worker died"},
    }
    assert document["digitised"]["models"] == [{"name": "vie", "sha256": "ab" * 32}]
    assert document["digitised"]["time"] == "2026-03-02T12:00:00+07:00"
    assert document["tree"]["root"] == info.pages_root


def test_a_page_without_fault_says_so(tmp_path):
    page = make_page(tmp_path, PageSpec(lines=()))
    entry = page_entry(page, kept_sha256="0", text="", stored=())
    assert (entry["fault"], entry["blank"], entry["words"]) == (None, True, 0)


def test_times_need_a_zone():
    with pytest.raises(ValueError, match=r"created needs a time zone"):
        replace(META, created=dt.datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match=r"time needs a time zone"):
        replace(PROVENANCE, time=dt.datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def test_a_proof_is_a_plain_value():
    proof = page_proof(build_manifest(META, PROVENANCE, pages(2)), 2)
    assert proof == PageProof({"number": 2}, 1, 2, (leaf(canonical({"number": 1})).hex(),))
