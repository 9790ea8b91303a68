"""Every record has a result code from the moment it is accepted, on SQLite and PostgreSQL."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from dossier.register.codes import read_code
from dossier.signing.records import SignatureOrder
from dossier.signing.recordtable import NewRecord
from dossier.storage.tables import jobs
from tests.fixtures_signing import SigningRoom


def test_the_code_is_given_at_acceptance_and_stays(signing_room: SigningRoom):
    record, _ = signing_room.order(idempotency_key="k-1")
    again, created = signing_room.order(idempotency_key="k-1")
    assert read_code(record.code) == record.code == again.code
    assert not created
    other, _ = signing_room.order(idempotency_key="k-2")
    assert other.code != record.code


def test_the_worker_is_told_the_code_that_it_prints(signing_room: SigningRoom):
    record, _ = signing_room.order(idempotency_key="k-1")
    with signing_room.database.read() as connection:
        wanted = sa.select(jobs.c.payload).where(jobs.c.subject == record.id)
        assert connection.execute(wanted).scalar_one()["code"] == record.code


def test_no_two_living_records_have_one_code(signing_room: SigningRoom):
    record, _ = signing_room.order(idempotency_key="k-1")
    twin = NewRecord(
        record.agency_id, record.principal_id, "req", SignatureOrder(key="leader"),
        record.source_sha256, code=record.code,
    )  # fmt: skip
    with pytest.raises(sa.exc.IntegrityError), signing_room.database.begin() as connection:
        signing_room.records.insert(connection, [twin])


def test_a_dossiers_own_code_is_kept_beside_it(signing_room: SigningRoom):
    reference = "H22.12-220105-0007-KQ1"
    record, _ = signing_room.order(result_reference=reference)
    assert record.order.result_reference == reference
    assert record.order.to_json()["result_reference"] == reference
