"""The report of a verification as a PDF/A-2u that people want to read, Vietnamese and English.

    pdf = write_report(report, ReportFacts(made_at=now, maker="UBND xã Mẫu"))

The verdict stands first: a sign, a word, a sentence, in a colour that none of them depends on.
Then who signed, as a table; then each signature with what TT 15/2025 asks for, what was changed
after it, and what is weak; last every check. Made from the report as JSON, so that an answer that
was kept can be printed years later. What strangers wrote is cut where it would fill pages.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dossier.paper.pages import LEADING, LEFT, RIGHT, Colour, Pages, PagesFacts, moment
from dossier.paper.signs import draw_sign
from signer.verification.words.labels import (
    ENGINES,
    INTEGRITY,
    VERDICTS,
    time_basis,
    trust_words,
    validity_words,
)

_BODY, _SMALL, _TINY = 9.0, 8.0, 6.6
_VALUES = LEFT + 150
_COLUMNS = (LEFT + 6, LEFT + 24, LEFT + 160, LEFT + 330, LEFT + 424)
_MOST_CHANGES = 100  # of one signature
_MOST_TEXT = 400  # characters of what a stranger wrote
_COLOURS = {
    "TOTAL-PASSED": Colour.GREEN,
    "INDETERMINATE": Colour.AMBER,
    "TOTAL-FAILED": Colour.RED,
    "PASSED": Colour.GREEN,
    "WARNING": Colour.AMBER,
    "FAILED": Colour.RED,
}
_UNSEALED = (
    "Bản báo cáo này không có chữ ký số nên không tự chứng minh được; khi cần làm bằng chứng, hãy "
    "xin biên nhận có chữ ký số.",
    "This report is not signed, so it proves nothing by itself; ask for a signed receipt where "
    "proof is wanted.",
)
_SEALED = (
    "Biên nhận này có chữ ký số của nơi kiểm tra; kiểm tra chữ ký đó như với mọi văn bản khác.",
    "This receipt is signed by whoever verified; check that signature like any other.",
)

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What is said of the making. `subject` is the caller's own name for the document.

    `is_receipt`: the file is going to be signed.
    """

    made_at: datetime
    maker: str = "Sohoa"
    subject: str = ""
    is_receipt: bool = False


def write_report(report: Report, facts: ReportFacts) -> bytes:
    """The unsigned PDF. `report` is what `VerificationReport.to_json` makes."""
    out = io.BytesIO()
    name = f"kiem-tra-{report_digest(report)[:16]}"
    title = "Biên nhận kiểm tra chữ ký số" if facts.is_receipt else "Báo cáo kiểm tra chữ ký số"
    pages = Pages(out, PagesFacts(f"{title} {name}", facts.maker, name, facts.made_at, name))
    _Writer(pages, report, facts).write(title)
    pages.finish()
    return out.getvalue()


def report_digest(report: Report) -> str:
    """SHA-256 of the report in canonical JSON: names this very answer."""
    text = json.dumps(report, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class _Writer:
    """One report while it is written."""

    def __init__(self, pages: Pages, report: Report, facts: ReportFacts) -> None:
        self._pages = pages
        self._report = report
        self._facts = facts

    def write(self, title: str) -> None:
        english = "Receipt of a verification" if self._facts.is_receipt else "Verification report"
        pages = self._pages
        pages.line(LEFT, 15, title.upper(), bold=True)
        pages.line(LEFT, _BODY, english, Colour.GREY)
        pages.y -= 6
        self._verdict()
        self._document()
        signatures = self._report["signatures"]
        if signatures:
            self._heading(f"Chữ ký ({len(signatures)})", "Signatures")
            self._table(signatures)
            for number, signature in enumerate(signatures, 1):
                self._signature(number, signature)
        tokens = self._report["document_timestamps"]
        if tokens:
            self._heading(f"Dấu thời gian của cả văn bản ({len(tokens)})", "Document timestamps")
            for token in tokens:
                self._timestamp(token)
        self._every_check()

    # --- the verdict ---------------------------------------------------------------------

    def _verdict(self) -> None:
        pages, indication = self._pages, self._report["indication"]
        colour = _COLOURS[indication]
        vi, en = (self._report["message"][language] for language in ("vi", "en"))
        word, _, reason = vi.partition(": ")
        lines = pages.wrapped(reason[:1].upper() + reason[1:], 11, RIGHT - LEFT - 84)
        small = pages.wrapped(en, _BODY, RIGHT - LEFT - 84)
        height = 40 + len(lines) * 11 * LEADING + len(small) * _BODY * LEADING
        top = pages.y + 8
        pages.box(LEFT, top - height, 64, height, colour)
        pages.stroke(
            [(LEFT, top), (RIGHT, top), (RIGHT, top - height), (LEFT, top - height), (LEFT, top)],
            1,
            colour,
        )
        draw_sign(pages, indication, LEFT + 32, top - height / 2, 18, Colour.WHITE)
        pages.y = top - 22
        pages.line(LEFT + 76, 16, word, colour, bold=True)
        for line in lines:
            pages.line(LEFT + 76, 11, line)
        for line in small:
            pages.line(LEFT + 76, _BODY, line, Colour.GREY)
        pages.y = top - height - 16

    def _document(self) -> None:
        report, facts = self._report, self._facts
        integrity_vi, integrity_en = INTEGRITY[report["integrity"]]
        sub = f" / {report['sub_indication']}" if report["sub_indication"] else ""
        rows = [
            ("Văn bản", "Document", _cut(facts.subject)),
            ("SHA-256 của tệp", "of the file", report["document"]["sha256"]),
            ("Kích thước", "Size", f"{report['document']['size']} byte"),
            ("Nội dung", "Content", f"{integrity_vi} / {integrity_en} ({report['integrity']})"),
            ("Kết luận", "EN 319 102-1", f"{report['indication']}{sub}"),
            ("Bộ đọc PDF thứ hai", "Second engine", _both(ENGINES[report["engines"]])),
            ("Trang khác khi ký", "Pages that changed", _changed_pages(report["shown"])),
            ("Xét tại thời điểm", "Judged as of", _time(report["verified_at"])),
            ("Lập lúc, nơi lập", "Made at, by", f"{moment(facts.made_at)}, {facts.maker}"),
        ]
        expected = report["expected_agency"]
        if expected:
            found = "có chữ ký / has signed" if expected["found"] else "KHÔNG thấy / NOT found"
            rows.insert(
                1, ("Cơ quan được nêu", "Expected agency", f"{_cut(expected['name'])}: {found}")
            )
        for vi, en, value in rows:
            if value:
                self._row(vi, en, value)
        for line in _SEALED if facts.is_receipt else _UNSEALED:
            self._pages.block(LEFT, _SMALL, line, Colour.GREY, width=RIGHT - LEFT)
        self._pages.y -= 8

    # --- signatures ----------------------------------------------------------------------

    def _table(self, signatures: Sequence[Report]) -> None:
        heads = ("", "Phần / Part", "Người ký / Signer", "Thời gian / Time", "Kết quả / Result")
        self._cells([[head] if head else [] for head in heads], Colour.GREY, _TINY + 0.6)
        for number, one in enumerate(signatures, 1):
            validity = one["validity_at_signing"]
            vi, en = VERDICTS[one["indication"]]
            basis = "" if validity["time_is"] == "proved" else "tự khai / claimed"
            self._cells(
                [
                    [str(number)],
                    [one["part_name"]["vi"], one["part_name"]["en"]],
                    [_cut(one["signer"]) or "–", _cut(one["organisation"])],
                    [_short_time(validity["time"]), basis],
                    [vi, en],
                ],
                _COLOURS[one["indication"]],
                _SMALL,
                sign=one["indication"],
            )
        self._pages.y -= 8

    def _cells(
        self, cells: Sequence[Sequence[str]], colour: Colour, size: float, *, sign: str = ""
    ) -> None:
        """One row; the last column in `colour` with its sign."""
        pages = self._pages
        edges = (*_COLUMNS[1:], RIGHT)
        wrapped = [
            [part for text in cell if text for part in pages.wrapped(text, size, end - x - 14)]
            for cell, x, end in zip(cells, _COLUMNS, edges, strict=True)
        ]
        height = max(map(len, wrapped)) * size * LEADING
        pages.need(height + 8)
        top = pages.y
        for column, (x, lines) in enumerate(zip(_COLUMNS, wrapped, strict=True)):
            is_last = column == len(_COLUMNS) - 1
            pages.y = top
            for count, line in enumerate(lines):
                shown = colour if is_last or not sign else Colour.BLACK
                pages.line(x + (14 if is_last and sign else 0), size, line,
                           Colour.GREY if count and not is_last else shown,
                           bold=is_last and bool(sign) and not count)  # fmt: skip
        if sign:
            draw_sign(pages, sign, _COLUMNS[-1] + 5, top + size * 0.33, 4, colour)
        pages.y = top - height
        pages.rule()
        pages.y -= 3

    def _signature(self, number: int, one: Report) -> None:
        pages = self._pages
        colour = _COLOURS[one["indication"]]
        pages.need(120)
        self._title(f"{number}. {one['part_name']['vi']}", one["part_name"]["en"], colour, one)
        certificate = one["certificate"] or {}
        validity = one["validity_at_signing"]
        for vi, en, value in (
            ("Người ký", "Signer", _cut(one["signer"]) or "– (không rõ / unknown)"),
            ("Tổ chức", "Organisation", _cut(one["organisation"])),
            ("Thời gian ký", "Time of signing", _signing_time(validity)),
            ("Nội dung được ký", "Integrity", _both(INTEGRITY[one["integrity"]])),
            ("Chứng thư khi ký", "At signing", _both(validity_words(validity))),
            ("Tổ chức cấp chứng thư", "Issuer", _cut(certificate.get("issuer", ""))),
            ("Đơn vị quản lý chứng thư", "Managed by", _cut(certificate.get("managed_by", ""))),
            ("Thời hạn chứng thư", "Certificate period", _period(certificate)),
            ("Số chứng thư", "Serial number", _cut(certificate.get("serial", ""))),
            ("Miền tin cậy, quy tắc", "Trust domain, rules", _both(trust_words(one))),
            (
                "Mức, thuật toán",
                "Level, algorithm",
                ", ".join(filter(None, (one["level"], one["algorithm"]))),
            ),
            ("Phiên bản được ký", "Revision covered", _revision(one)),
            ("Lý do ghi trong tệp", "Reason", _cut(one["reason"])),
        ):
            if value:
                self._row(vi, en, value)
        self._changes(one["changes"])
        self._weak([*one["checks"], *(c for t in one["timestamps"] for c in t["checks"])])
        pages.y -= 8

    def _timestamp(self, token: Report) -> None:
        self._pages.need(70)
        self._title(_short_time(token["time"]), "", _COLOURS[token["indication"]], token)
        self._row("Dịch vụ", "Authority", _cut(token["authority"]) or "–")
        self._row("Miền tin cậy", "Trust domain", _both(trust_words(token)))
        self._row("Phiên bản", "Revision covered", _revision(token))
        self._weak(token["checks"])
        self._pages.y -= 8

    def _title(self, vi: str, en: str, colour: Colour, one: Report) -> None:
        pages = self._pages
        draw_sign(pages, one["indication"], LEFT + 6, pages.y + 3.6, 6, colour)
        word = "  –  ".join(filter(None, (vi, VERDICTS[one["indication"]][0])))
        pages.line(LEFT + 18, 11, word, colour, bold=True)
        sub = f" ({one['sub_indication']})" if one["sub_indication"] else ""
        english = ": ".join(filter(None, (en, VERDICTS[one["indication"]][1] + sub)))
        pages.line(LEFT + 18, _SMALL, english, Colour.GREY)

    def _changes(self, changes: Sequence[Report]) -> None:
        if not changes:
            return
        self._label("Thay đổi sau chữ ký này", "Changes after it")
        told = sorted(changes, key=lambda change: change["allowed"])[:_MOST_CHANGES]
        for change in told:
            colour = Colour.GREY if change["allowed"] else Colour.RED
            mark = "PASSED" if change["allowed"] else "FAILED"
            where = f"phiên bản / revision {change['revision']}"
            self._finding(mark, change, colour, f"{where}. {change['detail']}", change["attack"])
        if len(changes) > len(told):
            more = len(changes) - len(told)
            self._pages.block(LEFT + 24, _SMALL, f"… và {more} thay đổi khác / and {more} more",
                              Colour.GREY, width=RIGHT - LEFT - 24)  # fmt: skip

    def _weak(self, checks: Sequence[Report]) -> None:
        """What is not in order, worst first; each once."""
        order = ("FAILED", "INDETERMINATE", "WARNING")
        seen = {(c["check"], c["outcome"], c["detail"]): c for c in checks}
        found = [c for outcome in order for c in seen.values() if c["outcome"] == outcome]
        if not found:
            return
        self._label("Điều chưa đạt, còn yếu hoặc chưa được chứng minh", "What is weak or unproved")
        for check in found[:_MOST_CHANGES]:
            colour = _COLOURS[check["outcome"]]
            self._finding(check["outcome"], check, colour, check["detail"], check["attack"])

    def _finding(
        self, mark: str, said: Report, colour: Colour, detail: str, attack: str | None
    ) -> None:
        pages = self._pages
        width = RIGHT - LEFT - 24
        pages.need(24)
        draw_sign(pages, mark, LEFT + 14, pages.y + 2.8, 4, colour)
        pages.block(LEFT + 24, _SMALL, f"{said['vi']} / {said['en']}", colour, width=width)
        if attack:
            detail = f"[{attack}] {detail}"
        if detail.strip():
            pages.block(LEFT + 24, _TINY, _cut(detail), Colour.GREY, width=width)

    # --- every check -----------------------------------------------------------------------

    def _every_check(self) -> None:
        self._heading("Mọi kiểm tra đã làm", "Every check that was made")
        for title, checks in _groups(self._report):
            self._pages.need(30)
            self._pages.block(LEFT, _SMALL, title, width=RIGHT - LEFT, bold=True)
            for check in checks:
                self._pages.need(_TINY * LEADING)
                colour = _COLOURS[check["outcome"]]
                draw_sign(self._pages, check["outcome"], LEFT + 9, self._pages.y + 2.2, 3, colour)
                text = f"{check['vi']} / {check['en']}  [{check['check']}] {check['detail']}"
                self._pages.block(LEFT + 18, _TINY, _cut(text), width=RIGHT - LEFT - 18)
            self._pages.y -= 5

    # --- rows ------------------------------------------------------------------------------

    def _heading(self, vi: str, en: str) -> None:
        self._pages.need(90)
        self._pages.line(LEFT, 12, vi, bold=True)
        self._pages.line(LEFT, _SMALL, en, Colour.GREY)
        self._pages.rule()
        self._pages.y -= 4

    def _label(self, vi: str, en: str) -> None:
        self._pages.need(36)
        self._pages.y -= 3
        self._pages.line(LEFT, _SMALL, f"{vi} / {en}", bold=True)

    def _row(self, vi: str, en: str, value: str) -> None:
        """A label above its translation, and its value beside them."""
        pages = self._pages
        pages.need(2 * _BODY * LEADING)
        pages.text(LEFT, pages.y, _SMALL, vi)
        pages.text(LEFT, pages.y - _TINY * 1.15, _TINY, en, Colour.GREY)
        floor = pages.y - _SMALL - _TINY * LEADING
        for line in pages.wrapped(value, _BODY, RIGHT - _VALUES):
            if pages.need(_BODY * LEADING):
                floor = pages.y
            pages.line(_VALUES, _BODY, line)
        pages.y = min(pages.y, floor) - 3


def _groups(report: Report) -> Iterator[tuple[str, Sequence[Report]]]:
    if report["checks"]:
        yield "Cả văn bản / The document", report["checks"]
    for number, one in enumerate(report["signatures"], 1):
        yield f"{number}. {_cut(one['signer'] or one['field'])}", one["checks"]
        for token in one["timestamps"]:
            name = f"{number}. Dấu thời gian / timestamp: {_cut(token['authority'])}"
            yield name, token["checks"]
    for token in report["document_timestamps"]:
        name = _cut(token["authority"] or token["field"] or "")
        yield f"Dấu thời gian của văn bản / document timestamp: {name}", token["checks"]


def _changed_pages(shown: Report) -> str:
    return _cut(", ".join(str(page) for page in sorted({d["page"] for d in shown["differences"]})))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"


def _both(words: tuple[str, str]) -> str:
    return " / ".join(words)


def _time(text: str | None) -> str:
    """As Vietnam's offices write it; what stands in the report is ISO 8601 already."""
    return moment(datetime.fromisoformat(text)) if text else "–"


def _short_time(text: str | None) -> str:
    return _time(text).replace("T", " ").removesuffix("+07:00")


def _signing_time(validity: Report) -> str:
    vi, en = time_basis(validity)
    return f"{_time(validity['time'])} ({vi} / {en})"


def _period(certificate: Report) -> str:
    if not certificate:
        return ""
    return f"{_time(certificate['not_before'])} – {_time(certificate['not_after'])}"


def _revision(one: Report) -> str:
    if not one["revision"]:
        return ""
    whole = ", đến hết tệp / to the end of the file" if one["covers_whole_file"] else ""
    return f"{one['revision']} / {one['revisions']}{whole}"
