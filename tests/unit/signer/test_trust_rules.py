"""Rule sets of the trust domains: which one applies when, what it asks, and bad files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from signer.errors import TrustError
from signer.services import RevocationEvidence
from signer.trust import TrustDomain, TrustStore
from signer.trust.rule_book import RuleBook
from signer.trust.rules import TimestampDemand
from signer.verification.report import Indication, Integrity, Outcome, SubIndication
from signer.verification.verify import Verifier
from tests.trust_parties import DAY, NOW, Party, signed_by

DUTY, PUBLIC = TrustDomain.OFFICIAL_DUTY, TrustDomain.PUBLIC
RULES = Path(__file__).parents[3] / "signer/trust/rules.toml"
LONG = {"begins": NOW - 4000 * DAY, "ends": NOW + 4000 * DAY}
ROOT = Party.root("Gốc quy tắc Thử", **LONG)
LEAF = ROOT.certify("Cán bộ quy tắc Thử", **LONG)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def plain():
    """Signed at B-B; nothing proves its time, so that the rules of the moment judged at apply."""
    return signed_by(LEAF)


def judged(data, domain, moment, *, rules=None, crl_at=None, **policy):
    crl = ROOT.crl(this_update=crl_at or moment - DAY)
    store = TrustStore.of([ROOT.certificate], domain)
    verifier = Verifier(store, evidence=RevocationEvidence((), (crl,), ()), rules=rules, **policy)
    return verifier.verify(data, moment)


def findings(report, check):
    return [c for c in report.all_checks() if c.check == check]


@pytest.mark.parametrize(
    ("domain", "moment", "expected"),
    [
        (DUTY, "2012-01-01T00:00+07:00", "ND130-2018-OFFICIAL 2018-11-15"),
        (DUTY, "2024-08-14T23:59:59+07:00", "ND130-2018-OFFICIAL 2018-11-15"),
        (DUTY, "2024-08-15T00:00:00+07:00", "ND68-2024 2024-08-15"),
        (DUTY, "2024-08-14T17:00:00+00:00", "ND68-2024 2024-08-15"),
        (DUTY, "2099-01-01T00:00+07:00", "ND68-2024 2024-08-15"),
        (PUBLIC, "2025-04-09T23:59+07:00", "ND130-2018-PUBLIC 2018-11-15"),
        (PUBLIC, "2025-04-10T00:00+07:00", "ND23-2025 2025-04-10"),
        (PUBLIC, "2025-08-14T16:59+00:00", "ND23-2025 2025-04-10"),
        (PUBLIC, "2025-08-14T17:00+00:00", "ND23-2025 2025-08-15"),
        (TrustDomain.TEST, "2026-01-01T00:00+07:00", "EN319102-1 1"),
        (TrustDomain.PINNED, "2026-01-01T00:00+07:00", "EN319102-1 1"),
        (None, "2026-01-01T00:00+07:00", "EN319102-1 1"),
    ],
)
def test_which_rules_apply(domain, moment, expected):
    rules = RuleBook.default().at(domain, at(moment))
    assert f"{rules.id} {rules.rule_set.version}" == expected


def test_every_value_has_a_basis_and_every_set_its_answers():
    for one in RuleBook.default().rule_sets:
        rules = [*one.items, *one.algorithms]
        assert all(rule.legal_basis for rule in rules)
        assert one.answers
        assert one.title[0] != one.title[1]
    now = RuleBook.default().at(PUBLIC, NOW)
    answered = {answer.check for answer in now.answers}
    # TT 15/2025, Phụ lục II: time, revocation, algorithms, usage, signer, key, integrity, path
    assert answered >= {
        "path.validity", "revocation", "signature.strength", "signature.key-usage",
        "signature.certificate", "signature.value", "signature.digest", "path.found",
    }  # fmt: skip


RSA_1024 = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - weak on purpose
RSA_2048 = rsa.generate_private_key(65537, 2048).public_key()


@pytest.mark.parametrize(
    ("family", "digest", "key", "weak"),
    [
        ("rsa-pkcs1", "sha256", RSA_2048, None),
        ("rsa-pss", "sha3_256", RSA_2048, None),
        ("rsa-pkcs1", "sha1", RSA_2048, "SHA1"),
        ("rsa-pkcs1", "md5", RSA_2048, "MD5"),
        ("rsa-pss", "sha256", RSA_1024, "RSA-1024"),
        ("rsa-pss", "sha256", rsa.generate_private_key(3, 2048).public_key(), "RSA, e=3"),
        ("ecdsa", "sha384", ec.generate_private_key(ec.SECP384R1()).public_key(), None),
        ("ecdsa", "sha256", ec.generate_private_key(ec.SECP224R1()).public_key(), "EC-224"),
        ("ed25519", "sha512", ed25519.Ed25519PrivateKey.generate().public_key(), "ed25519"),
        ("gost", "streebog", RSA_2048, "gost"),
        ("dsa", "sha256", None, "dsa"),
    ],
)
def test_what_public_signatures_may_use(family, digest, key, weak):
    assert RuleBook.default().at(PUBLIC, NOW).weakness(family, digest, key) == weak


def test_the_general_rules_know_edwards_curves_too():
    rules = RuleBook.default().at(TrustDomain.PINNED, NOW)
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    assert rules.weakness("ed25519", "sha512", key) is None
    assert rules.weakness("ed448", "", key) is None


def test_sha3_came_with_the_circular_of_2025():
    book = RuleBook.default()
    assert book.at(PUBLIC, at("2025-08-14T12:00+07:00")).weakness("rsa-pss", "sha3_256", RSA_2048)
    assert not book.at(PUBLIC, at("2025-08-15T12:00+07:00")).weakness(
        "rsa-pss", "sha3_256", RSA_2048
    )


@pytest.mark.parametrize(
    ("domain", "moment", "rule_set"),
    [
        (DUTY, "2024-08-01T12:00+07:00", "ND130-2018-OFFICIAL"),
        (DUTY, "2026-03-01T12:00+07:00", "ND68-2024"),
        (PUBLIC, "2025-05-01T12:00+07:00", "ND23-2025"),
        (TrustDomain.PINNED, "2026-03-01T12:00+07:00", "EN319102-1"),
    ],
)
def test_the_report_names_the_rules_that_judged(plain, domain, moment, rule_set):
    report = judged(plain, domain, at(moment))
    said = report.to_json()["signatures"][0]
    assert report.integrity is Integrity.INTACT
    assert said["trust_domain"] == domain.value
    assert said["rule_set"]["id"] == rule_set
    assert said["rule_set"]["applied_on"] == moment[:10]
    assert said["rule_set"]["legal_basis"]
    answers = {one["check"]: one for one in said["rule_set"]["answers"]}
    assert answers["revocation"]["mandatory"] is True


def test_without_a_path_the_general_rules_are_named(plain):
    report = Verifier(TrustStore()).verify(plain)
    [signature] = report.signatures
    assert signature.trust_domain is None
    assert signature.rule_set.id == "EN319102-1"


def test_agencies_get_a_note_without_a_timestamp(plain):
    """NĐ 68/2024, 29.4: expected, so that its absence is said; it changes no verdict."""
    report = judged(plain, DUTY, NOW)
    assert report.indication is Indication.TOTAL_PASSED
    [note] = findings(report, "signature.timestamp")
    assert note.outcome is Outcome.WARNING
    assert findings(judged(plain, PUBLIC, NOW), "signature.timestamp") == []


def edited(*changes: tuple[str, str]) -> RuleBook:
    text = RULES.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return RuleBook.read(text)


def set_of(version: str, **values: str) -> str:
    """One more rule set for agencies, with items of its own."""
    items = "".join(
        f'\n[[rule_set.item]]\nname = "{name}"\nvalue = {value}\nlegal_basis = "thử"\n'
        for name, value in values.items()
    )
    return f"""
[[rule_set]]
id = "THU"
version = "{version}"
extends = "ND68-2024 2024-08-15"
domains = ["OFFICIAL_DUTY"]
vi = "Bộ quy tắc thử"
en = "Test rules"
legal_basis = "chỉ dùng thử"
valid_from = {version}
{items}"""


def book_with(*sets: str) -> RuleBook:
    return RuleBook.read(RULES.read_text("utf-8") + "".join(sets))


def test_several_versions_are_alive_at_once(plain):
    """The time that the signature is judged at chooses; the day that it is judged on does not."""
    book = book_with(
        set_of("2026-01-01", **{"timestamp.demand": '"REQUIRED"'}),
        set_of("2026-02-01", **{"timestamp.demand": '"OPTIONAL"'}),
    )
    said = {}
    for day in ("2025-12-31", "2026-01-15", "2026-02-15"):
        report = judged(plain, DUTY, at(f"{day}T12:00+07:00"), rules=book)
        [signature] = report.signatures
        said[day] = (signature.rule_set.rule_set.version, report.indication.value)
    assert said == {
        "2025-12-31": ("2024-08-15", "TOTAL-PASSED"),
        "2026-01-15": ("2026-01-01", "INDETERMINATE"),
        "2026-02-15": ("2026-02-01", "TOTAL-PASSED"),
    }


def test_a_required_timestamp(plain):
    book = book_with(set_of("2026-01-01", **{"timestamp.demand": '"REQUIRED"'}))
    report = judged(plain, DUTY, NOW, rules=book)
    assert report.sub_indication is SubIndication.SIG_CONSTRAINTS_FAILURE
    assert report.integrity is Integrity.INTACT
    assert book.at(DUTY, NOW).timestamp is TimestampDemand.REQUIRED


def test_formats_and_attributes(plain):
    refused = book_with(set_of("2026-01-01", **{"signature.formats": '["adbe.pkcs7.detached"]'}))
    report = judged(plain, DUTY, NOW, rules=refused)
    assert "does not accept ETSI.CAdES.detached" in findings(report, "signature.profile")[0].detail
    wanted = set_of("2026-01-01", **{"signature.required-attributes": '["signing-time"]'})
    report = judged(plain, DUTY, NOW, rules=book_with(wanted))
    assert "demands the signed attribute signing-time" in str(findings(report, "signature.profile"))
    there = set_of("2026-01-01", **{"signature.required-attributes": '["signing-certificate"]'})
    report = judged(plain, DUTY, NOW, rules=book_with(there))
    assert report.indication is Indication.TOTAL_PASSED


def test_an_algorithm_has_an_end(plain):
    """ECDSA from then on no more: what was judged at before stays as it was."""
    old = 'family = "ecdsa"\n  digests = ["sha224", "sha256"'
    book = edited(
        (old, 'valid_to = 2026-06-30\n  family = "ecdsa"\n  digests = ["sha224", "sha256"')
    )
    before = judged(plain, DUTY, at("2026-06-30T12:00+07:00"), rules=book)
    after = judged(plain, DUTY, at("2026-07-01T12:00+07:00"), rules=book)
    assert before.indication is Indication.TOTAL_PASSED
    assert after.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE
    assert "ecdsa is weak" in str(findings(after, "signature.strength"))
    assert findings(after, "path.strength")  # so was the certificate signed


def test_purposes_of_the_domain():
    stamper = ROOT.certify("Chỉ đóng dấu thời gian Thử", usage="timestamping", **LONG)
    data = signed_by(stamper)
    assert judged(data, DUTY, NOW).sub_indication is SubIndication.CHAIN_CONSTRAINTS_FAILURE
    allowed = set_of("2026-01-01", **{"signature.purposes": '["1.3.6.1.5.5.7.3.8"]'})
    report = judged(data, DUTY, NOW, rules=book_with(allowed))
    assert report.indication is Indication.TOTAL_PASSED


@pytest.mark.parametrize(
    ("values", "crl_days_before", "passed"),
    [
        ({}, 1, True),
        ({"revocation.max-age-days": "3"}, 2, True),
        ({"revocation.max-age-days": "3"}, 4, False),
        ({"revocation.evidence": '"AFTER"'}, 1, False),
        ({"revocation.evidence": '"AFTER"'}, 0, True),
    ],
)
def test_freshness_is_a_rule(plain, values, crl_days_before, passed):
    """`security.md` 9: after the best time, or current at it and not older than the maximum."""
    book = book_with(set_of("2026-01-01", **values))
    report = judged(plain, DUTY, NOW, rules=book, crl_at=NOW - crl_days_before * DAY)
    expected = None if passed else SubIndication.TRY_LATER
    assert report.sub_indication is expected


def test_unknown_standing_never_passes(plain):
    report = Verifier(TrustStore.of([ROOT.certificate], DUTY)).verify(plain)
    assert report.sub_indication is SubIndication.TRY_LATER


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('value = "OPTIONAL"', 'value = "SOMETIMES"', "cannot be 'SOMETIMES'"),
        ("value = 35", 'value = "35"', "cannot be '35'"),
        ("value = 35", "value = true", "cannot be True"),
        ('name = "list.overdue-days"', 'name = "list.overdue"', "list.overdue"),
        ('family = "ed448"', 'family = "gost"', "not a known algorithm"),
        ("minimum_bits = 448", 'minimum_bits = "448"', "not a whole number"),
        ("valid_from = 2025-08-15", 'valid_from = "2025-08-15"', "are dates"),
        ("valid_to = 2024-08-14", "valid_to = 2014-08-14", "before it begins"),
        ('domains = ["PUBLIC"]', 'domains = ["PUBLIK"]', "PUBLIK"),
        ('domains = ["PINNED", "TEST"]', 'domains = ["PINNED"]', "no rule set for the domain TEST"),
        ('version = "2025-08-15"', 'version = "2025-04-10"', "comes twice"),
        ('extends = "EN319102-1 1"', 'extends = "EN319102-1 2"', "EN319102-1 2"),
        ('legal_basis = "RFC 9336"', "", None),
        ("mandatory = false", 'mandatory = "no"', "true or false"),
        ('"content_commitment"]', '"any"]', "cannot be"),
        ("[[rule_set]]\nid", "[rule_set\nid", "Expected"),
    ],
)
def test_unusable_files_say_why(tmp_path, old, new, words):
    text = RULES.read_text("utf-8")
    if words is None:
        text = text.replace('\n  legal_basis = "RFC 5280 4.2.1.3"', "")
        words = "legal_basis"
    else:
        assert old in text
        text = (
            text.replace(old, new, 1)
            if old != "valid_from = 2025-08-15"
            else text.replace(old, new)
        )
    path = tmp_path / "rules.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(TrustError, match=words):
        RuleBook.load(path)


def test_a_gap_in_time_is_found(tmp_path):
    text = RULES.read_text("utf-8").replace(
        'value = "EXPECTED"\n', 'value = "EXPECTED"\n  valid_to = 2030-01-01\n'
    )
    with pytest.raises(TrustError, match=r"says nothing on 2030-01-02 about timestamp\.demand"):
        RuleBook.read(text)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(TrustError, match=r"gone\.toml"):
        RuleBook.load(tmp_path / "gone.toml")


def test_after_the_last_set_its_last_day_goes_on():
    book = edited(("valid_from = 2024-08-15\n", "valid_from = 2024-08-15\nvalid_to = 2027-12-31\n"))
    rules = book.at(DUTY, at("2035-01-01T00:00+07:00"))
    assert rules.id == "ND68-2024"
    assert rules.day == dt.date(2027, 12, 31)
