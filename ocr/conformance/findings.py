"""What the checker has to say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One departure from the closed world.

    `rule` is this checker's identifier (``font.width``), `clause` the clause of ISO 19005-3 it
    rests on, `where` the object (``object 12, /Font /F0``), `message` what is wrong with it.
    """

    rule: str
    clause: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule} (ISO 19005-3, {self.clause}) at {self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class ConformanceReport:
    """The outcome of a check. Empty `findings` mean that nothing but the known was found.

    `revisions` counts the incremental updates, the first writing included; `signatures` counts
    signatures and document timestamps.
    """

    findings: tuple[Finding, ...]
    revisions: int
    pages: int
    signatures: int

    def __bool__(self) -> bool:
        raise TypeError("a report is no verdict: look at `findings`, or call require_conformant()")
