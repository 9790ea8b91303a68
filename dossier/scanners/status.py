"""Reads ``scan:ScannerStatus``, and says what a person has to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from dossier.errors import ScannerNeedsHand
from dossier.scanners.values import AdfState, JobInfo, JobState, ScannerState, ScannerStatus
from dossier.scanners.xmltext import child, children, number_of, parse, text_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MAX_JOBS = 64
_State = TypeVar("_State", ScannerState, AdfState, JobState)
_TO_DO: dict[AdfState, tuple[str, str]] = {
    AdfState.EMPTY: (
        "Khay nạp không có giấy: hãy đặt giấy vào khay rồi quét lại, hoặc quét trên mặt kính",
        "the feeder is empty: load the paper and scan again, or scan from the glass",
    ),
    AdfState.JAM: (
        "Kẹt giấy: mở nắp khay nạp, gỡ tờ bị kẹt, đóng nắp lại",
        "paper jam: open the feeder's cover, take out the jammed sheet, close the cover",
    ),
    AdfState.MISPICK: (
        "Máy không kéo được giấy: xếp lại chồng giấy cho bằng mép, chỉnh thanh chặn",
        "the feeder could not pick a sheet: straighten the stack and set the guides",
    ),
    AdfState.HATCH_OPEN: ("Nắp máy đang mở: hãy đóng nắp", "the cover is open: close it"),
    AdfState.MULTIPICK: (
        "Máy kéo nhiều tờ cùng lúc: gỡ ghim, tách các tờ dính nhau, đặt lại các tờ đó",
        "several sheets went in at once: remove staples, part the sheets, put them back",
    ),
    AdfState.TOO_SHORT: (
        "Tờ giấy quá ngắn để quét hai mặt: quét tờ đó trên mặt kính",
        "a sheet is too short for both sides: scan it from the glass",
    ),
    AdfState.TOO_LONG: (
        "Tờ giấy quá dài để quét hai mặt: quét một mặt hoặc trên mặt kính",
        "a sheet is too long for both sides: scan one side, or from the glass",
    ),
    AdfState.TRAY_FAILED: (
        "Khay nạp bị lỗi: tắt rồi bật lại máy quét, nếu còn lỗi hãy gọi bảo trì",
        "the input tray has failed: switch the scanner off and on, else call service",
    ),
    AdfState.TRAY_OVERLOADED: (
        "Khay nạp quá đầy: bớt giấy ra",
        "the input tray holds too much paper: take some out",
    ),
}
_TO_DO[AdfState.DOOR_OPEN] = _TO_DO[AdfState.HATCH_OPEN]


def read_status(content: bytes) -> ScannerStatus:
    """What the scanner is doing. Raises `ScannerMisanswered`."""
    root = parse(content, "ScannerStatus")
    adf = child(root, "AdfState")
    jobs = list(children(child(root, "Jobs"), "JobInfo"))[:_MAX_JOBS]
    return ScannerStatus(
        _among(ScannerState, child(root, "State"), ScannerState.UNKNOWN),
        None if adf is None else _among(AdfState, adf, AdfState.UNKNOWN),
        tuple(_job(job) for job in jobs),
    )


def require_no_fault(status: ScannerStatus) -> None:
    """Raise `ScannerNeedsHand` when the feeder waits for a person; an empty one does not."""
    if status.adf in _TO_DO and status.adf is not AdfState.EMPTY:
        raise needs_hand(status.adf)


def needs_hand(state: AdfState) -> ScannerNeedsHand:
    """The error that says what to do about `state`, one of those that stop a feeder."""
    vietnamese, english = _TO_DO[state]
    return ScannerNeedsHand(f"{vietnamese}. / {english[0].upper()}{english[1:]}.", state=state)


def _job(element: Element) -> JobInfo:
    reasons = children(child(element, "JobStateReasons"), "JobStateReason")
    return JobInfo(
        text_of(child(element, "JobUri")),
        text_of(child(element, "JobUuid")).removeprefix("urn:uuid:"),
        _among(JobState, child(element, "JobState"), JobState.UNKNOWN),
        number_of(child(element, "ImagesCompleted")),
        tuple(text for reason in reasons if (text := text_of(reason))),
    )


def _among(kind: type[_State], element: Element | None, otherwise: _State) -> _State:
    try:
        return kind(text_of(element))
    except ValueError:
        return otherwise
