"""What verify.py of a proof bundle does: it stands alone on the reader's machine.

    python3 -I verify.py                        # the folder that it lies in
    python3 -I verify.py bundle.zip --json --trust root.pem

Exit codes as `sohoa verify`: 0 TOTAL-PASSED, 1 TOTAL-FAILED, 2 INDETERMINATE, 4 no such bundle or
not whole. `dossier.bundle.single_file` puts this module and all that it imports into one file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from dossier.bundle.contents import BundleBroken, read_contents
from dossier.bundle.judging import Answer, judge
from signer.clock import VIETNAM
from signer.errors import TrustError
from signer.trust import TrustStore
from signer.verification.checks import Outcome

EXIT_CODES = {"TOTAL-PASSED": 0, "TOTAL-FAILED": 1, "INDETERMINATE": 2}
UNUSABLE = 4


def main(arguments: Sequence[str], here: str) -> int:
    """Verify the bundle that `arguments` name, else the one in the folder `here`."""
    parser = argparse.ArgumentParser(
        prog="verify.py",
        description="Kiểm tra gói bằng chứng. / Verifies a proof bundle; uses no network.",
    )
    parser.add_argument("bundle", nargs="?", type=Path, default=Path(here))
    parser.add_argument("--json", action="store_true", help="in JSON / print JSON")
    parser.add_argument(
        "--trust",
        action="append",
        type=Path,
        metavar="PEM",
        help="chỉ tin các gốc này, không tin gốc trong gói / believe these roots, not the bundle's",
    )
    chosen = parser.parse_args(arguments)
    _speak_utf8()
    try:
        roots = TrustStore.from_files(chosen.trust) if chosen.trust else None
        answer = judge(read_contents(chosen.bundle), roots)
    except (BundleBroken, TrustError, OSError) as error:
        sys.stderr.write(
            f"Gói bằng chứng không dùng được; hãy xin lại từ nơi cấp. / The bundle cannot be used; "
            f"ask for it again where it came from.\n  {error}\n"
        )
        return UNUSABLE
    tell(answer, sys.stderr)
    if chosen.json:
        sys.stdout.write(json.dumps(answer.to_json(), ensure_ascii=False) + "\n")
    return EXIT_CODES[answer.indication]


def tell(answer: Answer, out: TextIO) -> None:
    """The answer for people, Vietnamese first."""
    report = answer.report
    lines = [*report.sentence, ""]
    if answer.register is not None and not answer.register.holds:
        lines = [
            "KHÔNG HỢP LỆ: bằng chứng đăng ký không thuộc về văn bản này.",
            "NOT VALID: the register's proof does not belong to this document.",
            "",
        ]
    elif answer.register_refused is not None:
        lines += [
            "Bằng chứng đăng ký không được xác nhận. / The register's proof is not confirmed.",
            f"  {_plain(answer.register_refused)}",
            "",
        ]
    at = report.verified_at.astimezone(VIETNAM)
    sub = f" ({report.sub_indication.value})" if report.sub_indication else ""
    lines.append(
        f"{report.indication.value}{sub}, {report.integrity.value}, {at:%d/%m/%Y %H:%M:%S}"
    )
    for signature in report.signatures:
        time = signature.proved_time or signature.claimed_time
        shown = f"{time.astimezone(VIETNAM):%d/%m/%Y %H:%M:%S}" if time else "–"
        lines.append(
            f"  {signature.indication.value:14} {_plain(signature.signer)} "
            f"({_plain(signature.organisation)}), {shown}"
        )
    if answer.register is not None:
        found = answer.register
        lines.append(f"Sổ đăng ký / register: {found.code}, {found.status}, {found.issued_at}")
    for check in report.all_checks():
        if check.outcome is not Outcome.PASSED:
            said = check.to_json()
            lines.append(f"  ! {said['vi']} / {said['en']}: {_plain(check.detail)}")
    if not answer.agrees:
        lines.append(
            f"Nơi tạo gói, có bộ đọc thứ hai, kết luận {answer.told}; giữ kết luận xấu hơn. / "
            f"The maker, who had a second reader, found {answer.told}; the worse one counts."
        )
    if not answer.own_roots:
        lines.append(
            "Đã tin các gốc có trong gói; hãy so mã băm với nguồn chính thức, hoặc dùng --trust. / "
            "The roots of the bundle were believed; compare their digests with an official "
            "source, or name your own with --trust."
        )
    lines += [f"  {sha256}  {_plain(name)}" for name, sha256 in answer.roots]
    out.write("\n".join(lines) + "\n")


def _plain(text: str) -> str:
    """A stranger's text without what would steer a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:300])


def _speak_utf8() -> None:
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="replace")
