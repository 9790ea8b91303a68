"""A decision as its clerk gets it: typed, with blanks for number and date (domain.md 5.8)."""

from __future__ import annotations

import io

import pikepdf

from tests.stamped import A4, Typed, stamped_pdf

NUMBER_X, NUMBER_Y, DATE_X = 95.0, 745.0, 330.0
SIGNER = "Trần Mẫu Thử"


def decision(
    *,
    number: str = "Số:",
    symbol: str = "/QĐ-UBND",
    symbol_x: float = 150.0,
    date: str = "Mẫu Sơn, ngày      tháng      năm 2026",
    signer: str = SIGNER,
    body: str = "Điều 1. Quyết định mẫu, số liệu hư cấu.",
) -> bytes:
    """One page: head with blanks, a body, recipients, title and name of the signer."""
    typed = (
        Typed(70, 790, "ỦY BAN NHÂN DÂN", 12),
        Typed(60, 775, "XÃ MẪU SƠN THỬ", 12),
        Typed(300, 790, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 12),
        Typed(350, 775, "Độc lập - Tự do - Hạnh phúc", 13),
        Typed(NUMBER_X, NUMBER_Y, number),
        Typed(symbol_x, NUMBER_Y, symbol),
        Typed(DATE_X, NUMBER_Y, date),
        Typed(250, 690, "QUYẾT ĐỊNH", 14),
        Typed(90, 650, "Căn cứ Nghị định số: 30/2020/NĐ-CP ngày 05 tháng 3 năm 2020", 13),
        Typed(90, 600, body, 13),
        Typed(70, 330, "Nơi nhận:", 12),
        Typed(70, 315, "- Như Điều 2;", 11),
        Typed(370, 330, "TM. ỦY BAN NHÂN DÂN", 13),
        Typed(405, 313, "CHỦ TỊCH", 13),
        Typed(395, 210, signer, 13),
    )
    pdf = stamped_pdf([], (A4,), [line for line in typed if line.text])
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        del opened.Root.AcroForm
        out = io.BytesIO()
        opened.save(out, deterministic_id=True)
    return out.getvalue()
