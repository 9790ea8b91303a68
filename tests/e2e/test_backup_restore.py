"""A service that is backed up while it signs, restored elsewhere, and goes on there.

What is true of decisions after the backup: the restored book does not know of their numbers and
gives them again; whoever sends his requests again with their Idempotency-Keys gets what the
backup has, byte for byte, and a new decision for what it has not.

Here on SQLite and a folder; on PostgreSQL and S3: python -m tests.proof_backup_restore.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from api.settings import load_settings
from dossier.audit import explain as explaining
from dossier.audit.explain import Reason, all_entries, all_heads, explain
from dossier.audit.export import export
from dossier.audit.findings import Fault
from dossier.audit.log import AuditLog
from dossier.audit.verify import compare, verify_export
from dossier.storage.database import Database
from tests.audit_forgery import Forged
from tests.fixtures_installation import run_sohoa
from tests.moved_house import MovedHouse, Record, key_of, moved, signed
from tests.storm import download, verdict

NO_NETWORK = ("unshare", "--map-root-user", "--net")
CHAINS = ("service", "keys")
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MovedHouse]:
    """Restored, and not started yet when its first test begins."""
    with moved("sqlite", tmp_path_factory.mktemp("moved")) as found:
        yield found


@contextmanager
def chains_of(house: MovedHouse) -> Iterator[dict[str, AuditLog]]:
    """The chains of the new place, as they are in its databases."""
    settings = load_settings(house.service.data, house.environ)
    databases = [Database(settings.database_url), Database(f"sqlite:///{settings.agent.database}")]
    try:
        yield {
            chain: AuditLog(database, chain)
            for chain, database in zip(CHAINS, databases, strict=True)
        }
    finally:
        for database in databases:
            database.close()


@dataclass
class Life:
    """What the new place proved before its first start, and did in its life; it is over."""

    proofs: dict[str, dict[str, Any]]
    earlier: dict[str, bytes] = field(default_factory=dict)  # downloaded first of all
    again: dict[str, Record] = field(default_factory=dict)  # of all requests, sent again
    results: dict[str, bytes] = field(default_factory=dict)
    verdicts: set[str] = field(default_factory=set)
    numbers: list[int] = field(default_factory=list)  # of everything that is published


@pytest.fixture(scope="module")
def life(house: MovedHouse, tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("proofs")
    lived = Life({chain: verified_offline(house, folder, chain) for chain in CHAINS})
    service = house.service.start()
    for key in sorted(house.before):
        lived.earlier[key] = download(service, house.records[key])
    for number in range(1, len(house.records) + 1):
        record = lived.again[key_of(number)] = signed(service, number)
        lived.results[key_of(number)] = pdf = download(service, record)
        lived.verdicts.add(verdict(service, pdf))
    page = service.ask("GET", "/v1/signatures", query={"limit": "200", "state": "published"})
    assert page.json.get("next") is None
    lived.numbers = sorted(record["number"] for record in page.json["items"])
    wait_for_heads(house)
    assert service.stop() == 0
    return lived


def wait_for_heads(house: MovedHouse) -> None:
    """Until both chains are sealed behind the backup."""
    deadline = time.monotonic() + 60
    with chains_of(house) as logs:
        for chain, log in logs.items():
            while (head := log.head()) is None or head.seq <= house.backup["chains"][chain]["seq"]:
                assert time.monotonic() < deadline, house.service.told()[-3000:]
                time.sleep(0.1)


def test_restored_house_proves_itself(house: MovedHouse, life: Life) -> None:
    """What restore computed anew is what backup had computed, and what an auditor computes."""
    assert house.told["chains"] == house.backup["chains"]
    for name in ("rows", "blobs"):
        assert house.told[name] == house.backup[name]
    for chain, told in life.proofs.items():
        state = house.backup["chains"][chain]
        # behind the backup's last entry stands the one that tells of the restore
        assert told["entries"] == state["seq"] + (chain == "service")
        assert (told["link"] == state["link"]) is (chain == "keys")
        assert told["heads"] == state["heads"] > 0
        assert told["sealed"] > 0


def test_restored_house_goes_on(house: MovedHouse, life: Life) -> None:
    # what was published before the backup is there as it was
    assert len(house.before) >= 8
    assert life.earlier == {key: house.results[key] for key in house.before}
    assert life.verdicts == {"TOTAL-PASSED INTACT"}
    # every request sent again: the same record where the backup has it, else a new one
    kept = {key for key, record in life.again.items() if record["id"] == house.records[key]["id"]}
    assert house.before <= kept
    assert house.after
    assert not house.after & kept
    for key in kept:
        assert life.again[key]["number"] == house.records[key]["number"]
    for key in house.before:
        assert life.results[key] == house.results[key]
    # numbers go on without a gap and without a double
    assert life.numbers == list(range(1, len(house.records) + 1))
    # numbers given after the backup were given again, as nobody here knows of them
    assert {house.records[key]["number"] for key in house.after} <= {
        life.again[key]["number"] for key in life.again.keys() - kept
    }


@pytest.fixture(scope="module")
def exports(house: MovedHouse, life: Life) -> dict[str, list[bytes]]:
    """The lines of both exports, made when the new place has signed on."""
    assert life.numbers
    with chains_of(house) as logs:
        return {chain: list(export(log)) for chain, log in logs.items()}


def anchors_of(house: MovedHouse) -> list[x509.Certificate]:
    text = (house.service.data / "pki" / "root.pem").read_bytes()
    return x509.load_pem_x509_certificates(text.partition(b"\n")[2])


def verified_offline(house: MovedHouse, folder: Path, chain: str) -> dict[str, Any]:
    """`sohoa audit export`, then `verify` without an installation and without a network."""
    path = folder / f"{chain}.jsonl"
    arguments = ("audit", "export", path, "--chain", chain, "--data", house.service.data)
    done = run_sohoa(*arguments, **house.environ)
    assert done.code == 0, done.told
    arguments = ("audit", "verify", path, "--anchor", house.service.data / "pki" / "root.pem")
    done = run_sohoa(*arguments, "--json", prefix=NO_NETWORK, SOHOA_DATA="/nonexistent")
    assert done.code == 0, done.told
    [told] = done.json["chains"]
    return dict(told)


def test_both_chains_of_the_new_place_agree(
    house: MovedHouse, exports: dict[str, list[bytes]]
) -> None:
    one, other = (verify_export(exports[chain], anchors_of(house)) for chain in CHAINS)
    assert compare(one, other) == []
    for facts in (one, other):
        report = facts.report.require_sound()  # sealed on at the new place
        assert report.sealed > house.backup["chains"][report.chain]["seq"]


def test_uses_of_keys_are_explained_across_the_move(
    house: MovedHouse, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing excuses a use as recent: only one between the two snapshots may lack its reason."""
    monkeypatch.setattr(explaining, "UNDER_WAY", explaining.UNDER_WAY * 0)
    with chains_of(house) as logs:
        service, keys = logs.values()
        entries = list(all_entries(service))
        found = explain(entries, all_entries(keys), [*all_heads(service), *all_heads(keys)])
    snapshot = entries[house.backup["chains"]["service"]["seq"] - 1].at
    counts = found.counts()
    assert counts["published"] >= len(life.again)
    late = [u for u in found.uses if u.reason is Reason.UNEXPLAINED]
    assert all(use.at >= snapshot for use in late), late
    assert len(late) <= 3
    assert [f for f in found.findings if f.chain == "service"] == []


# --- what an auditor finds in the exports of a real service ---------------------------------------


def edit(forged: Forged, seq: int) -> None:
    forged.edit(seq, actor="nobody")
    forged.rehash(seq)


def delete(forged: Forged, seq: int) -> None:
    forged.body.remove(forged.entry(seq))


def reorder(forged: Forged, seq: int) -> None:
    forged.swap(seq)


def truncate(forged: Forged, seq: int) -> None:
    forged.cut(seq)


def rewrite(forged: Forged, seq: int) -> None:
    forged.edit(seq, actor="nobody")
    forged.relink()


TAMPERING: dict[str, tuple[Callable[[Forged, int], None], set[str]]] = {
    "edit": (edit, {"relinked"}),
    "delete": (delete, {"missing"}),
    "reorder": (reorder, {"out-of-order"}),
    "truncate": (truncate, {"truncated"}),
    "rewrite": (rewrite, {"rewritten"}),
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_with_either_chain_is_found(
    house: MovedHouse, exports: dict[str, list[bytes]], chain: str, kind: str
) -> None:
    """In the very exports of the service and of the key agent."""
    forged = Forged(b"".join(exports[chain]))
    heads = [line["seq"] for line in forged.body if line["type"] == "head"]
    act, codes = TAMPERING[kind]
    act(forged, heads[0] if kind == "truncate" else heads[-1] - 2)
    told = verify_export(forged.lines, anchors_of(house))
    other = verify_export(exports[CHAINS[1 - CHAINS.index(chain)]], anchors_of(house))
    found = [*told.report.findings, *compare(told, other)]
    assert codes <= {finding.fault.code for finding in found}, found
    assert {finding.chain for finding in found} == {chain}


def test_agent_s_chain_cut_in_its_own_database_is_found_by_the_house(
    house: MovedHouse, exports: dict[str, list[bytes]], tmp_path: Path
) -> None:
    """Whoever has the agent's machine cuts the last uses off, heads and all."""
    place = tmp_path / "keys.db"
    original = sqlite3.connect(house.service.data / "agent" / "keys.db")
    with sqlite3.connect(place) as copy:
        original.backup(copy)
        heads = [seq for (seq,) in copy.execute("SELECT seq FROM audit_heads ORDER BY seq")]
        for table in ("audit_entries", "audit_heads"):
            copy.execute(f"DELETE FROM {table} WHERE seq > ?", (heads[0],))  # noqa: S608 - two names
    copy.close()
    original.close()
    database = Database(f"sqlite:///{place}")
    cut = verify_export(export(AuditLog(database, "keys")), anchors_of(house))
    database.close()
    assert cut.report.findings == (), "by itself the shorter chain is whole"
    service = verify_export(exports["service"], anchors_of(house))
    witnessed = {e.details["seq"] for e in service.witnessed if e.details["chain"] == "keys"}
    assert witnessed & set(heads[1:])
    found = {(f.fault, f.chain, f.seq) for f in compare(service, cut)}
    assert found >= {(Fault.TRUNCATED, "keys", seq) for seq in witnessed - {heads[0]}}
