"""Digests over nested byte ranges in one pass over the file.

All signatures of a file cover a prefix of it but for their own gap. Hashing each from the
start would read the file once a signature; here the running hash of the plain prefix is
copied where a gap begins, so that only the bytes behind the gap are read again. The digest that
names the whole file comes from the same pass.
"""

from __future__ import annotations

from collections.abc import Iterable

from signer.verification.file.byte_range import Coverage
from signer.verification.signature.algorithms import new_hash

_NAMING = "sha256"


def range_digests(
    data: bytes, wanted: Iterable[tuple[Coverage, str]]
) -> tuple[dict[tuple[int, str], bytes], str]:
    """(gap start, digest name) → digest of the covered bytes; and the file's SHA-256 in hex."""
    view = memoryview(data)
    out: dict[tuple[int, str], bytes] = {}
    by_name: dict[str, list[Coverage]] = {_NAMING: []}
    named = ""
    for coverage, name in wanted:
        by_name.setdefault(name, []).append(coverage)
    for name, coverages in by_name.items():
        running = new_hash(name)
        here = 0
        for coverage in sorted(coverages, key=lambda c: c.gap_start):
            running.update(view[here : coverage.gap_start])
            here = coverage.gap_start
            own = running.copy()
            own.update(view[coverage.gap_end : coverage.end])
            out[coverage.gap_start, name] = own.digest()
        if name == _NAMING:
            running.update(view[here:])
            named = running.digest().hex()
    return out, named
