"""What the register and a photograph say of an issued result, as values for the page.

`PhotoReader` is the seam to `dossier.printout`: the page needs no more of it than this.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dossier.bundle.making import Parts, make_bundle
from dossier.errors import NotFound, StateConflict
from dossier.register.codes import read_code
from dossier.register.log import Register
from dossier.register.proof import prove
from dossier.register.statuses import PUBLIC_FIELDS, ResultStatus, look_up, shown

if TYPE_CHECKING:
    from api.house import House
    from dossier.printout.report import PrintoutReport

_LOG = logging.getLogger(__name__)
Issued = Mapping[str, Any]
"""A result as the register shows it to the public (`dossier.register.statuses.shown`)."""
TONES = {"in-force": "valid", "superseded": "doubt", "annulled": "wrong"}


class PhotoReader(Protocol):
    """Reads the code on a photograph of a printout, in a process with bounds. Thread-safe."""

    def check(self, photo: Path) -> PrintoutReport:
        """What the printout is worth now. Blocks. Raises `ocr.errors.OCRError`."""
        ...

    def close(self) -> None:
        """End its processes."""
        ...


def issued_with(house: House, typed: str) -> Issued:
    """The result with the code that somebody typed.

    Raises `InvalidOrder` for what is no code, `NotFound`, `StoreError`.
    """
    return _shown(look_up(Register(house.database), read_code(typed)))


def issued_as(house: House, sha256: str) -> Issued | None:
    """The result that this document is, or was handed in for; None when the register has none."""
    register = Register(house.database)
    code = register.code_of(sha256)
    try:
        return _shown(look_up(register, code)) if code is not None else None
    except NotFound:
        return None


def _shown(found: ResultStatus) -> Issued:
    return shown(found, PUBLIC_FIELDS)


def bundle_of(house: House, report: Mapping[str, Any]) -> bytes:
    """The proof bundle of a published document that the visitor has, and so may have again.

    Raises `NotFound` for a document that is not in the register, `StoreError`.
    """
    register = Register(house.database)
    sha256 = report["document"]["sha256"]
    code = register.code_of(sha256)
    if code is None:
        raise NotFound(
            "Gói bằng chứng chỉ có cho kết quả do hệ thống này cấp. / Proof bundles are made of "
            "results that were issued here; make one of another document with “sohoa bundle make”."
        )
    try:
        proof = prove(register, code)
    except StateConflict:
        proof = None  # entered just now: no checkpoint covers it yet
    document = house.blobs.get(sha256)
    return make_bundle(Parts(document, report, house.trust.snapshot(), proof, code))


def photo_reader(house: House) -> PhotoReader:
    """A reader that believes the keys of the settings. Raises `TrustError`, `ProductionRefused`."""
    from api.pinned import proof_certificates
    from dossier.printout.desk import PrintoutDesk  # late: it loads what reads pictures

    return PrintoutDesk(proof_certificates(None, house.settings))
