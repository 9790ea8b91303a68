"""The client of one eSCL scanner: capabilities, status, jobs, and their documents one by one.

A job lives on the device. Whoever starts one takes its documents until there are no more, or
cancels it; a device with an open job scans for nobody else.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from dossier.errors import (
    ScanCancelled,
    ScannerBusy,
    ScannerError,
    ScannerMisanswered,
    ScannerStopped,
    ScannerUnreachable,
)
from dossier.scanners.address import ScannerAddress
from dossier.scanners.capabilities import read_capabilities
from dossier.scanners.exchange import Answer, ask
from dossier.scanners.status import needs_hand, read_status, require_no_fault
from dossier.scanners.tickets import settings_xml
from dossier.scanners.values import (
    AdfState,
    DocumentFormat,
    InputSource,
    JobState,
    ScannerCapabilities,
    ScannerState,
    ScannerStatus,
    ScanSettings,
)
from dossier.scanners.xmltext import MAX_BYTES

_OK, _CREATED = 200, 201
_NOT_FOUND, _CONFLICT, _GONE, _UNAVAILABLE = 404, 409, 410, 503
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PDF_START, _PDF_END = b"%PDF-", b"%%EOF"
_TAIL = 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a scanner, in seconds, and how much to take from it."""

    answer_s: float = 15.0
    """For capabilities, status, and taking a job."""
    busy_s: float = 60.0
    """While it is busy with somebody else."""
    document_s: float = 180.0
    """For one document, its scanning and its sending together."""
    pause_s: float = 1.0
    """Between two tries, where the scanner does not say."""
    document_bytes: int = 192 << 20


@dataclass(frozen=True, slots=True)
class Document:
    """One answer of NextDocument: one page as JPEG, or a PDF; whole."""

    content: bytes
    format: DocumentFormat


class Scanner:
    """One scanner. Holds no connection; safe for threads, though the device does one job."""

    def __init__(self, address: ScannerAddress, patience: Patience | None = None) -> None:
        self.address = address
        self.patience = patience or Patience()

    def capabilities(self) -> ScannerCapabilities:
        """What it can do. Raises `ScannerError`."""
        return read_capabilities(self._get("ScannerCapabilities"))

    def status(self) -> ScannerStatus:
        """What it is doing now. Raises `ScannerError`."""
        return read_status(self._get("ScannerStatus"))

    def start(self, settings: ScanSettings, stop: threading.Event | None = None) -> ScanJob:
        """Start scanning, waiting while the scanner is busy.

        Raises `ScannerNeedsHand` before anything moves when the feeder is empty or faulty,
        `ScannerBusy`, `ScannerStopped` when it refuses the settings, `ScanCancelled` once `stop`
        is set, and the other `ScannerError`.
        """
        stop = stop or threading.Event()
        body = settings_xml(settings)
        until = time.monotonic() + self.patience.busy_s
        while True:
            self._require_ready(settings.source)
            answer = self._ask("POST", f"{self.address.path}/ScanJobs", body)
            if answer.status == _CREATED:
                return ScanJob(self, self.address.job_path(answer.location), settings, stop)
            if answer.status != _UNAVAILABLE:
                self._require_ready(settings.source)
                raise self._refused(answer)
            self.wait(answer.retry_after_s, until, stop)

    def cancel(self, job_path: str) -> None:
        """Tell the device to forget a job; one that it does not know is gone already.

        Raises `ScannerUnreachable`.
        """
        self._ask("DELETE", job_path)

    def wait(self, retry_after_s: float | None, until: float, stop: threading.Event) -> None:
        """Pause before the next try. Raises `ScannerBusy` after `until`, `ScanCancelled`."""
        pause = self.patience.pause_s if retry_after_s is None else max(retry_after_s, 0.05)
        if time.monotonic() + pause > until:
            raise ScannerBusy(
                f"Máy quét {self.address.name} đang bận; chờ việc đang quét xong, hoặc hủy việc đó "
                f"trên máy, rồi thử lại. / The scanner {self.address.name} is busy: wait until it "
                "is done or cancel that job at the device, then try again."
            )
        if stop.wait(pause):
            raise cancelled()

    def _require_ready(self, source: InputSource) -> None:
        status = self.status()
        if status.state in (ScannerState.STOPPED, ScannerState.DOWN):
            raise ScannerStopped(
                "Máy quét báo không hoạt động được; xem màn hình của máy, tắt rồi bật lại. / The "
                "scanner says that it cannot work: look at its display, switch it off and on."
            )
        if source is InputSource.FEEDER:
            require_no_fault(status)
            # during a job of somebody else the feeder may be empty for a moment
            if status.adf is AdfState.EMPTY and status.state is ScannerState.IDLE:
                raise needs_hand(AdfState.EMPTY)

    def _refused(self, answer: Answer) -> ScannerError:
        if answer.status == _CONFLICT:
            return ScannerStopped(
                "Máy quét không nhận thiết lập này (409): thử khổ giấy, độ phân giải hoặc màu "
                "khác. / The scanner refuses these settings (409): try another paper size, "
                "resolution or colour."
            )
        return misanswered(answer)

    def _get(self, name: str) -> bytes:
        until = time.monotonic() + self.patience.busy_s
        while True:
            answer = self._ask("GET", f"{self.address.path}/{name}")
            if answer.status == _OK:
                return answer.body
            if answer.status != _UNAVAILABLE:
                raise misanswered(answer)
            self.wait(answer.retry_after_s, until, threading.Event())

    def _ask(self, verb: str, path: str, body: bytes | None = None) -> Answer:
        return ask(
            self.address, verb, path, body, seconds=self.patience.answer_s, max_bytes=MAX_BYTES
        )


class ScanJob:
    """One job on the device. For one thread; `stop` may be set by another."""

    def __init__(
        self,
        scanner: Scanner,
        path: str,
        settings: ScanSettings,
        stop: threading.Event,
        *,
        received: int = 0,
    ) -> None:
        self.path = path
        self.settings = settings
        self.received = received
        """Documents taken so far."""
        self._scanner = scanner
        self._stop = stop

    def next_document(self) -> Document | None:
        """The next page, whole; None after the last one.

        The end is believed only when the device's status agrees: no jam, no open cover, a job
        that was not broken off, and no page scanned that was not sent. Raises `ScannerError`.
        """
        patience = self._scanner.patience
        until = time.monotonic() + patience.document_s
        while True:
            if self._stop.is_set():
                raise cancelled()
            answer = ask(
                self._scanner.address,
                "GET",
                f"{self.path}/NextDocument",
                seconds=max(until - time.monotonic(), 0.1),
                max_bytes=patience.document_bytes,
            )
            if answer.status == _OK:
                document = _whole_document(answer)
                self.received += 1
                return document
            if answer.status in (_NOT_FOUND, _GONE):
                self._require_true_end()
                return None
            if answer.status != _UNAVAILABLE:
                self._require_no_fault(self._scanner.status())
                raise misanswered(answer)
            self._require_no_fault(self._scanner.status())
            self._scanner.wait(answer.retry_after_s, until, self._stop)

    def cancel(self) -> None:
        """Tell the device to forget the job. Raises `ScannerUnreachable`."""
        self._scanner.cancel(self.path)

    def _require_no_fault(self, status: ScannerStatus) -> None:
        if self.settings.source is InputSource.FEEDER:
            require_no_fault(status)
        job = status.job(self.path)
        if job is not None and job.state in (JobState.ABORTED, JobState.CANCELED):
            why = ", ".join(job.reasons) or job.state
            raise ScannerStopped(
                f"Máy quét đã dừng giữa chừng ({why}): xem màn hình của máy. / The scanner broke "
                f"the job off ({why}): look at its display."
            )

    def _require_true_end(self) -> None:
        status = self._scanner.status()
        self._require_no_fault(status)
        if not self.received:
            if self.settings.source is InputSource.FEEDER:
                raise needs_hand(AdfState.EMPTY)
            raise ScannerStopped(
                "Máy quét không gửi trang nào; hãy quét lại. / The scanner sent no page; scan "
                "again."
            )
        job = status.job(self.path)
        scanned = None if job is None else job.images_completed
        if (
            scanned is not None
            and scanned > self.received
            and self.settings.format is DocumentFormat.JPEG
        ):
            raise ScannerStopped(
                f"Máy quét báo đã quét {scanned} trang nhưng chỉ gửi {self.received}: quét lại "
                f"các trang cuối. / The scanner says that it scanned {scanned} pages and sent "
                f"{self.received}: scan the last pages again."
            )


def cancelled() -> ScanCancelled:
    """The error of a scan that somebody stopped."""
    return ScanCancelled("Đã hủy theo yêu cầu. / Cancelled as asked.")


def misanswered(answer: Answer) -> ScannerMisanswered:
    """The error of a status that eSCL does not foresee here."""
    return ScannerMisanswered(
        f"Máy quét trả lời HTTP {answer.status}: kiểm tra địa chỉ (thường kết thúc bằng /eSCL), "
        f"khởi động lại máy quét. / The scanner answered HTTP {answer.status}: check its address "
        "(mostly it ends with /eSCL), restart the scanner."
    )


def _whole_document(answer: Answer) -> Document:
    """The document, told by its bytes; a device may name any type.

    Without a length an answer ends where the connection does, so the last bytes have to be the
    format's own end. Raises `ScannerUnreachable` for a part, `ScannerMisanswered`.
    """
    content = answer.body
    tail = content[-_TAIL:]
    if content.startswith(_JPEG_START):
        found, is_whole = DocumentFormat.JPEG, _JPEG_END in tail
    elif content.startswith(_PDF_START):
        found, is_whole = DocumentFormat.PDF, _PDF_END in tail
    else:
        raise ScannerMisanswered(
            f"Máy quét gửi trang không phải JPEG hay PDF ({answer.content_type[:60]}); quét lại "
            "trang này. / The scanner sent a page that is neither JPEG nor PDF "
            f"({answer.content_type[:60]}); scan this page again."
        )
    if not is_whole:
        raise ScannerUnreachable(
            "Trang đang gửi bị đứt giữa chừng; quét lại trang này. / The page was cut off while "
            "it was sent; scan it again."
        )
    return Document(content, found)
