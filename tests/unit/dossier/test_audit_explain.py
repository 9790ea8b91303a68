"""Every use of a key is matched to its reason; what nothing explains is a finding."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import itertools
from typing import Any

import pytest

from dossier.audit.chain import AuditEntry
from dossier.audit.explain import Reason, all_entries, all_heads, explain, read_export
from dossier.audit.export import export
from dossier.audit.findings import Fault
from dossier.audit.heads import HeadSealer
from dossier.audit.log import AuditLog
from dossier.errors import ChainBroken
from dossier.model import AuditEvent
from tests.fakes import SoftwareKey

OLD = dt.datetime(2026, 3, 2, 1, 0, tzinfo=dt.UTC)
LATER = OLD + dt.timedelta(hours=5)


class Chain:
    """Entries as a chain would hold them; `at` is what matters of their time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: list[AuditEntry] = []

    def add(self, event: str, subject: str = "rec_1", *, at: dt.datetime = OLD, **details: Any):
        seq = len(self.entries) + 1
        self.entries.append(
            AuditEntry(self.name, seq, at, event, "x", "H22", subject, details, "", "", "")
        )
        return seq


@pytest.fixture
def service() -> Chain:
    return Chain("service")


@pytest.fixture
def keys() -> Chain:
    return Chain("keys")


_digests = (hashlib.sha256(bytes([n])).hexdigest() for n in itertools.cycle(range(250)))


def use(
    keys: Chain, subject: str = "rec_1", attempt: int = 1, *, at: dt.datetime = OLD,
    outcome: dict[str, Any] | str | None = None, digest: str | None = None, **details: Any,
) -> int:  # fmt: skip
    """An intent and (unless "none") its outcome: by default signed and released."""
    details = {"purpose": "document", "credential": "seal", **details}
    intent = keys.add(
        "key.intent", subject, at=at, attempt=attempt, digest=digest or next(_digests), **details
    )
    if outcome == "unknown":
        keys.add("key.outcome_unknown", subject, at=at, intent=intent, credential="seal")
    elif outcome != "none":
        good = {"ok": True, "called": True, "released": True}
        keys.add("key.outcome", subject, at=at, intent=intent, **good | dict(outcome or {}))
    return intent


def end(*chains: Chain) -> None:
    """Time goes on: what was not finished is not under way any more."""
    for chain in chains:
        chain.add("service.beat", "beat", at=LATER)


def reasons(service: Chain, keys: Chain, heads=()) -> list[Reason]:
    return [u.reason for u in explain(service.entries, keys.entries, heads).uses]


def test_a_published_record_explains_its_use(service, keys):
    use(keys, digest="d")
    seq = service.add("signature.published", attempt=1, digests=["d"])
    end(service, keys)
    found = explain(service.entries, keys.entries)
    assert [(u.reason, u.service_seq) for u in found.uses] == [(Reason.PUBLISHED, seq)]
    assert found.findings == ()
    assert found.counts() == {"published": 1}
    assert found.to_json()["not_published"] == []


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("signature.held", Reason.PUBLISHED),
        ("signature.unpublished", Reason.UNPUBLISHED),
        ("sequence.seal.done", Reason.RECORDED),
        ("batch.list-signed", Reason.RECORDED),
        ("batch.done", Reason.RECORDED),
        ("remote.accepted", Reason.REMOTE),
    ],
)
def test_events_that_name_the_digest_explain_it(service, keys, event, reason):
    use(keys, attempt=2, digest="d")
    extra = use(keys, attempt=2, digest="e")
    elsewhere = use(keys, "rec_2", attempt=2, digest="d")
    service.add(event, attempt=2, digests=["c", "d"])
    service.add("signature.published", attempt=2)  # names nothing, so it explains nothing
    end(service, keys)
    found = explain(service.entries, keys.entries)
    assert [u.reason for u in found.uses] == [reason, Reason.UNEXPLAINED, Reason.UNEXPLAINED]
    assert [f.seq for f in found.findings if f.chain == "keys"] == [extra, elsewhere]


@pytest.mark.parametrize(
    "event", ["signature.retaken", "signature.given-up", "job.retaken", "job.given-up"]
)
def test_a_dead_worker_cannot_say_what_it_asked_for(service, keys, event):
    use(keys, attempt=1)
    other = use(keys, attempt=2)
    service.add(event, attempt=1)
    end(service, keys)
    assert reasons(service, keys) == [Reason.WORKER_DIED, Reason.UNEXPLAINED]
    assert [f.seq for f in explain(service.entries, keys.entries).findings] == [other]


def test_one_signature_too_many_in_genuine_work_is_found(service, keys):
    """The very subject, attempt, key and document of a publication: only the digest differs."""
    use(keys, digest="d", document_sha256="ab" * 32)
    extra = use(keys, digest="e", document_sha256="ab" * 32)
    service.add("signature.published", attempt=1, digests=["d"])
    end(service, keys)
    [finding] = explain(service.entries, keys.entries).findings
    assert (finding.fault, finding.seq) == (Fault.UNEXPLAINED, extra)


def test_a_lost_answer_and_a_publication_of_the_same_digest(service, keys):
    use(keys, digest="d")
    service.add("signature.unpublished", attempt=1, digests=["d"])
    seq = service.add("signature.published", attempt=1, digests=["d"])
    end(service, keys)
    [found] = explain(service.entries, keys.entries).uses
    assert (found.reason, found.service_seq) == (Reason.PUBLISHED, seq)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("unknown", Reason.AGENT_DIED),
        ({"ok": False, "called": False, "released": False}, Reason.NOT_CALLED),
        ({"ok": False, "released": False, "error": "DeviceError"}, Reason.FAILED),
        ({"released": False}, Reason.WITHHELD),
        ("none", Reason.UNEXPLAINED),
    ],
)
def test_what_the_agent_itself_says(service, keys, outcome, reason):
    use(keys, outcome=outcome)
    end(service, keys)
    found = explain(service.entries, keys.entries)
    assert [u.reason for u in found.uses] == [reason]
    assert bool(found.findings) == (reason is Reason.UNEXPLAINED)


def test_a_use_that_nothing_explains_is_a_finding(service, keys):
    use(keys, digest="d")
    service.add("signature.published", attempt=1, digests=["d"])
    stolen = use(keys, "rec_2")
    service.add("signature.accepted", "rec_2", source_sha256="0" * 64)
    end(service, keys)
    [finding] = explain(service.entries, keys.entries).findings
    assert (finding.fault, finding.chain, finding.seq) == (Fault.UNEXPLAINED, "keys", stolen)
    assert "không có lý do" in str(finding)


def test_a_publication_without_a_use_is_a_finding(service, keys):
    use(keys, digest="d")
    withheld = use(keys, digest="w", outcome={"released": False})
    service.add("signature.published", attempt=1, digests=["d"])
    wrong = [
        service.add("signature.published", "rec_2", attempt=1),
        service.add("signature.published", "rec_3", attempt=1, digests=["d", "e"]),
        service.add("signature.published", "rec_4", attempt=1, digests=["w"]),
    ]
    end(service, keys)
    found = explain(service.entries, keys.entries)
    assert [(f.fault, f.chain, f.seq) for f in found.findings] == [
        (Fault.UNDISCLOSED, "service", seq) for seq in wrong
    ]
    assert found.uses[1].seq == withheld


def test_a_held_result_is_published_with_its_batch(service, keys):
    use(keys, attempt=2, digest="d")
    service.add("signature.held", attempt=2, result_sha256="a", digests=["d"])
    assert reasons(service, keys) == [Reason.UNDER_WAY]
    service.add("signature.published", result_sha256="a", batch="bat_1")
    other = service.add("signature.published", result_sha256="b", batch="bat_1")
    end(service, keys)
    found = explain(service.entries, keys.entries)
    assert [u.reason for u in found.uses] == [Reason.PUBLISHED]
    assert [(f.fault, f.seq) for f in found.findings] == [(Fault.UNDISCLOSED, other)]


def test_a_held_result_of_a_batch_that_failed_was_signed_and_not_published(service, keys):
    use(keys, digest="d")
    seq = service.add("signature.held", attempt=1, result_sha256="a", digests=["d"])
    service.add("signature.cancelled", withheld_sha256="a", batch="bat_1")
    end(service, keys)
    found = explain(service.entries, keys.entries)
    assert [(u.reason, u.service_seq) for u in found.uses] == [(Reason.UNPUBLISHED, seq)]
    assert found.findings == ()


def test_what_is_under_way_is_not_missing(service, keys):
    use(keys, at=LATER, outcome="none")
    use(keys, "rec_2", at=LATER)
    service.add("signature.accepted", "rec_2", at=LATER)
    assert reasons(service, keys) == [Reason.UNDER_WAY, Reason.UNDER_WAY]


def test_a_dead_worker_and_the_next_one_sign_the_same_digest(service, keys):
    use(keys, attempt=1, digest="d")
    service.add("signature.retaken", attempt=1)
    use(keys, attempt=2, digest="d")
    service.add("signature.published", attempt=2, digests=["d"])
    end(service, keys)
    assert reasons(service, keys) == [Reason.WORKER_DIED, Reason.PUBLISHED]


def test_work_that_was_begun_again(service, keys):
    """The answer of the first attempt was lost on its way; the second one is published."""
    use(keys, attempt=1, digest="c")
    service.add("signature.unpublished", attempt=1, digests=["c"])
    use(keys, attempt=2, digest="d")
    service.add("signature.published", attempt=2, digests=["d"])
    end(service, keys)
    assert reasons(service, keys) == [Reason.UNPUBLISHED, Reason.PUBLISHED]


@pytest.mark.parametrize("attempt", [1, 2])
def test_the_same_digest_is_asked_for_again(service, keys, attempt):
    """By the agent, whose token came back, or by the next attempt within the same second."""
    use(keys, attempt=1, digest="d", outcome={"ok": False, "released": False})
    use(keys, attempt=attempt, digest="d", **({"again": 1} if attempt == 1 else {}))
    service.add("signature.published", attempt=attempt, digests=["d"])
    end(service, keys)
    found = explain(service.entries, keys.entries)
    assert [u.reason for u in found.uses] == [Reason.FAILED, Reason.PUBLISHED]
    assert found.findings == ()


def test_a_self_test_explains_itself_and_a_purpose_alone_does_not(service, keys):
    use(keys, "seal", purpose="self-test")
    use(keys, "client-1", purpose="remote")
    end(service, keys)
    assert reasons(service, keys) == [Reason.SELF_TEST, Reason.UNEXPLAINED]


def test_an_issued_document_of_a_sequence(service, keys):
    use(keys, "seq_1", purpose="sequence", digest="c")
    service.add("sequence.leader.done", "seq_1", attempt=1, digests=["c"])
    use(keys, "seq_1", attempt=2, purpose="sequence", digest="d")
    service.add("sequence.seal.done", "seq_1", attempt=2, digests=["d"])
    service.add("signature.published", "rec_9", attempt=2, sequence="seq_1", digests=["d"])
    end(service, keys)
    found = explain(service.entries, keys.entries)
    assert [u.reason for u in found.uses] == [Reason.RECORDED, Reason.RECORDED]
    assert found.findings == ()


@pytest.mark.parametrize("event", ["audit.head-retaken", "audit.head-failed"])
def test_heads_are_explained_by_heads_or_by_what_befell_them(service, keys, event):
    lost = "cd" * 32
    use(keys, "audit-head", purpose="audit-head", document_sha256=lost)
    service.add(event, "audit-head", statement_sha256=lost)
    end(service, keys)
    assert reasons(service, keys) == [Reason.HEAD]


class Noted(SoftwareKey):
    """Signs as the key agent does: with an intent and an outcome in the keys chain."""

    chain_of_keys: AuditLog
    statement: str

    def sign_digests(self, digests):
        for digest in digests:
            details = {
                "purpose": "audit-head",
                "document_sha256": self.statement,
                "digest": digest.hex(),
                "attempt": 1,
            }
            keys = self.chain_of_keys
            intent = keys.write(AuditEvent("key.intent", "a", None, "audit-head", details))
            outcome = {"intent": intent, "ok": True, "called": True, "released": True}
            keys.write(AuditEvent("key.outcome", "agent", None, "audit-head", outcome))
        return super().sign_digests(digests)


def test_real_chains_and_their_exports(sqlite_url, open_database):
    """The service's head is signed by a key whose uses stand in the keys chain."""
    database = open_database(sqlite_url)
    service, keys = AuditLog(database), AuditLog(database, "keys")
    noted = Noted()
    noted.chain_of_keys = keys

    def bind(key, digest):
        noted.statement = digest
        return noted

    service.write(AuditEvent("signature.accepted", "prn_1", "H22", "rec_1"))
    HeadSealer(service, noted, None, bind=bind).seal()
    found = explain(all_entries(service), all_entries(keys), all_heads(service))
    assert [u.reason for u in found.uses] == [Reason.HEAD]
    told, heads = read_export(export(service))
    uses, _ = read_export(export(keys))
    assert explain(told, uses, heads) == found

    noted.sign_digests([b"x" * 32])  # under the name of that very head
    told_later = [
        *told,
        *(dataclasses.replace(e, at=e.at + dt.timedelta(hours=1)) for e in told[-1:]),
    ]
    [finding] = explain(told_later, all_entries(keys), heads).findings
    assert (finding.fault, finding.seq) == (Fault.UNEXPLAINED, keys.tip()[0] - 1)


@pytest.mark.parametrize("line", [b"no json", b"[]", b'{"type":"head"}', b'{"type":"entry"}'])
def test_what_is_no_export_is_refused(line):
    with pytest.raises(ChainBroken, match="sohoa audit verify"):
        read_export([line])
