"""The register over HTTP: statuses for everybody, proofs that hold, endings for those who may."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import pytest

from api.registering import origin_of
from api.settings import RegisterSettings
from dossier.register import merkle
from dossier.register.audit import audit
from dossier.register.checkpoint import SignedCheckpoint
from dossier.register.checkpoints import Checkpointer
from dossier.register.codes import new_code, printed
from dossier.register.findings import Verdict
from dossier.register.notes import NoteKey, require_signed
from dossier.register.proof import check_proof
from dossier.register.statuses import read_statement
from tests.fixtures_web import Web

WHY = "Ban hành nhầm (mẫu)"


def checkpoint(web: Web) -> None:
    """What the house worker's chore does."""
    house = web.house
    key = web.agent.keys["register"]
    origin = origin_of(web.settings, house.audit)
    Checkpointer(house.register.log, house.audit, key, None, origin=origin).make()


def key_of(web: Web) -> NoteKey:
    return NoteKey.of(web.house.register.origin(), web.agent.keys["register"])


def settings(web: Web, **changes: Any) -> None:
    """Other settings of the register, for this test's application."""
    changed = web.settings.model_copy(update={"results": RegisterSettings(**changes)})
    object.__setattr__(web.house, "settings", changed)


def test_everybody_learns_what_a_result_is_worth(web: Web) -> None:
    record = web.published(number=5, symbol="QĐ-UBND", decided_on="2026-03-02")
    for typed in (record["code"], record["code"].lower().replace("-", " "), record["code"][:19]):
        answer = web.ask("GET", f"/v1/records/{typed}")
        assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["code"], told["status"], told["superseded_by"]) == (
        record["code"],
        "in-force",
        None,
    )
    assert (told["number"], told["symbol"], told["year"]) == (5, "QĐ-UBND", 2026)
    assert told["document_sha256"] == record["result_sha256"]
    assert told["comparison"] is None
    said = read_statement(told["statement"], [key_of(web)], dt.datetime.now(dt.UTC))
    assert (printed(said["code"]), said["status"]) == (record["code"], "in-force")
    assert answer.headers["cache-control"] == "public, max-age=300"
    again = web.ask(
        "GET", f"/v1/records/{record['code']}", headers={"if-none-match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    # one use of the key, however often it is asked
    assert web.agent.keys["register"].calls == 1


@pytest.mark.parametrize("which", ["result", "source", "another"])
def test_a_file_is_compared_by_its_digest(web: Web, which: str) -> None:
    record = web.published(number=5, symbol="QĐ-UBND")
    sha256 = {
        "result": record["result_sha256"],
        "source": record["source_sha256"],
        "another": hashlib.sha256(b"another").hexdigest(),
    }[which]
    told = web.ask("GET", f"/v1/records/{record['code']}", params={"sha256": sha256}).json()
    assert told["comparison"] == {"result": "same", "source": "source", "another": "differs"}[which]
    found = web.ask("GET", "/v1/records", params={"sha256": sha256}).json()
    if which == "result":
        assert (found["comparison"], found["record"]["code"]) == ("same", record["code"])
    else:
        assert found == {"comparison": "unknown", "record": None}


def test_codes_that_do_not_exist(web: Web) -> None:
    accepted = web.sign().json()
    unknown = web.ask("GET", f"/v1/records/{new_code()}")
    not_yet = web.ask("GET", f"/v1/records/{accepted['code']}")
    assert (unknown.status_code, not_yet.status_code) == (404, 404)
    assert unknown.json()["detail"] == not_yet.json()["detail"]
    mistyped = web.ask("GET", "/v1/records/7K2M-9QXT-4AHW-C3R")
    assert mistyped.status_code == 422
    assert "16 characters" in mistyped.text


def test_who_only_guesses_is_made_to_wait(web: Web) -> None:
    record = web.published()
    answers = [web.ask("GET", f"/v1/records/{new_code()}") for _ in range(31)]
    assert [a.status_code for a in answers] == [404] * 30 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert web.ask("GET", f"/v1/records/{record['code']}").status_code == 429


def test_the_answer_comes_without_the_key_too(web: Web) -> None:
    record = web.published(number=5, symbol="QĐ-UBND")
    web.agent.gone = True
    answer = web.ask("GET", f"/v1/records/{record['code']}")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["statement"]) == ("in-force", None)
    assert answer.headers["cache-control"] == "no-store"


def test_what_is_masked_is_masked_everywhere(web: Web) -> None:
    record = web.published(number=5, symbol="QĐ-UBND", result_reference="H22.12-260302-0007-KQ1")
    checkpoint(web)
    path = f"/v1/records/{record['code']}"
    assert web.ask("GET", path).json()["reference"] == "H22.12-260302-0007-KQ1"
    assert web.ask("GET", f"{path}/proof").status_code == 200
    settings(web, public_fields=("agency",))
    told = web.ask("GET", path).json()
    assert told["agency"] == "H22.12"
    for name in ("number", "symbol", "year", "document_sha256", "source_sha256", "reference"):
        assert told[name] is None
    same = web.ask("GET", path, params={"sha256": record["result_sha256"]}).json()
    assert same["comparison"] == "same"
    refused = web.ask("GET", f"{path}/proof")
    assert refused.status_code == 403
    assert "QĐ-UBND" not in refused.text
    own = web.ask("GET", f"/v1/signatures/{record['id']}/register", as_="clerk")
    assert own.status_code == 200


def test_the_proof_travels_with_the_record(web: Web) -> None:
    record = web.published(number=5, symbol="QĐ-UBND")
    paths = (f"/v1/records/{record['code']}/proof", f"/v1/signatures/{record['id']}/register")
    for path in paths:
        early = web.ask("GET", path, as_="clerk")
        assert early.status_code == 409, early.text
    checkpoint(web)
    public, own = (web.ask("GET", path, as_="clerk") for path in paths)
    assert public.json() == own.json()
    assert record["links"]["register"] == paths[1]
    assert f"{record['id']}.pdf.register.json" in own.headers["content-disposition"]
    proved = check_proof(public.json(), [], keys=[key_of(web)])
    assert proved.holds(record["result_sha256"])
    certificate = web.agent.keys["register"].certificate
    assert check_proof(public.json(), [certificate]).entries == proved.entries
    stranger = web.ask("GET", paths[1], as_="clerk@B")
    assert stranger.status_code == 404


def test_checkpoints_entries_and_proofs(web: Web) -> None:
    assert web.ask("GET", "/v1/register/checkpoint").status_code == 404
    records = [web.published(number=n, symbol="QĐ-UBND") for n in (5, 6, 7)]
    checkpoint(web)
    answer = web.ask("GET", "/v1/register/checkpoint")
    told = answer.json()
    signed = SignedCheckpoint.read(told)
    assert NoteKey.parse(told["key"]) == key_of(web)
    assert signed.proved([], keys=[key_of(web)]).checkpoint.size == told["size"] == 3
    note = web.ask("GET", "/v1/register/checkpoint", headers={"accept": "text/plain"})
    assert (note.text, note.headers["content-type"]) == (signed.note, "text/plain; charset=utf-8")
    assert require_signed(note.text, [key_of(web)])
    listed = web.ask("GET", "/v1/register/entries", params={"limit": 2}).json()
    assert [item["index"] for item in listed["items"]] == [0, 1]
    assert (listed["next"], listed["size"]) == (2, 3)
    assert all("entry" not in item for item in listed["items"])
    assert records[0]["code"].replace("-", "") not in str(listed)
    rest = web.ask("GET", "/v1/register/entries", params={"start": 2}).json()
    assert (len(rest["items"]), rest["next"]) == (1, None)

    proof = web.ask("GET", "/v1/register/proof/inclusion", params={"index": 1}).json()
    path = [bytes.fromhex(one) for one in proof["path"]]
    leaf = bytes.fromhex(proof["leaf_hash"])
    merkle.require_inclusion(leaf, 1, 3, path, signed.checkpoint.root)

    web.published(number=8, symbol="QĐ-UBND")
    checkpoint(web)
    newer = SignedCheckpoint.read(web.ask("GET", "/v1/register/checkpoint").json()).checkpoint
    between = web.ask("GET", "/v1/register/proof/consistency", params={"old": 3}).json()
    merkle.require_consistency(
        3, 4, signed.checkpoint.root, newer.root, [bytes.fromhex(one) for one in between["path"]]
    )
    older = web.ask("GET", "/v1/register/checkpoint", params={"size": 3})
    assert older.json() == told
    assert "immutable" in older.headers["cache-control"]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("proof/inclusion", {"index": 1}),
        ("proof/inclusion", {"index": 0, "size": 2}),
        ("proof/inclusion", {}),
        ("proof/inclusion", {"index": -1}),
        ("proof/consistency", {"old": 2}),
        ("proof/consistency", {"old": 1, "new": 9}),
        ("proof/consistency", {"old": "x"}),
        ("entries", {"limit": 1001}),
        ("checkpoint", {"size": 0}),
    ],
)
def test_proofs_of_what_is_not_there(web: Web, path: str, params: dict[str, Any]) -> None:
    web.published()
    checkpoint(web)
    answer = web.ask("GET", f"/v1/register/{path}", params=params)
    assert answer.status_code == 422, answer.text


def test_auditors_get_a_copy_that_proves_itself(web: Web) -> None:
    ours = web.published(number=5, symbol="QĐ-UBND")
    theirs = web.published(as_="clerk@B", number=5, symbol="QĐ-UBND")
    checkpoint(web)
    old = SignedCheckpoint.read(web.ask("GET", "/v1/register/checkpoint").json())
    web.published(number=6, symbol="QĐ-UBND")
    checkpoint(web)
    new = SignedCheckpoint.read(web.ask("GET", "/v1/register/checkpoint").json())
    for who, whole in (("auditor", 2), ("auditor@B", 1), ("auditor@*", 3)):
        export = web.ask("GET", "/v1/register/export", as_=who)
        assert export.status_code == 200, export.text
        assert (ours["result_sha256"] in export.text) == (who != "auditor@B")
        assert (theirs["result_sha256"] in export.text) == (who != "auditor")
        keys = [key_of(web)]
        report = audit(
            export.content.splitlines(), old.proved([], keys=keys), new.proved([], keys=keys)
        )
        assert (report.verdict, report.entries, report.hashes) == (
            Verdict.SOUND, whole, 3 - whole,
        )  # fmt: skip
    assert web.ask("GET", "/v1/register/export", as_="clerk").status_code == 403
    assert web.ask("GET", "/v1/register/export").status_code == 401
    exported = [e for e in web.room.events() if e.event == "register.exported"]
    assert len(exported) == 3
    settings(web, open_entries=True)
    listed = web.ask("GET", "/v1/register/entries").json()
    assert all("entry" in item for item in listed["items"])


def test_annulling(web: Web) -> None:
    record = web.published(number=5, symbol="QĐ-UBND")
    path = f"/v1/signatures/{record['id']}/ending/annulment"
    for who, status in (("officer", 403), ("auditor", 403), ("clerk@B", 404), (None, 401)):
        assert web.ask("POST", path, json={"reason": WHY}, as_=who).status_code == status
    for body in ({}, {"reason": ""}, {"reason": "x" * 501}, {"reason": WHY, "more": 1}, []):
        assert web.ask("POST", path, json=body, as_="leader").status_code == 422
    stale = web.ask("POST", path, json={"reason": WHY}, as_="leader", headers={"if-match": '"1"'})
    assert stale.status_code == 412
    done = web.ask("POST", path, json={"reason": WHY}, as_="leader")
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["ending"]["reason"]) == ("annulled", WHY)
    assert web.ask("POST", path, json={"reason": WHY}, as_="leader").json() == done.json()
    assert web.ask("POST", path, json={"reason": "khác"}, as_="leader").status_code == 409
    told = web.ask("GET", f"/v1/records/{record['code']}").json()
    assert (told["status"], told["reason"]) == ("annulled", WHY)
    said = read_statement(told["statement"], [key_of(web)], dt.datetime.now(dt.UTC))
    assert said["status"] == "annulled"
    # it stays retrievable
    assert web.ask("GET", f"/v1/signatures/{record['id']}/result", as_="clerk").status_code == 200


def test_superseding(web: Web) -> None:
    old, new = (web.published(number=n, symbol="QĐ-UBND") for n in (5, 6))
    path = f"/v1/signatures/{old['id']}/ending/supersession"
    refused = web.ask("POST", path, json={"by": old["id"]}, as_="leader")
    assert refused.status_code == 422
    done = web.ask("POST", path, json={"by": new["id"], "reason": WHY}, as_="leader")
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["superseded_by"]) == ("superseded", new["id"])
    told = web.ask("GET", f"/v1/records/{old['code']}").json()
    assert (told["status"], told["superseded_by"]) == ("superseded", new["code"])


def test_the_origin_names_host_and_installation(web: Web) -> None:
    told = origin_of(web.settings, web.house.audit)
    assert told == f"sohoa.invalid/{web.house.audit.installation()[:16]}"
    public = web.settings.web.model_copy(update={"public_url": "https://so.example.vn:8443/x"})
    named = web.settings.model_copy(update={"web": public})
    assert origin_of(named, web.house.audit).startswith("so.example.vn:8443/")
    own = web.settings.model_copy(update={"results": RegisterSettings(origin="a.example/log")})
    assert origin_of(own, web.house.audit) == "a.example/log"
