"""From an issued result to the code on its first page.

    code = make_code(facts, key, printing)      # one use of the key
    mark = code.mark(document, profiles, at)    # placed when the document is sealed

The code is signed before the document is: every signature on the document covers it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path

from hsm.keys import SigningKey
from signer.proofcode import ProofClaims, sign_proof
from signer.prooftext import Masking, ProofText, masked, proof_text
from signer.sealing.appearance.printcode import Caption, PlannedCode
from signer.sealing.appearance.profiles import ProfileSet
from signer.sealing.appearance.vacancy import vacancy_of
from signer.sealing.mark import Mark


@dataclass(frozen=True, slots=True)
class Printing:
    """How codes are printed here: the page they open, the system's name, how names are masked."""

    lookup_url: str
    system: str
    masking: Masking = Masking.INITIALS


@dataclass(frozen=True, slots=True)
class CodePrinter:
    """How a service prints codes: with the key of which label, and whether unasked."""

    printing: Printing
    key_label: str
    always: bool = False


@dataclass(frozen=True, slots=True)
class ResultFacts:
    """What is issued. `code` as it is kept, `printed_code` as people read it.

    `source_sha256` is the digest (hex) of the document as it was handed in; `holder` is the whole
    name, which is masked here.
    """

    issuer: str
    code: str
    printed_code: str
    source_sha256: str
    at: datetime
    number: str | None = None
    decided_on: date | None = None
    holder: str | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PrintedCode:
    """A signed code on its way to the page."""

    text: ProofText
    caption: Caption

    def mark(self, document: bytes | Path, profiles: ProfileSet, at: datetime) -> Mark:
        """The code as a mark on `document`, which is looked at when the mark is placed."""
        plan = PlannedCode(self.text, self.caption, profiles, at, partial(vacancy_of, document))
        return Mark(plan, f"Mã kết quả {self.caption.code} – {self.caption.address}")


def make_code(facts: ResultFacts, key: SigningKey, printing: Printing) -> PrintedCode:
    """Sign the code; one use of `key`. Raises `PolicyRefused` and `hsm.errors.HSMError`."""
    claims = ProofClaims(
        issuer=facts.issuer,
        code=facts.code,
        digest=bytes.fromhex(facts.source_sha256),
        issued_at=facts.at,
        number=facts.number,
        decided_on=facts.decided_on,
        holder=masked(facts.holder, printing.masking),
        valid_until=facts.valid_until,
    )
    text = proof_text(printing.lookup_url, facts.code, sign_proof(claims, key))
    return PrintedCode(text, Caption(printing.system, facts.printed_code, printing.lookup_url))


def digest_of_file(document: Path) -> str:
    """SHA-256 (hex) of the document as it was handed in."""
    with document.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
