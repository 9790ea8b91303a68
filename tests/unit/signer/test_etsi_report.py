"""ETSI TS 119 102-2: well-formed whatever the names, and of the shape that pyHanko's bindings know.

The bindings are generated from the schema. They are read as source, for running them needs more
than this project has; a small walker holds every element to them: name, namespace, order, how
often, required ones and attributes.
"""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import etree

from signer.verification.etsi_report import DS, VR, etsi_report
from signer.verification.words.expectation import expect_agency
from tests.fixtures_signed import plain_pdf

_URN = "urn:etsi:019102"


@dataclass
class Member:
    """One field of a generated class."""

    name: str
    kind: str  # Element, Attribute or Wildcard
    namespace: str
    type_name: str
    required: bool
    repeats: bool


class Schema:
    """The classes of the generated modules, by name, with those of their bases."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("pyhanko.generated")
        assert spec is not None
        assert spec.submodule_search_locations is not None
        folder = Path(next(iter(spec.submodule_search_locations)))
        self.classes: dict[str, ast.ClassDef] = {}
        for module in ("etsi/xades.py", "w3c/xmldsig_core.py", "etsi/ts_11910202.py"):
            for node in ast.parse((folder / module).read_text("utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    self.classes[node.name] = node

    def members(self, name: str) -> list[Member]:
        node = self.classes[name]
        found = [m for base in node.bases for m in self.members(ast.unparse(base))]
        for entry in node.body:
            if isinstance(entry, ast.AnnAssign) and entry.value is not None:
                member = self._member(entry)
                if member is not None:
                    found.append(member)
        return found

    def _member(self, entry: ast.AnnAssign) -> Member | None:
        (data,) = [
            ast.literal_eval(keyword.value)
            for node in ast.walk(entry.value)
            if isinstance(node, ast.Call)
            for keyword in node.keywords
            if keyword.arg == "metadata"
        ]
        if data.get("type") not in ("Element", "Attribute", "Wildcard"):
            return None
        assert isinstance(entry.target, ast.Name)
        text = ast.unparse(entry.annotation)
        type_name = next((c for c in self.classes if c in text.split("tuple[")[-1].split()), "")
        type_name = type_name or text.removeprefix("tuple[").split(",")[0].split(" |")[0]
        return Member(
            data.get("name", entry.target.id),
            data["type"],
            data.get("namespace", ""),
            type_name,
            # what carries "sequence" is one branch of a choice: nothing says which one is wanted
            (data.get("required", False) or data.get("min_occurs", 0) > 0)
            and "sequence" not in data,
            text.startswith("tuple["),
        )

    def check(self, element: etree._Element, name: str) -> None:
        """Raise `AssertionError` where `element` is not what the class `name` allows."""
        if name not in self.classes:
            assert len(element) == 0, (element.tag, name)
            assert element.text, element.tag
            return
        members = self.members(name)
        attributes = {m.name: m for m in members if m.kind == "Attribute"}
        for key in element.attrib:
            assert key in attributes or key.startswith("{"), (element.tag, key)
        for member in attributes.values():
            assert not member.required or member.name in element.attrib, (element.tag, member)
        left = [m for m in members if m.kind == "Element"]
        seen: set[str] = set()
        for child in element:
            while left and child.tag != f"{{{left[0].namespace}}}{left[0].name}":
                assert not left[0].required or left[0].name in seen, (element.tag, left[0])
                left.pop(0)
            assert left, f"{child.tag} has no place in {element.tag} ({name})"
            assert left[0].repeats or left[0].name not in seen, f"{child.tag} stands twice"
            seen.add(left[0].name)
            self.check(child, left[0].type_name)
        for member in left:
            assert not member.required or member.name in seen, (element.tag, member)


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema()


def parsed(report, schema) -> etree._Element:
    root = etree.fromstring(etsi_report(report))
    assert root.tag == f"{{{VR}}}ValidationReport"
    schema.check(root, "ValidationReportType")
    ids = root.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert set(root.xpath("//@VOReference")) <= set(ids)
    return root


def texts(root, name) -> list[str]:
    return [e.text for e in root.iter(f"{{{VR}}}{name}")]


@pytest.mark.parametrize("name", ["B-B", "B-T", "B-LT", "B-LTA"])
def test_every_level_has_the_shape_of_the_schema(verifier, signed, schema, name):
    report = verifier.verify(signed[name]).to_json()
    root = parsed(report, schema)
    verdicts = root.findall(
        f"{{{VR}}}SignatureValidationReport/{{{VR}}}SignatureValidationStatus/{{{VR}}}MainIndication"
    )
    assert [v.text for v in verdicts] == [
        f"{_URN}:mainindication:{s['indication'].lower()}" for s in report["signatures"]
    ]
    assert len(texts(root, "ValidationConstraintIdentifier")) >= sum(
        len(s["checks"]) for s in report["signatures"]
    )
    assert report["message"]["vi"] in texts(root, "Value")


def test_long_term_values_stand_where_the_standard_wants_them(verifier, signed, schema):
    report = verifier.verify(signed["B-LTA"]).to_json()
    root = parsed(report, schema)
    first = report["signatures"][0]
    assert texts(root, "POETime")[0] == first["proved_time"]
    assert texts(root, "SignatureValidationProcessID")[0].endswith(":LTA")
    assert texts(root, "Signer") == [s["signer"] for s in report["signatures"]]
    kinds = [kind.rpartition(":")[2] for kind in texts(root, "ObjectType")]
    assert kinds.count("certificate") == len(
        {s["certificate"]["sha256"] for s in report["signatures"]}
    )
    assert kinds.count("timestamp") >= len(report["document_timestamps"]) > 0
    methods = {e.get("Algorithm") for e in root.iter(f"{{{DS}}}DigestMethod")}
    assert methods == {"http://www.w3.org/2001/04/xmlenc#sha256"}


def test_broken_unsigned_and_foreign_expectations_are_reports_too(verifier, signed, schema):
    flipped = bytearray(signed["B-LTA"])
    flipped[300] ^= 1
    for data in (bytes(flipped), plain_pdf(), b"", signed["B-T"][:-40]):
        report = verifier.verify(data).to_json()
        root = parsed(report, schema)
        sub = report["signatures"][0]["sub_indication"] if report["signatures"] else None
        wanted = sub or report["sub_indication"]
        assert f"{_URN}:subindication:{wanted}" in texts(root, "SubIndication") or not wanted
    told = expect_agency(verifier.verify(signed["B-LTA"]).to_json(), "Sở Khác")
    root = parsed(told, schema)
    assert "urn:sohoa:verification:check:agency.expected" in texts(
        root, "ValidationConstraintIdentifier"
    )


@pytest.mark.parametrize(
    "name", ["a<b>&\"'", "]]>", "\x00\x08\x1f", "\ud800", "\ufffe\uffff", "漢字 \U0001f600", "\r\n"]
)
def test_no_name_makes_it_ill_formed(verifier, signed, schema, name):
    report = verifier.verify(signed["B-LTA"]).to_json()
    one = report["signatures"][0]
    for key in ("field", "signer", "organisation", "reason", "sub_filter", "algorithm"):
        one[key] = name
    one["certificate"]["issuer"] = one["certificate"]["managed_by"] = name
    one["checks"][0]["detail"] = name
    root = parsed(report, schema)
    assert all(ord(c) >= 32 or c in "\t\n\r" for c in "".join(root.itertext()))
    if name.isprintable():
        assert name in texts(root, "Signer")


def test_the_walker_finds_what_is_wrong(verifier, signed, schema):
    """Else everything above would prove nothing."""
    for spoil in (
        lambda root: root[0].append(root[0][0]),  # the identifier last
        lambda root: root[0].remove(root[0].find(f"{{{VR}}}SignatureValidationStatus")),
        lambda root: etree.SubElement(root[0], f"{{{VR}}}Invented"),
        lambda root: root[0][0].set("Invented", "1"),
    ):
        root = etree.fromstring(etsi_report(verifier.verify(signed["B-LTA"]).to_json()))
        spoil(root)
        with pytest.raises(AssertionError):
            schema.check(root, "ValidationReportType")
