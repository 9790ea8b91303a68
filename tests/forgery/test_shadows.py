"""Class 2 and 7: shadow attacks and content masking."""

from __future__ import annotations

import pytest

from tests.forgery.catalogue import assert_not_fooled, in_turn, spoken
from tests.forgery.shadows import hide, hide_and_replace, masking, replace

SIGNED_BY = ["ours", "ours-archived", "pyhanko", "openssl"]


@pytest.mark.parametrize(("forgery", "name"), in_turn(hide, SIGNED_BY), ids=spoken)
def test_shadow_hide(informed_verifier, victims, forger, forgery, name):
    forged = forgery.make(victims[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


@pytest.mark.parametrize(("forgery", "name"), in_turn(replace, SIGNED_BY), ids=spoken)
def test_shadow_replace(informed_verifier, victims, forger, forgery, name):
    forged = forgery.make(victims[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


@pytest.mark.parametrize(("forgery", "name"), in_turn(hide_and_replace, SIGNED_BY), ids=spoken)
def test_shadow_hide_and_replace(
    informed_verifier, victims, prepared_victims, forger, forgery, name
):
    source = prepared_victims if forgery.prepared else victims
    forged = forgery.make(source[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


@pytest.mark.parametrize(("forgery", "name"), in_turn(masking, SIGNED_BY), ids=spoken)
def test_content_masking(informed_verifier, victims, forger, forgery, name):
    forged = forgery.make(victims[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)
