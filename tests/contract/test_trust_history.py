"""Versions of lists of trust: proof, order, dates, audit, and what was in force when."""

import hashlib
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization

from dossier.audit.log import AuditLog
from dossier.errors import InvalidOrder, NotFound, StateConflict
from dossier.storage.blobs import open_blobs
from dossier.trust.evidence import RevocationShelf
from dossier.trust.history import Importing, TrustHistory
from dossier.trust.live import LiveTrust
from dossier.trust.snapshot import Snapshot
from signer.errors import TrustError
from signer.services import RevocationEvidence
from signer.statement import sign_statement
from signer.trust import TrustDomain, TrustStore
from signer.trust_lists.content import write_json
from signer.trust_lists.proof import Credentials
from tests.trust_parties import DAY, NOW, YEAR, ListedService, Party, etsi_list, government_list

G1 = Party.root("Gốc Thử G1")
G2 = Party.root("Gốc Thử G2")
INNER = G1.certify("CA Thử", is_ca=True)
OPERATOR = Party.root("Điều hành Thử")


def pin(octets: bytes) -> Credentials:
    return Credentials(sha256=hashlib.sha256(octets).hexdigest())


@pytest.fixture
def house(database, tmp_path):
    return House(database, tmp_path)


class House:
    def __init__(self, database, folder):
        self.database = database
        self.audit = AuditLog(database)
        self.blobs = open_blobs("", folder / "blobs")
        self.history = TrustHistory(database, self.blobs, self.audit)
        self.shelf = RevocationShelf(database, self.blobs)

    def add(self, octets, name="government", credentials=None, **how):
        return self.history.add(
            name, octets, credentials or pin(octets), actor="local:thu", how=Importing(**how)
        )

    def events(self):
        return [
            (entry.event, entry.details.get("list")) for entry in self.audit.entries(None, 0, 100)
        ]

    def live(self, pinned=None, **more):
        return LiveTrust(pinned or TrustStore(), self.history, self.shelf, look_s=0, **more)


def test_a_pinned_list_is_kept_audited_and_in_force(house):
    octets = government_list([G1.certificate, INNER.certificate], sequence=4, issued=NOW - DAY)
    version = house.add(octets)
    assert version.label == "government/4"
    assert (version.kind, version.proof_kind) == ("CTL", "SHA256")
    assert (version.anchors, version.intermediates) == (1, 1)
    assert version.imported_by == "local:thu"
    assert house.history.source(version) == octets
    store = house.history.store(house.history.in_force(NOW))
    [anchor] = store.anchors
    assert anchor.certificate == G1.certificate
    assert anchor.domain is TrustDomain.OFFICIAL_DUTY
    assert anchor.source == "government/4"
    assert anchor.next_update == NOW + YEAR
    assert store.intermediates == (INNER.certificate,)
    assert store.lists == ("government/4",)
    assert house.events() == [("trust.imported", "government")]


def test_the_same_file_again_changes_nothing(house):
    octets = government_list([G1.certificate])
    assert house.add(octets) == house.add(octets)
    assert len(house.events()) == 1


@pytest.mark.parametrize(
    ("sequence", "issued"), [(3, NOW), (4, NOW), (5, NOW - 2 * DAY)], ids=["older", "same", "date"]
)
def test_a_rollback_is_refused_and_audited(house, sequence, issued):
    house.add(government_list([G1.certificate], sequence=4, issued=NOW - DAY))
    with pytest.raises(StateConflict, match="rolled back"):
        house.add(government_list([G2.certificate], sequence=sequence, issued=issued))
    assert [one.sequence for one in house.history.all()] == [4]
    assert house.events()[-1] == ("trust.refused", "government")


@pytest.mark.parametrize(
    ("octets", "credentials", "words"),
    [
        (government_list([G1.certificate]), Credentials(), "Nothing\\s+proves"),
        (government_list([G1.certificate]), Credentials(sha256="00" * 32), "not the pin"),
        (government_list([G1.certificate], until=NOW - DAY, issued=NOW - YEAR), None, "expired"),
        (government_list([G1.certificate], issued=NOW + DAY), None, "still to come"),
        (government_list([G1.certificate], NextUpdate=None), None, "missing"),
        (government_list([G1.certificate], SequenceNumber=-1), None, "whole number"),
        (b'{"SequenceNumber": 1, "SequenceNumber": 2, "Certificates": []}', None, "comes twice"),
        (b"nothing at all", None, "no PEM"),
        (b'{"format": "sohoa-trust-list/1", "anchors": [], "x": 1}', None, "unknown entry"),
    ],
)
def test_what_is_not_proved_or_not_a_list_is_refused(house, octets, credentials, words):
    with pytest.raises(TrustError, match=words):
        house.add(octets, credentials=credentials)
    assert house.history.all() == []
    assert house.events() == [("trust.refused", "government")]


def test_the_misspelt_entry_of_the_field_is_read(house):
    octets = government_list([G1.certificate])
    assert house.add(octets.replace(b'"Certificates"', b'"Cerificates"')).anchors == 1


def test_times_in_milliseconds_are_read(house):
    later = int((NOW + DAY).timestamp() * 1000)
    octets = government_list([G1.certificate], NextUpdate=f"/Date({later}+0700)/")
    assert house.add(octets).next_update == NOW + DAY


def test_a_detached_signature_of_a_pinned_certificate_is_proof(house):
    octets = government_list([G1.certificate])
    signature = sign_statement(octets, OPERATOR.signing_key, None).signature
    version = house.add(
        octets, credentials=Credentials(signature=signature, signers=(OPERATOR.certificate,))
    )
    assert version.proof_kind == "CMS"
    assert "Điều hành Thử" in version.proof_name
    stranger = Party.root("Người lạ Thử")
    other = government_list([G1.certificate], sequence=2)
    for credentials in (
        Credentials(signature=signature, signers=(OPERATOR.certificate,)),  # of the other file
        Credentials(signature=signature, signers=()),
        Credentials(
            signature=sign_statement(other, stranger.signing_key, None).signature,
            signers=(OPERATOR.certificate,),
        ),
        Credentials(signature=b"\x30\x03abc", signers=(OPERATOR.certificate,)),
    ):
        with pytest.raises(TrustError):
            house.add(other, credentials=credentials)


def test_openssl_makes_a_signature_that_is_taken(house, tmp_path):
    octets = government_list([G2.certificate])
    (tmp_path / "list").write_bytes(octets)
    (tmp_path / "signer.pem").write_bytes(OPERATOR.pem)
    (tmp_path / "key.pem").write_bytes(
        OPERATOR.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    subprocess.run(
        ["openssl", "cms", "-sign", "-binary", "-cades", "-outform", "DER", "-in", "list",
         "-signer", "signer.pem", "-inkey", "key.pem", "-md", "sha256", "-out", "list.p7s"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    signature = (tmp_path / "list.p7s").read_bytes()
    credentials = Credentials(signature=signature, signers=(OPERATOR.certificate,))
    assert house.add(octets, credentials=credentials).proof_kind == "CMS"


def test_an_expired_signer_of_lists_is_refused(house):
    old = Party.root("Điều hành cũ", begins=NOW - YEAR, ends=NOW - DAY)
    octets = government_list([G1.certificate])
    signature = sign_statement(octets, old.signing_key, None).signature
    with pytest.raises(TrustError, match="not in force"):
        house.add(octets, credentials=Credentials(signature=signature, signers=(old.certificate,)))


def test_versions_hold_from_their_day_on(house):
    first = house.add(government_list([G1.certificate], sequence=1, issued=NOW - 30 * DAY))
    second = house.add(
        government_list([G1.certificate, G2.certificate], sequence=2, issued=NOW - DAY),
        effective_from=NOW + 10 * DAY,
    )
    in_force = house.history.in_force
    assert in_force(NOW - 31 * DAY) == []
    assert in_force(NOW) == [first]
    assert in_force(NOW + 10 * DAY) == [second]
    # several lists stand beside each other, each with its own numbers
    national = house.add(write_json(
        TrustStore.of([G2.certificate], TrustDomain.PUBLIC), sequence=9, issued_at=NOW - DAY
    ), "national")  # fmt: skip
    assert {one.label for one in in_force(NOW)} == {first.label, national.label}
    domains = {a.domain for a in house.history.store(in_force(NOW)).anchors}
    assert domains == {TrustDomain.OFFICIAL_DUTY, TrustDomain.PUBLIC}


def test_pem_gets_numbers_and_keeps_its_domain(house):
    pem = b"Trust-Domain: PUBLIC\n" + G1.pem + INNER.pem
    assert house.add(pem).label == "government/1"
    assert house.add(G2.pem, domain=TrustDomain.OFFICIAL_DUTY).label == "government/2"
    assert house.add(G1.pem, sequence=7).label == "government/7"
    with pytest.raises(StateConflict):
        house.add(INNER.pem, sequence=6)
    stores = [house.history.store([one]) for one in house.history.all()]
    assert [store.anchors[0].domain.value for store in stores] == [
        "PUBLIC", "OFFICIAL_DUTY", "PINNED",
    ]  # fmt: skip
    assert stores[0].intermediates == (INNER.certificate,)


def test_a_number_that_contradicts_the_list_and_bad_names_are_refused(house):
    with pytest.raises(InvalidOrder, match="itself says"):
        house.add(government_list([G1.certificate], sequence=3), sequence=4)
    with pytest.raises(InvalidOrder):
        house.add(G1.pem, "../list")
    with pytest.raises(NotFound):
        house.history.get("government/1")


def test_production_takes_no_test_authority(house):
    test = Party.root("Gốc – CHỈ DÙNG THỬ / TEST ONLY")
    with pytest.raises(TrustError, match="test anchor"):
        house.add(test.pem, refuse_tests=True)
    with pytest.raises(TrustError, match="test anchor"):
        house.add(G1.pem, refuse_tests=True, domain=TrustDomain.TEST)
    house.add(test.pem)
    with pytest.raises(TrustError, match="test anchor"):
        house.live(refuse_tests=True).snapshot()


def test_a_process_sees_a_new_version_without_a_restart(house):
    live = house.live(TrustStore.of([G1.certificate]))
    before = live.snapshot()
    assert [a.certificate for a in before.store.anchors] == [G1.certificate]
    assert live.snapshot() is before  # nothing changed: nothing is read again
    house.add(government_list([G2.certificate], issued=NOW - DAY))
    after = live.snapshot()
    assert {a.certificate for a in after.store.anchors} == {G1.certificate, G2.certificate}
    assert after.fingerprint != before.fingerprint
    assert live.snapshot(NOW - 2 * DAY).fingerprint == before.fingerprint
    named = live.of([house.history.get("government/1")], NOW)
    assert named.fingerprint == after.fingerprint


def test_while_the_database_is_away_the_last_store_stands(house, monkeypatch):
    from dossier.errors import StoreError

    live = house.live(TrustStore.of([G1.certificate]))
    known = live.snapshot()

    def away(*args):
        raise StoreError("away")

    monkeypatch.setattr(house.history, "all", away)
    assert live.snapshot() is known
    with pytest.raises(StoreError):
        house.live().snapshot()


def test_a_snapshot_goes_to_another_process_whole(house):
    services = [
        ListedService(G1.certificate, "CA/QC", [("withdrawn", NOW - DAY), ("granted", NOW - YEAR)])
    ]
    xml = etsi_list(services, OPERATOR, sequence=3)
    house.add(xml, "national", Credentials(signers=(OPERATOR.certificate,)))
    house.add(government_list([G2.certificate, INNER.certificate], issued=NOW - DAY))
    snapshot = house.live(TrustStore.of([INNER.certificate])).snapshot()
    full = Snapshot(snapshot.store, RevocationEvidence((), (G1.crl(),), ()), "")
    again = Snapshot.unpack(full.pack())
    assert again == full
    assert again.fingerprint == full.fingerprint != snapshot.fingerprint
    [listed] = [a for a in again.store.anchors if a.source == "national/3"]
    assert listed.grants[0].ends == NOW - DAY
    assert listed.next_update is not None


def test_the_fingerprint_sees_every_part():
    store = TrustStore.of([G1.certificate])
    base = Snapshot(store)
    others = [
        Snapshot(TrustStore.of([G2.certificate])),
        Snapshot(TrustStore.of([G1.certificate], TrustDomain.PUBLIC)),
        Snapshot(TrustStore.of([G1.certificate], TrustDomain.PINNED, [INNER.certificate])),
        Snapshot(store, RevocationEvidence((), (G1.crl(),), ())),
        Snapshot(store, rules="[[rule_set]]"),
    ]
    assert len({one.fingerprint for one in [base, *others]}) == 6
