"""Read-only view of the document that is to be sealed.

pikepdf (qpdf) reads, with its repair switched off: what it would have to mend is refused,
because a repaired file is not the file that somebody checked and wants sealed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pikepdf

from signer.errors import UnsuitableDocument
from signer.sealing.syntax import Ref, entry, items

_TAIL = 2048
_START_XREF = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*\x00*\s*\Z")
_HIGHEST = re.compile(r"highest object number \((\d+)\)")  # qpdf's remark on a wrong /Size
_NO_MEMORY = re.compile(r"bad_alloc|not enough memory")
_UNPACKING = re.compile(r"error decoding stream data for object")
_MISPLACED = re.compile(r"expected \d+ \d+ obj")  # qpdf's remark on a wrong offset
_MAX_OBJECTS = 1_000_000
_MAX_PAGE_TREE_DEPTH = 64


@dataclass(frozen=True, slots=True)
class CrossReference:
    """What a new revision has to continue (ISO 32000-1 7.5.6)."""

    start: int  # byte offset of the newest section
    is_stream: bool  # a cross-reference stream, so the next one is a stream as well
    size: int  # the next free object number
    root: Ref
    info: Ref | None
    identifier: list[bytes]  # both halves of /ID, or empty


class SourceDocument:
    """An open PDF. Not safe for several threads; close it, or use it in `with`.

    Raises `UnsuitableDocument` for anything that cannot be continued byte for byte: damaged,
    encrypted, with bytes before the header or after the end, without pages.
    """

    def __init__(self, fd: int) -> None:
        """Open the file behind `fd`; the descriptor stays the caller's."""
        self.size = os.fstat(fd).st_size
        self._check_header(os.pread(fd, 1024, 0))
        tail_from = max(0, self.size - _TAIL)
        start = _find_start(os.pread(fd, _TAIL, tail_from))
        path = f"/proc/self/fd/{fd}"
        try:
            # Streamed, not mapped: mapped pages would count as this process's memory.
            self.pdf = pikepdf.open(
                path,
                attempt_recovery=False,
                suppress_warnings=True,
                access_mode=pikepdf.AccessMode.stream,
                inherit_page_attributes=False,  # pages are written again as they were
            )
        except pikepdf.PasswordError as error:
            raise _encrypted() from error
        except (pikepdf.PdfError, ValueError, RuntimeError) as error:
            reason = str(error).removeprefix(path).lstrip(": ")
            raise _damaged(f"hỏng ({reason})", f"is damaged ({reason})") from error
        try:
            self._check_readable()
            self.cross_reference = self._cross_reference(start, os.pread(fd, 64, start))
            self.catalog = self.pdf.trailer["/Root"]  # with /Pages, or qpdf had refused it
            self._read_every_object()
        except BaseException:
            self.pdf.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pdf.close()

    def object(self, ref: Ref) -> object:
        """The indirect object; null (None) when the file has none of that number."""
        return self.pdf.get_object(ref.number, ref.generation)

    def _check_header(self, head: bytes) -> None:
        if not head:
            raise UnsuitableDocument(
                "Tệp rỗng; hãy chọn một tệp PDF. / The file is empty; give a PDF file."
            )
        if not head.startswith(b"%PDF-"):
            if b"%PDF-" in head:
                raise _damaged(
                    "có dữ liệu lạ trước phần đầu PDF", "has bytes before the PDF header"
                )
            raise UnsuitableDocument(
                "Tệp không phải PDF; hãy chuyển sang PDF trước khi ký. / The file is not a PDF; "
                "convert it to PDF first."
            )

    def _check_readable(self) -> None:
        if self.pdf.is_encrypted:
            raise _encrypted()

    def _read_every_object(self) -> None:
        """Have qpdf parse every object now, streams' data excepted: 3 µs each.

        An object that stands where the table promises another replaces a third one while that
        is being walked, and qpdf 12 then reads freed memory. Read one by one they do no harm,
        and show themselves.
        """
        if self.cross_reference.size > _MAX_OBJECTS:
            raise _damaged("có quá nhiều đối tượng", f"has more than {_MAX_OBJECTS} objects")
        try:
            for number in range(1, self.cross_reference.size):
                self.pdf.get_object(number, 0)
        except pikepdf.PdfError as error:
            raise _damaged(f"hỏng ({error})", f"is damaged ({error})") from error
        for warning in self._warnings():
            if _MISPLACED.search(warning):
                raise _damaged("có bảng tham chiếu sai", "has a cross-reference table that errs")

    def _warnings(self) -> list[str]:
        """What qpdf said since it was last asked, unless it lost objects.

        Without the memory to unpack an object stream, qpdf takes its objects for null and goes
        on: the document would be continued without them.
        """
        said = [str(warning) for warning in self.pdf.get_warnings()]
        for warning in said:
            if _NO_MEMORY.search(warning):
                raise MemoryError("too little memory to unpack the document's objects")
            if _UNPACKING.search(warning):
                raise _damaged(f"hỏng ({warning})", f"is damaged ({warning})")
        return said

    def _cross_reference(self, start: int, head: bytes) -> CrossReference:
        trailer = self.pdf.trailer
        root = _indirect(trailer, "/Root")
        if root is None:
            raise _damaged("không có danh mục gốc", "names no document catalog")
        identifier = items(entry(trailer, "/ID"))
        size = entry(trailer, "/Size")
        next_number = size if isinstance(size, int) else 0
        for warning in self._warnings():
            # A /Size that is too small would let new objects replace old ones unnoticed.
            highest = _HIGHEST.search(warning)
            next_number = max(next_number, int(highest[1]) + 1 if highest else 0)
        return CrossReference(
            start=start,
            is_stream=not head.lstrip(b"\x00\t\n\x0c\r ").startswith(b"xref"),
            size=next_number,
            root=root,
            info=_indirect(trailer, "/Info"),
            identifier=[bytes(half) for half in identifier if isinstance(half, pikepdf.String)],
        )


def _indirect(dictionary: pikepdf.Object, key: str) -> Ref | None:
    value = entry(dictionary, key)
    if isinstance(value, pikepdf.Dictionary) and value.is_indirect:
        return Ref(*value.objgen)
    return None


def _find_start(tail: bytes) -> int:
    if b"%%EOF" not in tail:
        raise _damaged("bị cắt cụt ở cuối", "has lost its end (truncated?)")
    match = _START_XREF.search(tail)
    if match is None:
        raise _damaged("có dữ liệu lạ sau phần cuối", "has foreign bytes after its end")
    return int(match[1])


def _encrypted() -> UnsuitableDocument:
    return UnsuitableDocument(
        "Tài liệu bị mã hóa; hãy gỡ mật khẩu trước khi ký. / The document is encrypted; remove "
        "the password before it is sealed."
    )


def _damaged(vietnamese: str, english: str) -> UnsuitableDocument:
    return UnsuitableDocument(
        f"Tài liệu {vietnamese}; hãy xuất lại từ nguồn, hoặc ghi lại bằng qpdf trước chữ ký đầu "
        f"tiên. / The document {english}; re-create it from its source, or rewrite it before its "
        "first signature (qpdf IN.pdf OUT.pdf)."
    )


class PageTree:
    """Finds pages without loading them all; values are pikepdf page dictionaries.

    Raises `UnsuitableDocument` when the tree is cyclic, too deep, or not a tree of pages.
    """

    def __init__(self, catalog: pikepdf.Object) -> None:
        self._root = catalog["/Pages"]
        if not len(self):
            raise _damaged("không có trang nào", "has no pages")
        self._index: dict[Ref, int] | None = None

    def __len__(self) -> int:
        return _count(self._root)

    def find(self, index: int) -> tuple[pikepdf.Object, dict[str, object]]:
        """Page `index` (0-based) and the inheritable entries in force on it."""
        if not 0 <= index < len(self):
            raise UnsuitableDocument(
                f"Tài liệu có {len(self)} trang, không có trang {index + 1}; hãy chọn trang khác. "
                f"/ The document has {len(self)} page(s), there is no page {index + 1}; choose one."
            )
        node: object = self._root
        inherited: dict[str, object] = {}
        for _ in range(_MAX_PAGE_TREE_DEPTH):
            if not isinstance(node, pikepdf.Dictionary) or not node.is_indirect:
                break
            for key in ("/MediaBox", "/CropBox", "/Rotate"):
                if key in node:
                    inherited[key] = node[key]
            if not isinstance(entry(node, "/Kids"), pikepdf.Array):
                return node, inherited
            kids = items(entry(node, "/Kids"))
            if _count(node) == len(kids):  # one page each: no need to look at the others
                node, index = kids[index], 0
            else:
                node, index = _descend(kids, index)
        raise _damaged("có cây trang bị hỏng", "has a broken page tree")

    def index_of(self, ref: Ref) -> int | None:
        """The 0-based index of a page object; walks the whole tree once."""
        if self._index is None:
            self._index = {page: i for i, page in enumerate(self._walk())}
        return self._index.get(ref)

    def _walk(self) -> Iterator[Ref]:
        for index in range(len(self)):
            page, _ = self.find(index)
            yield Ref(*page.objgen)


def _count(node: object) -> int:
    """The pages at or below a node of the tree."""
    if not isinstance(entry(node, "/Kids"), pikepdf.Array):
        return 1
    count = entry(node, "/Count")
    if not isinstance(count, int) or count < 0:
        raise _damaged("có cây trang bị hỏng", "has a broken page tree")
    return count


def _descend(kids: Iterable[object], index: int) -> tuple[object, int]:
    """The kid that page `index` lies in, and the index within it."""
    for kid in kids:
        count = _count(kid)
        if index < count:
            return kid, index
        index -= count
    return None, 0
