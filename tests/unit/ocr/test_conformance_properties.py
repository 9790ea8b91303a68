"""No name and no reference of a record can be changed unseen; and a report is no verdict."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.conformance import ConformanceReport, check_conformance, require_conformant
from ocr.errors import ConformanceError
from tests.pdf_surgery import bodies, sewn

_NAME = re.compile(rb"/[A-Za-z0-9#.+-]+")
_REFERENCE = re.compile(rb"(\d+) 0 R")


@dataclass(frozen=True)
class Subject:
    """A record taken apart, with the places where it can be cut."""

    pdf: bytes
    objects: dict[int, bytes]
    names: list[tuple[int, int]]  # object, end of the name
    references: list[tuple[int, int, int]]  # object, start and end of the number
    folder: Path

    def found(self, number: int, body: bytes) -> bool:
        path = self.folder / "mutant.pdf"
        path.write_bytes(sewn(self.pdf, {**self.objects, number: body}))
        return bool(check_conformance(path).findings)


@pytest.fixture(scope="module")
def subject(record, tmp_path_factory) -> Subject:
    pdf = record.read_bytes()
    objects = bodies(pdf)
    heads = {n: body.split(b"\nstream\n")[0] for n, body in objects.items()}
    return Subject(
        pdf,
        objects,
        [(n, m.end()) for n, head in heads.items() for m in _NAME.finditer(head)],
        [(n, *m.span(1)) for n, head in heads.items() for m in _REFERENCE.finditer(head)],
        tmp_path_factory.mktemp("mutants"),
    )


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_no_name_may_change(subject, data):
    number, end = data.draw(st.sampled_from(subject.names))
    letter = data.draw(st.sampled_from([b"x", b"0", b"#20"]))
    body = subject.objects[number]
    assert subject.found(number, body[:end] + letter + body[end:])


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_no_reference_may_lead_elsewhere(subject, data):
    number, start, end = data.draw(st.sampled_from(subject.references))
    body = subject.objects[number]
    other = data.draw(st.sampled_from(sorted({*subject.objects, 999} - {int(body[start:end])})))
    assert subject.found(number, body[:start] + b"%d" % other + body[end:])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_dictionary_may_hold_more(subject, data):
    number, _ = data.draw(st.sampled_from(subject.names))
    body = subject.objects[number]
    opening = data.draw(st.sampled_from([m.end() for m in re.finditer(rb"<< ", body[:2000])]))
    key = data.draw(st.from_regex(r"[A-Z][a-z]{1,8}Z", fullmatch=True)).encode()
    assert subject.found(number, body[:opening] + b"/" + key + b" 1 " + body[opening:])


@settings(max_examples=80, deadline=None)
@given(junk=st.binary(max_size=3000))
def test_any_bytes_give_a_report(subject, junk):
    path = subject.folder / "junk.pdf"
    path.write_bytes(junk)
    assert check_conformance(path).findings


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_damage_gives_a_report(subject, data):
    at = data.draw(st.integers(0, len(subject.pdf) - 1))
    length = data.draw(st.integers(1, 40))
    junk = data.draw(st.binary(max_size=40))
    path = subject.folder / "damaged.pdf"
    path.write_bytes(subject.pdf[:at] + junk + subject.pdf[at + length :])
    assert isinstance(check_conformance(path), ConformanceReport)  # and no other exception


def test_a_report_is_no_verdict(record):
    with pytest.raises(TypeError, match="require_conformant"):
        bool(check_conformance(record))


def test_the_error_names_rule_clause_place_and_what_to_do(record, tmp_path):
    path = tmp_path / "x.pdf"
    path.write_bytes(record.read_bytes().replace(b"/GTS_PDFA1", b"/GTS_PDFX1"))
    with pytest.raises(ConformanceError, match=r"x\.pdf .* write it again: value\.name .*6\.1\.8"):
        require_conformant(path)


def test_many_findings_are_counted_in_the_error(record, tmp_path):
    path = tmp_path / "x.pdf"
    path.write_bytes(record.read_bytes().replace(b"/BitsPerComponent", b"/BitsPerKomponent"))
    with pytest.raises(ConformanceError, match=r"and \d+ more"):
        require_conformant(path)


@pytest.mark.parametrize("name", ["missing.pdf", "."])
def test_an_unreadable_file_is_a_typed_error(tmp_path, name):
    with pytest.raises(ConformanceError, match="cannot be read"):
        check_conformance(tmp_path / name)


def test_memory_and_descriptors_are_given_back(record):
    before = len(list(Path("/proc/self/fd").iterdir()))
    check_conformance(record)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
