"""CRLs and OCSP responses fetched beforehand: what is asked, what is kept, what is used when."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from api.chores import chores_of
from api.settings import Settings
from api.trusting import live_trust
from dossier.audit.log import AuditLog
from dossier.queue.jobs import JobQueue
from dossier.storage.blobs import open_blobs
from dossier.trust.evidence import FetchLimits, RevocationRefresh, RevocationShelf
from dossier.trust.history import TrustHistory
from dossier.trust.live import LiveTrust
from dossier.trust.snapshot import Snapshot
from signer.fetch import Fetcher
from signer.trust import TrustStore
from signer.verification.report import Indication, SubIndication
from tests.fixtures_http import http_ok
from tests.trust_parties import DAY, NOW, Party, signed_by

ROOT = Party.root("Gốc thu hồi Thử")
ISSUING = ROOT.certify("CA thu hồi Thử", is_ca=True)
LEAF = ISSUING.certify("Cán bộ thu hồi Thử")
LIMITS = FetchLimits(timeout_s=2.0, max_bytes=4096)


@pytest.fixture
def shelf(database, tmp_path):
    return RevocationShelf(database, open_blobs("", tmp_path / "blobs"))


@pytest.fixture
def live(database, shelf, tmp_path):
    history = TrustHistory(database, open_blobs("", tmp_path / "blobs"), AuditLog(database))
    store = TrustStore.of([ROOT.certificate], intermediates=[ISSUING.certificate])
    return LiveTrust(store, history, shelf, look_s=0)


def refresh(shelf, *urls, fetcher=None):
    return RevocationRefresh(shelf, fetcher or Fetcher(), urls, LIMITS)


STORE = TrustStore.of([ROOT.certificate], intermediates=[ISSUING.certificate])


def test_the_verifier_takes_what_the_job_fetched(shelf, live, scripted_server):
    data = signed_by(LEAF)
    assert live.snapshot().verifier().verify(data).sub_indication is SubIndication.TRY_LATER
    of_root = scripted_server(http_ok(ROOT.crl()))
    of_issuing = scripted_server(http_ok(ISSUING.crl()))
    done = refresh(shelf, of_root.url, of_issuing.url).run(STORE, NOW)
    assert (done.asked, done.new, done.failed) == (2, 2, ())
    asked = (len(of_root.requests), len(of_issuing.requests))
    report = live.snapshot().verifier().verify(data)
    assert report.indication is Indication.TOTAL_PASSED
    assert report.signatures[0].level == "B-B"  # the evidence is ours, not the file's
    assert (len(of_root.requests), len(of_issuing.requests)) == asked == (1, 1)


def test_addresses_in_trusted_certificates_are_asked(shelf, scripted_server):
    lists = scripted_server(http_ok(ROOT.crl()))
    inner = ROOT.certify("CA có CDP Thử", is_ca=True, crl_url=lists.url)
    store = TrustStore.of([ROOT.certificate], intermediates=[inner.certificate])
    assert refresh(shelf).run(store, NOW).new == 1
    assert len(shelf.evidence(NOW).crls) == 1
    assert len(lists.requests) == 1


def test_where_there_is_no_list_the_responder_is_asked(shelf, scripted_server):
    said: list[bytes] = []
    answers = scripted_server(lambda body: http_ok(said[0]))
    inner = ROOT.certify("CA có OCSP Thử", is_ca=True, ocsp_url=answers.url)
    said.append(ROOT.ocsp_response(inner.certificate))
    store = TrustStore.of([ROOT.certificate], intermediates=[inner.certificate])
    done = refresh(shelf).run(store, NOW)
    assert (done.asked, done.new) == (1, 1)
    assert answers.requests[0].startswith(b"POST ")
    assert len(shelf.evidence(NOW).ocsps) == 1
    leaf = inner.certify("Cán bộ OCSP Thử")
    other = scripted_server(http_ok(inner.crl()))
    assert refresh(shelf, other.url).run(store, NOW).new == 1
    report = Snapshot(store, shelf.evidence(NOW)).verifier().verify(signed_by(leaf))
    assert report.indication is Indication.TOTAL_PASSED


def test_the_same_answer_is_kept_once(shelf, scripted_server):
    octets = ROOT.crl()
    server = scripted_server(http_ok(octets))
    errand = refresh(shelf, server.url)
    assert errand.run(STORE, NOW).new == 1
    before = shelf.newest()
    assert errand.run(STORE, NOW + DAY).new == 0
    assert shelf.newest() == before


def test_older_values_answer_for_older_times(shelf, scripted_server):
    old, new = ROOT.crl(this_update=NOW - 6 * DAY), ROOT.crl(this_update=NOW)
    server = scripted_server(http_ok(old), http_ok(new))
    errand = refresh(shelf, server.url)
    assert errand.run(STORE, NOW - 5 * DAY).new == 1
    assert errand.run(STORE, NOW).new == 1
    assert shelf.evidence(NOW - 7 * DAY).crls == ()
    assert shelf.evidence(NOW - DAY).crls == (old,)
    assert shelf.evidence(NOW).crls == (new,)


def test_a_revoked_certificate_is_convicted(shelf, live, scripted_server):
    data = signed_by(LEAF)
    revoked = [(LEAF.certificate, NOW - DAY)]
    servers = [
        scripted_server(http_ok(ROOT.crl())),
        scripted_server(http_ok(ISSUING.crl(revoked=revoked))),
    ]
    refresh(shelf, *(server.url for server in servers)).run(STORE, NOW)
    report = live.snapshot().verifier().verify(data)
    assert report.sub_indication is SubIndication.REVOKED
    assert report.indication is Indication.TOTAL_FAILED


STRANGER = Party.root("Gốc thu hồi Thử", key="a stranger's key")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http_ok(STRANGER.crl()), "signature does not hold"),
        (http_ok(Party.root("Gốc khác Thử").crl()), "another issuer"),
        (http_ok(ROOT.crl(this_update=NOW - 30 * DAY)), "it speaks from"),
        (http_ok(ROOT.crl(this_update=NOW + DAY)), "it speaks from"),
        (http_ok(b"\x30\x03abc"), "unusable"),
        (http_ok(b"x" * 5000), "larger than"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
            "302",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nx", "cannot be reached"),
    ],
)
def test_what_is_wrong_is_not_kept_and_the_others_go_on(shelf, scripted_server, answer, words):
    bad = scripted_server(answer)
    good = scripted_server(http_ok(ISSUING.crl()))
    done = refresh(shelf, bad.url, good.url).run(STORE, NOW)
    assert (done.asked, done.new) == (2, 1)
    [failure] = done.failed
    assert words in failure
    assert bad.url in failure
    assert len(shelf.evidence(NOW).crls) == 1


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.net/a.crl", "http://user:word@example.net/a", "gopher:"],
)
def test_only_plain_addresses_are_asked(shelf, url):
    done = refresh(shelf, url).run(STORE, NOW)
    assert done.new == 0
    assert "not a" in done.failed[0]


def test_private_addresses_are_not_asked(shelf, scripted_server):
    """What a certificate names must not reach into the agency's own network."""
    server = scripted_server(http_ok(ROOT.crl()))
    inner = ROOT.certify("CA nội bộ Thử", is_ca=True, crl_url=server.url)
    store = TrustStore.of([ROOT.certificate], intermediates=[inner.certificate])
    done = refresh(shelf, fetcher=Fetcher(public_only=True)).run(store, NOW)
    assert "not a public address" in done.failed[0]
    assert server.connections == 0


def test_a_slow_server_costs_its_limit(shelf, scripted_server):
    server = scripted_server(http_ok(ROOT.crl()), drip_s=0.1)
    fetcher = Fetcher()
    limits = dataclasses.replace(LIMITS, timeout_s=0.5)
    done = RevocationRefresh(shelf, fetcher, [server.url], limits).run(STORE, NOW)
    assert "did not answer" in done.failed[0]


# --- the chore ----------------------------------------------------------------------------


class Below:
    """What the chores of a house need, and no more."""

    def __init__(self, settings, database, blobs):
        self.settings, self.database, self.blobs = settings, database, blobs
        self.audit = AuditLog(database)
        self.jobs = JobQueue(database, self.audit)


def house_with(database, tmp_path, **trust):
    path = tmp_path / "root.pem"
    path.write_bytes(ROOT.pem + ISSUING.pem)
    settings = Settings(data_dir=tmp_path, trust={"anchors": [path], **trust})
    return Below(settings, database, open_blobs("", tmp_path / "blobs"))


def test_nothing_is_fetched_unless_it_is_configured(database, tmp_path):
    house = house_with(database, tmp_path, crl_urls=["http://127.0.0.1:9/x.crl"])
    assert [chore for chore in chores_of(house) if chore.name == "revocation"] == []


def test_the_chore_fetches_for_every_process(database, tmp_path, scripted_server):
    server = scripted_server(http_ok(ROOT.crl()))
    house = house_with(
        database, tmp_path, crl_urls=[server.url], fetch_revocation=True,
        fetch_private_networks=True,
    )  # fmt: skip
    [chore] = [chore for chore in chores_of(house) if chore.name == "revocation"]
    live = live_trust(house.settings, database, house.blobs)
    assert live.snapshot().evidence.crls == ()
    stop = threading.Event()
    worker = threading.Thread(target=chore.run, args=(stop,))
    worker.start()
    try:
        other = live_trust(house.settings, database, house.blobs)
        for _ in range(200):
            if other.snapshot(NOW).evidence.crls:
                break
            threading.Event().wait(0.05)
    finally:
        stop.set()
        worker.join(10)
    assert len(other.snapshot(NOW).evidence.crls) == 1
    assert not worker.is_alive()
