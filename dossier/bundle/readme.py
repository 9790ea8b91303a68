"""README.txt of a proof bundle: what it is, how to check it, what it proves; in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dossier.register.codes import printed

_TEXT = """\
GÓI BẰNG CHỨNG / PROOF BUNDLE
{code}
Văn bản / document    document.pdf
SHA-256               {sha256}
Kiểm tra lúc / as of  {verified_at}
Kết luận / verdict    {verdict}

{vi}

{en}


CÁCH KIỂM TRA

  1. Cần Python 3.11 trở lên và thư viện cryptography (pip install cryptography).
  2. Giải nén, mở dòng lệnh trong thư mục và chạy:   python3 -I verify.py
     hoặc để nguyên tệp ZIP:                          python3 -I verify.py GOI.zip
  3. Chương trình không dùng mạng. Mã nguồn của nó nằm ngay trong tệp verify.py, đọc được.

  Chương trình tin các gốc mà nơi tạo gói đã tin (trust.json) và in mã băm của chúng: hãy so với
  nguồn chính thức, hoặc chỉ ra gốc của mình:         python3 -I verify.py --trust goc.pem

  Điều mà không ai sửa được mà không bị phát hiện: chữ ký và dấu thời gian trong document.pdf, và
  bằng chứng đăng ký (register.json) nếu có. Bản kê manifest.json chỉ để phát hiện hỏng hóc.
  Trên máy chỉ có tệp này, trang không được vẽ lại để so sánh; báo cáo nói rõ điều đó.


HOW TO CHECK IT

  1. You need Python 3.11 or newer and the library cryptography (pip install cryptography).
  2. Unpack it, open a command line in the folder, and run:   python3 -I verify.py
     or leave the ZIP as it is:                               python3 -I verify.py BUNDLE.zip
  3. The program uses no network. Its source stands in verify.py itself, to be read.

  It believes the roots that the maker of the bundle believed (trust.json), and prints their
  digests: compare them with an official source, or name your own:
                                                              python3 -I verify.py --trust root.pem

  What nobody can alter unnoticed: the signatures and timestamps in document.pdf, and the proof of
  registration (register.json) where there is one. The manifest only helps to notice damage.
  Where there is only this file, pages are not drawn again to be compared; the report says so.
"""


def readme(report: Mapping[str, Any], code: str | None) -> bytes:
    """The text, UTF-8 with the line ends of every system's simplest editor."""
    sub = report["sub_indication"]
    verdict = report["indication"] + (f" / {sub}" if sub else "") + f", {report['integrity']}"
    text = _TEXT.format(
        code=f"\nMã kết quả / code     {printed(code)}" if code else "",
        sha256=report["document"]["sha256"],
        verified_at=report["verified_at"],
        verdict=verdict,
        vi=report["message"]["vi"],
        en=report["message"]["en"],
    )
    return text.replace("\n", "\r\n").encode()
