"""Class 3: evil annotations and sneaky signatures."""

from __future__ import annotations

import pytest

from signer.verification.report import Integrity
from tests.forgery.catalogue import assert_not_fooled, in_turn, spoken
from tests.forgery.certified import annotations, signatures
from tests.forgery.paper import form_xobject
from tests.forgery.save import Save
from tests.forgery.shadows import later_signature

SIGNED_BY = ["pyhanko-certified", "ours", "ours-certified", "openssl"]
SEAL = form_xobject(
    b"0.8 0 0 RG 3 w 15 15 m 100 15 l 100 85 l 15 85 l s 10 50 m 90 50 l S", b"0 0 110 100"
)


@pytest.mark.parametrize(("forgery", "name"), in_turn(annotations, SIGNED_BY), ids=spoken)
def test_evil_annotation(informed_verifier, victims, forger, forgery, name):
    forged = forgery.make(victims[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


@pytest.mark.parametrize(("forgery", "name"), in_turn(signatures, SIGNED_BY), ids=spoken)
def test_sneaky_signature(informed_verifier, victims, forger, forgery, name):
    forged = forgery.make(victims[name], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


@pytest.mark.parametrize("name", ["ours", "pyhanko-certified", "openssl"])
@pytest.mark.parametrize("box", [b"0 0 0 0", b"300 300 410 400", b"60 660 170 760"])
def test_honest_later_signature(informed_verifier, victims, forger, name, box):
    """A seal in a free place, and one that lies over a line as seals do, take nothing away."""
    save = Save(victims[name])
    looks = save.add(SEAL)
    widget = b"/Rect [%s] /AP << /N %d 0 R >>" % (box, looks)
    report = informed_verifier.verify(later_signature(save, victims[name], forger, widget))
    found = [(c.check, c.detail) for c in report.all_checks() if c.outcome.value != "PASSED"]
    assert report.integrity is Integrity.INTACT, found
