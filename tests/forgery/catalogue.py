"""The list of forgeries: what each is called, what it is a trace of, and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from signer.verification.attacks import Attack
from signer.verification.report import Indication, Integrity, VerificationReport
from tests.fakes import SoftwareKey

Make = Callable[[bytes, SoftwareKey], bytes]


@dataclass(frozen=True)
class Forgery:
    """`make` turns a signed file into a forged one; the key is one that the verifier trusts.

    `prepared` asks for a file whose author planned the attack before it was signed. Every one
    of `words` names the attack rightly: variants of one trick leave the same trace.
    """

    name: str
    words: frozenset[Attack]
    make: Make
    prepared: bool = False

    def __str__(self) -> str:
        return self.name


class Catalogue:
    """Collects forgeries of one class.

    @forgeries(Attack.SHADOW_HIDE)
    def cover_emptied(data, key): …
    """

    def __init__(self) -> None:
        self.all: list[Forgery] = []

    def __call__(self, *words: Attack, prepared: bool = False) -> Callable[[Make], Make]:
        def keep(make: Make) -> Make:
            self.add(make.__name__, make, *words, prepared=prepared)
            return make

        return keep

    def add(self, name: str, make: Make, *words: Attack, prepared: bool = False) -> None:
        """One more, where a loop makes them."""
        self.all.append(Forgery(name, frozenset(words), make, prepared))


def in_turn(catalogue: Catalogue, names: Sequence[str]) -> list[tuple[Forgery, str]]:
    """Each forgery on one of the files, the files taking turns; all on all is the long proof's."""
    return [(forgery, names[at % len(names)]) for at, forgery in enumerate(catalogue.all)]


def spoken(value: object) -> str:
    """The id of a test's parameter."""
    return str(value)


def assert_not_fooled(report: VerificationReport, words: frozenset[Attack]) -> None:
    """Not accepted, not called intact, understood, and named."""
    found = [(c.check, c.detail) for c in report.all_checks() if c.outcome.value != "PASSED"]
    assert report.indication is not Indication.TOTAL_PASSED, report.integrity
    assert report.integrity is not Integrity.INTACT, found
    assert not [detail for check, detail in found if check == "file.escape"]
    assert report.attacks & words, (sorted(report.attacks), sorted(words), found)
