"""The directory of who may ask, on SQLite and on PostgreSQL."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from dossier.errors import (
    AccessRefused,
    AuditUnavailable,
    CredentialRefused,
    InvalidOrder,
    NotFound,
    StateConflict,
    VersionConflict,
)
from dossier.identity import HOUSE, AgencyPolicy, Identity, Limits
from dossier.identity import credentials as credentials_module
from dossier.model import Role
from dossier.storage import tables
from tests.fixtures_identity import AGENCY, OTHER_AGENCY, Directory


def refused(identity: Identity, text: str) -> str:
    with pytest.raises(CredentialRefused) as caught:
        identity.authenticate_key(text)
    return caught.value.reason


def test_bootstrap_makes_one_administrator_once(directory: Directory) -> None:
    secret = directory.identity.bootstrap()
    assert secret is not None
    caller, _ = directory.identity.authenticate_key(secret)
    assert caller.agency_id == HOUSE
    assert caller.roles == {Role.ADMIN}
    assert caller.keys == frozenset()
    assert directory.identity.bootstrap() is None
    assert directory.new_identity().bootstrap() is None


def test_bootstrap_of_processes_that_start_together(directory: Directory) -> None:
    ready = threading.Barrier(6)
    secrets: list[str | None] = []

    def start() -> None:
        identity = directory.new_identity()
        ready.wait()
        secrets.append(identity.bootstrap())

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(secrets) == 6
    assert len([secret for secret in secrets if secret]) == 1
    with directory.database.read() as connection:
        for table in (tables.agencies, tables.principals, tables.api_keys):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 1


def test_the_secret_is_nowhere_in_the_database(directory: Directory) -> None:
    directory.agency()
    text = directory.client()
    secret = text.rpartition("_")[2]
    with directory.database.read() as connection:
        for table in tables.metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                assert secret not in str(row)
        stored = connection.scalar(sa.select(tables.api_keys.c.secret_sha256))
    assert stored == hashlib.sha256(secret.encode()).hexdigest()


def test_keys_have_256_random_bits_and_differ(directory: Directory) -> None:
    directory.agency()
    texts = {directory.client() for _ in range(5)}
    assert len({text.rpartition("_")[2] for text in texts}) == 5
    assert all(len(text.rpartition("_")[2]) * 5 >= 256 for text in texts)


def test_effective_rights_are_what_agency_principal_and_key_allow(directory: Directory) -> None:
    directory.agency(AGENCY, "leader", "seal", "office")
    principal = directory.principal(roles=["leader", "clerk"], keys=["leader", "seal"])
    issue = directory.identity.api_keys.issue
    narrow = issue(directory.house, principal.id, roles=["clerk"], keys=["seal"]).text
    whole = issue(directory.house, principal.id).text
    caller, _ = directory.identity.authenticate_key(narrow)
    assert (caller.roles, caller.keys) == ({Role.CLERK}, {"seal"})
    caller, _ = directory.identity.authenticate_key(whole)
    assert (caller.roles, caller.keys) == ({Role.LEADER, Role.CLERK}, {"leader", "seal"})
    # the house takes a key from the agency: nobody of it may use it any more
    directory.identity.agencies.change(
        directory.house, AGENCY, version=1, policy=AgencyPolicy(keys=frozenset({"seal"}))
    )
    caller, _ = directory.identity.authenticate_key(whole)
    assert caller.keys == {"seal"}
    with pytest.raises(AccessRefused):
        caller.require_key("leader")


@pytest.mark.parametrize(
    ("roles", "keys"), [(["scanner"], None), (None, ["office"]), (["admin"], [])]
)
def test_a_key_is_never_wider_than_its_principal(directory: Directory, roles, keys) -> None:
    directory.agency(AGENCY, "leader", "seal", "office")
    principal = directory.principal()
    with pytest.raises(InvalidOrder):
        directory.identity.api_keys.issue(directory.house, principal.id, roles=roles, keys=keys)


@pytest.mark.parametrize(
    ("roles", "keys"),
    [
        (["admin", "leader"], []),
        (["admin"], ["leader"]),
        (["auditor", "officer"], []),
        (["auditor"], ["seal"]),
        (["emperor"], []),
        ([], []),
        (["leader"], ["another-agencys-key"]),
    ],
)
def test_roles_and_keys_that_nobody_may_hold(directory: Directory, roles, keys) -> None:
    directory.agency()
    with pytest.raises(InvalidOrder):
        directory.principal(roles=roles, keys=keys)


def test_an_administrator_cannot_be_widened_into_a_signer(directory: Directory) -> None:
    directory.agency()
    admin = directory.principal(roles=["admin"], keys=[])
    with pytest.raises(InvalidOrder):
        directory.identity.principals.change(
            directory.house, admin.id, version=1, roles=["admin", "leader"]
        )
    with pytest.raises(InvalidOrder):
        directory.identity.principals.change(directory.house, admin.id, version=1, keys=["leader"])


def test_expired_revoked_disabled_closed_and_wrong_keys(directory: Directory) -> None:
    directory.agency()
    identity = directory.identity
    principal = directory.principal()
    issue = identity.api_keys.issue
    short = issue(directory.house, principal.id, expires_at=directory.now + timedelta(hours=1))
    lasting = issue(directory.house, principal.id)
    assert identity.authenticate_key(short.text)[0].principal_id == principal.id
    directory.advance(3600)
    assert refused(identity, short.text) == "expired"
    wrong = lasting.text[:-1] + ("0" if lasting.text[-1] != "0" else "1")
    assert refused(identity, wrong) == "wrong"
    assert refused(identity, short.text.replace(short.key.id, "0" * 26)) == "unknown"
    assert refused(identity, "sohoa_x_y") == "malformed"
    identity.principals.disable(directory.house, principal.id, version=1)
    assert refused(identity, lasting.text) == "disabled"
    identity.principals.enable(directory.house, principal.id, version=2)
    assert identity.authenticate_key(lasting.text)
    identity.agencies.close(directory.house, AGENCY, version=1)
    assert refused(identity, lasting.text) == "closed"
    identity.agencies.reopen(directory.house, AGENCY, version=2)
    identity.api_keys.revoke(directory.house, lasting.key.id)
    assert refused(identity, lasting.text) == "revoked"


def test_an_expired_principal_has_no_good_keys(directory: Directory) -> None:
    directory.agency()
    text = directory.client(expires_at=directory.now + timedelta(days=1))
    assert directory.identity.authenticate_key(text)
    directory.advance(86_400)
    assert refused(directory.identity, text) == "expired"


def test_revoking_works_at_once_here_and_within_a_second_elsewhere(directory: Directory) -> None:
    directory.agency()
    text = directory.client()
    elsewhere = directory.new_identity()
    assert elsewhere.authenticate_key(text)
    directory.identity.api_keys.revoke(directory.house, text.split("_")[1])
    assert refused(directory.identity, text) == "revoked"
    directory.ticks += credentials_module.CACHE_S
    assert refused(elsewhere, text) == "revoked"


def test_a_fresh_credential_needs_no_database(directory: Directory) -> None:
    directory.agency()
    text = directory.client()
    directory.identity.authenticate_key(text)
    asked: list[str] = []

    def note(connection, cursor, statement, *rest) -> None:
        if statement.startswith("SELECT"):
            asked.append(statement)

    sa.event.listen(directory.database.engine, "before_cursor_execute", note)
    for _ in range(100):
        directory.identity.authenticate_key(text)
    assert not asked
    directory.ticks += credentials_module.CACHE_S
    directory.identity.authenticate_key(text)
    assert len(asked) == 1


def test_rotation_leaves_an_overlap(directory: Directory) -> None:
    directory.agency()
    principal = directory.principal()
    keys = directory.identity.api_keys
    old = keys.issue(directory.house, principal.id, roles=["clerk"])
    new = keys.rotate(directory.house, old.key.id, overlap=timedelta(hours=2))
    assert new.key.roles == {Role.CLERK}
    for text in (old.text, new.text):
        assert directory.identity.authenticate_key(text)
    directory.advance(2 * 3600)
    assert refused(directory.identity, old.text) == "expired"
    assert directory.identity.authenticate_key(new.text)
    with pytest.raises(StateConflict):
        keys.rotate(directory.house, old.key.id, overlap=timedelta(hours=2))


def test_rotation_never_prolongs_the_old_key(directory: Directory) -> None:
    directory.agency()
    principal = directory.principal()
    keys = directory.identity.api_keys
    old = keys.issue(directory.house, principal.id, expires_at=directory.now + timedelta(hours=1))
    new = keys.rotate(directory.house, old.key.id, overlap=timedelta(days=30))
    assert new.key.expires_at == directory.now + timedelta(hours=1)
    directory.advance(3600)
    assert refused(directory.identity, old.text) == "expired"


def test_certificates_and_subjects_find_their_principal(directory: Directory) -> None:
    directory.agency()
    fingerprint = "ab" * 32
    by_certificate = directory.principal(certificate_sha256=":".join(["AB"] * 32))
    by_subject = directory.principal(oidc_subject="https://id.example user-7")
    found, _ = directory.identity.by_certificate(fingerprint)
    assert (found.principal_id, found.method) == (by_certificate.id, "mtls")
    found, _ = directory.identity.by_oidc("https://id.example", "user-7")
    assert (found.principal_id, found.method) == (by_subject.id, "oidc")
    for look_up in (
        lambda: directory.identity.by_certificate("00" * 32),
        lambda: directory.identity.by_oidc("https://id.example", "user-8"),
        lambda: directory.identity.by_oidc("https://other.example", "user-7"),
    ):
        with pytest.raises(CredentialRefused):
            look_up()
    with pytest.raises(StateConflict):
        directory.principal(certificate_sha256=fingerprint)
    with pytest.raises(StateConflict):
        directory.principal(oidc_subject="https://id.example user-7")


def test_the_secret_is_compared_in_constant_time(directory: Directory, monkeypatch) -> None:
    directory.agency()
    text = directory.client()
    compared: list[tuple[bytes, bytes]] = []
    honest = hmac.compare_digest

    def watched(a, b):
        compared.append((a, b))
        return honest(a, b)

    monkeypatch.setattr(credentials_module.hmac, "compare_digest", watched)
    directory.identity.authenticate_key(text)
    unknown = text.replace(text.split("_")[1], "0" * 26)
    refused(directory.identity, unknown)
    revoked = directory.client()
    directory.identity.api_keys.revoke(directory.house, revoked.split("_")[1])
    refused(directory.identity, revoked)
    # also for a key that is unknown or revoked: the same work, so the same time
    assert [len(a) == len(b) == 32 for a, b in compared] == [True] * 3


def test_another_agency_sees_and_changes_nothing(directory: Directory) -> None:
    identity = directory.identity
    directory.agency()
    directory.agency(OTHER_AGENCY)
    theirs = directory.principal(OTHER_AGENCY)
    their_key = identity.api_keys.issue(directory.house, theirs.id)
    admin = directory.caller(directory.principal(roles=["admin"], keys=[]))
    for step in (
        lambda: identity.agencies.get(admin, OTHER_AGENCY),
        lambda: identity.principals.get(admin, theirs.id),
        lambda: identity.principals.list(admin, OTHER_AGENCY),
        lambda: identity.principals.add(
            admin, OTHER_AGENCY, kind="user", name="Mẫu", roles=["admin"]
        ),
        lambda: identity.principals.change(admin, theirs.id, version=1, name="Mẫu"),
        lambda: identity.principals.disable(admin, theirs.id, version=1),
        lambda: identity.api_keys.issue(admin, theirs.id),
        lambda: identity.api_keys.list(admin, theirs.id),
        lambda: identity.api_keys.revoke(admin, their_key.key.id),
        lambda: identity.api_keys.rotate(admin, their_key.key.id, overlap=timedelta(0)),
    ):
        with pytest.raises(NotFound) as theirs_found:
            step()
        with pytest.raises(NotFound) as nothing_found:
            identity.principals.get(admin, "prn_nobody")
        assert type(theirs_found.value) is type(nothing_found.value)
    assert {one.agency_id for one in identity.principals.list(admin)} == {AGENCY}
    assert [one.id for one in identity.agencies.list(admin)] == [AGENCY]
    assert identity.authenticate_key(their_key.text)


def test_only_the_house_administers_agencies(directory: Directory) -> None:
    directory.agency()
    admin = directory.caller(directory.principal(roles=["admin"], keys=[]))
    agencies = directory.identity.agencies
    for step in (
        lambda: agencies.add(admin, "H00.09", "Mẫu"),
        lambda: agencies.change(admin, AGENCY, version=1, policy=AgencyPolicy()),
        lambda: agencies.close(admin, AGENCY, version=1),
    ):
        with pytest.raises(AccessRefused):
            step()


@pytest.mark.parametrize("role", ["auditor", "leader", "clerk", "officer", "scanner"])
def test_who_is_no_administrator_changes_nothing(directory: Directory, role: str) -> None:
    directory.agency()
    keys = [] if role == "auditor" else ["leader"]
    caller = directory.caller(directory.principal(roles=[role], keys=keys))
    other = directory.principal()
    before = len(directory.told())
    for step in (
        lambda: directory.identity.principals.add(
            caller, AGENCY, kind="user", name="Mẫu", roles=["admin"]
        ),
        lambda: directory.identity.principals.change(caller, other.id, version=1, name="Mẫu"),
        lambda: directory.identity.principals.change(
            caller, caller.principal_id, version=1, roles=["admin"]
        ),
        lambda: directory.identity.api_keys.issue(caller, other.id),
    ):
        with pytest.raises(AccessRefused):
            step()
    assert len(directory.told()) == before


def test_changes_on_an_old_reading_are_refused(directory: Directory) -> None:
    directory.agency()
    principal = directory.principal()
    directory.identity.principals.change(directory.house, principal.id, version=1, name="Mẫu hai")
    with pytest.raises(VersionConflict):
        directory.identity.principals.disable(directory.house, principal.id, version=1)
    with pytest.raises(VersionConflict):
        directory.identity.agencies.change(directory.house, AGENCY, version=7, name="Mẫu")


def test_every_change_is_audited_with_its_actor_and_without_secrets(directory: Directory) -> None:
    directory.agency()
    principal = directory.principal(name="Trần Thị Mẫu", limits=Limits(burst=7))
    issued = directory.identity.api_keys.issue(directory.house, principal.id)
    rotated = directory.identity.api_keys.rotate(
        directory.house, issued.key.id, overlap=timedelta(hours=1)
    )
    directory.identity.api_keys.revoke(directory.house, rotated.key.id)
    directory.identity.principals.change(directory.house, principal.id, version=1, roles=["clerk"])
    directory.identity.principals.disable(directory.house, principal.id, version=2)
    told = directory.told()
    entries = [json.loads(entry) for entry in told]
    assert [entry["event"] for entry in entries] == [
        "agency.created",
        "principal.created",
        "api-key.issued",
        "api-key.rotated",
        "api-key.revoked",
        "principal.changed",
        "principal.disabled",
    ]
    assert {entry["actor"] for entry in entries} == {"local:tester"}
    everything = "\n".join(told)
    assert "Trần Thị Mẫu" not in everything
    for text in (issued.text, rotated.text):
        secret = text.rpartition("_")[2]
        assert secret not in everything
        assert hashlib.sha256(secret.encode()).hexdigest() not in everything


def test_without_audit_nothing_changes(directory: Directory, monkeypatch) -> None:
    directory.agency()

    def broken(connection, events):
        raise AuditUnavailable("nhật ký / log")

    monkeypatch.setattr(directory.audit, "append", broken)
    with pytest.raises(AuditUnavailable):
        directory.principal()
    with directory.database.read() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(tables.principals))
    assert count == 0


def test_policies_and_limits_round_trip_and_refuse_what_they_do_not_know(
    directory: Directory,
) -> None:
    policy = AgencyPolicy(keys=frozenset({"b", "a"}), two_person_batches=True, open_batches=3)
    assert AgencyPolicy.from_json(json.loads(json.dumps(policy.to_json()))) == policy
    limits = Limits(requests_per_s=2.5, burst=3, require_signed_requests=True)
    assert Limits.from_json(json.loads(json.dumps(limits.to_json()))) == limits
    for wrong in (
        {"unheard": 1},
        {"burst": "many"},
        {"burst": True},
        {"burst": -1},
        {"burst": 0},
        {"require_signed_requests": 1},
    ):
        with pytest.raises(InvalidOrder):
            Limits.from_json(wrong)
    assert Limits.from_json({"unheard": 1}, strict=False) == Limits()
    directory.agency()
    directory.identity.agencies.change(directory.house, AGENCY, version=1, policy=policy)
    assert directory.identity.policy(AGENCY) == policy
    with pytest.raises(NotFound):
        directory.identity.policy("H99.99")


@pytest.mark.parametrize("agency_id", ["", "*", "a b", "x" * 33, "../x", "H00.01\n"])
def test_codes_that_no_agency_has(directory: Directory, agency_id: str) -> None:
    with pytest.raises(InvalidOrder):
        directory.identity.agencies.add(directory.house, agency_id, "Mẫu")


def test_lists_are_pages(directory: Directory) -> None:
    directory.agency()
    made = [directory.principal().id for _ in range(5)]
    first = directory.identity.principals.list(directory.house, AGENCY, limit=2)
    rest = directory.identity.principals.list(directory.house, AGENCY, after=first[-1].id)
    assert sorted(made) == [one.id for one in (*first, *rest)]


def test_only_the_house_gives_more_than_usual(directory: Directory) -> None:
    directory.agency()
    admin = directory.caller(directory.principal(roles=["admin"], keys=[]))
    principals = directory.identity.principals
    entries = {"kind": "client", "name": "Mẫu", "roles": ["clerk"]}
    with pytest.raises(AccessRefused):
        principals.add(admin, AGENCY, **entries, limits=Limits(burst=10**6))
    made = principals.add(admin, AGENCY, **entries, limits=Limits(burst=5))
    with pytest.raises(AccessRefused):
        principals.change(admin, made.id, version=1, limits=Limits(burst=6))
    principals.change(directory.house, made.id, version=1, limits=Limits(burst=10**6))
    assert principals.change(admin, made.id, version=2, limits=Limits(burst=4)).limits.burst == 4
