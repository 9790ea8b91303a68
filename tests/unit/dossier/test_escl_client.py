"""The eSCL client against a scanner: what it asks, how it waits, and what it refuses to believe."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dossier.errors import (
    DossierError,
    InvalidOrder,
    ScanCancelled,
    ScannerBusy,
    ScannerMisanswered,
    ScannerNeedsHand,
    ScannerStopped,
    ScannerUnreachable,
)
from dossier.scanners.address import address_of
from dossier.scanners.escl import Patience, ScanJob, Scanner
from dossier.scanners.tickets import ScanWish, settle
from dossier.scanners.values import AdfState, DocumentFormat, InputSource, ScannerState
from dossier.scanners.xmltext import MAX_BYTES
from tests.escl_papers import side, stack
from tests.escl_simulator import EsclSimulator, Faults
from tests.receiver import server_tls

SIZE = (310, 438)
PATIENT = Patience(answer_s=5, busy_s=1, document_s=5, pause_s=0.02)

BOTH_SIDES = ScanWish(duplex=True, paper=None)


def client(simulator: EsclSimulator, patience: Patience = PATIENT) -> Scanner:
    return Scanner(address_of("quay-1", simulator.url), patience)


def simulated(sheets: int = 2, **options: Any) -> EsclSimulator:
    faults = Faults(**options)
    return EsclSimulator(stack(sheets, size=SIZE), side(9, SIZE), size=SIZE, faults=faults)


def start(scanner: Scanner, wish: ScanWish | None = None) -> ScanJob:
    return scanner.start(settle(wish or BOTH_SIDES, scanner.capabilities()))


def taken(job: ScanJob) -> int:
    while job.next_document() is not None:
        pass
    return job.received


def test_what_the_scanner_says_of_itself() -> None:
    with simulated() as simulator:
        scanner = client(simulator)
        can = scanner.capabilities()
        status = scanner.status()
    assert (can.version, can.make_and_model) == ("2.63", "Mẫu Thử Scan 3000 & Co")
    assert can.serial_number == "MAU-000123"
    assert (can.feeder_capacity, can.detects_paper) == (50, True)
    for inputs in (can.platen, can.feeder, can.feeder_duplex):
        assert inputs is not None
        assert (inputs.max_width, inputs.max_height) == SIZE
        assert inputs.profiles[0].formats == {DocumentFormat.JPEG, DocumentFormat.PDF}
        assert inputs.profiles[0].resolutions.discrete == (100, 150, 200, 300)
    assert (status.state, status.adf) == (ScannerState.IDLE, AdfState.LOADED)


def test_a_scanner_that_is_busy_for_a_moment_is_waited_for() -> None:
    with simulated(busy_answers=3, warming_up=3) as simulator:
        assert taken(start(client(simulator))) == 4
    assert [path for verb, path in simulator.requests if verb == "POST"] == ["/eSCL/ScanJobs"] * 4


def test_a_scanner_that_stays_busy_is_not_waited_for_for_ever() -> None:
    with simulated() as simulator:
        scanner = client(simulator, Patience(busy_s=0.3, pause_s=0.05))
        start(scanner)  # and left open
        began = time.monotonic()
        with pytest.raises(ScannerBusy, match="cancel that job") as busy:
            start(scanner)
    assert time.monotonic() - began < 3
    assert busy.value.retry_after_s == 10


def test_waiting_ends_when_the_caller_cancels() -> None:
    stop = threading.Event()
    with simulated() as simulator:
        scanner = client(simulator, Patience(busy_s=60, pause_s=30))
        can = scanner.capabilities()
        simulator.faults.busy_answers = 1000
        simulator.retry_after = None
        threading.Timer(0.2, stop.set).start()
        began = time.monotonic()
        with pytest.raises(ScanCancelled):
            scanner.start(settle(ScanWish(paper=None), can), stop)
    assert time.monotonic() - began < 10


def test_an_empty_feeder_is_told_before_anything_moves() -> None:
    with (
        simulated(sheets=0) as simulator,
        pytest.raises(ScannerNeedsHand, match="load the paper") as empty,
    ):
        start(client(simulator))
    assert empty.value.state == AdfState.EMPTY
    assert not [path for verb, path in simulator.requests if verb == "POST"]


def test_a_feeder_that_cannot_tell_is_found_empty_by_its_silence() -> None:
    """Without DetectPaperLoaded the status says Loaded, and the job has no page."""
    with simulated(sheets=1) as simulator:
        scanner = client(simulator)
        job = start(scanner)
        simulator.feeder.clear()
        with pytest.raises(ScannerNeedsHand) as empty:
            job.next_document()
    assert empty.value.state == AdfState.EMPTY


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"refuse_settings": True}, ScannerStopped, r"refuses these settings \(409\)"),
        ({"location": lambda _: ""}, ScannerMisanswered, "Location"),
        ({"location": lambda _: "http://[bad"}, ScannerMisanswered, "Location"),
        ({"location": lambda _: "/eSCL/a b"}, ScannerMisanswered, "Location"),
        ({"location": lambda path: f"{path}?x=1%0d%0aHost:other/"}, None, ""),
        ({"location": lambda path: path.rpartition("/")[2]}, None, ""),
        ({"location": lambda path: f"{path}/"}, None, ""),
    ],
)
def test_answers_to_a_new_job(
    options: dict[str, Any], kind: type[DossierError] | None, message: str
) -> None:
    with simulated(**options) as simulator:
        if kind is None:
            assert taken(start(client(simulator))) == 4
        else:
            with pytest.raises(kind, match=message):
                start(client(simulator))


def test_neither_location_nor_redirect_leads_anywhere_else() -> None:
    """Server-side request forgery: a device cannot send us to another address."""
    with simulated() as other, simulated() as simulator:
        elsewhere = other.url.removesuffix("/eSCL")
        simulator.faults.location = lambda path: f"{elsewhere}{path}"
        assert taken(start(client(simulator))) == 4
        simulator.faults.redirect_to = f"{other.url}/ScannerCapabilities"
        with pytest.raises(ScannerMisanswered, match="302"):
            client(simulator).capabilities()
        assert other.requests == []


XML = b'<?xml version="1.0"?>'
ROOT = b'<ScannerCapabilities xmlns="http://schemas.hp.com/imaging/escl/2011/05/03">'
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 9))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not XML",
        XML + b"<ScannerStatus/>",
        XML + ROOT,
        XML + ROOT + b"</ScannerCapabilities>",
        XML + b'<!DOCTYPE a [<!ENTITY l0 "ha">' + LAUGHS + b"]>" + ROOT + b"&l8;</a>",
        XML + b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><ScannerCapabilities/>',
        XML + b"<!DOCTYPE ScannerCapabilities><ScannerCapabilities/>",
        b'<?xml version="1.0" encoding="nonsense"?><ScannerCapabilities/>',
        b'<?xml version="1.0" encoding="utf-16"?><ScannerCapabilities/>',
        XML + ROOT + b"<a>" * 2000 + b"</a>" * 2000 + b"</ScannerCapabilities>",
        XML + ROOT + b"<a/>" * 25_000 + b"</ScannerCapabilities>",
        XML + ROOT + b"a" * MAX_BYTES + b"</ScannerCapabilities>",
    ],
    ids=lambda body: f"{len(body)}-{body[21:40]!r}",
)
def test_what_is_no_escl_is_refused_in_bounds(body: bytes) -> None:
    with simulated(bodies={"ScannerCapabilities": body}) as simulator:
        began = time.process_time()
        with pytest.raises(ScannerMisanswered):
            client(simulator).capabilities()
        assert time.process_time() - began < 2


def test_a_page_larger_than_agreed_is_refused() -> None:
    with simulated() as simulator:
        job = start(client(simulator, Patience(document_bytes=500)))
        with pytest.raises(ScannerMisanswered, match="500 bytes"):
            job.next_document()


@pytest.mark.parametrize("content", [b"GIF89a", b"", b"<html>login</html>"])
def test_a_page_that_is_no_page_is_refused(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EsclSimulator, "_scanned", lambda *_: content)
    with simulated() as simulator:
        job = start(client(simulator))
        with pytest.raises(ScannerMisanswered, match="neither JPEG nor PDF"):
            job.next_document()


def test_a_device_that_drips_is_left() -> None:
    """A byte every 20 ms would take a minute and a half; each single read is quick."""
    with simulated(drip=True) as simulator:
        began = time.monotonic()
        with pytest.raises(ScannerUnreachable, match=r"0\.4 s"):
            client(simulator, Patience(answer_s=0.4)).capabilities()
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 5000])
def test_what_does_not_speak_http(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=speak)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/eSCL"
        with pytest.raises(ScannerMisanswered, match="does not speak HTTP"):
            Scanner(address_of("x", url), PATIENT).capabilities()
        thread.join()


def test_nobody_there() -> None:
    with simulated() as simulator:
        url = simulator.url
    with pytest.raises(ScannerUnreachable, match="is it switched on"):
        Scanner(address_of("quay-1", url), PATIENT).status()


def test_the_wrong_path_is_explained() -> None:
    with simulated() as simulator:
        wrong = address_of("quay-1", simulator.url.replace("eSCL", "scan"))
        with pytest.raises(ScannerMisanswered, match="404"):
            Scanner(wrong, PATIENT).capabilities()


def test_https_with_the_scanner_s_own_certificate(tmp_path: Path) -> None:
    tls, pem = server_tls(tmp_path, "127.0.0.1")
    with EsclSimulator(glass=side(1, SIZE), size=SIZE, tls=tls) as simulator:
        proved = Scanner(address_of("quay-1", simulator.url, pem), PATIENT)
        wish = ScanWish(InputSource.PLATEN, paper=None)
        assert taken(start(proved, wish)) == 1
        with pytest.raises(ScannerUnreachable, match=r"\[scanners\.quay-1\] certificate"):
            client(simulator).capabilities()
        missing = address_of("quay-1", simulator.url, tmp_path / "none.pem")
        with pytest.raises(InvalidOrder, match="check its path"):
            Scanner(missing, PATIENT).capabilities()
    assert isinstance(tls, ssl.SSLContext)


def test_a_cancelled_job_is_gone_at_the_device() -> None:
    with simulated() as simulator:
        job = start(client(simulator))
        assert job.next_document() is not None
        job.cancel()
        job.cancel()  # is told, and does not mind
        with pytest.raises(ScannerStopped, match="JobCanceledByUser"):
            job.next_document()
