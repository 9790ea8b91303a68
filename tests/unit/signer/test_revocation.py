"""RevocationClient: what it collects, what it remembers, and when it refuses."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.errors import CertificateRefused, RevocationError
from signer.fetch import Fetcher
from signer.insecure_testpki import InsecureTestPKI, Role
from signer.insecure_testpki.authority import CRL_VALIDITY, OCSP_VALIDITY
from signer.insecure_testpki.ocsp_responder import OCSPResponder
from signer.insecure_testpki.roles import PROFILES
from signer.revocation import RevocationClient, RevocationLimits
from signer.services import RevocationEvidence
from tests.fakes import SoftwareKey
from tests.fixtures_http import http_ok
from tests.fixtures_pki import no_loader, reused_key
from tests.spoilt_certificates import with_duplicate_extension, with_odd_locations


def now():
    return dt.datetime.now(dt.UTC)


def chain_of(key):
    return (key.certificate, *key.chain)


@pytest.fixture
def client(test_pki):
    return test_pki.new_revocation_client()


def test_officer_and_timestamp_unit_share_what_they_can(test_pki, client):
    signer = client.collect(chain_of(test_pki.officer), now())
    unit = client.collect(chain_of(test_pki.tsa), now())
    assert client.requests == 3  # two OCSP answers; the root's CRL once
    both = signer.merged(unit)
    assert (len(both.certificates), len(both.crls), len(both.ocsps)) == (5, 1, 2)
    assert isinstance(both, RevocationEvidence)


def test_issuers_missing_from_the_chain_are_filled_in(test_pki):
    issuing = test_pki.pki.certificate(Role.ISSUING)
    client = RevocationClient(test_pki.anchors, intermediates=[issuing])
    evidence = client.collect([test_pki.seal.certificate], now())
    assert len(evidence.certificates) == 4  # seal, issuing CA, root, OCSP responder


def test_an_unknown_issuer(test_pki):
    client = RevocationClient(())
    with pytest.raises(RevocationError, match="add the intermediate"):
        client.collect([test_pki.seal.certificate], now())
    assert client.requests == 0


def test_a_self_signed_certificate_that_is_no_anchor(client):
    with pytest.raises(RevocationError, match="pin its root"):
        client.collect([SoftwareKey().certificate], now())


def test_anchors_need_nothing(test_pki, client):
    evidence = client.collect(test_pki.anchors, now())
    assert (len(evidence.certificates), evidence.crls, evidence.ocsps) == (1, (), ())
    assert client.requests == 0


def test_after_the_window_it_asks_again(test_pki, client):
    chain = chain_of(test_pki.officer)
    client.collect(chain, now())
    assert client.requests == 2
    later = now() + OCSP_VALIDITY + dt.timedelta(minutes=1)
    evidence = client.collect(chain, later)
    assert client.requests == 4  # an OCSP answer of today no longer does; the CRL still speaks
    assert (len(evidence.crls), len(evidence.ocsps)) == (2, 0)
    with pytest.raises(RevocationError, match="it speaks from"):
        client.collect(chain, now() + CRL_VALIDITY + dt.timedelta(minutes=1))


@pytest.fixture
def revocable(test_pki):
    """A certificate to revoke, valid again afterwards."""
    key = test_pki.issue(common_name="Người sẽ bị thu hồi")
    yield key
    test_pki.pki.unrevoke(key.certificate)


@pytest.mark.parametrize("has_ocsp", [True, False])
@pytest.mark.parametrize("reason", [None, x509.ReasonFlags.certificate_hold])
def test_a_revoked_certificate_is_refused_by_ocsp_and_by_crl(test_pki, client, has_ocsp, reason):
    key = test_pki.issue(has_ocsp=has_ocsp)
    chain = chain_of(key)
    start = now() - dt.timedelta(hours=1)
    test_pki.pki.revoke(key.certificate, at=start, reason=reason)
    try:
        with pytest.raises(CertificateRefused, match="use another one") as caught:
            client.collect(chain, now())
        assert (reason.value if reason else "unspecified") in str(caught.value)
        assert "đã bị thu hồi" in str(caught.value)
    finally:
        test_pki.pki.unrevoke(key.certificate)


def test_before_its_revocation_a_certificate_was_good(test_pki, client, revocable):
    """Evidence for an earlier time is given, and not taken for evidence of today's status."""
    start = now() - dt.timedelta(minutes=1)
    test_pki.pki.revoke(revocable.certificate, at=start)
    assert client.collect(chain_of(revocable), start - dt.timedelta(minutes=1)).ocsps
    with pytest.raises(CertificateRefused):
        client.collect(chain_of(revocable), now())


def test_a_lifted_hold_is_noticed_at_once(test_pki, client, revocable):
    test_pki.pki.revoke(revocable.certificate, reason=x509.ReasonFlags.certificate_hold)
    with pytest.raises(CertificateRefused):
        client.collect(chain_of(revocable), now() + dt.timedelta(seconds=2))
    test_pki.pki.unrevoke(revocable.certificate)
    assert client.collect(chain_of(revocable), now())


def test_a_revoked_issuing_ca(test_pki, client):
    issuing = test_pki.pki.certificate(Role.ISSUING)
    test_pki.pki.revoke(issuing, at=now() - dt.timedelta(hours=1))
    try:
        with pytest.raises(CertificateRefused, match="CA cấp phát"):
            client.collect(chain_of(test_pki.officer), now())
    finally:
        test_pki.pki.unrevoke(issuing)


def test_crl_when_there_is_no_ocsp(test_pki, client):
    evidence = client.collect(chain_of(test_pki.issue(has_ocsp=False)), now())
    assert (len(evidence.crls), len(evidence.ocsps)) == (2, 0)
    client.collect(chain_of(test_pki.issue(has_ocsp=False)), now())
    assert client.requests == 2  # the CRLs serve every certificate of their issuers


def test_no_address_at_all(test_pki, client):
    key = test_pki.issue(has_ocsp=False, has_crl=False)
    with pytest.raises(RevocationError, match="no OCSP or CRL address"):
        client.collect(chain_of(key), now())


def test_a_responder_without_nocheck_is_checked_by_crl(test_pki):
    key = test_pki.issue(PROFILES[Role.OCSP], ocsp_no_check=False)
    issuing = test_pki.pki.certificate(Role.ISSUING)
    responder = OCSPResponder(key, issuing, lambda _: None, validity=OCSP_VALIDITY, clock=now)
    fetcher = Answers(responder.respond)
    evidence = RevocationClient(test_pki.anchors, fetcher=fetcher).collect(
        chain_of(test_pki.officer), now()
    )
    assert key.certificate.public_bytes(Encoding.DER) in evidence.certificates
    assert (len(evidence.crls), len(evidence.ocsps)) == (2, 1)
    test_pki.pki.revoke(key.certificate, at=now() - dt.timedelta(hours=1))
    try:
        with pytest.raises(CertificateRefused, match="OCSP"):
            RevocationClient(test_pki.anchors, fetcher=fetcher).collect(
                chain_of(test_pki.officer), now()
            )
    finally:
        test_pki.pki.unrevoke(key.certificate)


def test_an_issuer_that_answers_for_itself(test_pki):
    issuing = test_pki.pki.key(Role.ISSUING)
    responder = OCSPResponder(
        issuing, issuing.certificate, lambda _: None, validity=OCSP_VALIDITY, clock=now
    )
    client = RevocationClient(test_pki.anchors, fetcher=Answers(responder.respond))
    evidence = client.collect(chain_of(test_pki.officer), now())
    assert (len(evidence.certificates), len(evidence.ocsps)) == (3, 1)


class Answers(Fetcher):
    """A fetcher whose OCSP answers, or CRLs, a test decides; the rest is really fetched."""

    def __init__(self, ocsp=None, crl=None):
        super().__init__()
        self._ocsp = ocsp
        self._crl = crl

    def post(self, url, body, content_type, **limits):
        if self._ocsp:
            return self._ocsp(body)
        return super().post(url, body, content_type, **limits)

    def get(self, url, **limits):
        return self._crl(url) if self._crl else super().get(url, **limits)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n",
        http_ok(b"<html>"),
        http_ok(bytes(70_000)),
    ],
)
def test_when_ocsp_fails_the_crl_is_asked(scripted_server, answer, tmp_path):
    server = scripted_server(answer)
    pki = served_by(tmp_path, server.port)
    fetcher = Answers(crl=lambda url: pki.crl(Role(url.rsplit("/", 1)[1].removesuffix(".crl"))))
    client = RevocationClient(pki.anchors, fetcher=fetcher)
    evidence = client.collect(chain_of(pki.key(Role.OFFICER)), now())
    assert (len(evidence.crls), len(evidence.ocsps)) == (2, 0)


def served_by(folder, port):
    """Another PKI, whose addresses name `port`."""
    return InsecureTestPKI.create(
        folder, reused_key, no_loader, base_url=f"http://127.0.0.1:{port}"
    )


def test_when_everything_fails_it_says_what_was_tried(scripted_server, tmp_path):
    server = scripted_server(b"")
    pki = served_by(tmp_path, server.port)
    client = RevocationClient(pki.anchors)
    with pytest.raises(RevocationError, match=r"OCSP http.*CRL http.*try again"):
        client.collect(chain_of(pki.key(Role.OFFICER)), now())


def test_a_dead_server_is_left_alone_for_a_while(scripted_server, tmp_path):
    server = scripted_server(b"")
    pki = served_by(tmp_path, server.port)
    clock = [100.0]
    client = RevocationClient(
        pki.anchors, limits=RevocationLimits(failure_memory_s=10), monotonic_s=lambda: clock[0]
    )

    def attempt():
        with pytest.raises(RevocationError):
            client.collect(chain_of(pki.key(Role.OFFICER)), now())
        return len(server.requests)

    assert [attempt(), attempt()] == [2, 2]
    clock[0] += 11
    assert attempt() == 4


def test_a_hanging_server_costs_its_time_limit(scripted_server, tmp_path):
    server = scripted_server(http_ok(bytes(200)), drip_s=0.05)
    pki = served_by(tmp_path, server.port)
    client = RevocationClient(pki.anchors, limits=RevocationLimits(timeout_s=0.2))
    start = time.monotonic()
    with pytest.raises(RevocationError, match=r"within 0\.2 s"):
        client.collect(chain_of(pki.key(Role.OFFICER)), now())
    assert time.monotonic() - start < 3


def test_parallel_threads_fetch_once(test_pki):
    client = test_pki.new_revocation_client()
    barrier = threading.Barrier(16)
    results = []

    def collect(key):
        barrier.wait()
        results.append(client.collect(chain_of(key), now()))

    keys = [test_pki.officer, test_pki.leader] * 8
    threads = [threading.Thread(target=collect, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 16
    assert client.requests == 3
    assert client._flights == {}


def test_answers_outlive_the_process_on_disk(test_pki, tmp_path):
    first = test_pki.new_revocation_client(tmp_path / "cache")
    evidence = first.collect(chain_of(test_pki.officer), now())
    assert len(list((tmp_path / "cache").iterdir())) == 2
    second = test_pki.new_revocation_client(tmp_path / "cache")
    assert second.collect(chain_of(test_pki.officer), now()) == evidence
    assert second.requests == 0


def test_stored_answers_are_judged_like_fetched_ones(test_pki, tmp_path, caplog):
    folder = tmp_path / "cache"
    chain = chain_of(test_pki.officer)
    test_pki.new_revocation_client(folder).collect(chain, now())
    for content in (b"", b"planted", bytes(17 * 1024 * 1024)):
        for path in folder.iterdir():
            path.write_bytes(content)
        client = test_pki.new_revocation_client(folder)
        with caplog.at_level(logging.DEBUG, "signer.revocation"):
            client.collect(chain, now())
        assert client.requests == 2
    assert "A stored OCSP response is of no use" in caplog.text
    assert "A stored CRL is of no use" in caplog.text
    # the good ones were put back
    assert test_pki.new_revocation_client(folder).collect(chain, now())
    swapped = sorted(folder.iterdir())
    one, two = (path.read_bytes() for path in swapped)
    swapped[0].write_bytes(two)
    swapped[1].write_bytes(one)
    client = test_pki.new_revocation_client(folder)
    client.collect(chain, now())
    assert client.requests == 2


def test_a_folder_that_cannot_be_written_costs_only_requests(test_pki, tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    client = test_pki.new_revocation_client(tmp_path / "file")
    assert client.collect(chain_of(test_pki.officer), now())
    assert "cannot be written" in caplog.text


def test_revoked_answers_are_not_stored(test_pki, tmp_path, revocable):
    test_pki.pki.revoke(revocable.certificate, at=now() - dt.timedelta(hours=1))
    folder = tmp_path / "cache"
    client = test_pki.new_revocation_client(folder)
    with pytest.raises(CertificateRefused):
        client.collect(chain_of(revocable), now())
    assert not folder.exists()


def test_with_a_nonce(test_pki):
    client = RevocationClient(test_pki.anchors, use_nonce=True)
    assert client.collect(chain_of(test_pki.officer), now()).ocsps


def test_a_replayed_answer_is_refused_with_a_nonce(test_pki):
    kept = []
    responder = test_pki.pki.ocsp_responder()

    def replay(body):
        kept.append(responder.respond(body))
        return kept[0]

    key = test_pki.issue(has_crl=False)
    fetcher = Answers(replay)
    assert RevocationClient(test_pki.anchors, fetcher=fetcher, use_nonce=True).collect(
        chain_of(key), now()
    )
    with pytest.raises(RevocationError, match="replay"):
        RevocationClient(test_pki.anchors, fetcher=fetcher, use_nonce=True).collect(
            chain_of(key), now()
        )


def test_memory_is_bounded(test_pki, monkeypatch):
    monkeypatch.setattr("signer.revocation._REMEMBERED", 2)
    client = test_pki.new_revocation_client()
    for _ in range(4):
        client.collect(chain_of(test_pki.issue()), now())
    assert len(client._statuses) == 2
    assert len(client._issuer_of) == 2


def test_unreadable_extensions(test_pki, client):
    """Two subjectAltName extensions: the certificate cannot be read, so nothing is known."""
    certificate = with_duplicate_extension(test_pki.pki)
    with pytest.raises(RevocationError, match="unreadable extensions"):
        client.collect((certificate, *test_pki.officer.chain), now())


def test_other_locations_are_passed_over(test_pki, client):
    certificate = with_odd_locations(test_pki.pki)
    with pytest.raises(RevocationError, match="no OCSP or CRL address"):
        client.collect((certificate, *test_pki.officer.chain), now())
