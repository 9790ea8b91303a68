"""What the operator is told: one Vietnamese and one English sentence a code."""

from __future__ import annotations

from ocr.quality.findings import QUANTITIES, Code, Finding, Place, Threshold

_SENTENCES: dict[Code, tuple[str, str]] = {
    Code.LOW_RESOLUTION: (
        "Độ phân giải {value} dpi, dưới mức {limit} dpi. Hãy quét lại ở 300 dpi.",
        "The resolution is {value} dpi, below {limit} dpi. Rescan at 300 dpi.",
    ),
    Code.DPI_IMPLAUSIBLE: (
        "Tệp ghi độ phân giải lệch {value} % so với cỡ giấy và cỡ chữ. Hãy kiểm tra cài đặt máy "
        "quét rồi quét lại.",
        "The resolution in the file is {value} % off what paper and letters say. Check the "
        "scanner's settings and rescan.",
    ),
    Code.NOT_COLOUR: (
        "Ảnh không có màu. Hãy quét lại ở chế độ màu.",
        "The image has no colour. Rescan in colour.",
    ),
    Code.SCALED: (
        "Tỷ lệ lệch {value} % so với 100 % (cho phép {limit} %). Hãy tắt thu phóng, vừa khổ giấy "
        "rồi quét lại.",
        "The scale is {value} % away from 100 % ({limit} % allowed). Switch off zoom and fit to "
        "page, then rescan.",
    ),
    Code.SKEWED: (
        "Trang nghiêng {value}° (mức {limit}°). Hãy chỉnh thanh dẫn giấy cho sát rồi quét lại.",
        "The page is skewed by {value}° (limit {limit}°). Close the paper guides and rescan.",
    ),
    Code.BLURRED: (
        "Chữ bị nhòe {value} mm (mức {limit} mm) ở chỗ đánh dấu. Hãy lau kính, vuốt phẳng giấy, "
        "quét lại.",
        "The print is blurred by {value} mm (limit {limit} mm) where marked. Clean the glass, "
        "flatten the paper, rescan.",
    ),
    Code.CUT_EDGE: (
        "Chữ bị cắt ở mép ảnh ({value} mm nét chạm mép). Hãy đặt lại giấy hoặc chọn khổ lớn hơn "
        "rồi quét lại.",
        "Print is cut off at the edge ({value} mm of ink on it). Place the paper again, or choose "
        "a larger size, and rescan.",
    ),
    Code.SHADOW: (
        "Bóng tối {value} % ở chỗ đánh dấu (mức {limit} %). Hãy ép phẳng gáy, góc giấy, đậy nắp "
        "rồi quét lại.",
        "A shadow of {value} % where marked (limit {limit} %). Press spine and corners flat, close "
        "the lid, rescan.",
    ),
    Code.BLEED_THROUGH: (
        "Chữ mặt sau hằn qua {value} % (mức {limit} %). Hãy lót giấy đen phía sau rồi quét lại.",
        "The back shows through by {value} % (limit {limit} %). Put a black sheet behind the page "
        "and rescan.",
    ),
    Code.FINGER: (
        "Có ngón tay che khoảng {value} mm² ở mép trang. Hãy bỏ tay ra rồi quét lại.",
        "A finger covers about {value} mm² at the edge. Take it away and rescan.",
    ),
    Code.LOW_CONFIDENCE: (
        "Độ tin cậy nhận dạng {value} % (mức {limit} %). Hãy so các từ đánh dấu với bản giấy, hoặc "
        "quét lại ở 300 dpi.",
        "The reading's confidence is {value} % (limit {limit} %). Compare the marked words with "
        "the paper, or rescan at 300 dpi.",
    ),
    Code.WRONG_ORIENTATION: (
        "Trang quét bị xoay {value}°; hệ thống đã xoay lại. Hãy kiểm tra chiều trang và cách đặt "
        "giấy.",
        "The page was scanned turned by {value}°; it has been turned back. Check which way up it "
        "is, and how paper is fed.",
    ),
    Code.SEAL_MISSING: (
        "Không thấy dấu đỏ từ {limit} mm trên bản chính. Hãy kiểm tra đó là bản chính; nếu phải, "
        "quét lại trang có dấu ở chế độ màu.",
        "No red seal of {limit} mm or more on an original. Check that it is the original; if so, "
        "rescan the sealed page in colour.",
    ),
    Code.CARD_EXPIRED: (
        "Thẻ căn cước đã hết hạn {value} ngày. Hãy đề nghị công dân xuất trình thẻ còn hạn.",
        "The identity card expired {value} days ago. Ask the citizen for a valid one.",
    ),
}


def finding(code: Code, value: float, threshold: Threshold, places: tuple[Place, ...]) -> Finding:
    """The finding with its sentences; numbers in Vietnamese take a decimal comma."""
    vi, en = _SENTENCES[code]
    decimals = QUANTITIES[code].decimals
    shown, limit = f"{value:.{decimals}f}", f"{threshold.limit:g}"
    return Finding(
        code,
        value,
        threshold,
        places,
        vi.format(value=shown.replace(".", ","), limit=limit.replace(".", ",")),
        en.format(value=shown, limit=limit),
    )
