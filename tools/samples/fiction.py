"""Plainly fictitious people, places and numbers, drawn from a seed.

Family names are real syllables; given names are words such as Mẫu (sample) and Thử (trial),
citizen numbers begin with 000 (no province has that code), telephone numbers with 000.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_FAMILY = (
    "Nguyễn",
    "Trần",
    "Lê",
    "Phạm",
    "Hoàng",
    "Huỳnh",
    "Phan",
    "Vũ",
    "Võ",
    "Đặng",
    "Bùi",
    "Đỗ",
    "Hồ",
    "Ngô",
    "Dương",
    "Lý",
    "Đinh",
    "Trịnh",
    "Đoàn",
    "Lương",
    "Mai",
    "Tô",
    "Cao",
    "Tạ",
    "Hà",
    "Thái",
    "Vương",
    "Quách",
    "Tống",
    "Giàng",
    "Lò",
    "Vi",
)
_MIDDLE = (
    "Văn",
    "Thị",
    "Đức",
    "Hữu",
    "Ngọc",
    "Thanh",
    "Xuân",
    "Quang",
    "Minh",
    "Thùy",
    "Bảo",
    "Đình",
    "Mỹ",
    "Công",
    "Thế",
    "Khánh",
)
_GIVEN = (
    "Mẫu",
    "Thử",
    "Nháp",
    "Ví Dụ",
    "Giả Định",
    "Minh Họa",
    "Thí Điểm",
    "Tập Dượt",
    "Phỏng Chế",
    "Vô Danh",
)
_COMMUNES = (
    "Mẫu Sơn Thử",
    "Ví Dụ Thượng",
    "Thử Nghiệm Hạ",
    "Minh Họa Đông",
    "Giả Định Tây",
    "Phỏng Chế Giang",
    "Bình Mẫu",
    "Tân Thử",
    "Đồng Nháp",
    "Yên Ví Dụ",
    "Hữu Mẫu",
)
_PROVINCES = ("Mẫu Giang", "Thử Nghiệm", "Minh Họa", "Giả Sơn", "Ví Dương", "Bắc Mẫu")
_HAMLETS = ("Nà Mẫu", "Bản Thử", "Khuổi Nháp", "Phố Ví Dụ", "Xóm Giữa", "Đồng Thử", "Ngã Ba")


@dataclass(frozen=True, slots=True)
class Place:
    """A commune and its province; `kind` is "xã" or "phường"."""

    kind: str
    commune: str
    province: str

    @property
    def organ(self) -> str:
        """The people's committee, as in running text."""
        return f"Ủy ban nhân dân {self.kind} {self.commune}"


@dataclass(frozen=True, slots=True)
class Matter:
    """A subject that papers are about: topic, the unit in charge, facts and tasks."""

    topic: str
    unit: str
    code: str
    facts: tuple[str, ...]
    tasks: tuple[str, ...]


@lru_cache(maxsize=1)
def library() -> tuple[tuple[Matter, ...], tuple[str, ...], tuple[str, ...]]:
    """Matters, legal grounds and closing clauses of `texts.toml`."""
    raw = tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))
    matters = tuple(
        Matter(m["topic"], m["unit"], m["code"], tuple(m["facts"]), tuple(m["tasks"]))
        for m in raw["matter"]
    )
    return matters, tuple(raw["legal"]), tuple(raw["closing"])


class Fiction:
    """A stream of invented details for one document; the same seed tells the same story."""

    def __init__(
        self, seed: int | str, *, matter: int | None = None, place: Place | None = None
    ) -> None:
        self.rng = random.Random(seed)
        rng = self.rng
        self.place = place or Place(
            rng.choice(("xã", "xã", "phường")), rng.choice(_COMMUNES), rng.choice(_PROVINCES)
        )
        self.year = rng.randint(2021, 2026)
        self.month = rng.randint(1, 12)
        self.day = rng.randint(1, 28)
        matters, self._legal, self._closing = library()
        self.signer: str | None = None
        self.matter = rng.choice(matters) if matter is None else matters[matter]

    def person(self) -> str:
        """A full name of two to four or five syllables."""
        rng = self.rng
        return f"{rng.choice(_FAMILY)} {rng.choice(_MIDDLE)} {rng.choice(_GIVEN)}"

    def signer_name(self) -> str:
        """Who signs for the agency: `self.signer` where it is set, else anybody."""
        name = self.person()  # drawn either way, so that the rest of the story stays the same
        return self.signer or name

    def citizen_number(self) -> str:
        """Twelve digits beginning with 000."""
        return f"000{self.rng.randint(0, 999_999_999):09d}"

    def hamlet(self) -> str:
        """A hamlet with a number."""
        return f"thôn {self.rng.choice(_HAMLETS)} {self.rng.randint(1, 12)}"

    def date_slashes(self) -> str:
        """A date as on forms: dd/mm/yyyy."""
        rng = self.rng
        return f"{rng.randint(1, 28):02d}/{rng.randint(1, 12):02d}/{rng.randint(1955, 2024)}"

    def recent(self) -> str:
        """A date in the year before the document: dd/mm/yyyy."""
        rng = self.rng
        return f"{rng.randint(1, 28):02d}/{rng.randint(1, 12):02d}/{self.year - 1}"

    def issued(self) -> str:
        """The document's own date as NĐ 30 writes it: day < 10 and months 1, 2 take a zero."""
        month = f"{self.month:02d}" if self.month <= 2 else str(self.month)
        return f"ngày {self.day:02d} tháng {month} năm {self.year}"

    def issued_iso(self) -> str:
        """The document's own date, ISO 8601."""
        return f"{self.year}-{self.month:02d}-{self.day:02d}"

    def number(self, most: int = 4800) -> str:
        """A document number; below 10 it has a leading zero (NĐ 30, Appendix I)."""
        return f"{self.rng.randint(1, most):02d}"

    def fill(self, template: str) -> str:
        """Replace the `{keys}` of a text; each use draws anew."""
        return template.format_map(_Keys(self))

    def facts(self, count: int) -> list[str]:
        """Up to `count` facts about the matter."""
        return self._draw(self.matter.facts, count)

    def tasks(self, count: int) -> list[str]:
        """Up to `count` tasks of the matter, then of other matters."""
        found = self._draw(self.matter.tasks, count)
        while len(found) < count:
            other = self.rng.choice(library()[0])
            found += self._draw(other.tasks, count - len(found))
        return found

    def legal(self, count: int) -> list[str]:
        """Legal grounds in the order of the library."""
        keep = sorted(self.rng.sample(range(len(self._legal)), min(count, len(self._legal))))
        return [self.fill(self._legal[i]) for i in keep]

    def closing(self) -> str:
        """The clause on taking effect."""
        return self.fill(self.rng.choice(self._closing))

    def _draw(self, pool: tuple[str, ...], count: int) -> list[str]:
        return [self.fill(t) for t in self.rng.sample(pool, min(count, len(pool)))]


class _Keys(Mapping[str, str]):
    """The `{keys}` that texts may use."""

    def __init__(self, story: Fiction) -> None:
        self._story = story

    def __getitem__(self, key: str) -> str:
        s, rng = self._story, self._story.rng
        numbers = {"n": (10, 990), "n2": (11, 98), "n3": (101, 987), "n4": (1001, 9876)}
        if key in numbers:
            value = rng.randint(*numbers[key])
            return f"{value:,}".replace(",", ".")
        match key:
            case "p":
                return f"{rng.randint(310, 999) / 10:.1f}".replace(".", ",")
            case "d":
                return f"{rng.randint(1, 28):02d}"
            case "m":
                return f"{rng.randint(1, 12):02d}"
            case "y":
                return str(s.year + rng.randint(0, 1))
            case "money":
                return f"{rng.randint(10, 990)}.{rng.randint(0, 99) * 10:03d}.000"
            case "organ":
                return s.place.organ
            case "province":
                return f"tỉnh {s.place.province}"
            case "hamlet" | "hamlet2":
                return s.hamlet()
            case "person":
                return s.person()
            case _:
                raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
