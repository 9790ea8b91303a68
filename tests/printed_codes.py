"""Documents that bear the QR code of an issued result, made for tests."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from contextlib import closing

import numpy as np
import pypdfium2

from hsm.keys import SigningKey
from signer.proofcode import ProofClaims, sign_proof
from signer.prooftext import ProofText, proof_text
from signer.sealing.appearance.printcode import Caption, PlannedCode
from signer.sealing.appearance.profiles import ProfileSet, default_profiles
from signer.sealing.appearance.vacancy import vacancy_of
from signer.sealing.mark import Mark

LOOKUP = "https://sohoa.example/verify"
CODE = "7K2M9QXT4AHWC3RN"
CAPTION = Caption("Sohoa (hệ thống mẫu)", "7K2M-9QXT-4AHW-C3RN", LOOKUP)


def claims_for(document: bytes, **changes) -> ProofClaims:
    """What the code of `document` says unless told otherwise."""
    values = {
        "issuer": "UBND xã Mẫu Sơn Thử",
        "code": CODE,
        "digest": hashlib.sha256(document).digest(),
        "issued_at": dt.datetime.now(dt.UTC).replace(microsecond=0),
        "number": "379/QĐ-UBND",
        "decided_on": dt.date(2026, 11, 23),
        "holder": "N. V. An",
        "valid_until": None,
    }
    return ProofClaims(**{**values, **changes})


def code_text(document: bytes, key: SigningKey, **changes) -> ProofText:
    """The text of the code of `document`."""
    claims = claims_for(document, **changes)
    return proof_text(LOOKUP, claims.code, sign_proof(claims, key))


def planned(
    document: bytes, key: SigningKey, *, profiles: ProfileSet | None = None, **changes
) -> PlannedCode:
    """The code of `document`, ready for its place."""
    return PlannedCode(
        code_text(document, key, **changes),
        CAPTION,
        profiles or default_profiles(),
        dt.datetime.now(dt.UTC),
        lambda index, width, height: vacancy_of(document, index, width, height),
    )


def mark_of(document: bytes, key: SigningKey, **changes) -> Mark:
    """The code of `document` as a mark on it."""
    return Mark(planned(document, key, **changes), f"Mã kết quả {CODE}")


def drawn(pdf: bytes, dpi: float, page: int = 0) -> np.ndarray:
    """A page as a viewer shows it, grey."""
    with closing(pypdfium2.PdfDocument(io.BytesIO(pdf))) as document:
        document.init_forms()
        with closing(document[page]) as found:
            bitmap = found.render(scale=dpi / 72, grayscale=True)
            return np.array(bitmap.to_numpy()).reshape(bitmap.height, bitmap.width)
