"""An eSCL scanner on loopback: glass, feeder, both sides; and every way such a device fails.

It behaves as the devices do that `sane-airscan` was written for (eSCL 2.6): it scans what the
settings of a job say (region in 1/300 inch, resolution, colour, format), hands a job's pages out
once each, in the order in which a duplex feeder sees them, keeps sheets that were not drawn in
when a job ends early, and says in ScannerStatus what it is doing. Tests do not judge it alone:
Debian's `scanimage` scans from it too.
"""

from __future__ import annotations

import http.server
import io
import socket
import ssl
import struct
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from defusedxml.ElementTree import fromstring
from PIL import Image

from tests.escl_papers import Sheet
from tests.loopback_server import LoopbackServer

_SCAN = "http://schemas.hp.com/imaging/escl/2011/05/03"
_PWG = "http://www.pwg.org/schemas/2010/12/sm"
_HEAD = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<scan:{{}} xmlns:scan="{_SCAN}" xmlns:pwg="{_PWG}">'
)
_MODES = {"BlackAndWhite1": "1", "Grayscale8": "L", "RGB24": "RGB"}
_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "application/pdf": "PDF"}


@dataclass
class Job:
    """One scan job. `waiting` are sides that were drawn in and not yet handed out."""

    settings: dict[str, str]
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = "Processing"
    reasons: tuple[str, ...] = ("JobScanning",)
    waiting: deque[Image.Image] = field(default_factory=deque)
    completed: int = 0
    asked: int = 0
    glass_done: bool = False


@dataclass
class Faults:
    """What goes wrong, and when. Counted in pages handed out by the present job."""

    adf_after: tuple[int, str] | None = None
    """(pages, AdfState): the feeder stops with this state once so many pages went out."""
    busy_answers: int = 0
    """So many 503 to new jobs."""
    warming_up: int = 0
    """So many 503 to the first NextDocument of each job, as HP's do."""
    vanish_in_page: int | None = None
    """Cuts the connection in the middle of this page (from 1) and answers nothing any more."""
    drop_in_page: int | None = None
    """Cuts one page (from 1) short without any length, and goes on living."""
    abort_after: int | None = None
    swallow_page: int | None = None
    """Counts this page (from 1) as scanned, and never hands it out."""
    refuse_settings: bool = False
    drip: bool = False
    """Sends the body of everything a byte at a time."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """Answers to GET by the last part of the path."""
    location: Callable[[str], str] | None = None
    redirect_to: str | None = None


class EsclSimulator:
    """Use as a context manager. Everything may be changed between requests, under `lock`."""

    def __init__(
        self,
        feeder: Sequence[Sheet] = (),
        glass: Image.Image | None = None,
        *,
        size: tuple[int, int] = (2480, 3508),
        formats: Sequence[str] = ("image/jpeg", "application/pdf"),
        has_feeder: bool = True,
        has_duplex: bool = True,
        faults: Faults | None = None,
        tls: ssl.SSLContext | None = None,
        jpeg_quality: int = 92,
    ) -> None:
        self.lock = threading.RLock()
        self.feeder = deque(feeder)
        self.glass = glass
        self.size = size
        self.formats = tuple(formats)
        self.has_feeder, self.has_duplex = has_feeder, has_duplex
        self.faults = faults or Faults()
        self.jobs: dict[str, Job] = {}
        self.adf_fault: str | None = None
        self.is_dead = False
        self.retry_after: str | None = "0"
        self.requests: list[tuple[str, str]] = []
        self.sent: list[bytes] = []
        """Every document that went out whole."""
        self._tls = tls
        self._jpeg_quality = jpeg_quality

    def __enter__(self) -> Self:
        self.server = _Server(self, self._tls)
        self.server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.stop()

    @property
    def url(self) -> str:
        return f"{self.server.origin}/eSCL"

    def clear_jam(self) -> None:
        """What a person does: open, take the sheet out, close."""
        with self.lock:
            self.adf_fault = None
            self.faults.adf_after = None

    # --- what it says of itself -------------------------------------------------------------

    def capabilities(self) -> str:
        width, height = self.size
        formats = "".join(
            f"<pwg:DocumentFormat>{form}</pwg:DocumentFormat>"
            f"<scan:DocumentFormatExt>{form}</scan:DocumentFormatExt>"
            for form in self.formats
        )
        modes = "".join(f"<scan:ColorMode>{mode}</scan:ColorMode>" for mode in _MODES)
        resolutions = "".join(
            f"<scan:DiscreteResolution><scan:XResolution>{dpi}</scan:XResolution>"
            f"<scan:YResolution>{dpi}</scan:YResolution></scan:DiscreteResolution>"
            for dpi in (100, 150, 200, 300)
        )
        inputs = (
            f"<scan:MinWidth>16</scan:MinWidth><scan:MaxWidth>{width}</scan:MaxWidth>"
            f"<scan:MinHeight>16</scan:MinHeight><scan:MaxHeight>{height}</scan:MaxHeight>"
            "<scan:MaxScanRegions>1</scan:MaxScanRegions>"
            f"<scan:SettingProfiles><scan:SettingProfile><scan:ColorModes>{modes}</scan:ColorModes>"
            f"<scan:DocumentFormats>{formats}</scan:DocumentFormats><scan:SupportedResolutions>"
            f"<scan:DiscreteResolutions>{resolutions}</scan:DiscreteResolutions>"
            "</scan:SupportedResolutions></scan:SettingProfile></scan:SettingProfiles>"
        )
        platen = f"<scan:Platen><scan:PlatenInputCaps>{inputs}</scan:PlatenInputCaps></scan:Platen>"
        duplex = f"<scan:AdfDuplexInputCaps>{inputs}</scan:AdfDuplexInputCaps>"
        adf = (
            f"<scan:Adf><scan:AdfSimplexInputCaps>{inputs}</scan:AdfSimplexInputCaps>"
            f"{duplex if self.has_duplex else ''}<scan:FeederCapacity>50</scan:FeederCapacity>"
            "<scan:AdfOptions><scan:AdfOption>DetectPaperLoaded</scan:AdfOption>"
            f"{'<scan:AdfOption>Duplex</scan:AdfOption>' if self.has_duplex else ''}"
            "</scan:AdfOptions></scan:Adf>"
        )
        return (
            _HEAD.format("ScannerCapabilities") + "<pwg:Version>2.63</pwg:Version>"
            "<pwg:MakeAndModel>Mẫu Thử Scan 3000 &amp; Co</pwg:MakeAndModel>"
            "<pwg:SerialNumber>MAU-000123</pwg:SerialNumber>"
            "<scan:UUID>00000000-0000-4000-8000-00000000cafe</scan:UUID>"
            f"{platen}{adf if self.has_feeder else ''}</scan:ScannerCapabilities>"
        )

    def status(self) -> str:
        is_working = any(job.state == "Processing" for job in self.jobs.values())
        adf = self.adf_fault or ("ScannerAdfLoaded" if self.feeder else "ScannerAdfEmpty")
        jobs = "".join(
            f"<scan:JobInfo><pwg:JobUri>/eSCL/ScanJobs/{job.uuid}</pwg:JobUri>"
            f"<pwg:JobUuid>urn:uuid:{job.uuid}</pwg:JobUuid><scan:Age>1</scan:Age>"
            f"<pwg:ImagesCompleted>{job.completed}</pwg:ImagesCompleted>"
            f"<pwg:JobState>{job.state}</pwg:JobState><pwg:JobStateReasons>"
            + "".join(f"<pwg:JobStateReason>{r}</pwg:JobStateReason>" for r in job.reasons)
            + "</pwg:JobStateReasons></scan:JobInfo>"
            for job in reversed(self.jobs.values())
        )
        return (
            _HEAD.format("ScannerStatus") + "<pwg:Version>2.63</pwg:Version>"
            f"<pwg:State>{'Processing' if is_working else 'Idle'}</pwg:State>"
            f"{f'<scan:AdfState>{adf}</scan:AdfState>' if self.has_feeder else ''}"
            f"<scan:Jobs>{jobs}</scan:Jobs></scan:ScannerStatus>"
        )

    # --- what it does -----------------------------------------------------------------------

    def start(self, body: bytes) -> tuple[int, str]:
        """A new job: (status, path)."""
        settings = {
            element.tag.rpartition("}")[2]: (element.text or "").strip()
            for element in fromstring(body).iter()
        }
        if self.faults.busy_answers:
            self.faults.busy_answers -= 1
            return 503, ""
        if any(job.state == "Processing" for job in self.jobs.values()):
            return 503, ""
        width, height = int(settings["Width"]), int(settings["Height"])
        outside = int(settings["XOffset"]) + width > self.size[0]
        outside |= int(settings["YOffset"]) + height > self.size[1]
        is_feeder = settings["InputSource"] == "Feeder"
        if (
            self.faults.refuse_settings
            or outside
            or settings["ColorMode"] not in _MODES
            or settings.get("DocumentFormatExt", settings["DocumentFormat"]) not in self.formats
            or (is_feeder and (not self.feeder or self.adf_fault is not None))
        ):
            return 409, ""
        job = Job(settings)
        self.jobs[job.uuid] = job
        return 201, f"/eSCL/ScanJobs/{job.uuid}"

    def next_page(self, job: Job) -> tuple[int, bytes, str]:
        """(status, document, its type); 404 behind the last one."""
        job.asked += 1
        if job.state != "Processing":
            return 404, b"", ""
        if job.asked <= self.faults.warming_up:
            return 503, b"", ""
        after = self.faults.adf_after
        if after is not None and job.completed >= after[0]:
            self.adf_fault = after[1]
            job.waiting.clear()
            return self._end(job, "Aborted", "InputTrayFailed" if "Tray" in after[1] else after[1])
        if self.faults.abort_after is not None and job.completed >= self.faults.abort_after:
            return self._end(job, "Aborted", "AbortedBySystem")
        picture = self._draw_in(job)
        if picture is None:
            return self._end(job, "Completed", "JobCompletedSuccessfully")
        job.completed += 1
        if self.faults.swallow_page == job.completed:
            return self.next_page(job)
        document = self._scanned(picture, job.settings)
        return 200, document, job.settings.get("DocumentFormatExt", job.settings["DocumentFormat"])

    def cancel(self, job: Job) -> None:
        if job.state == "Processing":
            self._end(job, "Canceled", "JobCanceledByUser")

    def _end(self, job: Job, state: str, reason: str) -> tuple[int, bytes, str]:
        job.state, job.reasons = state, (reason,)
        return 404, b"", ""

    def _draw_in(self, job: Job) -> Image.Image | None:
        if job.settings["InputSource"] != "Feeder":
            if job.glass_done or self.glass is None:
                return None
            job.glass_done = True
            return self.glass
        if not job.waiting and self.feeder:
            duplex = job.settings.get("Duplex") == "true"
            job.waiting.extend(self.feeder.popleft().sides(duplex=duplex))
        return job.waiting.popleft() if job.waiting else None

    def _scanned(self, picture: Image.Image, settings: dict[str, str]) -> bytes:
        x, y = int(settings["XOffset"]), int(settings["YOffset"])
        width, height = int(settings["Width"]), int(settings["Height"])
        bed = Image.new("RGB", self.size, "white")
        bed.paste(picture, (0, 0))
        seen = bed.crop((x, y, x + width, y + height))
        dpi = int(settings["XResolution"])
        if dpi != 300:
            seen = seen.resize((width * dpi // 300, height * dpi // 300), Image.Resampling.BOX)
        seen = seen.convert(_MODES[settings["ColorMode"]])
        form = _FORMATS[settings.get("DocumentFormatExt", settings["DocumentFormat"])]
        written = io.BytesIO()
        if form == "PDF":
            seen.save(written, form, resolution=dpi)
        else:
            seen.save(written, form, dpi=(dpi, dpi), quality=self._jpeg_quality)
        return written.getvalue()


class _Server(LoopbackServer):
    def __init__(self, simulator: EsclSimulator, tls: ssl.SSLContext | None) -> None:
        self.simulator = simulator
        super().__init__(_Handler, tls=tls)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        simulator, faults = self._arrive("GET")
        name = self.path.rpartition("/")[2]
        if faults.redirect_to is not None:
            self._answer(302, headers={"Location": faults.redirect_to})
        elif name in faults.bodies:
            self._answer(200, faults.bodies[name], "text/xml")
        elif not self.path.startswith("/eSCL/"):
            self._answer(404)
        elif name == "NextDocument":
            self._hand_out(simulator, faults)
        elif name == "ScannerCapabilities":
            self._answer(200, simulator.capabilities().encode(), "text/xml")
        elif name == "ScannerStatus":
            with simulator.lock:
                body = simulator.status().encode()
            self._answer(200, body, "text/xml")
        else:
            self._answer(404)

    def do_POST(self) -> None:
        simulator, faults = self._arrive("POST")
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path != "/eSCL/ScanJobs":
            self._answer(404)
            return
        with simulator.lock:
            status, path = simulator.start(body)
        if status == 201:
            path = (
                f"http://{self.headers['Host']}{path}"
                if faults.location is None
                else (faults.location(path))
            )
            self._answer(status, headers={"Location": path})
        else:
            self._answer(status, headers=self._patience(status))

    def do_DELETE(self) -> None:
        simulator, _ = self._arrive("DELETE")
        job = simulator.jobs.get(self.path.rpartition("/")[2])
        if job is None:
            self._answer(404)
            return
        with simulator.lock:
            simulator.cancel(job)
        self._answer(200)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _arrive(self, verb: str) -> tuple[EsclSimulator, Faults]:
        simulator = self.server.simulator
        if simulator.is_dead:
            self._cut()
            raise ConnectionAbortedError
        simulator.requests.append((verb, self.path))
        return simulator, simulator.faults

    def _hand_out(self, simulator: EsclSimulator, faults: Faults) -> None:
        job = simulator.jobs.get(self.path.split("/")[-2])
        if job is None:
            self._answer(404)
            return
        with simulator.lock:
            status, document, form = simulator.next_page(job)
        if status != 200:
            self._answer(status, headers=self._patience(status))
            return
        if job.completed in (faults.vanish_in_page, faults.drop_in_page):
            simulator.is_dead = job.completed == faults.vanish_in_page
            self._half(document, form, with_length=simulator.is_dead)
            return
        self._answer(200, document, form)
        simulator.sent.append(document)

    def _patience(self, status: int) -> dict[str, str]:
        seconds = self.server.simulator.retry_after
        return {} if status != 503 or seconds is None else {"Retry-After": seconds}

    def _half(self, document: bytes, form: str, *, with_length: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", form)
        self.send_header("Connection", "close")
        if with_length:
            self.send_header("Content-Length", str(len(document)))
        self.end_headers()
        self.wfile.write(document[: len(document) // 2])
        self.wfile.flush()
        self.close_connection = True
        if with_length:
            self._cut()

    def _cut(self) -> None:
        """End the connection as a device does that loses power: no goodbye."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        form: str = "text/plain",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", form)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if not self.server.simulator.faults.drip:
            self.wfile.write(body)
            return
        for n in range(len(body)):
            self.wfile.write(body[n : n + 1])
            time.sleep(0.02)
