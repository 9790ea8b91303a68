"""What has to be true after a kill storm, by the service's answers and by both audit chains.

figures = judge(service, result, counter)     # raises AssertionError
"""

from __future__ import annotations

import collections
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from api.settings import load_settings
from dossier.audit.explain import Explanation, all_entries, explain
from dossier.audit.head import Head, from_seq, head_of
from dossier.audit.log import AuditLog
from dossier.register.checkpoints import Checkpoints
from dossier.register.entry import Event
from dossier.register.log import Register
from dossier.register.merkle import root_of
from dossier.storage.database import Database
from tests.running_service import RunningService
from tests.storm import StormResult, decision, download, submit, verdict

_AT_REST_S = 60.0
_OF_AUTHORITY = ("test-root", "test-issuing", "test-ocsp", "test-tsa")


def judge(
    service: RunningService, result: StormResult, counter: Path, *, decisions: int, seed: int
) -> dict[str, Any]:
    """Every record published once and valid, every number once, every use of a key explained."""
    assert len(result.records) == decisions
    numbers = sorted(record["number"] for record in result.records.values())
    assert numbers == list(range(1, decisions + 1)), "numbers with a gap or twice"
    digests: dict[str, str] = {}
    with ThreadPoolExecutor(4) as pool:
        for key, digest in pool.map(
            lambda item: (item[0], _valid(service, item[1])), result.records.items()
        ):
            digests[key] = digest
    assert len(set(digests.values())) == decisions
    same = repeat(service, result, seed)
    published = count_published(service)
    assert published == decisions, f"{published} records are published"
    registered = require_registered(service, result)
    audit = account(service, counter)
    assert not audit["explanation"].findings, audit["explanation"].findings
    return {
        "decisions": decisions,
        "kills": result.kills,
        "processes_killed": result.processes_killed,
        "requests": result.asked,
        "cut_off": result.cut_off,
        "refused": result.refused,
        "seconds": round(result.seconds),
        "same_bytes_on_repeat": same,
        "registered_once": registered,
        "c_sign_calls": audit["calls"],
        "intents": audit["intents"],
        "reasons": audit["explanation"].counts(),
    }


def _valid(service: RunningService, record: dict[str, Any]) -> str:
    pdf = download(service, record)
    assert verdict(service, pdf) == "TOTAL-PASSED INTACT", record
    return hashlib.sha256(pdf).hexdigest()


def repeat(service: RunningService, result: StormResult, seed: int, most: int = 25) -> int:
    """Ask again with the same keys: the same record, the same bytes."""
    keys = sorted(result.records)[:most]
    for key in keys:
        number = int(key.rsplit("-", 1)[1])
        answer = submit(service, key, decision(number, seed))
        assert answer.status in (200, 201), answer
        assert answer.json["id"] == result.records[key]["id"]
        assert answer.json["result_sha256"] == result.records[key]["result_sha256"]
    return len(keys)


def count_published(service: RunningService) -> int:
    """Records that the service shows as published, page by page."""
    count, after = 0, ""
    while True:
        query = {"state": "published", "limit": "200", **({"after": after} if after else {})}
        page = service.ask("GET", "/v1/signatures", query=query)
        assert page.status == 200, page
        items = page.json["items"]
        count += len(items)
        if not items or not page.json.get("next"):
            return count
        after = items[-1]["id"]


def require_registered(service: RunningService, result: StormResult) -> int:
    """Each published record is in the register exactly once, with its digests and number."""
    settings = load_settings(service.data, {**service.environ})
    database = Database(settings.database_url)
    try:
        register = Register(database)
        told = [entry.told for entry in register.walk(0, register.size())]
        signed = Checkpoints(database).newest()
        if signed is not None:
            size = signed.checkpoint.size
            leaves = [entry.leaf_hash for entry in register.walk(0, size)]
            assert signed.checkpoint.root == root_of(leaves), "the checkpoint is of another log"
    finally:
        database.close()
    entered = {one.code: one for one in told if one.event is Event.ISSUED}
    assert len(told) == len(entered) == len(result.records), "entries missing, or twice"
    for record in result.records.values():
        one = entered[record["code"].replace("-", "")]
        assert (one.document_sha256, one.source_sha256, one.number) == (
            record["result_sha256"], record["source_sha256"], record["number"],
        ), record  # fmt: skip
    return len(entered)


def account(service: RunningService, counter: Path) -> dict[str, Any]:
    """`account_of` a service on one machine."""
    settings = load_settings(service.data, {**service.environ})
    keys = settings.data_dir / settings.agent.database
    return account_of(settings.database_url, keys, counter)


def account_of(database_url: str, key_chain: Path, counter: Path) -> dict[str, Any]:
    """C_Sign calls counted inside the module against the intents of the key agent's chain.

    Keys of the test authority (another token, another process) are left out. The service goes on
    sealing heads meanwhile, so it is asked at a moment when no call is under way.
    """
    until = time.monotonic() + _AT_REST_S
    while True:
        before = _calls(counter)
        explanation, kinds, called = _told(database_url, key_chain)
        calls, unknown = _calls(counter), kinds["key.outcome_unknown"]
        closed = kinds["key.outcome"] + unknown
        if (before, kinds["key.intent"]) == (calls, closed):
            break
        assert time.monotonic() < until, f"calls {before}, then {calls}; {kinds}"
        time.sleep(0.1)
    assert called <= calls <= called + unknown, (calls, called, unknown)
    return {"calls": calls, "intents": kinds["key.intent"], "explanation": explanation}


def _told(database_url: str, key_chain: Path) -> tuple[Explanation, collections.Counter[str], int]:
    """What the chains say: each use explained, the key chain's events, outcomes of calls."""
    databases = [Database(database_url), Database(f"sqlite:///{key_chain}")]
    try:
        told = AuditLog(databases[0], "service")
        keys = AuditLog(databases[1], "keys")
        of_keys = list(all_entries(keys))
        explanation = explain(all_entries(told), of_keys, [*_heads(told), *_heads(keys)])
    finally:
        for database in databases:
            database.close()
    outcomes = [entry for entry in of_keys if entry.event == "key.outcome"]
    called = sum(bool(entry.details.get("called", True)) for entry in outcomes)
    return explanation, collections.Counter(entry.event for entry in of_keys), called


def _calls(counter: Path) -> int:
    """C_Sign calls of the service's own keys, as the module counted them."""
    lines = counter.read_text().splitlines()
    return sum(not any(label in line for label in _OF_AUTHORITY) for line in lines)


def _heads(log: AuditLog) -> list[Head]:
    with log.database.read() as connection:
        return [head_of(row) for row in connection.execute(from_seq(log.chain, 1))]
