"""Which pages an incremental save can alter, told from the bytes alone.

A page is drawn from the objects that can be reached from it. A save that touches none of them
leaves the page as it was, for every reader that goes by the cross-reference sections; so pages
need not be drawn again for a timestamp. The rule errs on the side of drawing: what it cannot
follow, and every save that is not plain, concerns all pages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from signer.verification.file.pdf_objects import (
    Dictionary,
    PDFSyntaxError,
    Ref,
    Stream,
    Value,
    same,
)
from signer.verification.file.structure import Document, View
from signer.verification.file.unexplained import unexplained_bytes

MAX_PAGES = 20_000
MAX_DEPTH = 64  # of the page tree
_ALL = -1  # stands for every page, among object numbers
_TREE = frozenset({"Page", "Pages"})
_INHERITED = ("Resources", "MediaBox", "CropBox", "Rotate")
_ELSEWHERE = frozenset({"P", "Kids", "B", "StructParent", "StructParents"})
"""Keys that lead away: to the page itself, to fields on other pages, to threads of articles."""
_NOT_SHOWN = frozenset({"AcroForm", "DSS", "Extensions", "Metadata", "Pages", "Version"})
"""Keys of the catalogue that may differ without any page looking otherwise."""
_FORM_NOT_SHOWN = frozenset({"Fields", "SigFlags"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """A page in its tree: its dictionary with what it inherits. `number` is 0 for direct ones."""

    number: int
    dictionary: Dictionary
    inherited: Dictionary

    def get(self, key: str) -> Value:
        """An attribute that pages inherit (ISO 32000-2, table 31)."""
        return self.dictionary.get(key, self.inherited.get(key))


def leaves(view: View) -> list[Leaf]:
    """The pages in their order. Raises `PDFSyntaxError` for a tree that is none."""
    out: list[Leaf] = []
    stack: list[tuple[Value, Dictionary, int]] = [(view.root.get("Pages"), Dictionary(), 0)]
    seen: set[int] = set()
    while stack:
        item, inherited, depth = stack.pop()
        number = item.number if isinstance(item, Ref) else 0
        node = view.dictionary(item)
        if node is None or depth > MAX_DEPTH or len(seen) > 2 * MAX_PAGES:
            raise PDFSyntaxError("the page tree is damaged, too deep or too large")
        if number and node.get("Type") == "Pages":
            if number in seen:
                raise PDFSyntaxError("the page tree contains a loop")
            seen.add(number)
        if "Kids" not in node:
            out.append(Leaf(number, node, inherited))
            if len(out) > MAX_PAGES:
                raise PDFSyntaxError(f"the file has more than {MAX_PAGES} pages")
            continue
        passed_on = _with(inherited, node)
        stack += [(kid, passed_on, depth + 1) for kid in reversed(view.array(node.get("Kids")))]
    return out


def _with(inherited: Dictionary, node: Dictionary) -> Dictionary:
    own = {key: node[key] for key in _INHERITED if key in node}
    if not own:
        return inherited
    out = Dictionary()
    out.update(inherited)
    out.update(own)
    return out


class Dependencies:
    """Pages and the objects that they are drawn from, at one revision and then at later ones."""

    def __init__(self, document: Document, revision: int) -> None:
        self._document = document
        self._revision = revision
        self._users: defaultdict[int, set[int]] = defaultdict(set)
        self._known: set[int] = set()
        self._pages: dict[int, list[int]] = {}
        self._order: list[int] = []
        self._tree: set[int] = set()
        self._contents: dict[int, frozenset[int]] = {}
        self._last: tuple[int, int, set[int]] = (revision, revision, set())
        self._is_readable = True
        try:
            self._begin(document.view(revision))
        except PDFSyntaxError:
            self._is_readable = False

    def page_number(self, index: int) -> int:
        """The object number of a page while `advance` does not say that all may differ."""
        return self._order[index]

    def advance(self, revision: int) -> frozenset[int] | None:
        """Go on to a later revision: the pages (0-based) that may look otherwise; None: all."""
        before, self._revision = self._revision, revision
        if not self._is_readable:
            return None
        try:
            changed = self._changed(before, revision)
            if not self._is_plain(before, revision, changed):
                return None
            self._last = before, revision, changed
            view = self._document.view(revision)
            self._follow(view, changed & self._known)
            blank = self._blank(before, revision, changed)
            same_looks = self._with_blanks(before, revision, changed, blank)
            return self._pages_of(changed - same_looks, blank)
        except PDFSyntaxError:
            self._is_readable = False
            return None

    def has_same_contents(self, index: int) -> bool:
        """Whether the saves of the last `advance` left all of a page alone but its annotations."""
        before, after, changed = self._last
        old, new = self._document.view(before), self._document.view(after)
        number = self._order[index]
        page = _node(old, number)
        if not _same(page, _node(new, number), {"Annots"}):
            return False
        if number not in self._contents:
            self._contents[number] = self._reached(_without(page, "Annots"), old)
        if self._contents[number] & changed:
            del self._contents[number]
            return False
        return True

    def _reached(self, page: Dictionary, view: View) -> frozenset[int]:
        """All objects that a page (without its annotations) is drawn from, and their streams."""
        found: set[int] = set()
        stack = list(_references(page, is_page=True))
        while stack:
            number = stack.pop()
            if number not in found:
                found |= {number, view.entry(number).container}
                value = _without_data(self._document, view, number)
                stack += _references(value, is_page=False)
        return frozenset(found - {0})

    def _begin(self, view: View) -> None:
        self._tree = set(_tree_numbers(view))
        for index, leaf in enumerate(leaves(view)):
            if not leaf.number:
                raise PDFSyntaxError("a page is no object of its own")
            self._order.append(leaf.number)
            self._pages.setdefault(leaf.number, []).append(index)
            self._known.add(leaf.number)
        self._follow(view, set(self._pages))
        for number in self._tree:
            node = view.dictionary(Ref(number, view.entry(number).generation)) or Dictionary()
            for key in _INHERITED:
                self._use(_ALL, node.get(key), view)
        for key, value in view.root.items():
            if key not in _NOT_SHOWN:
                self._use(_ALL, value, view)
        for key, value in view.acro_form.items():
            if key not in _FORM_NOT_SHOWN:
                self._use(_ALL, value, view)

    def _follow(self, view: View, numbers: set[int]) -> None:
        """Note what the objects `numbers` refer to, and all that is reached from there."""
        for number in numbers:
            node = _without_data(self._document, view, number)
            self._use(number, node, view, is_page=number in self._pages)

    def _use(self, user: int, value: Value, view: View, *, is_page: bool = False) -> None:
        stack = [(user, value, is_page)]
        while stack:
            user, value, is_page = stack.pop()
            for number in _references(value, is_page=is_page):
                self._users[number].add(user)
                holder = view.entry(number).container
                if holder:
                    self._users[holder].add(number)
                if number not in self._known:
                    self._known.add(number)
                    stack.append((number, _without_data(self._document, view, number), False))

    def _blank(self, before: int, after: int, changed: set[int]) -> set[int]:
        """Fields that draw nothing, neither before nor now, and stand among annotations only."""
        old, new = self._document.view(before), self._document.view(after)
        return {
            number
            for number in changed
            if _is_blank(new, number)
            and (old.entry(number).is_free or _is_blank(old, number))
            and all(u in self._pages or isinstance(new.get(u), list) for u in self._users[number])
        }

    def _with_blanks(self, before: int, after: int, changed: set[int], blank: set[int]) -> set[int]:
        """Pages, and their arrays of annotations, that gained `blank` fields and nothing else."""
        old, new = self._document.view(before), self._document.view(after)
        out: set[int] = set()
        near = changed.union(*(self._users.get(number, ()) for number in changed))
        for number in near & self._pages.keys():
            first, second = _node(old, number), _node(new, number)
            earlier, later = first.get("Annots"), second.get("Annots")
            array = later.number if isinstance(later, Ref) else 0
            if not {number, array} & changed or not _same(first, second, {"Annots"}):
                continue
            if array in changed and (
                self._users[array] != {number}
                or (later != earlier and not old.entry(array).is_free)
                or array in _references(_without(second, "Annots"), is_page=True)
            ):
                continue  # the array plays another part, or comes from somewhere
            known, now = old.array(earlier), new.array(later)
            gained = [one.number if isinstance(one, Ref) else 0 for one in now[len(known) :]]
            if now[: len(known)] == known and all(
                one in blank and old.entry(one).is_free for one in gained
            ):
                out |= {number, array}
        return out

    def _pages_of(self, changed: set[int], blank: set[int]) -> frozenset[int] | None:
        """The pages that use one of `changed`, however far away, but for what `blank` ones use."""
        found: set[int] = set()
        seen: set[int] = set()
        stack = [n for n in changed if n in self._users or n in self._pages]
        while stack:
            number = stack.pop()
            if number == _ALL:
                return None
            if number in seen or number in blank:
                continue
            seen.add(number)
            if number in self._pages:
                found.update(self._pages[number])
            stack += self._users.get(number, ())
        return frozenset(found)

    def _changed(self, before: int, after: int) -> set[int]:
        """Numbers that the saves after `before` say anything new about."""
        old, new = self._document.view(before), self._document.view(after)
        said = {
            number
            for revision in self._document.revisions[before + 1 : after + 1]
            for number in revision.entries
        }
        return {n for n in said if old.entry(n) != new.entry(n) and not self._is_copy(n, old, new)}

    def _is_copy(self, number: int, old: View, new: View) -> bool:
        """The object was written again, byte by byte the same."""
        first, second = old.entry(number), new.entry(number)
        if first.offset < 0 or second.offset < 0 or first.generation != second.generation:
            return first.is_free and second.is_free
        one = self._document.object_at(old, first, number)
        two = self._document.object_at(new, second, number)
        data = self._document.data
        return data[one.start : one.end] == data[two.start : two.end]

    def _is_plain(self, before: int, after: int, changed: set[int]) -> bool:
        """Nothing in these saves that one reader may take otherwise than another.

        Every byte is explained, no section is hybrid, /Size never falls (some readers drop
        objects beyond it), the tree of pages and all that concerns every page is untouched.
        """
        document = self._document
        for revision in document.revisions[before + 1 : after + 1]:
            earlier = document.revisions[revision.index - 1].trailer
            size, old_size = revision.trailer.get("Size"), earlier.get("Size")
            if (
                "XRefStm" in revision.trailer
                or "Encrypt" in revision.trailer
                or revision.trailer.get("Root") != earlier.get("Root")
                or not isinstance(size, int)
                or not isinstance(old_size, int)
                or size < old_size
                or max(revision.entries, default=0) >= size
                or unexplained_bytes(document, revision.index) is not None
            ):
                return False
        old, new = document.view(before), document.view(after)
        return (
            not changed & self._tree
            and _same(old.root, new.root, _NOT_SHOWN)
            and old.root.get("Pages") == new.root.get("Pages")
            and _same(old.acro_form, new.acro_form, _FORM_NOT_SHOWN)
            and _fields_only_grow(old, new)
            and not any("Kids" in (_node(old, n)) for n in changed - self._known)
        )


def _tree_numbers(view: View) -> Iterator[int]:
    stack: list[Value] = [view.root.get("Pages")]
    seen: set[int] = set()
    while stack:
        item = stack.pop()
        node = view.dictionary(item)
        if node is None or "Kids" not in node:
            continue
        if not isinstance(item, Ref) or item.number in seen:
            raise PDFSyntaxError("the page tree is damaged")
        seen.add(item.number)
        yield item.number
        kids = node.get("Kids")
        if isinstance(kids, Ref):
            yield kids.number
        stack += view.array(kids)


def _same(old: Dictionary, new: Dictionary, but_for: Iterable[str]) -> bool:
    keys = (old.keys() | new.keys()) - set(but_for)
    return all(same(old.get(key), new.get(key)) for key in keys)


_BLANK = frozenset({"Type", "Subtype", "FT", "T", "V", "F", "P", "Rect", "M", "Lock"})


def _is_blank(view: View, number: int) -> bool:
    """A signature field without extent and without an appearance: no reader draws it."""
    widget = _node(view, number)
    return (
        bool(widget)
        and widget.keys() <= _BLANK
        and (widget.get("Subtype"), widget.get("FT")) == ("Widget", "Sig")
        and same(widget.get("Rect"), [0, 0, 0, 0], loosely=True)
    )


def _without(found: Dictionary, key: str) -> Dictionary:
    out = Dictionary()
    out.update((name, value) for name, value in found.items() if name != key)
    return out


def _node(view: View, number: int) -> Dictionary:
    value = view.get(number)
    return value if isinstance(value, Dictionary) else Dictionary()


def _without_data(document: Document, view: View, number: int) -> Value:
    """The value of an object; of a stream its dictionary alone, so that nothing is copied."""
    entry = view.entry(number)
    if entry.offset < 0:
        return view.get(number)
    return document.head_at(entry, number)


def _fields_only_grow(old: View, new: View) -> bool:
    """New fields are new objects: an old one that becomes a field may be drawn otherwise."""
    before = old.array(old.acro_form.get("Fields"))
    after = new.array(new.acro_form.get("Fields"))
    return after[: len(before)] == before and all(
        isinstance(item, Ref) and old.entry(item.number).is_free for item in after[len(before) :]
    )


def _references(value: Value, *, is_page: bool) -> Iterator[int]:
    """The numbers that `value` refers to, but for keys that lead elsewhere."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Ref):
            yield item.number
        elif isinstance(item, Stream):
            stack.append(item.dictionary)
        elif isinstance(item, Dictionary):
            stack += [
                inner
                for key, inner in item.items()
                if key not in _ELSEWHERE and not (is_page and key == "Parent")
            ]
        elif isinstance(item, list):
            stack += item
