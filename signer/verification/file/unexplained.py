"""Whether every byte of an incremental save belongs to something that its section lists."""

from __future__ import annotations

import re

from signer.verification.file.pdf_objects import skip
from signer.verification.file.structure import Document

_STRUCTURE = re.compile(rb"\d[\s]+obj\b|\bendobj\b|\bxref\b|\btrailer\b|\bstream\b")


def unexplained_bytes(document: Document, revision: int) -> int | None:
    """The first byte of an incremental revision that belongs to no listed object.

    Listed objects, the section with its trailer, white space and comments are explained; but
    not a comment that holds an object or a section for those who repair files.
    """
    found = document.revisions[revision]
    view = document.view(revision)
    starts = {
        e.offset: (e, n) for n, e in found.entries.items() if found.start <= e.offset < found.end
    }
    here = found.start
    while True:
        before, here = here, skip(document.data, here)
        if _STRUCTURE.search(document.data, before, here):
            return before
        if here == found.offset or here >= found.end:
            return None if here == found.offset else found.start
        if here not in starts:
            return here
        here = document.object_at(view, *starts[here]).end
