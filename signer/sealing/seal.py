"""Seals documents: PAdES B-B, B-T, B-LT and B-LTA (ETSI EN 319 142-1).

    refuse what may not be signed > copy and hash > place the stamps > sign > check > release

No key is used before the document, the field and the certificate have passed their checks, and
no file appears before its signatures have passed theirs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509

from hsm.keys import SignatureScheme, SigningKey
from signer.errors import PolicyRefused, ReservationTooSmall
from signer.sealing.augment import TIMESTAMP_DIGEST, Augmenter, now, token_room
from signer.sealing.check import check_signature, check_timestamp
from signer.sealing.cms import CMSBuilder, fit
from signer.sealing.fields import INVISIBLE, SignatureField
from signer.sealing.levels import Level
from signer.sealing.locks import certification, field_lock
from signer.sealing.mark import Mark, mark_page
from signer.sealing.release import memory_file, opened, released
from signer.sealing.session import SealingRun, sealing_run
from signer.sealing.stamp import Rect, Stamp, StampPlan
from signer.sealing.syntax import Ref, Value, date, numbers, stream, text_string
from signer.services import RevocationSource, Timestamper

Precheck = Callable[[SigningKey, datetime], None]
_SAME_SIZE = 1.0  # points by which a stamp may differ from the field that it goes into


@dataclass(frozen=True, slots=True)
class SealRequest:
    """One signature to make.

    `field_name` names an empty field to fill or a new one to create; None creates one with an
    unused name. Without a `stamp` the signature is invisible. `claimed_at` becomes /M (aware;
    None: the sealer's clock). `certify` makes it the certifying signature, after which only
    signing and form filling are permitted. `bytes_reserved` overrides the room for the CMS,
    which is computed otherwise.
    """

    key: SigningKey
    level: Level = Level.B_B
    field_name: str | None = None
    stamp: StampPlan | None = None
    reason: str | None = None
    location: str | None = None
    contact: str | None = None
    claimed_at: datetime | None = None
    certify: bool = False
    bytes_reserved: int | None = None

    def __post_init__(self) -> None:
        if self.claimed_at is not None and self.claimed_at.utcoffset() is None:
            raise ValueError("claimed_at needs a time zone")


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """An empty field to create ahead; its stamp gives page and rectangle (None: invisible)."""

    name: str
    stamp: StampPlan | None = None


@dataclass(frozen=True, slots=True)
class SealResult:
    """A signature that was made and checked."""

    field_name: str
    level: Level
    digest_name: str
    digest: bytes  # over the byte range
    byte_range: tuple[int, int, int, int]
    signature: bytes  # as the token gave it
    page_index: int | None  # None for an invisible signature
    rect: Rect
    document_timestamp: str | None  # the field of a B-LTA's document timestamp


@dataclass(frozen=True, slots=True)
class _Planned:
    """A request whose place is settled; no `field` yet where this run still has to create it."""

    request: SealRequest
    name: str
    field: SignatureField | None
    stamp: Stamp | None


class Sealer:
    """Makes signatures. Safe for several threads when its collaborators are.

    `precheck` refuses certificates before any key is used (S10); it is given the key and the
    present. `require_tsa` raises `TimestampError`, as early, while the TSA is known to be away.
    """

    def __init__(
        self,
        timestamper: Timestamper | None = None,
        revocation: RevocationSource | None = None,
        *,
        precheck: Precheck,
        require_tsa: Callable[[], None] = lambda: None,
        known_certificates: Collection[x509.Certificate] = (),
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._augmenter = Augmenter(
            timestamper, revocation, known_certificates=known_certificates, clock=clock
        )
        self._precheck = precheck
        self._require_tsa = require_tsa
        self._clock = clock

    def seal_file(self, source: Path, target: Path, request: SealRequest) -> SealResult:
        """Seal `source` into `target`, which may be the same path; memory use stays flat.

        Raises `UnsuitableDocument`, `PolicyRefused`, `CertificateRefused`, `ProfileError`,
        `ReservationTooSmall`, `TimestampError`, `RevocationError`, `OutputRejected`, and
        `hsm.errors.HSMError`; then `target` is as it was.
        """
        return self.seal_many(source, target, [request])[0]

    def seal_many(
        self,
        source: Path,
        target: Path,
        requests: Sequence[SealRequest],
        mark: Mark | None = None,
    ) -> list[SealResult]:
        """Make several signatures in turn, reading and hashing the document once.

        All fields are created before the first signature, so that each later one only fills a
        form; `mark` is printed before it too. Raises as `seal_file`; when one signature fails,
        none is released.
        """
        self._check(requests)
        with opened(source) as source_fd, released(target) as target_fd:
            return self._seal(source_fd, target_fd, requests, mark)

    def seal_bytes(self, pdf: bytes, request: SealRequest) -> tuple[bytes, SealResult]:
        """Seal a document in memory; for small ones. Raises as `seal_file`."""
        sealed, (result,) = self.seal_many_bytes(pdf, [request])
        return sealed, result

    def seal_many_bytes(
        self, pdf: bytes, requests: Sequence[SealRequest], mark: Mark | None = None
    ) -> tuple[bytes, list[SealResult]]:
        """`seal_many` in memory. Raises as `seal_file`."""
        self._check(requests)
        with memory_file() as fd:
            results = self._seal(pdf, fd, requests, mark)
            return os.pread(fd, os.fstat(fd).st_size, 0), results

    def prepare_fields(self, source: Path, target: Path, plans: Sequence[FieldPlan]) -> None:
        """Create empty signature fields, so that the signatures to come only fill a form.

        Raises `UnsuitableDocument`, `PolicyRefused`, `ProfileError`.
        """
        with (
            opened(source) as source_fd,
            released(target) as target_fd,
            sealing_run(source_fd, target_fd, []) as run,
        ):
            for plan in plans:
                run.restrictions.check_signing(plan.name, None)
                _create(run, plan.name, plan.stamp.resolve(run.fields) if plan.stamp else None)
            run.revisions.commit()

    def _check(self, requests: Sequence[SealRequest]) -> None:
        """Refuse what can be refused before anything is read."""
        if not requests:
            raise PolicyRefused(
                "Không có yêu cầu ký nào; hãy nêu ít nhất một. / There is no signature to make; "
                "give at least one request."
            )
        for request in requests:
            self._augmenter.require(request.level)
            self._room(request)
            self._precheck(request.key, self._clock())
        if any(request.level.timestamped for request in requests):
            self._require_tsa()

    def _room(self, request: SealRequest) -> int:
        """Bytes to reserve. Raises `ReservationTooSmall` before the key is used if it can."""
        builder = _builder(request.key.certificate, request.key.chain, request.key.scheme)
        tokens = self._timestamper(request.level)
        needed = builder.reservation(token_room(tokens) if tokens else 0)
        reserved = request.bytes_reserved or needed
        if reserved < builder.reservation():
            raise ReservationTooSmall(
                f"{reserved} byte không đủ cho chữ ký của khóa “{request.key.label}” (cần "
                f"{needed}); chưa ký gì. Hãy bỏ bytes_reserved. / {reserved} bytes cannot hold the "
                f"signature, which needs {needed}; nothing was signed. Leave bytes_reserved out."
            )
        return reserved

    def _timestamper(self, level: Level) -> Timestamper | None:
        return self._augmenter.timestamper_for(level) if level.timestamped else None

    def _seal(
        self,
        source: int | bytes,
        fd: int,
        requests: Sequence[SealRequest],
        mark: Mark | None,
    ) -> list[SealResult]:
        digests = [request.key.scheme.digest_name for request in requests]
        if any(request.level is Level.B_LTA for request in requests):
            digests.append(TIMESTAMP_DIGEST)
        with sealing_run(source, fd, digests) as run:
            planned = _plan(run, requests, ahead=len(requests) > 1 or mark is not None)
            if mark is not None:
                mark_page(run, mark)
            return [self._sign(run, plan) for plan in planned]

    def _sign(self, run: SealingRun, plan: _Planned) -> SealResult:
        request, key = plan.request, plan.request.key
        builder = _builder(key.certificate, key.chain, key.scheme)
        timestamper = self._timestamper(request.level)
        reserved = self._room(request)
        made: list[bytes] = []

        def fill(digest: bytes) -> bytes:
            attributes = builder.signed_attributes(digest)
            hashed = hashlib.new(key.scheme.digest_name, attributes).digest()
            (signature,) = key.sign_digests([hashed])
            made.append(signature)
            token = None
            if timestamper is not None:
                imprint = hashlib.new(TIMESTAMP_DIGEST, signature).digest()
                token = timestamper.timestamp(imprint, TIMESTAMP_DIGEST)
                check_timestamp(token, imprint)
            return fit(builder.assemble(attributes, signature, token), reserved)

        stamp = plan.stamp
        field = plan.field or run.fields.create(
            plan.name, stamp.page_index if stamp else 0, stamp.rect if stamp else INVISIBLE
        )
        appearance = Ref(stamp.draw(run.revisions)) if stamp else None
        signature_ref = run.revisions.allocate()
        entries = self._entries(run, request, field)
        field = run.fields.fill(field, signature_ref, appearance)
        if request.certify:
            _certify(run, signature_ref)
        written = run.commit_signature(
            signature_ref, entries, reserved, key.scheme.digest_name, fill
        )
        check_signature(written.contents, written.digest, key.certificate, key.scheme)
        run.restrictions.signed(field)
        stamped = (
            self._augmenter.raise_level(run, request.level) if request.level.long_term else None
        )
        return SealResult(
            field_name=field.name,
            level=request.level,
            digest_name=key.scheme.digest_name,
            digest=written.digest,
            byte_range=written.byte_range,
            signature=made[0],
            page_index=stamp.page_index if stamp else None,
            rect=field.rect,
            document_timestamp=stamped.timestamp_field if stamped else None,
        )

    def _entries(
        self, run: SealingRun, request: SealRequest, field: SignatureField
    ) -> dict[str, Value]:
        """The signature dictionary without /Contents and /ByteRange (EN 319 142-1 6.3)."""
        entries: dict[str, Value] = {
            "/Type": b"/Sig",
            "/Filter": b"/Adobe.PPKLite",
            "/SubFilter": b"/ETSI.CAdES.detached",
            "/M": date(request.claimed_at or self._clock()),
        }
        for entry, text in (
            ("/Reason", request.reason),
            ("/Location", request.location),
            ("/ContactInfo", request.contact),
        ):
            if text is not None:
                entries[entry] = text_string(text)
        references: list[Value] = [certification()] if request.certify else []
        lock = field_lock(field, run.revisions.root)
        if lock is not None:
            references.append(lock)
        if references:
            entries["/Reference"] = references
        return entries


@lru_cache(maxsize=64)
def _builder(
    certificate: x509.Certificate, chain: tuple[x509.Certificate, ...], scheme: SignatureScheme
) -> CMSBuilder:
    return CMSBuilder(certificate, chain, scheme)


def _plan(run: SealingRun, requests: Sequence[SealRequest], *, ahead: bool) -> list[_Planned]:
    """Settle every signature's place, and refuse what earlier signatures forbid.

    `ahead` creates the new fields now, before the first signature.
    """
    planned: list[_Planned] = []
    for count, request in enumerate(requests):
        if request.certify:
            run.restrictions.check_certifying(earlier=count)
        field = run.fields.find(request.field_name) if request.field_name else None
        name = request.field_name or run.fields.unused_name("Signature")
        run.restrictions.check_signing(name, field)
        stamp = request.stamp.resolve(run.fields) if request.stamp else None
        if field is not None:
            _check_empty(field, stamp, [plan.name for plan in planned])
        elif ahead:
            field = _create(run, name, stamp)
        planned.append(_Planned(request, name, field, stamp))
    return planned


def _check_empty(field: SignatureField, stamp: Stamp | None, taken: Sequence[str]) -> None:
    """Raise `PolicyRefused` unless the field is free and the stamp has its size."""
    if field.signature is not None or field.name in taken:
        raise PolicyRefused(
            f"Trường “{field.name}” đã ký; hãy chọn tên khác hoặc bỏ trống. / This field "
            "is signed already; choose another name, or leave it out."
        )
    if stamp is None:
        if field.visible and not field.has_appearance:
            raise PolicyRefused(
                f"Trường “{field.name}” hiển thị trên trang; hãy chọn mẫu hình chữ ký. / This "
                "field is visible; choose a stamp profile to draw in it."
            )
        return
    width, height = field.rect[2] - field.rect[0], field.rect[3] - field.rect[1]
    off = max(
        abs(stamp.rect[2] - stamp.rect[0] - width), abs(stamp.rect[3] - stamp.rect[1] - height)
    )
    if off > _SAME_SIZE:
        raise PolicyRefused(
            f"Hình chữ ký không vừa trường “{field.name}” ({width:.0f} × {height:.0f} pt); hãy "
            "chọn mẫu khác hoặc trường khác. / The stamp does not have the size of the field; "
            "choose another profile or another field."
        )


def _create(run: SealingRun, name: str, stamp: Stamp | None) -> SignatureField:
    """Create the field of a stamp; a visible one gets an empty appearance, as PDF/A asks."""
    if stamp is None:
        return run.fields.create(name, 0, INVISIBLE)
    x0, y0, x1, y1 = stamp.rect
    empty: dict[str, Value] = {
        "/Type": b"/XObject",
        "/Subtype": b"/Form",
        "/BBox": numbers((0, 0, x1 - x0, y1 - y0)),
        "/Resources": {},
    }
    appearance = Ref(run.revisions.add(stream(empty, b"")))
    return run.fields.create(name, stamp.page_index, stamp.rect, appearance)


def _certify(run: SealingRun, signature: Ref) -> None:
    """Name the signature in the catalog's /Perms (ISO 32000-1 12.8.4)."""
    root = run.revisions.root
    catalog = run.revisions.dictionary(root)
    owner, permissions = run.revisions.child(root, catalog, "/Perms")
    if isinstance(permissions, dict):
        permissions["/DocMDP"] = signature
        run.revisions.touch(owner)
    else:
        catalog["/Perms"] = {"/DocMDP": signature}
        run.revisions.touch(root)
    run.restrictions.certified()
