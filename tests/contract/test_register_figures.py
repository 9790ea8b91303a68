"""The small twin of `python -m tests.proof_register`: forgeries found, proofs that hold."""

from __future__ import annotations

from tests.proof_register import measured, trials


def test_every_forgery_of_a_few_is_found() -> None:
    told = trials(40, 7)
    assert told["found"] == told["trials"] == 40


def test_proofs_of_a_small_register(database_url: str) -> None:
    told = measured(database_url, 700, asked=20)
    assert told["entries"] == 700
