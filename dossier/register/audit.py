"""The auditor's tool: two checkpoints and a copy of the register, nothing else, no network.

    1 the checkpoints are of one log, by one key, and it grew             (split or shrunken log)
    2 the copy's leaves lead to both roots                   (removed, altered, inserted, moved)
    3 no entry is earlier than one before it, nor than the older checkpoint          (backdating)
    4 each code was issued once, each number once unless superseded             (double issuing)
    5 entries that the auditor kept before are where they were      (names which one was touched)

Whoever kept an older checkpoint need not trust the register for what is before it: a single
removed, altered, reordered or backdated entry leads to another root, whatever is signed anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from dossier.audit.chain import moment_text
from dossier.register.checkpoint import ProvedCheckpoint
from dossier.register.copy import Line, MalformedCopy, read_head, read_lines
from dossier.register.entry import Entry, Event
from dossier.register.findings import MOST_FINDINGS, Fault, Finding, RegisterReport
from dossier.register.merkle import Frontier

CLOCKS = timedelta(seconds=120)
"""How far the register's clock and the timestamping authority's may be apart.

The longest that a timestamp may come after the state that it is of
(`dossier.register.checkpoints.DELAY_S`) is in it.
"""


def audit(
    lines: Iterable[bytes],
    old: ProvedCheckpoint | None,
    new: ProvedCheckpoint,
    *,
    kept: Mapping[int, bytes] | None = None,
    clocks: timedelta = CLOCKS,
) -> RegisterReport:
    """Judge the copy `lines` by a kept checkpoint `old` and the present one `new`.

    `kept` are leaf hashes by index that the auditor holds from before (`kept_hashes`). Memory
    grows with the number of results. Raises `InvalidOrder` when `lines` are no copy at all.
    """
    return _Audit(old, new, kept or {}, clocks).run(lines)


def kept_hashes(lines: Iterable[bytes]) -> dict[int, bytes]:
    """The leaves of an earlier copy, by index. Raises `InvalidOrder`, `MalformedCopy`."""
    rest = iter(lines)
    read_head(next(rest, b""))
    return {line.index: line.leaf_hash for line in read_lines(rest)}


class _Audit:
    """One audit while it runs."""

    def __init__(
        self,
        old: ProvedCheckpoint | None,
        new: ProvedCheckpoint,
        kept: Mapping[int, bytes],
        clocks: timedelta,
    ) -> None:
        self._old, self._new, self._clocks = old, new, clocks
        self._kept = kept
        self._places = {root: index for index, root in kept.items()}
        self._findings: list[Finding] = []
        self._more = 0
        self._unproved: list[str] = []
        self._tree: Frontier | None = Frontier()  # None: a gap, no root can be computed any more
        self._next = 0  # the leaf that is expected
        self._entries = self._hashes = 0
        self._latest: Line | None = None
        self._results = _Results()

    def run(self, lines: Iterable[bytes]) -> RegisterReport:
        self._compare_checkpoints()
        rest = iter(lines)
        origin, _ = read_head(next(rest, b""))
        if origin != self._new.checkpoint.origin:
            self._add(Fault.OTHER_LOG, None, f"the copy is of {origin}")
        self._reached(0)
        try:
            for line in read_lines(rest):
                self._line(line)
        except MalformedCopy as error:
            self._tree = None
            self._add(Fault.UNREADABLE, self._next, str(error))
        size = self._new.checkpoint.size
        if self._next < size:
            self._add(Fault.TRUNCATED, self._next, f"it ends before entry {size - 1}")
        for index in sorted(self._places.values()):
            self._add(Fault.REMOVED, index)
        for fault, index, detail in self._results.end():
            self._add(fault, index, detail)
        return RegisterReport(
            self._new.checkpoint.origin,
            None if self._old is None else self._old.checkpoint.size,
            size,
            self._entries,
            self._hashes,
            tuple(self._findings),
            self._more,
            tuple(self._unproved),
        )

    # --- 1 the checkpoints ----------------------------------------------------------------

    def _compare_checkpoints(self) -> None:
        if self._old is None:
            self._unproved.append("no older checkpoint was given: nothing says what was before")
            return
        old, new = self._old.checkpoint, self._new.checkpoint
        if old.origin != new.origin:
            self._add(Fault.OTHER_LOG, None, f"{old.origin}, {new.origin}")
        if self._old.key.encoded != self._new.key.encoded:
            self._add(Fault.KEY_CHANGED, None, f"{self._old.key}, {self._new.key}")
        if old.size > new.size:
            self._add(Fault.SHRUNK, None, f"{old.size} > {new.size}")
        elif old.size == new.size and old.root != new.root:
            self._add(Fault.REWRITTEN, None, "two roots of one size")
        before, after = self._old.at, self._new.at
        if before is not None and after is not None and before > after:
            self._add(
                Fault.BACKDATED, None, "the newer checkpoint was timestamped before the older"
            )

    # --- 2 the leaves ---------------------------------------------------------------------

    def _line(self, line: Line) -> None:
        if line.index != self._next:
            fault = Fault.MISSING if line.index > self._next else Fault.OUT_OF_ORDER
            self._add(fault, self._next, f"the next line is of entry {line.index}")
            self._tree = None
            if line.index < self._next:
                return
        self._next = line.index + 1
        if self._tree is not None:
            self._tree.add(line.leaf_hash)
            self._reached(self._next)
        self._compare_with_kept(line)
        self._dates(line)
        if line.flaw is not None:
            self._add(Fault.UNREADABLE, line.index, line.flaw)
        if line.entry is None:
            self._hashes += 1
            self._results.hide()
            return
        self._entries += 1
        for fault, index, detail in self._results.take(line.entry):
            self._add(fault, index, detail)

    def _reached(self, size: int) -> None:
        """The tree has `size` leaves now: is this a checkpoint's state?"""
        assert self._tree is not None  # noqa: S101 - the caller looked
        for signed, fault in ((self._old, Fault.REWRITTEN), (self._new, Fault.DIFFERENT)):
            if signed is not None and size == signed.checkpoint.size:
                root = self._tree.root()
                if root != signed.checkpoint.root:
                    self._add(fault, None, f"the first {size} entries have another root")

    def _compare_with_kept(self, line: Line) -> None:
        kept = self._kept.get(line.index)
        place = self._places.pop(line.leaf_hash, None)
        if kept is not None and kept != line.leaf_hash and place is None:
            self._add(Fault.ALTERED, line.index)
        elif place is not None and place != line.index:
            self._add(Fault.REORDERED, line.index, f"it was entry {place}")

    # --- 3 the times ----------------------------------------------------------------------

    def _dates(self, line: Line) -> None:
        if self._latest is not None and line.at < self._latest.at:
            self._add(
                Fault.BACKDATED,
                line.index,
                f"{moment_text(line.at)}; entry {self._latest.index} before it has "
                f"{moment_text(self._latest.at)}",
            )
        else:
            self._latest = line
        for signed in filter(None, (self._old, self._new)):
            if signed.at is not None:
                self._date_by(line, signed.checkpoint.size, signed.at)

    def _date_by(self, line: Line, size: int, at: datetime) -> None:
        if line.index >= size and line.at < at - self._clocks:
            self._add(
                Fault.BACKDATED,
                line.index,
                f"{moment_text(line.at)}; the checkpoint before it is of {moment_text(at)}",
            )
        elif line.index < size and line.at > at + self._clocks:
            self._add(
                Fault.POSTDATED,
                line.index,
                f"{moment_text(line.at)}; the checkpoint over it is of {moment_text(at)}",
            )

    def _add(self, fault: Fault, index: int | None, detail: str = "") -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(Finding(fault, index, detail))
        else:
            self._more += 1


class _Results:
    """What was issued so far, as far as the copy shows it."""

    def __init__(self) -> None:
        self._issued: dict[str, int] = {}
        self._holders: dict[tuple[str, str | None, int | None, int], str] = {}
        # a result that took over a number, and the code that has to be superseded right behind it
        self._taking: tuple[Entry, str] | None = None
        self._is_whole = True  # all entries so far were shown

    def hide(self) -> None:
        """An entry is shown as a hash: it may be what another one seems to lack."""
        self._is_whole = False
        self._taking = None

    def take(self, entry: Entry) -> list[tuple[Fault, int, str]]:
        """Count `entry`; what is wrong with it and the one before."""
        told = entry.told
        found = []
        if self._taking is not None:
            taker, holder = self._taking
            if (told.event, told.code, told.by) == (Event.SUPERSEDED, holder, taker.told.code):
                self._taking = None
        found += self.end()
        if told.event is not Event.ISSUED:
            if self._is_whole and told.code not in self._issued:
                found.append((Fault.NEVER_ISSUED, entry.index, told.event.value))
            return found
        if told.code in self._issued:
            first = self._issued[told.code]
            found.append((Fault.ISSUED_TWICE, entry.index, f"first by entry {first}"))
        self._issued[told.code] = entry.index
        if told.number is not None:
            place = (told.agency, told.symbol, told.year, told.number)
            if self._is_whole and place in self._holders:
                self._taking = entry, self._holders[place]
            self._holders[place] = told.code
        return found

    def end(self) -> list[tuple[Fault, int, str]]:
        """What was left open by the entry before."""
        if self._taking is None:
            return []
        taker, holder = self._taking
        self._taking = None
        return [(Fault.NUMBER_TWICE, taker.index, f"held by entry {self._issued[holder]}")]
