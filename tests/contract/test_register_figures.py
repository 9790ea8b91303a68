"""The small twin of `python -m tests.proof_register`: forgeries found, proofs fast and right."""

from __future__ import annotations

from tests.proof_register import measured, trials


def test_every_forgery_of_a_few_is_found() -> None:
    told = trials(60, 7)
    assert told["found"] == told["trials"] == 60


def test_proofs_of_a_small_register(database_url: str) -> None:
    told = measured(database_url, 1200)
    assert told["entries"] == 1200
