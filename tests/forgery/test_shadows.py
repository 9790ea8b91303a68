"""Class 2 and 7: shadow attacks and content masking."""

from __future__ import annotations

import pytest

from signer.verification.attacks import Attack
from signer.verification.report import Integrity
from tests.fixtures_signed import seal
from tests.forgery import paper as p
from tests.forgery.catalogue import assert_not_fooled, in_turn, spoken
from tests.forgery.paper import paper
from tests.forgery.save import Save
from tests.forgery.shadows import hide, hide_and_replace, masking, replace

WITH_TABLES = ["ours", "ours-certified", "openssl"]
SIGNED_BY = ["ours", "ours-archived", "pyhanko", "openssl"]


@pytest.mark.parametrize(("forgery", "name"), in_turn(hide, SIGNED_BY), ids=spoken)
def test_shadow_hide(informed_verifier, victims, forger, forgery, name):
    forged = forgery.make(victims[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


@pytest.mark.parametrize(("forgery", "name"), in_turn(replace, SIGNED_BY), ids=spoken)
def test_shadow_replace(informed_verifier, victims, forger, forgery, name):
    forged = forgery.make(victims[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


@pytest.mark.parametrize(("forgery", "name"), in_turn(hide_and_replace, WITH_TABLES), ids=spoken)
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


def test_information_in_place_of_contents(informed_verifier, test_pki):
    """A file without /Info gets one: the stream of a page, whose dictionary holds dates alone."""
    data = seal(test_pki, paper(info=False), test_pki.seal)
    old = p.objects()[p.CONTENTS]
    save = Save(data)
    save.put(p.CONTENTS, old.replace(p.HONEST, p.FORGED))
    save.entries[b"/Info"] = b"%d 0 R" % p.CONTENTS
    words = frozenset({Attack.SHADOW_HIDE_AND_REPLACE, Attack.INCREMENTAL_SAVING})
    assert_not_fooled(informed_verifier.verify(save.table()), words)


@pytest.mark.parametrize("name", SIGNED_BY)
def test_an_honest_date_is_no_forgery(informed_verifier, victims, name):
    """What the rules allow stays allowed: a date of modification, and nothing else."""
    save = Save(victims[name])
    save.put(p.INFO, b"<< /Title (Quyet dinh mau) /Producer (paper) /ModDate (D:20260302) >>")
    report = informed_verifier.verify(save.table())
    assert report.integrity is Integrity.INTACT
    assert not report.attacks
