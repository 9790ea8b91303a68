"""Trusted lists (TS 119 612): read, and hostile ones refused."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from lxml import etree

from signer.errors import TrustError
from signer.trust import Grant, Service, TrustDomain
from signer.trust_lists import content
from signer.trust_lists.proof import Credentials, ProofKind
from signer.trust_lists.reading import read_trust_list
from tests.trust_parties import (
    DAY,
    DS,
    NOW,
    TSL,
    YEAR,
    ListedService,
    Party,
    canonical,
    complete_signature,
    etsi_list,
    etsi_text,
    government_list,
    signature_text,
    signed_xml,
)

ROOT = Party.root("Gốc Thử G1")
INNER = ROOT.certify("CA dịch vụ Thử", is_ca=True)
STAMPER = ROOT.certify("TSA Thử", usage="timestamping")
LEAF = ROOT.certify("Cán bộ Thử")
OPERATOR = Party.root("Điều hành Thử")
STRANGER = Party.root("Người lạ Thử")
PINNED = Credentials(signers=(OPERATOR.certificate,))
GRANTED = [("granted", NOW - YEAR)]
SERVICES = [ListedService(INNER.certificate, "CA/QC", GRANTED)]


def read(octets, credentials=PINNED, at=NOW, **more):
    return read_trust_list(octets, credentials, at=at, **more)


def pin(octets):
    return Credentials(sha256=hashlib.sha256(octets).hexdigest())


def refused(octets, credentials=PINNED, at=NOW):
    with pytest.raises(TrustError) as caught:
        read(octets, credentials, at)
    return str(caught.value)


def test_a_list_with_services_and_their_windows():
    begins, ended = NOW - YEAR, NOW - 30 * DAY
    found = read(
        etsi_list(
            [
                ListedService(INNER.certificate, "CA/QC", [("withdrawn", ended), *GRANTED]),
                ListedService(STAMPER.certificate, "TSA/QTST", GRANTED),
                ListedService(ROOT.certificate, "CA/PKC", GRANTED),
                ListedService(LEAF.certificate, "CA/QC", GRANTED),
            ],
            OPERATOR,
            sequence=12,
        )
    )
    assert found.proof.kind is ProofKind.XADES
    assert found.proof.name == OPERATOR.certificate.subject.rfc4514_string()
    said = found.content
    assert (said.sequence, said.operator) == (12, "Test scheme operator")
    assert said.issued_at == NOW
    assert said.next_update == NOW + 90 * DAY
    authority, unit = said.store.anchors
    assert authority.certificate == INNER.certificate
    assert authority.grants == (Grant(frozenset({Service.SIGNING}), begins, ended),)
    assert unit.grants == (Grant(frozenset({Service.TIMESTAMPING}), begins, None),)
    assert authority.domain is TrustDomain.PUBLIC
    assert said.left_out == ("CA/PKC: 1", "CA/QC that is no certification authority: 1")


@pytest.mark.parametrize(
    ("statuses", "grants"),
    [
        ([("granted", 3)], [(3, None)]),
        ([("granted", 3), ("accredited", 1)], [(1, None)]),
        ([("granted", 5), ("withdrawn", 3), ("undersupervision", 1)], [(1, 3), (5, None)]),
        ([("withdrawn", 3), ("supervisionceased", 1)], []),
        ([("recognisedatnationallevel", 2)], [(2, None)]),
        ([("setbynationallaw", 4), ("deprecatedbynationallaw", 2)], [(4, None)]),
        ([("unheardof", 2)], []),
    ],
)
def test_status_and_history(statuses, grants):
    days = [(word, NOW - YEAR + number * DAY) for word, number in statuses]
    xml = etsi_list([ListedService(INNER.certificate, "CA/QC", days)], OPERATOR)
    [anchor] = read(xml).content.store.anchors
    windows = [(grant.begins, grant.ends) for grant in anchor.grants]
    day = lambda n: None if n is None else NOW - YEAR + n * DAY  # noqa: E731
    assert windows == [(day(begins), day(ends)) for begins, ends in grants]


def test_one_certificate_for_two_services():
    twice = [
        ListedService(ROOT.certificate, "CA/QC", GRANTED),
        ListedService(ROOT.certificate, "TSA/QTST", [("granted", NOW - DAY)]),
    ]
    [anchor] = read(etsi_list(twice, OPERATOR)).content.store.anchors
    assert anchor.is_granted(Service.SIGNING, NOW - 2 * DAY)
    assert not anchor.is_granted(Service.TIMESTAMPING, NOW - 2 * DAY)
    assert anchor.is_granted(Service.TIMESTAMPING, NOW)


def test_a_pinned_file_needs_no_pinned_signer_but_a_whole_signature():
    xml = etsi_list(SERVICES, STRANGER)
    found = read(xml, pin(xml))
    assert found.proof.kind is ProofKind.SHA256
    broken = xml.replace(b"Test service", b"Best service")
    assert "Digest mismatch" in refused(broken, pin(broken))
    unsigned = etsi_text(SERVICES)
    assert "not one of a pinned certificate" in refused(unsigned, pin(unsigned))


def test_another_domain_may_be_named():
    xml = etsi_list(SERVICES, OPERATOR)
    [anchor] = read(xml, domain=TrustDomain.OFFICIAL_DUTY).content.store.anchors
    assert anchor.domain is TrustDomain.OFFICIAL_DUTY


# --- signatures ---------------------------------------------------------------------------


def edited(xml: bytes, change) -> bytes:
    root = etree.fromstring(xml)
    change(root)
    return etree.tostring(root)


def test_wrong_signatures():
    xml = etsi_list(SERVICES, OPERATOR)
    assert "not one of a pinned certificate" in refused(etsi_list(SERVICES, STRANGER))
    assert "not one of a pinned certificate" in refused(xml, Credentials())
    assert refused(etsi_text(SERVICES))
    later = "2020-01-01T00:00:00Z"
    assert "Digest mismatch" in refused(xml.replace(STATUS_TIME, later.encode()))
    value = f"{{{DS}}}SignatureValue"

    def flip(root):
        node = root.find(f".//{value}")
        node.text = ("A" if node.text[0] != "A" else "B") + node.text[1:]

    assert "Signature verification failed" in refused(edited(xml, flip))


STATUS_TIME = (NOW - YEAR).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


def test_a_signer_that_is_no_longer_in_force():
    old = Party.root("Điều hành cũ", begins=NOW - 3 * YEAR, ends=NOW - DAY)
    xml = etsi_list(SERVICES, old)
    assert refused(xml, Credentials(signers=(old.certificate,)))


def test_an_unsigned_list_around_a_signed_one():
    """Signature wrapping: the genuine list is carried along, another one stands on top."""
    genuine = etree.fromstring(etsi_list(SERVICES, OPERATOR))
    forged = etree.fromstring(etsi_text([ListedService(STRANGER.certificate, "CA/QC", GRANTED)]))
    signature = genuine.find(f"./{{{DS}}}Signature")
    forged.append(signature)
    assert "Digest mismatch" in refused(etree.tostring(forged))
    wrapper = etree.fromstring(etsi_text([ListedService(STRANGER.certificate, "CA/QC", GRANTED)]))
    wrapper.append(etree.fromstring(etsi_list(SERVICES, OPERATOR)))
    assert refused(etree.tostring(wrapper))


def test_a_signature_over_a_part_alone():
    """Only the provider list is covered: the rest could say anything."""
    text = etsi_text(SERVICES).replace(
        b"<TrustServiceProviderList>", b'<TrustServiceProviderList Id="part">'
    )
    xml = signed_xml(text, OPERATOR)
    assert read(xml)  # signed as a whole, it is fine
    partial = (
        signature_text(OPERATOR)
        .replace('URI=""', 'URI="#part"')
        .replace(f'<ds:Transform Algorithm="{DS}enveloped-signature"/>', "")
    )
    root = etree.fromstring(text)
    part = root.find(f"{{{TSL}}}TrustServiceProviderList")
    root.append(etree.fromstring(partial))
    complete_signature(root[-1], canonical(part), OPERATOR)
    assert "does not cover the list" in refused(etree.tostring(root))


def test_a_comment_changes_nothing_that_is_read():
    """What canonicalization drops is not read: a comment must not split a value."""
    xml = etsi_list(SERVICES, OPERATOR)
    commented = xml.replace(b"<TSLSequenceNumber>1<", b"<TSLSequenceNumber>1<!-- 9 --><")
    assert read(commented).content.sequence == 1


# --- bombs and broken lists ---------------------------------------------------------------

LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "haha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a;" * 10) for n in range(9))
    + b"]><l>&a8;</l>"
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        b'<?xml version="1.0"?><!DOCTYPE l SYSTEM "http://127.0.0.1:9/x.dtd"><l/>',
        b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>',
        b'<!DOCTYPE l [<!ENTITY % p SYSTEM "http://127.0.0.1:9/"> %p;]><l/>',
    ],
    ids=["laughs", "external-dtd", "file", "parameter"],
)
def test_bombs_are_refused_before_anything_is_expanded(text):
    assert "declares types or entities" in refused(text, pin(text))
    declared = text[text.index(b"<!DOCTYPE") : text.rindex(b"><l") + 1]
    list_with_it = etsi_list(SERVICES, OPERATOR).replace(b"<Trust", declared + b"<Trust", 1)
    assert "declares types or entities" in refused(list_with_it)


@pytest.mark.parametrize(
    "text",
    [
        b"<a" + b"<b>" * 10,
        b"<TrustServiceStatusList/>",
        b"\xef\xbb\xbf<x/>",
        b"<" + b"a" * 5000 + b"/>",
        b"<?xml version='1.0' encoding='utf-7'?><a/>",
        b"<a>" * 100_000 + b"</a>" * 100_000,
        b"<a " + b" ".join(b'a%d=""' % n for n in range(50_000)) + b"/>",
    ],
    ids=["torn", "empty", "bom", "name", "utf-7", "deep", "attributes"],
)
def test_other_xml_is_refused_quickly(text):
    started = dt.datetime.now(dt.UTC)
    assert refused(text, pin(text))
    assert dt.datetime.now(dt.UTC) - started < dt.timedelta(seconds=10)


def test_too_large(monkeypatch):
    monkeypatch.setattr("signer.trust_lists.reading.MAX_BYTES", 1000)
    assert "larger than" in refused(etsi_list(SERVICES, OPERATOR))


def test_too_many_certificates(monkeypatch):
    monkeypatch.setattr("signer.trust_lists.etsi.MAX_CERTIFICATES", 1)
    two = [*SERVICES, ListedService(ROOT.certificate, "CA/QC", GRANTED)]
    assert "more than 1" in refused(etsi_list(two, OPERATOR))
    monkeypatch.setattr("signer.trust_lists.government.MAX_CERTIFICATES", 1)
    listed = government_list([ROOT.certificate, INNER.certificate])
    assert "more than 1" in refused(listed, pin(listed))


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ({"until": NOW - DAY, "issued": NOW - 90 * DAY}, "expired"),
        ({"until": None}, "closed"),
        ({"issued": NOW + DAY}, "still to come"),
        ({"until": NOW + DAY, "issued": NOW + 2 * DAY}, "still to come"),
        ({"version": "4"}, "version 4"),
        ({"sequence": "-1"}, "whole number"),
        ({"sequence": "9" * 30}, "whole number"),
        ({"sequence": "１"}, "whole number"),
    ],
)
def test_scheme_information_that_cannot_be(scheme, words):
    assert words in refused(etsi_list(SERVICES, OPERATOR, **scheme))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"<ServiceStatus>", b"<ServiceStatus>x</ServiceStatus><ServiceStatus>", "comes twice"),
        (b"<StatusStartingTime>2", b"<StatusStartingTime>x2", "not a time"),
        (b"<X509Certificate>MII", b"<X509Certificate>AAA", "cannot be read"),
        (b"<TSLSequenceNumber>1</TSLSequenceNumber>", b"", "missing"),
    ],
)
def test_services_that_cannot_be(old, new, words):
    """Signed by the operator and wrong all the same."""
    text = etsi_text(SERVICES)
    assert old in text
    assert words in refused(signed_xml(text.replace(old, new), OPERATOR))


def test_two_statuses_at_one_time():
    same = [("granted", NOW - DAY), ("withdrawn", NOW - DAY)]
    xml = etsi_list([ListedService(INNER.certificate, "CA/QC", same)], OPERATOR)
    assert "at the same time" in refused(xml)


def test_a_list_without_any_anchor():
    nothing = [ListedService(INNER.certificate, "Archiv", GRANTED)]
    assert "nothing that could be an anchor" in refused(etsi_list(nothing, OPERATOR))


# --- our own form -------------------------------------------------------------------------


def test_our_own_form_keeps_every_limit():
    xml = etsi_list(
        [ListedService(INNER.certificate, "CA/QC", [("withdrawn", NOW - DAY), *GRANTED])], OPERATOR
    )
    first = read(xml).content
    octets = content.write_json(
        first.store, sequence=3, issued_at=NOW, next_update=first.next_update
    )
    again = read(octets, pin(octets)).content
    assert again.store == first.store
    assert (again.sequence, again.issued_at, again.next_update) == (3, NOW, first.next_update)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"domain"', b'"domian"', "unknown entry 'domian'"),
        (b'"grants"', b'"grant"', "unknown entry 'grant'"),
        (b'"to": null', b'"to": null, "until": null', "unknown entry 'until'"),
        (b'"PUBLIC"', b'"EVERYONE"', "unknown trust domain"),
        (b'"SIGNING"', b'"EVERYTHING"', "unknown service"),
        (b'"services": [', b'"services": [], "x": [', "unknown entry 'x'"),
        (b'"sequence": 3', b'"sequence": "3"', "whole number"),
        (b'"sequence": 3', b'"sequence": true', "whole number"),
        (b'"anchors": [', b'"anchors": [7, ', "not an object"),
        (b'"intermediates": []', b'"intermediates": [7]', "not a text"),
        (b'"sohoa-trust-list/1"', b'"sohoa-trust-list/2"', "format is not"),
        (b"+00:00", b"", "with a zone"),
    ],
)
def test_what_is_misspelt_is_refused(old, new, words):
    """A limit that is not understood must not widen trust."""
    first = read(etsi_list(SERVICES, OPERATOR)).content
    octets = content.write_json(first.store, sequence=3, issued_at=NOW)
    assert old in octets
    changed = octets.replace(old, new, 1)
    assert words in refused(changed, pin(changed))


def test_deep_json_is_refused():
    deep = b'{"SequenceNumber":' + b"[" * 200_000
    assert refused(deep, pin(deep))
