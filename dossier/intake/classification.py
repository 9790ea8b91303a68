"""Which required component of a dossier a paper is (phân loại giấy tờ), by rules.

    found = classify(fields, head, 2, card, procedure.components)
    found.chosen         # a proposal, or None where nobody could be sure
    found.proposals      # all that it might be, the likeliest first, each with its reasons

What a paper calls itself counts most: an identity card, the heading against the component's
titles, then the type's code with the words that go with it. A type's code alone decides only for
a component that asks for nothing else. Never more than a proposal: where two components are as
likely, or nothing speaks clearly, none is chosen and a person decides. Pure; microseconds a
component.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dossier.intake.catalogues import CARD, FORM, RequiredComponent
from ocr.fields.card_reading import CardReading
from ocr.fields.doctypes import bundled_catalogue, likeness, plain
from ocr.fields.extract import DocumentFields

CHOSEN_FROM = 0.8
"""The certainty from which a proposal is chosen; ours, measured by `bench.fields_classes`."""
MARGIN = 0.15
"""How far it has to be ahead of the next."""

_CARD, _TITLE, _NEAR_TITLE = 0.97, 0.92, 0.84
_TYPE_ALONE, _TYPE, _FORM, _WORDS = 0.86, 0.4, 0.3, 0.3
_KEYWORDS = 0.35  # all of them add this to type or form
_SAME, _NEAR = 0.92, 0.84  # likeness of headings
_LEAST_EXTRA = 4  # words: a shorter title is no beginning of a longer heading
_HEAD_LINES = 16
_MOST_CARD_PAGES = 2
_THICK = 2  # times the usual pages
_LESS_WHEN_THICK, _LESS_WHEN_DOUBTFUL = 0.8, 0.9
_FORM_HEADINGS = re.compile(r"^(don|to khai|giay de nghi|phieu de nghi|phieu dang ky|ban khai)\b")
_LETTERHEAD = re.compile(
    r"\b(cong hoa xa hoi|uy ban nhan dan|ubnd|hoi dong nhan dan)\b|"
    r"^(xa|phuong|thi tran|huyen|quan|tinh|so|phong|cuc|chi cuc|trung tam|van phong|truong)\b"
)
_STOPS = re.compile(r"[^\w\s/]")


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that speaks for a proposal, Vietnamese and English."""

    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A component that a paper may be; certainty 0-1."""

    component: RequiredComponent
    certainty: float
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Classification:
    """What a paper may be, the likeliest first, and what is proposed. Nothing is decided here.

    `chosen` None: `why_none` says what a person has to decide.
    """

    proposals: tuple[Proposal, ...]
    chosen: Proposal | None
    why_none: Reason | None


@dataclass(frozen=True, slots=True)
class _Paper:
    """What is known of the paper, in the form in which it is compared."""

    is_card: bool
    type_code: str
    type_doubtful: bool
    headings: tuple[str, ...]
    text: str
    pages: int
    is_form: bool


def classify(
    fields: DocumentFields, text_head: str, page_count: int, card: CardReading | None,
    required: Sequence[RequiredComponent],
) -> Classification:  # fmt: skip
    """Proposals for one paper against what its dossier requires.

    `text_head` is the text of its first page, a visual row a line (`RecognisedPage.text`); more
    does no harm. `card`: an identity card was found on its first page.
    """
    paper = _paper(fields, text_head, page_count, card)
    found = [p for c in required if (p := _proposal(paper, c)) is not None]
    ranked = tuple(sorted(found, key=lambda p: -p.certainty))
    if not ranked:
        return Classification((), None, Reason(
            "Không thành phần nào của hồ sơ khớp giấy này; hãy chọn bằng tay.",
            "No component of the dossier fits this paper; choose by hand.",
        ))  # fmt: skip
    best = ranked[0]
    if best.certainty < CHOSEN_FROM:
        return Classification(ranked, None, Reason(
            f"Có thể là “{best.component.name}” nhưng chưa đủ căn cứ; hãy chọn bằng tay.",
            f"This may be “{best.component.name}”, with too little to go by; choose by hand.",
        ))  # fmt: skip
    if len(ranked) > 1 and best.certainty - ranked[1].certainty < MARGIN:
        one, other = best.component.name, ranked[1].component.name
        return Classification(ranked, None, Reason(
            f"Có thể là “{one}” hoặc “{other}”; hãy chọn bằng tay.",
            f"This may be “{one}” or “{other}”; choose by hand.",
        ))  # fmt: skip
    return Classification(ranked, best, None)


def _paper(fields: DocumentFields, text_head: str, pages: int, card: CardReading | None) -> _Paper:
    kind = fields.get("doc_type")
    code = kind.value if kind is not None else ""
    name = bundled_catalogue().types.get(code, "")
    abstract = fields.get("abstract")
    headings = list(_headings(text_head))
    if abstract is not None:
        headings.append(_flat(abstract.value))
        if name:
            headings.append(_flat(f"{name} {abstract.value}"))
    if name:
        headings.append(_flat(name))
    is_form = not code and any(_FORM_HEADINGS.match(h) for h in headings)
    doubtful = kind is not None and kind.doubtful
    return _Paper(
        card is not None and pages <= _MOST_CARD_PAGES, code, doubtful,
        tuple(dict.fromkeys(headings)), _flat(text_head), pages, is_form,
    )  # fmt: skip


def _headings(text: str) -> Iterator[str]:
    """Lines in capitals near the top; one that goes on from the line above counts with it only.

    Below `ĐƠN ĐỀ NGHỊ CẤP ĐỔI` the line `GIẤY CHỨNG NHẬN QUYỀN SỬ DỤNG ĐẤT` makes no certificate.
    """
    above = ""
    for row in text.splitlines()[:_HEAD_LINES]:
        parts = [_flat(part) for part in row.split("   ") if _in_capitals(part)]
        for flat in parts:
            yield f"{above} {flat}" if above else flat
        goes_on = len(parts) == 1 and not _LETTERHEAD.search(parts[0])
        above = (f"{above} {parts[0]}" if above else parts[0]) if goes_on else ""


def _in_capitals(text: str) -> bool:
    letters = [c for c in text if c.isalpha()]
    return len(letters) >= 5 and sum(c.isupper() for c in letters) >= 0.8 * len(letters)


def _flat(text: str) -> str:
    return " ".join(_STOPS.sub(" ", plain(text)).split())


def _proposal(paper: _Paper, component: RequiredComponent) -> Proposal | None:
    """How well a paper fits; None when nothing speaks for it or its type speaks against it."""
    types = component.document_types
    if paper.is_card or CARD in types:
        if not (paper.is_card and CARD in types):
            return None
        return Proposal(component, _CARD, (Reason("Là thẻ căn cước", "It is an identity card"),))
    if _is_another_kind(paper, component):
        return None
    words = _keywords(paper, component)
    titled = _titled(paper, component)
    certainty, reasons = 0.0, []
    if titled is not None:
        certainty, reason = titled
        reasons.append(reason)
    typed = bool(paper.type_code) and paper.type_code in types
    if typed:
        reasons.append(Reason(f"Mã loại {paper.type_code}", f"Type code {paper.type_code}"))
        certainty = max(certainty, _of_type(component, words))
        if paper.type_doubtful and titled is None:
            certainty *= _LESS_WHEN_DOUBTFUL
    elif paper.is_form and FORM in types:
        reasons.append(Reason("Là đơn, tờ khai", "It is a form"))
        certainty = max(certainty, _FORM + _KEYWORDS * _share(component, words))
    elif words and titled is None:
        certainty = _WORDS * _share(component, words)
    if words:
        shown = ", ".join(f"“{w}”" for w in words)
        reasons.append(Reason(f"Có lời {shown}", f"Has the words {shown}"))
    if component.pages is not None and paper.pages > _THICK * component.pages:
        certainty *= _LESS_WHEN_THICK
        reasons.append(Reason("Dày hơn thường lệ", "Thicker than usual"))
    return Proposal(component, round(certainty, 3), tuple(reasons)) if certainty > 0 else None


def _is_another_kind(paper: _Paper, component: RequiredComponent) -> bool:
    """The paper bears a type's code, surely read, that the component does not take; or is a form
    where none is asked for: an application for a certificate names it in its heading.
    """
    if paper.type_code:
        return not paper.type_doubtful and paper.type_code not in component.document_types
    takes_forms = FORM in component.document_types or any(
        _FORM_HEADINGS.match(_flat(title)) for title in component.titles
    )
    return paper.is_form and not takes_forms


def _titled(paper: _Paper, component: RequiredComponent) -> tuple[float, Reason] | None:
    """Whether a heading is one of the component's titles, or begins with a long one."""
    best: tuple[float, Reason] | None = None
    for title in component.titles:
        flat = _flat(title)
        for heading in paper.headings:
            score = likeness(flat, heading)
            begins = len(flat.split()) >= _LEAST_EXTRA and likeness(flat, heading[: len(flat)])
            if score >= _SAME:
                certainty = _TITLE
            elif score >= _NEAR or begins >= _SAME:
                certainty = _NEAR_TITLE
            else:
                continue
            if best is None or certainty > best[0]:
                best = certainty, Reason(f"Tên giấy tờ “{title}”", f"Heading “{title}”")
    return best


def _of_type(component: RequiredComponent, words: Sequence[str]) -> float:
    """A type's code decides only where the component asks for nothing else."""
    if not component.titles and not component.keywords and len(component.document_types) == 1:
        return _TYPE_ALONE
    return _TYPE + _KEYWORDS * _share(component, words)


def _keywords(paper: _Paper, component: RequiredComponent) -> list[str]:
    return [word for word in component.keywords if f" {_flat(word)} " in f" {paper.text} "]


def _share(component: RequiredComponent, words: Sequence[str]) -> float:
    return len(words) / len(component.keywords) if component.keywords else 0.0
