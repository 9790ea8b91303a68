"""The agent's chain: intents and outcomes, counts of a day, what a crash leaves."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from api.agent import ledger as ledger_module
from api.agent.ledger import Ledger, Outcome, Use
from api.agent.policy import SELF_TEST
from api.agent.witness import CallWitness
from api.errors import SettingsError
from dossier.errors import AuditUnavailable
from dossier.model import AuditEvent
from dossier.storage.tables import key_intents
from hsm.errors import DeviceError, SignatureFault, TokenUnavailable
from signer.csc.wire import Context
from signer.errors import KeyUseRefused


@pytest.fixture
def path(tmp_path):
    return tmp_path / "agent" / "keys.db"


@pytest.fixture
def ledger(path):
    ledger = Ledger(path)
    assert ledger.open() == 0
    yield ledger
    ledger.close()


def use(subject="rec_1", purpose="document", attempt=1):
    context = Context("H1", "pri_1", purpose, subject, attempt, "d" * 64, "req_1")
    return Use("leader", context, "local", "ecdsa-sha256", b"\1" * 32)


def events(ledger):
    return [(e.event, e.details) for e in ledger.log.entries(None, 0, 1000)]


def test_an_intent_says_everything(ledger):
    (seq,) = ledger.intend([use()], None)
    (entry,) = ledger.log.entries(None, 0, 10)
    assert (entry.seq, entry.actor, entry.agency_id, entry.subject) == (seq, "pri_1", "H1", "rec_1")
    assert entry.details == {
        "attempt": 1,
        "caller": "local",
        "credential": "leader",
        "digest": "01" * 32,
        "document_sha256": "d" * 64,
        "principal": "pri_1",
        "purpose": "document",
        "request_id": "req_1",
        "scheme": "ecdsa-sha256",
    }


def test_outcomes_close_intents(ledger):
    first, second = ledger.intend([use(), use()], None)
    assert (first, second) == (1, 2)
    ledger.settle([Outcome(first, use(), True, True, True)])
    with ledger.database.read() as connection:
        assert connection.execute(sa.select(key_intents.c.seq)).scalars().all() == [second]
    ledger.settle([])
    assert [name for name, _ in events(ledger)] == ["key.intent", "key.intent", "key.outcome"]


def test_what_a_crash_left_is_said_once(path):
    ledger = Ledger(path)
    ledger.open()
    seqs = ledger.intend([use("rec_a"), use("rec_b")], None)
    ledger.settle([Outcome(seqs[0], use("rec_a"), True, True, True)])
    ledger.close()  # no outcome for the second
    for expected in (1, 0):
        again = Ledger(path)
        assert again.open() == expected
        unknown = [e for e in again.log.entries(None, 0, 99) if e.event == "key.outcome_unknown"]
        assert [(e.subject, e.details["intent"]) for e in unknown] == [("rec_b", seqs[1])]
        again.close()


def test_the_day_s_number_outlives_a_restart(path, monkeypatch):
    ledger = Ledger(path)
    ledger.open()
    ledger.intend([use(), use()], 3)
    ledger.intend([use(purpose=SELF_TEST)], None)  # does not count
    ledger.close()
    again = Ledger(path)
    again.open()
    assert again.used_today("leader") == 2
    with pytest.raises(KeyUseRefused, match="2/3"):
        again.intend([use(), use()], 3)
    again.intend([use()], 3)
    with pytest.raises(KeyUseRefused, match="3/3"):
        again.intend([use()], 3)
    assert len([name for name, _ in events(again) if name == "key.intent"]) == 4
    monkeypatch.setattr(ledger_module, "_today", lambda: "2999-01-01")
    again.intend([use()], 3)
    again.close()


def test_one_agent_a_database(ledger, path):
    with pytest.raises(SettingsError, match="Another agent"):
        Ledger(path)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"agent\.database"):
        Ledger(tmp_path / "file" / "keys.db")


def test_no_audit_no_intent_and_later_the_outcome(ledger, monkeypatch):
    (seq,) = ledger.intend([use()], None)
    real = ledger.log.append

    def broken(connection, events):
        raise AuditUnavailable("full")

    monkeypatch.setattr(ledger.log, "append", broken)
    with pytest.raises(AuditUnavailable, match=r"agent\.database"):
        ledger.settle([Outcome(seq, use(), True, True, True)])
    assert not ledger.is_well
    with pytest.raises(AuditUnavailable):
        ledger.intend([use()], None)
    with pytest.raises(AuditUnavailable):
        ledger.check()
    with pytest.raises(AuditUnavailable):
        ledger.note(AuditEvent("key.refused", "agent", None, "x"))
    monkeypatch.setattr(ledger.log, "append", real)
    ledger.intend([use()], None)  # writes what was left first
    assert ledger.is_well
    told = events(ledger)
    assert [name for name, _ in told] == ["key.intent", "key.outcome", "key.intent"]
    assert told[1][1] == {"intent": seq, "ok": True, "called": True, "released": False}


def test_a_witness_tells_each_call(ledger):
    """The attempt is the service's own; what the agent asks once more says so beside it."""
    witness = CallWitness(ledger, [use("a"), use("b", attempt=4), use("c")])
    witness.intend([0, 1, 2])
    witness.calling(0)
    witness.calling(1)
    lost = TokenUnavailable("C_Sign returned CKR_DEVICE_REMOVED: gone")
    witness.failed(1, lost)
    witness.intend([1])
    witness.calling(1)
    fault = DeviceError("x", code="CKR_FUNCTION_FAILED")
    witness.settle([b"s", SignatureFault("flip"), fault], released=True)
    intents = {s: d for s, (n, d) in enumerate(events(ledger), 1) if n == "key.intent"}
    assert [d["attempt"] for d in intents.values()] == [1, 4, 1, 4]
    assert [d.get("again") for d in intents.values()] == [None, None, None, 1]
    outcomes = {d["intent"]: d for n, d in events(ledger) if n == "key.outcome"}
    assert outcomes == {
        1: {"intent": 1, "ok": True, "called": True, "released": True},
        2: {
            "intent": 2, "ok": False, "called": True, "released": False,
            "error": "TokenUnavailable CKR_DEVICE_REMOVED",
        },
        3: {
            "intent": 3, "ok": False, "called": False, "released": False,
            "error": "DeviceError CKR_FUNCTION_FAILED",
        },
        4: {
            "intent": 4, "ok": False, "called": True, "released": False,
            "error": "SignatureFault",
        },
    }  # fmt: skip


def test_a_batch_that_is_given_up(ledger):
    witness = CallWitness(ledger, [use("a"), use("b")])
    witness.intend([0, 1])
    witness.calling(0)
    witness.give_up(RuntimeError("secret text that stays out of the chain"))
    outcomes = [d for n, d in events(ledger) if n == "key.outcome"]
    assert [(d["called"], d["error"]) for d in outcomes] == [
        (True, "Unexpected"), (False, "Unexpected"),
    ]  # fmt: skip
