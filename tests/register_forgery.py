"""Forged registers: what an operator with the register's own key could do, and an honest one.

    house = Forger(random.Random(1)); case = house.case()     # one forgery, and how it was made
    audit(case.lines, case.old, case.new, …)                  # has to be broken

The forger holds database and key, so the newer checkpoint may be signed anew over whatever the
log is made to say. All that he cannot touch is the older checkpoint, which somebody kept.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from dossier.register import merkle, notes
from dossier.register.checkpoint import Checkpoint, ProvedCheckpoint, SignedCheckpoint
from dossier.register.copy import shown
from dossier.register.entry import Entry, Registration
from tests.fakes import SoftwareKey
from tests.register_entries import annulled, digest, issued, renewed, superseded

ORIGIN = "so.example.vn/ket-qua"
BEGAN = dt.datetime(2026, 1, 5, 1, 0, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Case:
    """A copy of a log with two checkpoints; `attack` is None for an honest one."""

    attack: str | None
    lines: list[bytes]
    old: ProvedCheckpoint
    new: ProvedCheckpoint


class Forger:
    """Makes logs, honest and forged. `size` is the most that one has."""

    def __init__(self, chance: random.Random, size: int = 300) -> None:
        self.chance = chance
        self.size = size
        self.key = SoftwareKey(label="register")
        self.keys = [notes.NoteKey.of(ORIGIN, self.key)]

    # --- an honest log ----------------------------------------------------------------------

    def log(self, count: int) -> list[Entry]:
        """`count` entries as a service makes them, some seconds apart."""
        told: list[Registration] = []
        number = 0
        living: list[Registration] = []
        while len(told) < count:
            turn = self.chance.random()
            if turn < 0.85 or not living:
                number += 1
                living.append(issued(number))
                told.append(living[-1])
                continue
            at = self.chance.randrange(len(living))
            if turn < 0.90:
                told.append(renewed(living[at]))
            elif turn < 0.95:
                told.append(annulled(living.pop(at)))
            elif len(told) + 1 < count:  # a decision that takes the number over
                new = issued(living[at].number or 0)
                told += [new, superseded(living.pop(at), new)]
                living.append(new)
        at, made = BEGAN, []
        for index, one in enumerate(told):
            at += dt.timedelta(seconds=self.chance.uniform(0, 40))
            made.append(Entry.read(index, at, one.text().decode()))
        return made

    def checkpoint(self, entries: list[Entry], size: int, at: dt.datetime) -> ProvedCheckpoint:
        """The signed, timestamped state of the first `size` of `entries`."""
        root = merkle.root_of(entry.leaf_hash for entry in entries[:size])
        note = notes.sign(Checkpoint(ORIGIN, size, root).text(), ORIGIN, self.key)
        return replace(SignedCheckpoint(note).proved([], keys=self.keys), at=at)

    def copy(self, entries: list[Entry]) -> list[bytes]:
        """A copy, whole or with some entries shown as hashes."""
        share = self.chance.choice([1.0, 1.0, 0.7, 0.0])
        return lines_of(entries, lambda: self.chance.random() < share)

    def honest(self) -> Case:
        """A log that nobody touched."""
        entries = self.log(self.chance.randrange(8, self.size))
        old = self.chance.randrange(1, len(entries) + 1)
        return self._case(None, entries, entries, old, anew=False)

    # --- forgeries --------------------------------------------------------------------------

    def case(self, attack: str | None = None) -> Case:
        """One forgery, of a kind of its own choice."""
        name = attack or self.chance.choice(sorted(ATTACKS))
        entries = self.log(self.chance.randrange(8, self.size))
        old = self.chance.randrange(3, len(entries))
        forged, anew = ATTACKS[name](self, entries, old)
        return self._case(name, entries, forged, old, anew=anew)

    def _case(
        self, name: str | None, true: list[Entry], forged: list[Entry], old: int, *, anew: bool
    ) -> Case:
        """The older checkpoint is of the true log; the newer one too, unless it is made anew."""
        signed = forged if anew else true
        later = dt.timedelta(seconds=20)
        return Case(
            name,
            self.copy(forged),
            self.checkpoint(true, old, true[old - 1].at + later),
            self.checkpoint(signed, len(signed), true[-1].at + later + later),
        )

    def removed(self, entries: list[Entry], old: int) -> tuple[list[Entry], bool]:
        """An entry is gone: of before the older checkpoint, or merely from the copy."""
        anew = self.chance.random() < 0.5
        at = self.chance.randrange(old if anew else len(entries))
        return _placed([*entries[:at], *entries[at + 1 :]]), anew

    def truncated(self, entries: list[Entry], old: int) -> tuple[list[Entry], bool]:
        """The last entries are gone, below the older checkpoint."""
        return entries[: self.chance.randrange(old)], True

    def altered(self, entries: list[Entry], old: int) -> tuple[list[Entry], bool]:
        """An entry says something else."""
        anew = self.chance.random() < 0.5
        at = self.chance.randrange(old if anew else len(entries))
        entry = entries[at]
        changes: list[Callable[[Registration], Registration]] = [
            lambda told: replace(told, document_sha256=digest(f"forged {at}")),
            lambda told: replace(told, agency="H22.99"),
            lambda told: replace(told, reason="Lý do khác (mẫu)"),
            lambda told: replace(told, number=(told.number or 0) + 1),
            lambda told: replace(told, code=issued(1).code),
        ]
        told = self.chance.choice(changes)(entry.told)
        return _with(entries, at, told, entry.at), anew

    def reordered(self, entries: list[Entry], old: int) -> tuple[list[Entry], bool]:
        """Two entries have changed places."""
        anew = self.chance.random() < 0.5
        a, b = self.chance.sample(range(old if anew else len(entries)), 2)
        mixed = list(entries)
        mixed[a], mixed[b] = mixed[b], mixed[a]
        return _placed(mixed), anew

    def inserted(self, entries: list[Entry], old: int) -> tuple[list[Entry], bool]:
        """A result is slipped in as if it had always been there, with a fitting time."""
        at = self.chance.randrange(old)
        slipped = Entry.read(at, entries[at].at, issued(9000 + at).text().decode())
        return _placed([*entries[:at], slipped, *entries[at:]]), True

    def backdated(self, entries: list[Entry], old: int) -> tuple[list[Entry], bool]:
        """A result of today says that it is of last week: behind all others, or in the middle."""
        if self.chance.random() < 0.5:
            at = entries[self.chance.randrange(old)].at - dt.timedelta(
                days=self.chance.randrange(1, 30)
            )
            late = Entry.read(len(entries), at, issued(9000).text().decode())
            return [*entries, late], True
        at = self.chance.randrange(old)
        earlier = entries[at].at - dt.timedelta(seconds=self.chance.uniform(0.001, 1e6))
        return _with(entries, at, entries[at].told, earlier), self.chance.random() < 0.5

    def set_back(self, entries: list[Entry], old: int) -> tuple[list[Entry], bool]:
        """Everything behind the older checkpoint is dated before it: no clock runs backwards."""
        start = entries[old - 1].at - dt.timedelta(days=1)
        step = dt.timedelta(milliseconds=1)
        dated = [replace(entry, at=start + step * entry.index) for entry in entries[old:]]
        return [*entries[:old], *dated], True

    def issued_twice(self, entries: list[Entry], old: int) -> tuple[list[Entry], bool]:
        """A second document with the code of the first."""
        first = next(entry.told for entry in entries)
        twin = replace(first, document_sha256=digest("a second one"))
        return [*entries, Entry.read(len(entries), entries[-1].at, twin.text().decode())], True

    def numbered_twice(self, entries: list[Entry], old: int) -> tuple[list[Entry], bool]:
        """A second decision with a number that was given, and nothing superseded."""
        number = entries[0].told.number or 0
        twin = issued(number)
        return [*entries, Entry.read(len(entries), entries[-1].at, twin.text().decode())], True


ATTACKS: dict[str, Callable[[Forger, list[Entry], int], tuple[list[Entry], bool]]] = {
    "removed": Forger.removed,
    "truncated": Forger.truncated,
    "altered": Forger.altered,
    "reordered": Forger.reordered,
    "inserted": Forger.inserted,
    "backdated": Forger.backdated,
    "set-back": Forger.set_back,
}
"""What every copy shows, whole or partial."""

WHOLE_ATTACKS = {
    "issued-twice": Forger.issued_twice,
    "numbered-twice": Forger.numbered_twice,
}
"""What only those see who see both entries whole."""


def lines_of(entries: list[Entry], is_shown: Callable[[], bool] = lambda: True) -> list[bytes]:
    """The lines of a copy; what is not shown stands there as its hash."""
    lines: list[dict[str, object]] = [
        {"type": "sohoa register copy 1", "origin": ORIGIN, "size": len(entries)}
    ]
    for index, entry in enumerate(entries):
        lines.append({**shown(entry, whole=is_shown()), "index": index})
    return [json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines]


def _placed(entries: list[Entry]) -> list[Entry]:
    return [replace(entry, index=index) for index, entry in enumerate(entries)]


def _with(entries: list[Entry], at: int, told: Registration, when: dt.datetime) -> list[Entry]:
    changed = Entry.read(at, when, told.text().decode())
    return [*entries[:at], changed, *entries[at + 1 :]]
