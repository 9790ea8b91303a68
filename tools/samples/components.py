"""A first page of each component that a procedure asks for, as people hand it in.

Heading and some of the words of the component, in the layout of its kind: a form under the
national header, an agency's certificate, a contract or minutes between people. Bodies name the
other components, too, as applications do: what a paper mentions is not what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from dossier.intake.catalogues import CARD, FORM, RequiredComponent
from tools.samples import blocks, chipcard
from tools.samples.blocks import Signer
from tools.samples.documents import new_sheet
from tools.samples.fiction import Fiction
from tools.samples.layout import Sheet
from tools.samples.typefaces import Family

_AGREEMENTS = ("HĐ", "BB", "BTT", "GUQ")
_NAMES = {"HĐ": "HỢP ĐỒNG", "BB": "BIÊN BẢN", "GUQ": "GIẤY ỦY QUYỀN", "QĐ": "QUYẾT ĐỊNH"}


def component_paper(
    component: RequiredComponent, story: Fiction, family: Family,
    others: Sequence[RequiredComponent] = (),
) -> Sheet:  # fmt: skip
    """One page of a component; `others` are mentioned in its body. A card gives its copy."""
    if CARD in component.document_types:
        generation = story.rng.choice(chipcard.GENERATIONS)
        return chipcard.copy_of(chipcard.invent(story.rng.random().hex()), generation, 200)[0]
    sheet = new_sheet(family, story)
    types = component.document_types
    if FORM in types or any(t in _AGREEMENTS for t in types):
        blocks.plain_header(sheet)
    else:
        blocks.header(
            sheet, story, blocks.committee(story), number=story.number(),
            symbol=f"{types[0]}-UBND" if types else "GCN",
        )  # fmt: skip
    _heading(sheet, component, story)
    for label in ("Họ và tên", "Ngày sinh", "Nơi thường trú"):
        value = story.person() if label == "Họ và tên" else story.hamlet()
        blocks.leader(sheet, f"- {label}: {value}")
    for word in component.keywords:
        if story.rng.random() < 0.75:
            blocks.paragraph(sheet, f"Nội dung về {word} được kê khai theo {story.facts(1)[0]}")
    for other in others[:3]:
        sheet.text(f"Kèm theo: {other.name};", left=sheet.left + 6)
    blocks.signature(sheet, Signer((), "NGƯỜI KÊ KHAI", story.person()), [])
    return sheet


def _heading(sheet: Sheet, component: RequiredComponent, story: Fiction) -> None:
    """On one line or two; a type's name alone stands above its abstract, as the decree has it."""
    kind = next((_NAMES[t] for t in component.document_types if t in _NAMES), "")
    titles = component.titles or (f"{kind} {component.keywords[0]}",)
    title = story.rng.choice(titles)
    rest = title.upper().removeprefix(kind).strip()
    if kind and rest and story.rng.random() < 0.5:
        abstract = title[len(kind) :].strip()
        blocks.title(sheet, kind, abstract[:1].upper() + abstract[1:])
        return
    sheet.text(title.upper(), size=14, style="bold", align="center", after=2.5)
