"""The report as XML by ETSI TS 119 102-2 (namespace of V1.2.1): for other verification systems.

    xml = etsi_report(report.to_json())

Made from the report as JSON, so that an answer that was kept can be written again at any time.
Every check is a validation constraint with its own status; what the standard has no place for
(part, rule set, changes, the sentence) stands in `AdditionalValidationReportData`. The report is
not signed as XML: a signed receipt is a PDF.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as ET

VR = "http://uri.etsi.org/19102/v1.2.1#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
DS = "http://www.w3.org/2000/09/xmldsig#"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XS = "http://www.w3.org/2001/XMLSchema"

_NAMESPACES = {"vr": VR, "XAdES": XADES, "ds": DS, "xsi": XSI}
_ETSI = "urn:etsi:019102"
_OWN = "urn:sohoa:verification"
_DIGESTS = {
    "md5": "http://www.w3.org/2001/04/xmldsig-more#md5",
    "sha1": "http://www.w3.org/2000/09/xmldsig#sha1",
    "sha224": "http://www.w3.org/2001/04/xmldsig-more#sha224",
    "sha256": "http://www.w3.org/2001/04/xmlenc#sha256",
    "sha384": "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "sha512": "http://www.w3.org/2001/04/xmlenc#sha512",
    "sha3-224": "http://www.w3.org/2007/05/xmldsig-more#sha3-224",
    "sha3-256": "http://www.w3.org/2007/05/xmldsig-more#sha3-256",
    "sha3-384": "http://www.w3.org/2007/05/xmldsig-more#sha3-384",
    "sha3-512": "http://www.w3.org/2007/05/xmldsig-more#sha3-512",
}
_BLOCK = {
    "PASSED": "passed",
    "WARNING": "passed",
    "INDETERMINATE": "indeterminate",
    "FAILED": "failed",
}
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2

Report = Mapping[str, Any]


def etsi_report(report: Report) -> bytes:
    """The XML document, UTF-8. `report` is what `VerificationReport.to_json` makes."""
    for prefix, namespace in _NAMESPACES.items():
        ET.register_namespace(prefix, namespace)
    root = ET.Element(_vr("ValidationReport"), {"xmlns:xs": XS})  # in values, where nobody sees it
    objects: dict[str, ET.Element] = {}
    for signature in report["signatures"]:
        _signature(root, report, signature, objects)
    if not report["signatures"]:
        _unsigned(root, report)
    for token in report["document_timestamps"]:
        _timestamp_object(objects, token)
    if objects:
        listed = _sub(root, "SignatureValidationObjects")
        listed.extend(objects.values())
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


# --- one signature -----------------------------------------------------------------------------


def _signature(
    root: ET.Element, report: Report, one: Report, objects: dict[str, ET.Element]
) -> None:
    place = _sub(root, "SignatureValidationReport")
    identifier = _sub(place, "SignatureIdentifier")
    if one["attributes_sha256"]:
        _digest(identifier, "sha256", one["attributes_sha256"])
    _sub(identifier, "HashOnly", "false")
    _sub(identifier, "DocHashOnly", "false")
    _sub(identifier, "DAIdentifier", one["field"] or "-")
    _constraints(place, (*report["checks"], *one["checks"]))
    _time_info(place, report, one)
    document = _sub(place, "SignersDocument")
    covered = one["covered_digest"]
    if covered and covered["algorithm"] in _DIGESTS:
        _digest(document, covered["algorithm"], covered["value"])
    else:
        _digest(document, "sha256", report["document"]["sha256"])
    _attributes(place, one)
    certificate = one["certificate"]
    reference = _certificate_object(objects, certificate) if certificate else None
    if reference is not None:
        signer = _sub(place, "SignerInformation")
        _sub(signer, "SignerCertificate").set("VOReference", reference)
        _sub(signer, "Signer", one["signer"])
    _process(place, one["level"])
    for token in one["timestamps"]:
        _timestamp_object(objects, token)
    data = _status(place, one, total=True)
    if reference is not None:
        chain = _sub(data, "CertificateChain")
        _sub(chain, "SigningCertificate").set("VOReference", reference)
    more = _sub(data, "AdditionalValidationReportData")
    for name, value in _said(report, one):
        _typed(more, name, value)


def _unsigned(root: ET.Element, report: Report) -> None:
    """A document without signatures still gets its status: the standard wants one report."""
    place = _sub(root, "SignatureValidationReport")
    _constraints(place, report["checks"])
    _time_info(place, report, {"proved_time": None})
    _digest(_sub(place, "SignersDocument"), "sha256", report["document"]["sha256"])
    data = _status(place, report, total=True)
    more = _sub(data, "AdditionalValidationReportData")
    for name, value in _document(report):
        _typed(more, name, value)


def _constraints(place: ET.Element, checks: tuple[Report, ...] | list[Report]) -> None:
    """Each check: applied, with its result; a note is a passed check that says something."""
    if not checks:
        return
    evaluated = _sub(place, "ValidationConstraintsEvaluationReport")
    for check in checks:
        constraint = _sub(evaluated, "ValidationConstraint")
        _sub(constraint, "ValidationConstraintIdentifier", f"{_OWN}:check:{check['check']}")
        for name in ("vi", "en", "detail", "attack"):
            if check[name]:
                parameter = _sub(constraint, "ValidationConstraintParameter")
                _sub(parameter, "Type", f"{_OWN}:{name}")
                _value(parameter, check[name])
        status = _sub(constraint, "ConstraintStatus")
        _sub(status, "Status", f"{_ETSI}:constraintStatus:applied")
        outcome = _sub(constraint, "ValidationStatus")
        _sub(outcome, "MainIndication", f"{_ETSI}:mainindication:{_BLOCK[check['outcome']]}")


def _time_info(place: ET.Element, report: Report, one: Report) -> None:
    info = _sub(place, "ValidationTimeInfo")
    _sub(info, "ValidationTime", report["verified_at"])
    best = _sub(info, "BestSignatureTime")
    # without a proof the document is known to exist since it was looked at
    _sub(best, "POETime", one["proved_time"] or report["verified_at"])
    _sub(best, "TypeOfProof", f"{_ETSI}:poetype:validation")


def _attributes(place: ET.Element, one: Report) -> None:
    """In the order of the schema; the PDF entries are covered by the signature, too."""
    attributes = _sub(place, "SignatureAttributes")
    if one["claimed_time"]:
        _attribute(attributes, "SigningTime", "Time", one["claimed_time"], signed=True)
    for token in one["timestamps"]:
        if token["time"]:
            _attribute(
                attributes, "SignatureTimeStamp", "TimeStampValue", token["time"], signed=False
            )
    if one["covered_digest"]:
        value = base64.b64encode(bytes.fromhex(one["covered_digest"]["value"])).decode()
        _attribute(attributes, "MessageDigest", "Digest", value, signed=True)
    if one["reason"]:
        _attribute(attributes, "Reason", "ReasonElement", one["reason"], signed=True)
    if one["sub_filter"]:
        _attribute(attributes, "SubFilter", "SubFilterElement", one["sub_filter"], signed=True)


def _attribute(place: ET.Element, kind: str, name: str, value: str, *, signed: bool) -> None:
    attribute = _sub(place, kind)
    attribute.set("Signed", "true" if signed else "false")
    _sub(attribute, name, value)


def _process(place: ET.Element, level: str | None) -> None:
    reached = (level or "").rpartition("-")[2]
    name = {"LTA": "LTA", "LT": "LTVM", "T": "LTVM"}.get(reached, "Basic")
    process = _sub(place, "SignatureValidationProcess")
    _sub(process, "SignatureValidationProcessID", f"{_ETSI}:validationprocess:{name}")


def _status(place: ET.Element, one: Report, *, total: bool) -> ET.Element:
    """The verdict; the element for what belongs to it."""
    status = _sub(place, "SignatureValidationStatus")
    indication = one["indication"].lower()
    if not total:
        indication = indication.removeprefix("total-")
    _sub(status, "MainIndication", f"{_ETSI}:mainindication:{indication}")
    if one["sub_indication"]:
        _sub(status, "SubIndication", f"{_ETSI}:subindication:{one['sub_indication']}")
    return _sub(status, "AssociatedValidationReportData")


def _said(report: Report, one: Report) -> Iterator[tuple[str, str]]:
    """What the standard has no element for, in words."""
    yield from _document(report)
    validity, certificate = one["validity_at_signing"], one["certificate"] or {}
    rules = one["rule_set"]
    for name, value in (
        ("signature-integrity", one["integrity"]),
        ("part", one["part"]),
        ("trust-domain", one["trust_domain"]),
        ("rule-set", rules and f"{rules['id']} {rules['version']}"),
        ("level", one["level"]),
        ("algorithm", one["algorithm"]),
        ("organisation", one["organisation"]),
        ("issuer", certificate.get("issuer")),
        ("managed-by", certificate.get("managed_by")),
        ("certificate-not-before", certificate.get("not_before")),
        ("certificate-not-after", certificate.get("not_after")),
        ("validity-at-signing", f"{validity['status']} ({validity['time_is']})"),
        ("revision", f"{one['revision']}/{one['revisions']}" if one["revision"] else None),
    ):
        if value:
            yield name, str(value)
    for change in one["changes"]:
        allowed = "allowed" if change["allowed"] else "not-allowed"
        attack = f" {change['attack']}" if change["attack"] else ""
        yield "change", f"{change['kind']} {change['revision']} {allowed}{attack}"


def _document(report: Report) -> Iterator[tuple[str, str]]:
    yield "document-indication", report["indication"]
    if report["sub_indication"]:
        yield "document-sub-indication", report["sub_indication"]
    yield "document-integrity", report["integrity"]
    yield "engines", report["engines"]
    yield "document-sha256", report["document"]["sha256"]
    yield "sentence-vi", report["message"]["vi"]
    yield "sentence-en", report["message"]["en"]


# --- objects -----------------------------------------------------------------------------------


def _certificate_object(objects: dict[str, ET.Element], certificate: Report) -> str:
    name = f"certificate-{certificate['sha256']}"
    if name not in objects:
        objects[name] = _object(name, "certificate", certificate["sha256"])
    return name


def _timestamp_object(objects: dict[str, ET.Element], token: Report) -> None:
    digest = token["attributes_sha256"]
    name = f"timestamp-{digest}"
    if digest is None or name in objects:
        return
    made = objects[name] = _object(name, "timestamp", digest)
    if token["time"] and token["indication"] == "TOTAL-PASSED":
        proof = _sub(made, "POEProvisioning")
        _sub(proof, "POETime", token["time"])
    place = _sub(made, "ValidationReport")
    _constraints(place, token["checks"])
    _status(place, token, total=False)


def _object(name: str, kind: str, sha256: str) -> ET.Element:
    made = ET.Element(_vr("ValidationObject"), {"id": name})
    _sub(made, "ObjectType", f"{_ETSI}:validationObject:{kind}")
    _digest(_sub(made, "ValidationObjectRepresentation"), "sha256", sha256)
    return made


# --- elements ----------------------------------------------------------------------------------


def _vr(name: str) -> str:
    return f"{{{VR}}}{name}"


def _sub(place: ET.Element, name: str, text: str | None = None) -> ET.Element:
    made = ET.SubElement(place, _vr(name))
    if text is not None:
        made.text = _writable(text)
    return made


def _writable(text: str) -> str:
    """XML 1.0 has no way to write some characters, which names of strangers may hold."""
    return _UNWRITABLE.sub("\ufffd", text)


def _digest(place: ET.Element, algorithm: str, value: str) -> None:
    made = _sub(place, "DigestAlgAndValue")
    ET.SubElement(made, f"{{{DS}}}DigestMethod", {"Algorithm": _DIGESTS[algorithm]})
    digest = ET.SubElement(made, f"{{{DS}}}DigestValue")
    digest.text = base64.b64encode(bytes.fromhex(value)).decode()


def _typed(place: ET.Element, name: str, value: str) -> None:
    data = _sub(place, "ReportData")
    _sub(data, "Type", f"{_OWN}:{name}")
    _value(data, value)


def _value(place: ET.Element, text: str) -> None:
    value = _sub(place, "Value", text)
    value.set(f"{{{XSI}}}type", "xs:string")
