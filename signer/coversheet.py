"""The signed payload of a cover sheet's QR code: which papers follow, where, and until when.

    payload = sign_cover_sheet(claims, key)      # bytes, for a QR code in byte mode
    sheet = CoverSheetKeys([certificate]).verify(payload)

A `signer.cose` message with CWT claims (RFC 8392): agency as issuer (1), expiry (4), time of
issue (6), serial as message identifier (7); dossier, station and components stand in one private
claim, another one than that of `signer.proofcode`: a code of one kind is none of the other, even
under the same key. Expiry, station and agency are told here and judged where the stack is split
(`dossier.intake.splitting`), for each wrong one is an alarm of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from hsm.keys import SigningKey
from signer.cose import (
    EXPIRY,
    ISSUED_AT,
    ISSUER,
    MESSAGE_ID,
    PinnedKeys,
    SignedMessage,
    decoded,
    encoded,
    instant,
    shown_text,
    sign_message,
    typed,
    valid_at,
)
from signer.errors import (
    CoverSheetForged,
    CoverSheetKeyUnknown,
    CoverSheetMalformed,
    MessageForged,
    MessageKeyUnknown,
    MessageMalformed,
    PolicyRefused,
)
from signer.trust import TrustStore

MAX_SHEET_BYTES = 1200
"""Of a payload. A code of level M holds twice as many, in modules too small for 150 dpi."""
MAX_COMPONENTS = 40
SERIAL_BYTES = 10
_MAX_PAGES = 5000
_ENVELOPE_BYTES = 140  # of the message around a payload, signature of P-384 included
_SHEET = -65538  # claims below -65536 are for private use (RFC 8392 9.1)
_DOSSIER, _STATION, _COMPONENTS = 1, 2, 3  # within _SHEET


@dataclass(frozen=True, slots=True)
class SheetComponent:
    """A paper of the dossier as the sheet announces it.

    `code` is that of the dossier component (thành phần hồ sơ), `pages` how many pages with
    something on them it has (blank backs do not count).
    """

    code: str
    pages: int


@dataclass(frozen=True, slots=True)
class CoverSheetClaims:
    """What a cover sheet says. Times are aware; whole seconds are kept.

    `agency` is the agency's identifier, `dossier` the dossier's code, `station` that of the
    scanning station, `serial` ten random bytes that no other sheet has. The components stand in
    the order in which the papers lie.
    """

    agency: str
    dossier: str
    station: str
    serial: bytes
    components: tuple[SheetComponent, ...]
    issued_at: dt.datetime
    valid_until: dt.datetime

    @property
    def pages(self) -> int:
        """Pages of all components."""
        return sum(component.pages for component in self.components)


@dataclass(frozen=True, slots=True)
class VerifiedCoverSheet:
    """A sheet whose signature holds under a pinned key."""

    claims: CoverSheetClaims
    certificate: x509.Certificate


def sign_cover_sheet(claims: CoverSheetClaims, key: SigningKey) -> bytes:
    """The payload of a sheet's QR code; one use of `key`, blocking.

    Raises `PolicyRefused` for a key that makes no small signatures or claims that do not fit,
    and `hsm.errors.HSMError`.
    """
    return sign_message(claims_payload(claims), key)


def claims_payload(claims: CoverSheetClaims) -> bytes:
    """What is signed, in deterministic CBOR. Raises `PolicyRefused` for what does not fit."""
    payload = encoded(
        {
            ISSUER: claims.agency,
            EXPIRY: int(claims.valid_until.timestamp()),
            ISSUED_AT: int(claims.issued_at.timestamp()),
            MESSAGE_ID: claims.serial,
            _SHEET: {
                _DOSSIER: claims.dossier,
                _STATION: claims.station,
                _COMPONENTS: [[c.code, c.pages] for c in claims.components],
            },
        }
    )
    try:
        _claims_of(payload)
    except MessageMalformed as error:
        raise PolicyRefused(
            f"Nội dung tờ bìa không hợp lệ ({error}); hãy sửa mã hồ sơ, quầy, danh mục thành phần "
            "hoặc thời hạn, hay chia hồ sơ ra nhiều tờ bìa. / What the cover sheet should say does "
            f"not fit: {error}; correct dossier, station, components or expiry, or use several "
            "sheets."
        ) from error
    return payload


class CoverSheetKeys:
    """The keys whose cover sheets split a stack. Immutable, safe for threads."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        """The certificates are pinned: being given here is the trust."""
        self._keys = PinnedKeys(certificates)

    @classmethod
    def under(cls, certificates: Iterable[x509.Certificate], store: TrustStore) -> CoverSheetKeys:
        """Those of `certificates` that lead to an anchor of `store` (`PinnedKeys.under`)."""
        return cls(PinnedKeys.under(certificates, store).certificates)

    def verify(self, payload: bytes) -> VerifiedCoverSheet:
        """Whose sheet it is. Asks nobody; says nothing of station and expiry.

        Raises `CoverSheetMalformed` for what is no cover sheet, `CoverSheetKeyUnknown` when its
        key is not in the list or was not valid when the sheet was made, `CoverSheetForged` when
        the signature does not hold.
        """
        message, claims = _read(payload)
        try:
            certificate = self._keys.certificate_of(message)
        except MessageKeyUnknown as error:
            raise CoverSheetKeyUnknown(
                f"Tờ bìa do một khóa không được tin cậy ký ({error}); hãy in lại tờ bìa tại hệ "
                "thống này. / The cover sheet is signed with a key that is not trusted here; print "
                "the sheet again from this system."
            ) from error
        except MessageForged as error:
            raise CoverSheetForged(
                "Chữ ký trên tờ bìa không đúng: tờ bìa bị sửa hoặc giả mạo; hãy in lại và báo "
                "người phụ trách. / The signature of the cover sheet does not hold: it was altered "
                "or forged; print it again and tell the person in charge."
            ) from error
        if not valid_at(certificate, claims.issued_at):
            raise CoverSheetKeyUnknown(
                "Tờ bìa nêu thời điểm lập ngoài thời hạn của chứng thư đã ký nó; hãy in lại. / The "
                "cover sheet says it was made when its key's certificate was not valid; print it "
                "again."
            )
        return VerifiedCoverSheet(claims, certificate)


def unverified_cover_sheet(payload: bytes) -> CoverSheetClaims:
    """What a sheet says, believed by nobody yet. Raises `CoverSheetMalformed`."""
    return _read(payload)[1]


def _read(payload: bytes) -> tuple[SignedMessage, CoverSheetClaims]:
    try:
        message = SignedMessage.read(payload, MAX_SHEET_BYTES)
        return message, _claims_of(message.payload)
    except MessageMalformed as error:
        raise CoverSheetMalformed(
            f"Mã này không phải mã tờ bìa ({error}). / This code is none of a cover sheet: {error}."
        ) from error


def _claims_of(payload: bytes) -> CoverSheetClaims:
    """Raises `MessageMalformed`."""
    found = decoded(payload, MAX_SHEET_BYTES - _ENVELOPE_BYTES)
    if not isinstance(found, dict):
        raise MessageMalformed("the payload is no map of claims")
    sheet = typed(found, _SHEET, dict)
    serial = typed(found, MESSAGE_ID, bytes)
    if len(serial) != SERIAL_BYTES:
        raise MessageMalformed("the serial has the wrong length")
    issued_at = instant(typed(found, ISSUED_AT, int))
    valid_until = instant(typed(found, EXPIRY, int))
    if valid_until <= issued_at:
        raise MessageMalformed("it expires before it was made")
    components = typed(sheet, _COMPONENTS, list)
    if not 0 < len(components) <= MAX_COMPONENTS:
        raise MessageMalformed(f"it lists no component, or more than {MAX_COMPONENTS}")
    return CoverSheetClaims(
        agency=shown_text(typed(found, ISSUER, str)),
        dossier=shown_text(typed(sheet, _DOSSIER, str)),
        station=shown_text(typed(sheet, _STATION, str)),
        serial=serial,
        components=tuple(_component(entry) for entry in components),
        issued_at=issued_at,
        valid_until=valid_until,
    )


def _component(entry: Any) -> SheetComponent:  # noqa: ANN401 - CBOR holds anything
    if type(entry) is not list or len(entry) != 2 or type(entry[0]) is not str:
        raise MessageMalformed("a component is a code and a number of pages")
    code, pages = entry
    if type(pages) is not int or not 0 < pages <= _MAX_PAGES:
        raise MessageMalformed("a number of pages is out of range")
    return SheetComponent(shown_text(code), pages)
