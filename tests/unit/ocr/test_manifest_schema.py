"""docs/manifest.md says what manifests look like, and they look like that."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ocr.record.pdfa import write_record
from tests.checked_papers import checked_paper
from tests.record_pages import META, PROVENANCE, PageSpec, make_page

DOCUMENT = Path(__file__).parents[3] / "docs" / "manifest.md"
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def problems(value: object, schema: dict, root: dict, where: str = "$") -> list[str]:
    """What JSON Schema would complain of; only the keywords that the document uses."""
    if "$ref" in schema:
        schema = {**root["$defs"][schema["$ref"].rsplit("/", 1)[1]], **schema}
    found = []
    allowed = schema.get("type")
    kinds = [allowed] if isinstance(allowed, str) else allowed or []
    if kinds and not any(isinstance(value, TYPES[kind]) for kind in kinds):
        return [f"{where} is no {allowed}"]
    if "const" in schema and value != schema["const"]:
        found.append(f"{where} is not {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} is not one of {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{where} does not match")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{where}.{k} is missing" for k in schema.get("required", ()) if k not in value]
        for key, item in value.items():
            inner = known.get(key, schema.get("additionalProperties", False))
            if inner is True:
                continue
            if inner is False:
                found.append(f"{where}.{key} is not described")
            else:
                found += problems(item, inner, root, f"{where}.{key}")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**6):
            found.append(f"{where} has {len(value)} items")
        for index, item in enumerate(value):
            found += problems(item, schema["items"], root, f"{where}[{index}]")
    return found


def test_the_documented_schema_fits_and_is_strict(tmp_path):
    schema = json.loads(re.search(r"```json\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)[1])
    page = make_page(tmp_path, PageSpec(dpi=75))
    info = write_record([page], tmp_path / "r.pdf", META, PROVENANCE)
    manifest = json.loads(info.manifest)
    assert problems(manifest, schema, schema) == []
    manifest["pages"][0]["extra"] = 1
    del manifest["pages"][0]["turns"]
    manifest["tree"]["root"] = "x"
    assert len(problems(manifest, schema, schema)) == 3


def test_the_schema_fits_the_record_of_a_checked_paper(tmp_path):
    schema = json.loads(re.search(r"```json\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)[1])
    page = make_page(tmp_path, PageSpec(dpi=75))
    info = write_record([page], tmp_path / "r.pdf", META, PROVENANCE, checked=checked_paper(page))
    manifest = json.loads(info.manifest)
    assert manifest["version"] == 2
    assert problems(manifest, schema, schema) == []
    del manifest["checked"]["checks"][0]["by"]["name"]
    manifest["checked"]["strange"] = 1
    manifest["pages"][0]["corrections"][0]["box"] = [1, 2]
    assert len(problems(manifest, schema, schema)) == 3
