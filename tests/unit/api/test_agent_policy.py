"""key-policy.toml: what is read, what is refused, what a rule allows."""

from __future__ import annotations

import datetime as dt

import pytest

from api.agent.policy import AUDIT_PURPOSES, DOCUMENT_PURPOSES, load_policy, policy_text
from api.errors import SettingsError
from hsm.keys import SignatureScheme
from signer.csc.wire import Context

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
GOOD = """
[keys."leader"]
agencies = ["H22.12"]
callers = ["local", "uid:1000"]
purposes = ["document"]
max_per_call = 8
max_per_day = 100
valid_until = 2026-05-04
schemes = ["rsa-pss-sha256"]
"""


@pytest.fixture
def policy(tmp_path):
    def load(text):
        path = tmp_path / "key-policy.toml"
        path.write_text(text, "utf-8")
        return load_policy(path)

    return load


def test_a_rule_is_read_whole(policy):
    rule = policy(GOOD).rule("leader")
    assert rule.max_per_call == 8
    assert rule.max_per_day == 100
    assert rule.schemes == (SignatureScheme.RSA_PSS_SHA256,)
    assert rule.valid_until == dt.date(2026, 5, 4)
    assert policy(GOOD).rule("other") is None
    assert policy(GOOD).knows_uid(1000)
    assert not policy(GOOD).knows_uid(1001)


@pytest.mark.parametrize(
    ("caller", "context", "now", "reason"),
    [
        ("local", Context("H22.12", purpose="document"), NOW, None),
        ("uid:1000", Context("H22.12", purpose="document"), NOW, None),
        ("uid:0", Context("H22.12", purpose="document"), NOW, "callers"),
        ("local", Context("H22.12", purpose="seal"), NOW, "purposes"),
        ("local", Context("H22.12"), NOW, "purposes"),
        ("local", Context("H99", purpose="document"), NOW, "agencies"),
        ("local", Context(purpose="document"), NOW, "agencies"),
        # the day ends in Vietnam, seven hours before it ends in Greenwich
        ("local", Context("H22.12", purpose="document"), NOW.replace(hour=16), None),
        ("local", Context("H22.12", purpose="document"), NOW.replace(hour=17), "successor"),
    ],
    ids=range(9),
)
def test_who_may_for_whom_and_what_until_when(policy, caller, context, now, reason):
    refusal = policy(GOOD).rule("leader").refusal(caller, context, now)
    assert refusal is None if reason is None else reason in refusal


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("", "keys"),
        ("keys = 1", "keys"),
        ("[keys]", "keys"),
        ("other = 1\n" + GOOD, "other"),
        (GOOD + "colour = 1", "leader.colour"),
        (GOOD.replace('["H22.12"]', '"H22.12"'), "leader.agencies"),
        (GOOD.replace('["H22.12"]', "[]"), "leader.agencies"),
        (GOOD.replace('["H22.12"]', "[1]"), "leader.agencies"),
        (GOOD.replace('"H22.12"', '"has blank"'), "leader.agencies"),
        (GOOD.replace("uid:1000", "root"), "leader.callers"),
        (GOOD.replace('["document"]', '["Big Letters"]'), "leader.purposes"),
        (GOOD.replace('purposes = ["document"]', ""), "leader.purposes"),
        (GOOD.replace("= 8", "= 0"), "leader.max_per_call"),
        (GOOD.replace("= 8", "= 33"), "leader.max_per_call"),
        (GOOD.replace("= 8", "= true"), "leader.max_per_call"),
        (GOOD.replace("= 100", '= "many"'), "leader.max_per_day"),
        (GOOD.replace("2026-05-04", '"2026-05-04"'), "leader.valid_until"),
        (GOOD.replace("2026-05-04", "2026-05-04T00:00:00Z"), "leader.valid_until"),
        (GOOD.replace("rsa-pss-sha256", "rsa-sha1"), "leader.schemes"),
        ("[keys]\nleader = 5", "keys.leader"),
        ('[keys.""]\n', "keys."),
        ("[keys", "key policy"),
    ],
    ids=range(22),
)
def test_what_is_wrong_is_named(policy, text, entry):
    with pytest.raises(SettingsError, match=entry):
        policy(text)


def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(SettingsError, match="sohoa init"):
        load_policy(tmp_path / "none.toml")


def test_what_init_writes_can_be_read(policy):
    read = policy(policy_text(("officer", "leader"), ("audit",)))
    assert read.rule("leader").purposes == frozenset(DOCUMENT_PURPOSES)
    assert read.rule("audit").purposes == frozenset(AUDIT_PURPOSES)
    assert read.rule("audit").refusal("local", Context(purpose="document"), NOW)
