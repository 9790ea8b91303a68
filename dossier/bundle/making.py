"""Makes a proof bundle. The same parts give the same octets, on every machine.

    zip_bytes = make_bundle(Parts(document, report, snapshot, register=proof))

Nothing is parsed here: the report comes from the process that read the document. The ZIP stores
its parts as they are, in the order of their names, with one fixed time and one set of rights;
what a library compresses may differ from release to release.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dossier.bundle.contents import (
    DOCUMENT,
    FORMAT,
    MANIFEST,
    PROGRAM,
    README,
    REGISTER,
    REPORT,
    REPORT_XML,
    TRUST,
)
from dossier.bundle.readme import readme
from dossier.bundle.single_file import single_file
from dossier.errors import StateConflict
from dossier.trust.snapshot import NO_EVIDENCE, Snapshot
from signer.verification.etsi_report import etsi_report

_TIME = (1980, 1, 1, 0, 0, 0)  # the oldest that a ZIP can say
_RIGHTS = 0o100644 << 16
_UNIX = 3


@dataclass(frozen=True, slots=True)
class Parts:
    """What goes into a bundle.

    `report` is the report on `document` (JSON), made by `snapshot`; `register` a proof as
    `dossier.register.proof.prove` makes it; `code` the result code where there is one.
    """

    document: bytes
    report: Mapping[str, Any]
    snapshot: Snapshot
    register: Any = None
    code: str | None = None


def make_bundle(parts: Parts) -> bytes:
    """The ZIP. Raises `StateConflict` when the report is of another document."""
    digest = hashlib.sha256(parts.document).hexdigest()
    report = parts.report
    if report["document"]["sha256"] != digest:
        raise StateConflict(
            "Báo cáo không phải của văn bản này; hãy kiểm tra lại văn bản rồi tạo gói. / The "
            "report is not of this document; verify the document again, then make the bundle."
        )
    files = {
        DOCUMENT: parts.document,
        TRUST: replace(parts.snapshot, evidence=NO_EVIDENCE).pack(),
        REPORT: _json(report),
        REPORT_XML: etsi_report(report),
        README: readme(report, parts.code),
        PROGRAM: single_file(),
    }
    if parts.register is not None:
        files[REGISTER] = _json(parts.register)
    evidence = parts.snapshot.evidence
    for values, suffix in ((evidence.crls, ".crl"), (evidence.ocsps, ".ocsp")):
        for value in sorted(values, key=lambda der: hashlib.sha256(der).digest()):
            files[f"evidence/{hashlib.sha256(value).hexdigest()[:16]}{suffix}"] = value
    files[MANIFEST] = _json(
        {
            "format": FORMAT,
            "code": parts.code,
            "verified_at": report["verified_at"],
            "indication": report["indication"],
            "sub_indication": report["sub_indication"],
            "integrity": report["integrity"],
            "trust": parts.snapshot.fingerprint,
            "files": {
                name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
                for name, content in sorted(files.items())
            },
        }
    )
    return _zipped(files)


def _json(value: Any) -> bytes:  # noqa: ANN401 - JSON
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    return text.encode("utf-8", "surrogatepass") + b"\n"


def _zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _RIGHTS
            archive.writestr(entry, content)
    return out.getvalue()
