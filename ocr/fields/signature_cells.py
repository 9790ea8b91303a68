"""The foot of an administrative paper: who signs, and who receives it.

Cells 7 and 9b of NĐ 30/2020, Appendix I: authority (TM., KT., TL., TUQ.), title and full name
at the bottom right, `Nơi nhận:` with its list at the bottom left.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ocr.fields.doctypes import plain
from ocr.fields.mending import is_family_name
from ocr.fields.pieces import Piece, Span, bare, join

_AUTHORITY = re.compile(r"^(TM|KT|TL|TUQ|TUO|IM|7TM|TI)\s?[.,]\s?\S")
_TITLE_WORDS = re.compile(
    r"\b(chu tich|giam doc|truong|pho|chanh|nguoi|ben ?[ab]|chu tri|thu truong|bo truong|cuc|"
    r"vien truong|hieu truong|chi huy|to truong|thu ky|ke toan|dai dien|chu ho|cong chung vien)\b"
)
_RECIPIENTS = re.compile(r"^[\W_]*noi nhan\b")  # on plain text
_ABBREVIATED = re.compile(r"\b(TM|KT|TL|TUQ|Q)\b\.?\s*(?=\S)")
_ENTRY = re.compile(r"^[.:,'`]?\s?[-–—_+•~¬:*]|^L[ưuựứừ]u\s*[:;.]")
_BULLET = re.compile(r"^[-–—_+•~¬*.:,'`\s]+")
_ABBREVIATIONS = {"tm": "TM", "kt": "KT", "tl": "TL", "tuq": "TUQ", "tuo": "TUQ"}
_NOTE = re.compile(r"^\(?\s*(k[yý]|đ[aã] k[yý])\b", re.IGNORECASE)
_SYLLABLE = re.compile(r"^[^\W\d_]{1,7}$")
_STRIP = " .,:;|_-–—'\"“”‘’()[]{}*~=+<>«»\\/"


@dataclass(frozen=True, slots=True)
class SignatureBlock:
    """Who signs. `authority` is empty when the head signs; `name` None when it is unreadable."""

    authority: tuple[Piece, ...]
    title: Piece
    name: Span | None


def find_signature(pieces: Sequence[Piece]) -> SignatureBlock | None:
    """The signature block furthest down, the rightmost on its row; None without one."""
    limit = _text_middle(pieces)
    titles = [n for n, p in enumerate(pieces) if p.centre > limit and _is_title(p)]
    blocks = []
    for n in titles:
        piece = pieces[n]
        name = _name_below(pieces, piece)
        blocks.append((piece, name))
    with_name = [b for b in blocks if b[1] is not None]
    # a title without a name counts only well to the right: the authority line of a decision
    # (CHỦ TỊCH ỦY BAN NHÂN DÂN ...) stands in the middle
    chosen = with_name or [b for b in blocks if b[0].centre > limit + 16]
    if not chosen:
        return None
    lowest = max(b[0].bottom for b in chosen if b[0].page == max(c[0].page for c in chosen))
    page = max(b[0].page for b in chosen)
    level = [b for b in chosen if b[0].page == page and abs(b[0].bottom - lowest) < 3]
    title, name = max(level, key=lambda b: b[0].centre)
    stack = _stack_above(pieces, title)
    authority = tuple(p for p in stack if _AUTHORITY.match(clean_title(p.text)))
    return SignatureBlock(authority, title, name)


def find_recipients(pieces: Sequence[Piece]) -> list[Span]:
    """The entries under the last `Nơi nhận:`, without dashes and end marks."""
    label = _recipients_label(pieces)
    if label is None:
        return []
    below = sorted(
        (
            p
            for p in pieces
            if p.page == label.page and p.middle > label.middle + 1 and p.left < label.left + 12
            and p.left > label.left - 8
        ),
        key=lambda p: p.middle,
    )  # fmt: skip
    entries: list[list[Piece]] = []
    last = label
    for piece in below:
        if piece.top - last.bottom > 7:
            break
        last = piece
        if _ENTRY.match(piece.text) or not entries:
            entries.append([piece])
        else:
            entries[-1].append(piece)
        if re.search(r"L[ưuựứừ]u\s*[:;.]", piece.text):
            break
    return [s for s in (_entry(e) for e in entries) if s.text]


def _recipients_label(pieces: Sequence[Piece]) -> Piece | None:
    """The last `Nơi nhận:`, or what it was misread for above a list (`Nơi nhậm:`)."""
    spelled = [p for p in pieces if _RECIPIENTS.match(plain(p.text))]
    if spelled:
        return spelled[-1]
    for n, piece in reversed(list(enumerate(pieces))):
        words = plain(bare(piece.text)).rstrip(" :.;").split()
        below = [p for p in pieces[n + 1 : n + 5] if abs(p.left - piece.left) < 4]
        if len(words) == 2 and words[0] == "noi" and below and below[0].text[:1] in "-–—~":
            return piece
    return None


def _entry(pieces: Sequence[Piece]) -> Span:
    whole = join(pieces)
    text = _BULLET.sub("", whole.text).rstrip(" ;:.,/`'|\"-–_*¬ˆ")
    return Span(text, whole.words, whole.page)


def _text_middle(pieces: Sequence[Piece]) -> float:
    """Horizontal middle of the written area, in mm."""
    if not pieces:
        return 0.0
    lefts = sorted(p.left for p in pieces)
    rights = sorted(p.right for p in pieces)
    return (lefts[len(lefts) // 10] + rights[-1 - len(rights) // 10]) / 2 - 4


def clean_title(text: str) -> str:
    """A title without the specks that a seal's edge leaves around it."""
    words = [w.strip(_STRIP + "`°") if w not in ("-",) else w for w in text.split()]
    kept = [w for w in words if len(w) > 1 or w in ("A", "B", "Q", "-") or w.isdigit()]
    if len(kept) > 1:
        kept[0] = _ABBREVIATIONS.get(plain(kept[0]), kept[0])
    if len(kept) > 1 and kept[0].isupper() and plain(kept[0]) == "pho":
        kept[0] = "PHÓ"  # no title begins with another word of these letters
    return _ABBREVIATED.sub(r"\1. ", " ".join(kept))


def _is_title(piece: Piece) -> bool:
    text = clean_title(piece.text)
    letters = [c for c in text if c.isalpha()]
    if len(letters) < 3 or sum(c.isupper() for c in letters) / len(letters) < 0.75:
        return False
    return len(text.split()) <= 10 and bool(_TITLE_WORDS.search(plain(text)))


def _stack_above(pieces: Sequence[Piece], title: Piece) -> list[Piece]:
    """Lines that stand right above the title, on the same axis."""
    stack: list[Piece] = []
    low = title
    for piece in sorted(
        (p for p in pieces if p.page == title.page and p.middle < title.middle - 1),
        key=lambda p: -p.middle,
    ):
        if low.top - piece.bottom > 5:
            break
        if abs(piece.centre - title.centre) < 14 and piece.left > title.left - 40:
            stack.insert(0, piece)
            low = piece
    return stack


def _name_below(pieces: Sequence[Piece], title: Piece) -> Span | None:
    """The nearest full name below a title, on its axis."""
    best: tuple[float, Span] | None = None
    for piece in pieces:
        drop = piece.middle - title.middle
        if piece.page != title.page or not 6 < drop < 55:
            continue
        if abs(piece.centre - title.centre) > 24:
            continue
        name = read_name(piece)
        if name is None:
            continue
        # a name with a known family name beats a nearer one without
        known = is_family_name(name.text.split()[0])
        rank = abs(piece.centre - title.centre) * 0.5 + (0 if known else 60) + abs(drop - 28) * 0.2
        if best is None or rank < best[0]:
            best = (rank, name)
    return best[1] if best else None


def read_name(piece: Piece) -> Span | None:
    """A full name (two to six capitalised syllables) in a piece; None when it is something else."""
    if _NOTE.match(piece.text):
        return None
    words = []
    for word in piece.words:
        text = word.text.strip(_STRIP)
        if not text or (len(text) == 1 and not text.isupper()):
            continue
        words.append((text, word))
    while words and not _capitalised(words[0][0]):
        words.pop(0)
    while words and not _capitalised(words[-1][0]):
        words.pop()
    if not 2 <= len(words) <= 6 or not all(_capitalised(t) for t, _ in words):
        return None
    return Span(" ".join(t for t, _ in words), tuple(w for _, w in words), piece.page)


def _capitalised(text: str) -> bool:
    return (
        bool(_SYLLABLE.match(text)) and text[0].isupper() and (text[1:].islower() or not text[1:])
    )
