"""A QR code as vectors: drawn once as one path, sharp at any resolution.

Level M (15 % of a symbol may be lost) and no larger than the paper needs: the address in bytes,
the proof behind it in the denser alphanumeric mode (ISO/IEC 18004, 7.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import segno
from segno import consts

from signer.errors import ProfileError
from signer.prooftext import ProofText

QUIET_MODULES = 4
"""White on each side (ISO/IEC 18004, 6.3.8)."""
MIN_MODULE_MM = 0.3
"""Smaller modules are lost on a scan at 150 dpi, which gives them less than two pixels each."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """The dark modules: rows of runs, each (first column, length), from the top."""

    version: int
    side: int
    """Modules a side, without the quiet zone."""
    runs: tuple[tuple[tuple[int, int], ...], ...]

    def paint(self, x: float, y: float, size: float) -> bytes:
        """Operators that fill the code into a square of `size` points with lower left (x, y).

        One path and one fill, so that no reader shows seams between the rows.
        """
        module = size / self.side
        parts = [b"0 0 0 rg"]
        for row, runs in enumerate(self.runs):
            bottom = y + size - (row + 1) * module
            parts += [
                b"%.3f %.3f %.3f %.3f re" % (x + column * module, bottom, length * module, module)
                for column, length in runs
            ]
        return b"\n".join((*parts, b"f"))


def symbol_of(text: ProofText) -> Symbol:
    """The code of a proof. Raises `ProfileError` when the text is too long for any code."""
    content = [(text.address, consts.MODE_BYTE), (text.proof, consts.MODE_ALPHANUMERIC)]
    try:
        # a list makes segments, each of its mode; the stubs know single ones only
        code = segno.make_qr(content, error="m", boost_error=False)  # type: ignore[arg-type]
    except segno.DataOverflowError as error:
        raise ProfileError(
            "Mã QR chứa quá nhiều dữ liệu; hãy rút ngắn địa chỉ tra cứu. / The code would hold too "
            "much; shorten the lookup address."
        ) from error
    return _symbol(code)


def symbol_of_bytes(data: bytes) -> Symbol:
    """The code of `data` in byte mode, with as much correction as its size has room for.

    Raises `ProfileError` when the data are too long for any code.
    """
    try:
        code = segno.make_qr(data, error="m", mode="byte", boost_error=True)
    except segno.DataOverflowError as error:
        raise ProfileError(
            "Mã QR chứa quá nhiều dữ liệu; hãy rút ngắn nội dung. / The code would hold too much; "
            "shorten what it says."
        ) from error
    return _symbol(code)


def _symbol(code: segno.QRCode) -> Symbol:
    return Symbol(
        int(code.version), len(code.matrix), tuple(_runs(bytes(row)) for row in code.matrix)
    )


def _runs(row: bytes) -> tuple[tuple[int, int], ...]:
    runs, start = [], 0
    for part in row.split(b"\0"):
        if part:
            runs.append((start, len(part)))
        start += len(part) + 1
    return tuple(runs)
