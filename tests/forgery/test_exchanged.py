"""Class 4 and 5: swapped dictionaries; copied and replayed timestamps; timestamps as signatures."""

from __future__ import annotations

import hashlib
import re

import pytest

from signer.sealing.levels import Level
from signer.verification.attacks import Attack
from signer.verification.report import Integrity
from tests.cms_surgery import contents_of, grow, put_contents, replace_token, token_of
from tests.fixtures_signed import seal
from tests.foreign import PyhankoTimeStamper, place_cms, pyhanko_sign, pyhanko_timestamp
from tests.forgery.catalogue import assert_not_fooled, in_turn, spoken
from tests.forgery.exchanged import dictionaries
from tests.forgery.paper import paper
from tests.forgery.signing import detached

REPLAYED = frozenset({Attack.REPLAYED_TIMESTAMP})


@pytest.fixture(scope="module")
def twice_signed(test_pki):
    """Two signatures each: by our sealer, and bare ones as agencies make them."""
    ours = seal(test_pki, paper(), test_pki.leader, room=7000)
    theirs = place_cms(paper(), lambda covered: detached(test_pki.leader, covered), name="Mot")
    return {
        "ours": seal(test_pki, ours, test_pki.seal, room=7000),
        "plain": place_cms(theirs, lambda covered: detached(test_pki.officer, covered), name="Hai"),
    }


@pytest.mark.parametrize("name", ["ours", "plain"])
def test_twice_signed_is_genuine(informed_verifier, twice_signed, name):
    assert informed_verifier.verify(twice_signed[name]).integrity is Integrity.INTACT


@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize(("forgery", "name"), in_turn(dictionaries, ["ours", "plain"]), ids=spoken)
def test_swapped_dictionaries(informed_verifier, twice_signed, forger, forgery, name, turn):
    other = {"ours": "plain", "plain": "ours"}[name] if turn else name
    forged = forgery.make(twice_signed[other], forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


def test_signature_of_another_file(informed_verifier, twice_signed, test_pki):
    other = seal(test_pki, paper(info=False), test_pki.leader, room=7000)
    forged = put_contents(twice_signed["ours"], contents_of(other).rstrip(b"\0"), 0)
    assert_not_fooled(informed_verifier.verify(forged), frozenset({Attack.ALTERED_CONTENT}))


def test_replayed_signature_timestamp(informed_verifier, test_pki):
    """A token of another signature, by the same authority, trusted and sound in itself."""
    mine = seal(test_pki, paper(), test_pki.seal, Level.B_T)
    other = seal(test_pki, paper(), test_pki.leader, Level.B_T)
    forged = replace_token(mine, token_of(other))
    assert_not_fooled(informed_verifier.verify(forged), REPLAYED)


@pytest.mark.parametrize("tool", ["ours", "pyhanko"])
def test_replayed_document_timestamp(informed_verifier, test_pki, tool):
    """The token of one file's document timestamp in another's."""
    stamper = PyhankoTimeStamper(test_pki.timestamper)
    files = []
    for info in (True, False):
        if tool == "ours":
            files.append(seal(test_pki, paper(info=info), test_pki.seal, Level.B_LTA))
        else:
            signed = pyhanko_sign(paper(info=info), test_pki.leader, "S")
            files.append(pyhanko_timestamp(signed, stamper))
    forged = put_contents(files[0], contents_of(files[1]).rstrip(b"\0"))
    assert_not_fooled(informed_verifier.verify(forged), REPLAYED)


def test_timestamp_of_the_signature_over_the_document(informed_verifier, test_pki):
    """A signature's own timestamp, copied to where the document's would be."""
    data = seal(test_pki, paper(), test_pki.seal, Level.B_LTA)
    forged = put_contents(data, token_of(seal(test_pki, paper(), test_pki.seal, Level.B_T)).dump())
    assert_not_fooled(informed_verifier.verify(forged), REPLAYED)


@pytest.mark.parametrize("sub_filter", ["adbe.pkcs7.detached", "ETSI.CAdES.detached"])
def test_timestamp_as_signature(informed_verifier, test_pki, sub_filter):
    """A trusted token over the right bytes under the name of a signature."""

    def token(covered):
        return test_pki.timestamper.timestamp(hashlib.sha256(covered).digest(), "sha256")

    forged = place_cms(paper(), token, sub_filter=sub_filter)
    report = informed_verifier.verify(forged)
    assert_not_fooled(report, frozenset({Attack.TIMESTAMP_AS_SIGNATURE}))


@pytest.mark.parametrize("kind", ["Sig", "DocTimeStamp"])
def test_timestamp_alone_is_no_signature(informed_verifier, test_pki, kind):
    """Whatever /Type says: with a document timestamp alone, the file is not signed."""
    forged = place_cms(
        paper(),
        lambda covered: test_pki.timestamper.timestamp(hashlib.sha256(covered).digest(), "sha256"),
        sub_filter="ETSI.RFC3161", kind=kind,
    )  # fmt: skip
    report = informed_verifier.verify(forged)
    assert report.integrity is Integrity.NONE
    assert report.signatures == ()
    assert len(report.document_timestamps) == 1


def test_signature_as_timestamp(informed_verifier, victims):
    """A signature that calls itself a document timestamp proves no time."""
    data = victims["openssl"]
    forged = data.replace(b"/SubFilter /adbe.pkcs7.detached", b"/SubFilter /ETSI.RFC3161".ljust(31))
    report = informed_verifier.verify(forged)
    assert_not_fooled(
        report, frozenset({Attack.TIMESTAMP_AS_SIGNATURE, Attack.ATTRIBUTE_CONFUSION})
    )


def test_timestamp_of_a_shown_past(informed_verifier, test_pki):
    """A token whose time was changed: its own signature convicts it."""
    data = seal(test_pki, paper(), test_pki.seal, Level.B_T)
    token = token_of(data).dump()
    found = re.search(rb"\x18[\x0f-\x16]20(\d\d)", token)
    older = token[: found.start(1)] + b"19" + token[found.end(1) :]
    forged = replace_token(data, grow(older)[0])
    assert_not_fooled(informed_verifier.verify(forged), frozenset({Attack.FORGED_VALUE}))
