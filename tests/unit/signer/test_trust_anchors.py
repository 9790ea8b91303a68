"""Several roots alive at once: grants, overdue lists, namesakes, shared keys, crossings."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signer.services import RevocationEvidence
from signer.trust import Grant, Service, TrustAnchor, TrustDomain, TrustStore
from signer.verification.report import Indication, Integrity, Outcome, SubIndication
from signer.verification.signature.certificates import CertificatePool, load
from signer.verification.validity.paths import Anchors, find_path
from signer.verification.verify import Verifier
from tests.trust_parties import DAY, NOW, Party, key_named, signed_by

LONG = {"begins": NOW - 4000 * DAY, "ends": NOW + 4000 * DAY}
G1 = Party.root("Gốc Thử G1", **LONG)
G2 = Party.root("Gốc Thử G2", **LONG)
ISSUING = G1.certify("CA phát hành Thử", is_ca=True, **LONG)
LEAF = ISSUING.certify("Cán bộ Thử", **LONG)


@pytest.fixture(scope="module")
def plain():
    return signed_by(LEAF)


def der(party):
    return load(party.certificate.public_bytes(Encoding.DER))


def store_of(*anchors, inner=(ISSUING,)):
    return TrustStore(tuple(anchors), tuple(one.certificate for one in inner))


def listed(party, *grants, domain=TrustDomain.PUBLIC, **more):
    return TrustAnchor(party.certificate, domain, grants or (Grant(),), **more)


def judged(data, store, moment=NOW, issuers=(G1, ISSUING)):
    crls = tuple(issuer.crl(this_update=moment - DAY) for issuer in issuers)
    return Verifier(store, evidence=RevocationEvidence((), crls, ())).verify(data, moment)


def said(report, check):
    return [(c.outcome, c.detail) for c in report.all_checks() if c.check == check]


def path_of(store, leaf=LEAF, pool=(), moment=NOW, service=Service.SIGNING):
    anchors = Anchors(store)
    known = CertificatePool([*anchors.certificates, *anchors.intermediates])
    for party in pool:
        known.add(der(party))
    return find_path(der(leaf), known, anchors, moment, service=service)


# --- grants -------------------------------------------------------------------------------


def test_a_listed_root_is_named_with_its_list(plain):
    report = judged(plain, store_of(listed(G1, source="national/4")))
    assert report.indication is Indication.TOTAL_PASSED
    [(outcome, detail)] = said(report, "path.anchor")
    assert outcome is Outcome.PASSED
    assert "national/4" in detail


@pytest.mark.parametrize(
    ("grant", "passed"),
    [
        (Grant(), True),
        (Grant(begins=NOW - DAY), True),
        (Grant(begins=NOW), True),
        (Grant(begins=NOW + DAY), False),
        (Grant(ends=NOW + DAY), True),
        (Grant(ends=NOW), False),
        (Grant(ends=NOW - DAY), False),
        (Grant(services=frozenset({Service.TIMESTAMPING})), False),
        (Grant(services=frozenset({Service.SIGNING})), True),
    ],
)
def test_a_root_is_believed_for_its_service_in_its_window(plain, grant, passed):
    report = judged(plain, store_of(listed(G1, grant, source="national/4")))
    assert report.integrity is Integrity.INTACT
    if passed:
        assert report.indication is Indication.TOTAL_PASSED
    else:
        assert report.sub_indication is SubIndication.CHAIN_CONSTRAINTS_FAILURE
        assert "was not granted" in said(report, "path.anchor")[0][1]


def test_a_root_that_was_never_granted_is_no_root(plain):
    anchor = replace(listed(G1), grants=())
    assert judged(plain, store_of(anchor)).indication is Indication.INDETERMINATE


def test_a_withdrawn_authority_still_proves_what_was_signed_before(plain):
    """Judged as of when it was granted: passed; judged now: not."""
    anchor = listed(G1, Grant(ends=NOW - 10 * DAY), source="national/9")
    assert judged(plain, store_of(anchor), NOW - 11 * DAY).indication is Indication.TOTAL_PASSED
    assert judged(plain, store_of(anchor)).indication is Indication.INDETERMINATE


def test_a_gap_between_two_grants(plain):
    grants = (Grant(ends=NOW - 20 * DAY), Grant(begins=NOW - 10 * DAY))
    anchor = listed(G1, *grants, source="national/9")
    verdicts = [
        judged(plain, store_of(anchor), NOW - days * DAY).indication.value for days in (25, 15, 5)
    ]
    assert verdicts == ["TOTAL-PASSED", "INDETERMINATE", "TOTAL-PASSED"]


def test_a_root_for_signers_proves_no_time(signed, test_pki, trust):
    """TSA/QTST is another service than CA/QC: a path to the wrong one is not enough."""
    root = test_pki.anchors[0]
    both = TrustStore((TrustAnchor(root, TrustDomain.PUBLIC, source="national/1"),))
    only = frozenset({Service.SIGNING})
    signers = TrustStore(
        (TrustAnchor(root, TrustDomain.PUBLIC, (Grant(services=only),), source="national/1"),)
    )
    assert Verifier(both).verify(signed["B-LTA"]).indication is Indication.TOTAL_PASSED
    report = Verifier(signers).verify(signed["B-LTA"])
    assert report.integrity is Integrity.INTACT
    assert all(s.proved_time is None for s in report.signatures)
    assert all(t.indication is Indication.INDETERMINATE for t in report.document_timestamps)


def test_a_timestamp_unit_listed_by_itself_is_enough(signed, test_pki):
    """QTST services list the unit's certificate; nothing above it has to be there."""
    stamps = frozenset({Service.TIMESTAMPING})
    store = TrustStore(
        (
            TrustAnchor(test_pki.anchors[0], TrustDomain.PUBLIC,
                        (Grant(services=frozenset({Service.SIGNING})),), source="national/1"),
            TrustAnchor(test_pki.tsa.certificate, TrustDomain.PUBLIC,
                        (Grant(services=stamps),), source="national/1"),
        )
    )  # fmt: skip
    report = Verifier(store).verify(signed["B-LTA"])
    assert report.indication is Indication.TOTAL_PASSED
    assert all(s.proved_time is not None for s in report.signatures)


# --- overdue lists ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "outcome"),
    [
        (-1, Outcome.PASSED),
        (1, Outcome.WARNING),
        (29, Outcome.WARNING),
        (31, Outcome.INDETERMINATE),
    ],
)
def test_a_list_that_was_not_renewed(plain, days, outcome):
    """It is used for a while with a note, then no more: withdrawals may have been missed."""
    anchor = listed(G1, source="national/4", next_update=NOW - days * DAY)
    report = judged(plain, store_of(anchor))
    assert said(report, "path.anchor")[-1][0] is outcome
    if outcome is Outcome.INDETERMINATE:
        assert report.sub_indication is SubIndication.TRY_LATER
    else:
        assert report.indication is Indication.TOTAL_PASSED


# --- namesakes and shared keys ------------------------------------------------------------


def test_two_roots_of_one_name_with_two_keys(plain):
    """An old and a new root; and one that only has the name."""
    namesake = Party.root("Gốc Thử G1", key="another key", **LONG)
    for anchors in ((namesake, G1), (G1, namesake)):
        path, _ = path_of(store_of(*(listed(one) for one in anchors)))
        assert path is not None
        assert path.certificates[-1] == der(G1)
    path, _ = path_of(store_of(listed(namesake)))
    assert path is None
    report = judged(plain, store_of(listed(namesake)))
    assert report.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND


def test_a_root_certified_anew_with_the_same_key():
    """The file brings the old certificate of the root, the store the new one; and both at once."""
    again = Party.root("Gốc Thử G1", begins=NOW - 10 * DAY, ends=NOW + 8000 * DAY)
    path, _ = path_of(store_of(listed(again)), pool=(G1,))
    assert path is not None
    assert path.certificates[-1] == der(again)
    both = store_of(listed(again, domain=TrustDomain.PUBLIC), listed(G1))
    early, _ = path_of(both, moment=NOW - 100 * DAY)
    assert early is not None
    assert early.certificates[-1] == der(G1)  # the other one was not in force then


def test_one_key_under_two_names_in_two_domains():
    """Whoever names the issuer decides the domain, not the key."""
    twin = Party.root("Gốc Thử công cộng", key="Gốc Thử G1", **LONG)
    store = store_of(listed(twin), listed(G1, domain=TrustDomain.OFFICIAL_DUTY))
    path, _ = path_of(store)
    assert path is not None
    assert path.domain is TrustDomain.OFFICIAL_DUTY
    assert path_of(store_of(listed(twin)))[0] is None


def test_the_granted_one_of_two_roots_is_taken():
    """One leaf, two ways up: the old root's grant has ended, the new one's has not."""
    cross = G2.certify("CA phát hành Thử", is_ca=True, **LONG)
    old = listed(G1, Grant(ends=NOW - DAY), source="a/1")
    new = listed(G2, source="b/1", domain=TrustDomain.OFFICIAL_DUTY)
    for inner in ((ISSUING, cross), (cross, ISSUING)):
        path, _ = path_of(store_of(old, new, inner=inner))
        assert path is not None
        assert path.domain is TrustDomain.OFFICIAL_DUTY
        before, _ = path_of(store_of(old, inner=inner), moment=NOW - 2 * DAY)
        assert before is not None
        assert before.anchor.source == "a/1"


# --- cross-certificates -------------------------------------------------------------------


def test_a_new_root_under_the_old_one(plain):
    """G2 is not in the store yet: its cross-certificate by G1 leads there."""
    inner = G2.certify("CA mới Thử", is_ca=True, **LONG)
    leaf = inner.certify("Cán bộ mới Thử", **LONG)
    cross = G1.certify("Gốc Thử G2", key="Gốc Thử G2", is_ca=True, **LONG)
    store = store_of(listed(G1), inner=(inner, cross))
    path, _ = path_of(store, leaf)
    assert path is not None
    assert [c.common_name for c in path.certificates] == [
        "Cán bộ mới Thử", "CA mới Thử", "Gốc Thử G2", "Gốc Thử G1",
    ]  # fmt: skip
    assert path_of(store_of(listed(G1), inner=(inner,)), leaf)[0] is None
    # the root itself came with the file, and is no anchor: it must not end the search
    path, _ = path_of(store, leaf, pool=(G2,))
    assert path is not None


def test_a_roots_new_key_under_its_old_one():
    """RFC 4210, 4.4: newWithOld has one name twice, with two keys."""
    renewed = Party.root("Gốc Thử G1", key="new key of G1", **LONG)
    new_with_old = G1.certify("Gốc Thử G1", key="new key of G1", is_ca=True, **LONG)
    leaf = renewed.certify("Cán bộ khóa mới Thử", **LONG)
    path, _ = path_of(store_of(listed(G1), inner=()), leaf, pool=(renewed, new_with_old))
    assert path is not None
    assert len(path.certificates) == 3


def test_authorities_that_certify_each_other_make_no_circle():
    first = Party("Vòng A", key_named("Vòng A"), G1.certify("Vòng A", is_ca=True).certificate)
    second = Party("Vòng B", key_named("Vòng B"), G2.certify("Vòng B", is_ca=True).certificate)
    a_by_b, b_by_a = second.certify("Vòng A", is_ca=True), first.certify("Vòng B", is_ca=True)
    leaf = first.certify("Lá vòng Thử")
    stranger = Party.root("Gốc lạ Thử")
    circle = (a_by_b, b_by_a)
    path, why = path_of(store_of(listed(stranger), inner=()), leaf, pool=circle)
    assert path is None
    assert why == ""
    path, _ = path_of(store_of(listed(G1), inner=()), leaf, pool=(*circle, first))
    assert path is not None
    assert path.certificates[-1] == der(G1)


def test_a_thicket_of_cross_certificates_is_given_up_in_time():
    """Every layer certifies every one below it: the number of ways is bounded."""
    layers = [
        [Party.root(f"Tầng {depth}", key=f"layer {depth} key {n}") for n in range(6)]
        for depth in range(8)
    ]
    pool = [
        above.certify(f"Tầng {depth}", key=f"layer {depth} key {n}", is_ca=True)
        for depth in range(7)
        for n in range(6)
        for above in layers[depth + 1]
    ]
    leaf = layers[0][0].certify("Lá rừng Thử")
    started = dt.datetime.now(dt.UTC)
    path, why = path_of(store_of(listed(Party.root("Gốc ngoài rừng"))), leaf, pool=pool)
    assert path is None
    assert "given up" in why
    assert dt.datetime.now(dt.UTC) - started < dt.timedelta(seconds=20)


# --- stores -------------------------------------------------------------------------------


def test_what_two_lists_say_of_one_root_is_joined():
    first = listed(G1, Grant(ends=NOW), source="a/1", next_update=NOW + DAY)
    second = listed(G1, Grant(begins=NOW + DAY), source="b/1", next_update=NOW + 2 * DAY)
    [anchor] = TrustStore((first,)).merged(TrustStore((second,))).anchors
    assert anchor.grants == (*first.grants, *second.grants)
    assert anchor.source == "a/1, b/1"
    assert anchor.next_update == NOW + 2 * DAY
    elsewhere = replace(second, domain=TrustDomain.OFFICIAL_DUTY)
    assert TrustStore((first,)).merged(TrustStore((elsewhere,))).anchors == (first,)
    pinned = TrustStore.of([G1.certificate], TrustDomain.PUBLIC)
    [anchor] = pinned.merged(TrustStore((first,))).anchors
    assert anchor.is_granted(Service.SIGNING, NOW + 5 * DAY)
    assert anchor.next_update is None  # the pin is never overdue


def test_grants_need_zones():
    with pytest.raises(ValueError, match="zone"):
        Grant(begins=dt.datetime(2026, 1, 1))  # noqa: DTZ001 - the point


def test_the_report_says_which_store_judged(plain):
    store = replace(store_of(listed(G1, source="national/4")), lists=("national/4",))
    report = judged(plain, store)
    assert report.to_json()["trust"] == {"sha256": store.fingerprint, "lists": ["national/4"]}
    other = replace(store_of(listed(G1, source="national/5")), lists=("national/5",))
    assert other.fingerprint == store.fingerprint  # it says the same, under another number
