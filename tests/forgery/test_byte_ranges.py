"""Class 1: universal forgery, incremental saving, signature wrapping."""

from __future__ import annotations

import pytest

from tests.forgery.byte_ranges import incremental, universal, wrapping
from tests.forgery.catalogue import assert_not_fooled, in_turn, spoken

SIGNED_BY = ["ours", "ours-archived", "pyhanko", "openssl"]


@pytest.mark.parametrize(("forgery", "name"), in_turn(universal, SIGNED_BY), ids=spoken)
def test_universal_forgery(informed_verifier, victims, forger, forgery, name):
    forged = forgery.make(victims[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


@pytest.mark.parametrize(("forgery", "name"), in_turn(incremental, SIGNED_BY), ids=spoken)
def test_incremental_saving(informed_verifier, victims, forger, forgery, name):
    forged = forgery.make(victims[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


@pytest.mark.parametrize(("forgery", "name"), in_turn(wrapping, SIGNED_BY), ids=spoken)
def test_signature_wrapping(informed_verifier, victims, forger, forgery, name):
    forged = forgery.make(victims[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)
