"""Pages as people see them: the stored picture, turned and made small where that is asked for."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from dossier.errors import NotFound
from dossier.storage.store import BlobStore
from signer.pdfium import opened

_KEPT_BYTES = 48 << 20
_TURNED = {
    1: Image.Transpose.ROTATE_270,  # Pillow turns counter-clockwise
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_90,
}


_THOUSAND = 1000
_PIXELS_A_POINT = 1.7
_MOST_PIXELS = 2_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle in thousandths of a page as it is shown."""

    x: int
    y: int
    width: int
    height: int


class Pictures:
    """WebP pictures of pages. Safe for threads; keeps the last ones that had to be made."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._made: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, sha256: str, turns: int = 0, width: int = 0) -> bytes:
        """The picture `sha256`, turned clockwise by quarter `turns`, at most `width` wide.

        Width 0: as large as it is. Raises `NotFound`, `StoreError`.
        """
        turns %= 4
        if not turns and not width:
            return self._blobs.get(sha256)
        place = (sha256, turns, width)
        return self._remembered(place, lambda: _made(self._blobs.get(sha256), turns, width))

    def drawn(self, record_sha256: str, number: int) -> bytes:
        """A page, from 1, of a PDF of ours. Raises `NotFound`, `StoreError`."""
        place = (record_sha256, -1, number)
        return self._remembered(place, lambda: _drawn(self._blobs.get(record_sha256), number))

    def _remembered(self, place: tuple[str, int, int], make: Callable[[], bytes]) -> bytes:
        with self._lock:
            if place in self._made:
                self._made.move_to_end(place)
                return self._made[place]
        made = make()
        with self._lock:
            if place not in self._made:
                self._made[place] = made
                self._bytes += len(made)
            while self._bytes > _KEPT_BYTES:
                _, old = self._made.popitem(last=False)
                self._bytes -= len(old)
        return made

    def part(self, sha256: str, turns: int, part: Part) -> bytes:
        """A part of the picture, after `turns`; as much of it as there is."""
        return _cut(self.get(sha256, turns), part)


def _drawn(pdf: bytes, number: int) -> bytes:
    with opened(pdf) as document:
        if not 1 <= number <= document.page_count:
            raise NotFound("Không có trang này. / There is no such page.")
        with document.page(number - 1) as page:
            size = page.size_px(_PIXELS_A_POINT, _MOST_PIXELS)
            pixels = page.picture(size)
    picture = Image.frombuffer("RGB", size, pixels.tobytes(), "raw", "BGRX")
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=75, method=1)
    return out.getvalue()


def _cut(content: bytes, part: Part) -> bytes:
    with Image.open(io.BytesIO(content), formats=("WEBP",)) as image:
        picture: Image.Image = image.convert("RGB")
    left = min(part.x * picture.width // _THOUSAND, picture.width - 1)
    top = min(part.y * picture.height // _THOUSAND, picture.height - 1)
    right = max(left + 1, min((part.x + part.width) * picture.width // _THOUSAND, picture.width))
    bottom = max(top + 1, min((part.y + part.height) * picture.height // _THOUSAND, picture.height))
    out = io.BytesIO()
    picture.crop((left, top, right, bottom)).save(out, "WEBP", quality=80, method=1)
    return out.getvalue()


def _made(content: bytes, turns: int, width: int) -> bytes:
    with Image.open(io.BytesIO(content), formats=("WEBP",)) as image:
        picture: Image.Image = image.convert("RGB")
    if turns:
        picture = picture.transpose(_TURNED[turns])
    if width and picture.width > width:
        height = max(1, round(picture.height * width / picture.width))
        picture = picture.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=70, method=1)
    return out.getvalue()
