"""The key agent before a token that fails in every way met in practice (security.md 17, 18)."""

from __future__ import annotations

import collections
import hashlib
import secrets
import threading
import time

import pytest

from dossier.audit.chain import digest_of, genesis, next_link
from dossier.audit.log import AuditLog
from dossier.storage.database import Database
from hsm import _cryptoki as ck
from hsm.errors import DeviceError, HSMError, SignatureFault, TokenUnavailable

LOST = (0x05, 0x30, 0x32, 0x60, 0xB3, 0xE0, 0x101, 0x190)
DEVICE = (0x02, 0x06, 0x31, 0x54, 0x90, 0xB1)
CLIENTS = 16


class Crowd:
    """Clients that each sign a few digests and try again until they have them."""

    def __init__(self, agent, *, clients=CLIENTS, each=4, label="test-seal", patience_s=40.0):
        self.agent = agent
        self.errors = collections.Counter()
        self.retry_after = []
        self.unexpected = []
        self.signatures = {}
        self._lock = threading.Lock()
        self._deadline = time.monotonic() + patience_s
        self._ready = threading.Barrier(clients + 1)
        self._threads = [
            threading.Thread(target=self._run, args=(n, each, label)) for n in range(clients)
        ]

    def sign(self, **fault):
        """With `fault`, it is there when they begin and goes when one has met it."""
        self._fault = fault
        for thread in self._threads:
            thread.start()
        if fault:
            while self._ready.n_waiting < len(self._threads):
                assert not self.unexpected, self.unexpected[:3]
                time.sleep(0.005)
            self.agent.fault(**fault)
            self._ready.wait(30)
            while not self.errors and any(thread.is_alive() for thread in self._threads):
                time.sleep(0.01)
            time.sleep(0.1)
            self.agent.heal()
        for thread in self._threads:
            thread.join()
        assert not self.unexpected, self.unexpected[:3]
        return self

    def _run(self, number, each, label):
        client = self.agent.client()
        try:
            key = client.key(label)
            if self._fault:
                self._ready.wait(30)
            for n in range(each):
                subject = f"rec_{number}_{n}_{secrets.token_hex(4)}"
                self._until_signed(key, subject)
        except BaseException as error:  # noqa: BLE001
            self.unexpected.append(error)
        finally:
            client.close()

    def _until_signed(self, key, subject):
        digest = hashlib.sha256(subject.encode()).digest()
        attempt = 0
        while True:
            attempt += 1
            bound = key.bound(
                agency="H1", purpose="document", subject=subject, attempt=attempt, principal="c"
            )
            try:
                (signature,) = bound.sign_digests([digest])
            except HSMError as error:
                with self._lock:
                    self.errors[type(error)] += 1
                    if isinstance(error, TokenUnavailable):
                        self.retry_after.append(error.retry_after_s)
                if time.monotonic() > self._deadline:
                    raise
                time.sleep(0.05)
            else:
                with self._lock:
                    assert subject not in self.signatures
                    self.signatures[subject] = signature
                return


@pytest.mark.parametrize(
    ("function", "code"),
    [("C_Sign", code) for code in (*LOST, *DEVICE)]
    + [("C_SignInit", 0x32), ("C_SignInit", 0x90), ("any", 0xB3)]
    # sessions are opened when more calls come at once than have been, or in place of broken ones
    + [("C_Sign,C_OpenSession", 0xB1)],
    ids=lambda value: value if isinstance(value, str) else ck.name_of(value),
)
def test_each_return_code_under_sixteen_clients(faulty_agent, function, code):
    """No crash, the right error, recovery without a restart, an intent for each C_Sign."""
    before = faulty_agent.process.pid
    crowd = Crowd(faulty_agent, each=2).sign(rv=hex(code), fn=function)
    assert len(crowd.signatures) == CLIENTS * 2
    assert set(crowd.errors) <= {TokenUnavailable} | ({DeviceError} if code in DEVICE else set())
    assert crowd.errors
    assert all(0 < wait <= 10 for wait in crowd.retry_after)
    assert faulty_agent.process.poll() is None
    assert faulty_agent.process.pid == before
    account = faulty_agent.account()
    assert account.is_even, account.story()
    released = [e.subject for e in account.outcomes.values() if e.details["released"]]
    for subject in crowd.signatures:
        assert released.count(subject) == 1


def test_a_wrong_signature_is_caught_and_is_nobody_else_s_fault(faulty_agent):
    faulty_agent.fault(flip=1, n=3)
    crowd = Crowd(faulty_agent).sign()
    assert len(crowd.signatures) == CLIENTS * 4
    assert set(crowd.errors) == {SignatureFault}
    assert crowd.errors[SignatureFault] == 3
    account = faulty_agent.account()
    assert account.is_even, account.story()
    faults = [e for e in account.outcomes.values() if e.details.get("error") == "SignatureFault"]
    assert len(faults) == 3
    assert not any(entry.details["ok"] or entry.details["released"] for entry in faults)


def test_one_bad_hash_does_not_fail_its_neighbours(faulty_agent):
    key = faulty_agent.client().key("test-seal").bound(purpose="document", subject="rec_row")
    digests = [secrets.token_bytes(32) for _ in range(8)]
    faulty_agent.fault(rv="0x6", n=1)
    results = faulty_agent.client().sign(key._credential, key.scheme, digests, key.context)
    assert [isinstance(result, bytes) for result in results].count(False) == 1
    (failure,) = [result for result in results if not isinstance(result, bytes)]
    assert failure.kind == "DeviceError"
    assert failure.code == "CKR_FUNCTION_FAILED"


def test_a_call_that_stalls_hangs_nobody_else(faulty_agent):
    """5 s of silence: that call is answered after 2 s, the others at once; the outcome comes."""
    faulty_agent.fault(stall=5000, n=1)
    stalled = (
        faulty_agent.client().key("test-officer").bound(purpose="document", subject="rec_stalled")
    )
    said = []

    def sign():
        began = time.monotonic()
        with pytest.raises(TokenUnavailable, match="too long") as failure:
            stalled.sign_digests([secrets.token_bytes(32)])
        said.append((time.monotonic() - began, failure.value.retry_after_s))

    thread = threading.Thread(target=sign)
    thread.start()
    while not any(e.subject == "rec_stalled" for e in faulty_agent.entries()):
        time.sleep(0.02)
    began = time.monotonic()
    Crowd(faulty_agent, each=2).sign()
    assert time.monotonic() - began < 3
    thread.join()
    ((took, wait),) = said
    assert 1.5 < took < 4
    assert wait >= 1
    assert faulty_agent.client().health().details["counts"]["hanging"] == 1
    account = faulty_agent.account()
    assert account.is_even, account.story()
    (late,) = [e for e in account.outcomes.values() if e.subject == "rec_stalled"]
    assert (late.details["ok"], late.details["called"], late.details["released"]) == (
        True, True, False,
    )  # fmt: skip
    assert faulty_agent.client().health().details["counts"]["hanging"] == 0


def test_token_gone_and_back_while_sixteen_clients_sign(faulty_agent):
    """503 with Retry-After at once while it is gone; then everything is signed, once."""
    client = faulty_agent.client()
    client.key("test-seal")
    faulty_agent.fault_for(3.0, gone=1)
    gone = threading.Thread(target=Crowd(faulty_agent, each=3).sign)
    crowd = Crowd(faulty_agent, each=3)
    with pytest.raises(TokenUnavailable):
        client.key("test-seal").bound(purpose="document").sign_digests([bytes(32)])
    gone.start()
    deadline = time.monotonic() + 5
    while client.health().ok:
        assert time.monotonic() < deadline
    health = client.health()
    assert health.retry_after_s
    assert health.retry_after_s >= 1
    took = []
    for _ in range(10):
        began = time.monotonic()
        with pytest.raises(TokenUnavailable):
            client.key("test-seal").bound(purpose="document").sign_digests([bytes(32)])
        took.append(time.monotonic() - began)
    assert sorted(took)[5] < 0.2  # refused at once, not after a try of its own
    crowd.sign()
    gone.join()
    assert len(crowd.signatures) == CLIENTS * 3
    assert client.health().ok
    account = faulty_agent.account()
    assert account.is_even, account.story()


def test_a_call_that_never_returns_and_a_token_that_is_lost(make_agent):
    """Re-initialising under a call is forbidden: the others get new sessions without it."""
    agent = make_agent(SOHOA_AGENT__TIMEOUT_S="4")
    agent.start()
    agent.fault(stall=3_600_000, n=1)
    with pytest.raises(TokenUnavailable, match="too long"):
        agent.client().key("test-seal").bound(purpose="document", subject="rec_for_ever"
        ).sign_digests([bytes(32)])  # fmt: skip
    agent.fault(rv="0xB3", n=1)
    crowd = Crowd(agent, clients=4, each=1, patience_s=60).sign()
    assert len(crowd.signatures) == 4
    assert agent.client().health().details["counts"]["hanging"] == 1
    began = time.monotonic()
    assert agent.stop() == 0  # it drains as far as it can
    assert time.monotonic() - began < 12
    agent.heal()
    agent.start()
    account = agent.account()
    assert len(account.unknown) == 1
    assert account.intents[account.unknown.pop()].subject == "rec_for_ever"


def test_sixty_four_parallel_signers(faulty_agent):
    """2,000 signatures, no error (security.md 18); the long one is proof_parallel_signers.py."""
    before = len(faulty_agent.calls())
    client = faulty_agent.client(timeout_s=30)
    key = client.key("test-seal")
    errors, made = [], []

    def sign(number):
        try:
            for n in range(2000 // 64 + 1):
                bound = key.bound(purpose="document", subject=f"rec_{number}_{n}")
                made.extend(bound.sign_digests([secrets.token_bytes(32)]))
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=sign, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(set(made)) == len(made) >= 2000
    assert len(faulty_agent.calls()) - before == len(made)
    account = faulty_agent.account()
    assert account.is_even, account.story()


def test_killed_between_intent_and_outcome(make_agent):
    """The chain verifies; the next start says which intents have no known outcome."""
    agent = make_agent()
    agent.start()
    agent.fault(stall=3_600_000)
    key = agent.client(timeout_s=2).key("test-seal").bound(purpose="document", subject="rec_cut")
    with pytest.raises(TokenUnavailable):
        key.sign_digests([secrets.token_bytes(32), secrets.token_bytes(32)])
    agent.kill()
    agent.heal()
    agent.start()
    unknown = [e for e in agent.entries() if e.event == "key.outcome_unknown"]
    mine = [e for e in unknown if e.subject == "rec_cut"]
    assert len(mine) == 2
    assert {e.subject for e in unknown} <= {"rec_cut", "audit-head"}  # the first head hung too
    account = agent.account(settle_s=1)
    assert account.intents.keys() == account.outcomes.keys() | account.unknown
    assert not account.doubled
    # of the two, one C_Sign hung and was never counted by the module, the other was never made
    assert len(account.calls) == account.called
    database = Database(f"sqlite:///{agent.folder / 'agent' / 'keys.db'}")
    log = AuditLog(database, "keys")
    try:
        entries = log.entries(None, 0, 100_000)
        link = genesis("keys", log.installation())
        for number, entry in enumerate(entries, 1):
            assert entry.seq == number
            link = next_link(link, digest_of(entry.entry.encode()))
            assert link.hex() == entry.link_sha256
    finally:
        database.close()
    assert agent.stop() == 0
    agent.start()
    assert len([e for e in agent.entries() if e.event == "key.outcome_unknown"]) == len(unknown)
