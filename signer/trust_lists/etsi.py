"""Trusted lists (ETSI TS 119 612): services with their status, and since when.

A service CA/QC becomes an anchor for signers' certificates, TSA/QTST one for timestamp
authorities; each is believed from when its status began to be a good one until the next status
began (5.5.4, 5.5.5, 5.6). Other services are left out and counted. Read from the octets under the
list's signature alone (`xml_signature`).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from xml.etree.ElementTree import Element

from cryptography import x509
from defusedxml import ElementTree

from signer.trust.store import Grant, Service, TrustAnchor, TrustDomain, TrustStore
from signer.trust_lists.content import (
    MAX_CERTIFICATES,
    ListKind,
    ListUnreadable,
    TrustList,
    certificate_of,
    whole_number,
)

_TSL = "{http://uri.etsi.org/02231/v2#}"
ROOT = f"{_TSL}TrustServiceStatusList"
_TYPE = "http://uri.etsi.org/TrstSvc/Svctype/"
_SERVICES = {f"{_TYPE}CA/QC": Service.SIGNING, f"{_TYPE}TSA/QTST": Service.TIMESTAMPING}
_STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
_GOOD = frozenset(
    _STATUS + word
    for word in (
        "granted",
        "recognisedatnationallevel",
        # before Regulation (EU) 910/2014 (TS 119 612, annex D.5.6); in the history of services
        "undersupervision",
        "supervisionincessation",
        "accredited",
        "setbynationallaw",
    )
)
_VERSIONS = ("5", "6")


@dataclass(frozen=True, slots=True)
class _Period:
    service_type: str
    status: str
    begins: dt.datetime


def read_etsi_list(octets: bytes, domain: TrustDomain | None = None) -> TrustList:
    """The list in `octets`, canonical XML that was verified; its anchors are of `domain`.

    Without `domain` they are PUBLIC. Raises `ListUnreadable`.
    """
    root = ElementTree.fromstring(octets, forbid_dtd=True)
    if root.tag != ROOT:
        raise ListUnreadable("not a TrustServiceStatusList")
    scheme = _one(root, "SchemeInformation")
    version = _text(scheme, "TSLVersionIdentifier")
    if version not in _VERSIONS:
        raise ListUnreadable(f"version {version} of TS 119 612 is not known here")
    next_update = scheme.find(f"./{_TSL}NextUpdate/{_TSL}dateTime")
    if next_update is None:
        raise ListUnreadable("the list has no next update: it was closed")
    anchors: list[TrustAnchor] = []
    left_out: Counter[str] = Counter()
    for service in root.iterfind(f".//{_TSL}TSPService"):
        anchors += _anchors_of(service, domain or TrustDomain.PUBLIC, left_out)
        if len(anchors) > MAX_CERTIFICATES:
            raise ListUnreadable(f"the list has more than {MAX_CERTIFICATES} certificates")
    return TrustList(
        kind=ListKind.ETSI,
        store=TrustStore(tuple(anchors)).merged(TrustStore()),
        sequence=_sequence(_text(scheme, "TSLSequenceNumber")),
        issued_at=_time(_text(scheme, "ListIssueDateTime")),
        next_update=_time(next_update.text or ""),
        operator=_name(scheme, "SchemeOperatorName"),
        left_out=tuple(f"{what}: {count}" for what, count in sorted(left_out.items())),
    )


def _anchors_of(
    service: Element, domain: TrustDomain, left_out: Counter[str]
) -> Iterator[TrustAnchor]:
    now = _one(service, "ServiceInformation")
    kind = _text(now, "ServiceTypeIdentifier")
    if kind not in _SERVICES:
        left_out[kind.removeprefix(_TYPE)] += 1
        return
    history = service.iterfind(f"./{_TSL}ServiceHistory/{_TSL}ServiceHistoryInstance")
    grants = _grants([_period(now), *(_period(entry) for entry in history)])
    identity = _one(now, "ServiceDigitalIdentity")
    for value in identity.iterfind(f"./{_TSL}DigitalId/{_TSL}X509Certificate"):
        certificate = certificate_of(value.text or "")
        if _SERVICES[kind] is Service.SIGNING and not _is_authority(certificate):
            # as an anchor it would be believed without anybody being asked about revocation
            left_out["CA/QC that is no certification authority"] += 1
            continue
        yield TrustAnchor(certificate, domain, grants)


def _period(entry: Element) -> _Period:
    return _Period(
        _text(entry, "ServiceTypeIdentifier"),
        _text(entry, "ServiceStatus"),
        _time(_text(entry, "StatusStartingTime")),
    )


def _grants(periods: list[_Period]) -> tuple[Grant, ...]:
    """From each good status until the next one began; equal neighbours become one."""
    ordered = sorted(periods, key=lambda period: period.begins)
    if any(one.begins == other.begins for one, other in pairwise(ordered)):
        raise ListUnreadable("two statuses of one service begin at the same time")
    grants: list[Grant] = []
    for position, period in enumerate(ordered):
        service = _SERVICES.get(period.service_type)
        if service is None or period.status not in _GOOD:
            continue
        ends = ordered[position + 1].begins if position + 1 < len(ordered) else None
        services = frozenset({service})
        if grants and grants[-1].ends == period.begins and grants[-1].services == services:
            grants[-1] = Grant(services, grants[-1].begins, ends)
        else:
            grants.append(Grant(services, period.begins, ends))
    return tuple(grants)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _one(parent: Element, name: str) -> Element:
    found = parent.findall(f"./{_TSL}{name}")
    if len(found) != 1:
        raise ListUnreadable(f"{name} is missing or comes twice")
    return found[0]


def _text(parent: Element, name: str) -> str:
    return (_one(parent, name).text or "").strip()


def _name(parent: Element, name: str) -> str:
    """The name in English where there is one (5.1.4), else the first."""
    names = parent.findall(f"./{_TSL}{name}/{_TSL}Name")
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    english = [one for one in names if one.get(language) == "en"]
    return ((english or names)[0].text or "").strip() if names else ""


def _sequence(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise ListUnreadable(f"the sequence number {value!r} is not a whole number")
    return whole_number(int(value))


def _time(value: str) -> dt.datetime:
    """UTC, as the list must say it (5.1.3)."""
    try:
        moment = dt.datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise ListUnreadable(f"{value!r} is not a time") from error
    return moment if moment.utcoffset() is not None else moment.replace(tzinfo=dt.UTC)
