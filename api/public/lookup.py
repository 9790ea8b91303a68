"""What the register and a photograph say of an issued result, as values for the page."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from api.pinned import proof_certificates
from dossier.bundle.making import Parts, make_bundle
from dossier.errors import NotFound, StateConflict
from dossier.register.codes import read_code
from dossier.register.proof import prove
from dossier.register.statuses import ResultStatus, look_up, masked_by, shown

if TYPE_CHECKING:
    from api.house import House

Issued = Mapping[str, Any]
"""A result as the register shows it to the public (`dossier.register.statuses.shown`)."""
TONES = {"in-force": "valid", "superseded": "doubt", "annulled": "wrong"}


def issued_with(house: House, typed: str) -> Issued:
    """The result with the code that somebody typed.

    Raises `InvalidOrder` for what is no code, `NotFound`, `StoreError`.
    """
    return _shown(house, look_up(house.register.log, read_code(typed)))


def issued_as(house: House, sha256: str) -> Issued | None:
    """The result that this document is, or was handed in for; None when the register has none."""
    register = house.register.log
    code = register.code_of(sha256)
    try:
        return _shown(house, look_up(register, code)) if code is not None else None
    except NotFound:
        return None


def _shown(house: House, found: ResultStatus) -> Issued:
    return shown(found, house.settings.results.public_fields)


def bundle_of(house: House, report: Mapping[str, Any]) -> bytes:
    """The proof bundle of a published document that the visitor has, and so may have again.

    The register's proof tells all that was entered, so it is left out where something is not for
    the public. Raises `NotFound` for a document that is not in the register, `StoreError`.
    """
    register = house.register.log
    sha256 = report["document"]["sha256"]
    code = register.code_of(sha256)
    if code is None:
        raise NotFound(
            "Gói bằng chứng chỉ có cho kết quả do hệ thống này cấp. / Proof bundles are made of "
            "results that were issued here; make one of another document with “sohoa bundle make”."
        )
    proof = None
    if not masked_by(look_up(register, code), house.settings.results.public_fields):
        with suppress(StateConflict):  # entered just now: no checkpoint covers it yet
            proof = prove(register, code)
    document = house.blobs.get(sha256)
    return make_bundle(Parts(document, report, house.trust.snapshot(), proof, code))


def read_photo(house: House, path: Path) -> dict[str, Any] | None:
    """What the code on a photograph is worth, by the keys of the settings; None: no picture.

    Blocks; the picture is parsed in a checker. Raises `VerificationStopped`, `Overloaded`,
    `TrustError`, `ProductionRefused`.
    """
    keys = [
        certificate.public_bytes(Encoding.DER)
        for certificate in proof_certificates(None, house.settings)
    ]
    told: dict[str, Any] = json.loads(house.verifier.printout(path, keys, dt.datetime.now(dt.UTC)))
    return None if told.get("unreadable") is not None else told
