"""Proofs of single entries: they need nothing but themselves and the roots."""

from __future__ import annotations

import copy
import json

import pytest

from dossier.audit.heads import HeadSealer
from dossier.audit.log import AuditLog
from dossier.audit.proof import check_proof
from dossier.errors import ChainBroken, NotFound, StateConflict
from dossier.model import AuditEvent


@pytest.fixture
def log(database, test_pki) -> AuditLog:
    log = AuditLog(database)
    sealer = HeadSealer(log, test_pki.seal, test_pki.timestamper)
    for n in range(1, 9):
        log.write(AuditEvent("signature.accepted", "prn_1", f"H22.{n % 2}", f"rec_{n}", {"n": n}))
        if n in (3, 6):
            sealer.seal()
    return log


def test_each_sealed_entry_is_proved(log, test_pki):
    sealed = log.head().seq
    for seq in range(1, sealed + 1):
        proof = json.loads(json.dumps(log.prove(seq)))
        proved = check_proof(proof, test_pki.anchors)
        entry = log.entries(None, seq - 1, 1)[0]
        assert proved.entry == entry
        assert proved.installation == log.installation()
        assert proved.signer == test_pki.seal.certificate
        assert proved.sealed_at is not None


def test_what_is_not_sealed_or_not_there_has_no_proof(log):
    sealed = log.head().seq
    with pytest.raises(StateConflict, match="niêm phong"):
        log.prove(sealed + 1)
    for seq in (0, -1, log.tip()[0] + 1):
        with pytest.raises(NotFound):
            log.prove(seq)


def test_an_agency_gets_proofs_of_its_own_alone(log):
    assert log.prove(1, "H22.1")["entry"]
    with pytest.raises(NotFound):
        log.prove(2, "H22.1")
    with pytest.raises(NotFound):
        log.prove(4, "H22.1")  # audit.key, which is nobody's


def spoilt(proof):
    """Each field of the proof changed in turn."""
    for field, value in proof.items():
        other = copy.deepcopy(proof)
        if field == "head":
            for inner in value:
                deeper = copy.deepcopy(proof)
                old = deeper["head"][inner]
                deeper["head"][inner] = 99 if inner == "seq" else old[:-1] + "0" + old[-1:]
                yield f"head.{inner}", deeper
            other["head"] = None
        elif field == "digests":
            other["digests"] = value[1:] if value else ["0" * 64]
        elif field == "entry":
            other["entry"] = value.replace("prn_1", "prn_2")
        else:
            other[field] = value[:-1] + ("0" if value[-1] != "0" else "1")
        yield field, other
        missing = copy.deepcopy(proof)
        del missing[field]
        yield f"without {field}", missing


def test_every_field_of_a_proof_counts(log, test_pki):
    proof = log.prove(2)
    for name, other in spoilt(proof):
        if name == "head.type":
            continue  # says what a line of an export is; a proof has its own type
        with pytest.raises(ChainBroken, match="xin lại"):
            check_proof(other, test_pki.anchors)
    for nothing in (None, [], "proof", {}):
        with pytest.raises(ChainBroken):
            check_proof(nothing, test_pki.anchors)


def test_a_proof_needs_its_roots_and_its_timestamp(log, test_pki):
    proof = log.prove(2)
    with pytest.raises(ChainBroken, match="no path"):
        check_proof(proof, [])
    proof["head"]["timestamp_token"] = None
    with pytest.raises(ChainBroken, match="timestamp is missing"):
        check_proof(proof, test_pki.anchors)


def test_an_entry_cannot_be_proved_as_another_one(log, test_pki):
    one, two = log.prove(1), log.prove(2)
    for field in ("before", "entry", "digests", "head"):
        other = {**two, field: one[field]}
        if other == two:
            continue
        with pytest.raises(ChainBroken):
            check_proof(other, test_pki.anchors)
