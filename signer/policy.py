"""Whether a certificate may sign now (S9, S12, security requirements 10 and 22).

Runs before any key is used: what is refused here costs no C_Sign. The order is that of NĐ
68/2024 Art. 29: the certificate itself, its path, its revocation status.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from hsm.keys import SignatureScheme, SigningKey
from signer.algorithm_policy import AlgorithmPolicy, ForbiddenAlgorithm, public_key_of
from signer.certificate_path import NoPath, extensions_of, find_path
from signer.clock import VIETNAM, ClockDisagreement, ClockGate
from signer.errors import CertificateRefused, ClockRefused, TrustError
from signer.services import RevocationSource

NEAR_EXPIRY = dt.timedelta(days=7)
_CLEARANCES = 256  # keys remembered; a service has few
_DAY = dt.timedelta(days=1)


class CertificateUsage(enum.Enum):
    """What the signature is for."""

    DOCUMENT = "document"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class Clearance:
    """The outcome of the checks that do not change within `valid_from` ≤ t < `valid_to`."""

    path: tuple[x509.Certificate, ...]  # end entity first, anchor last
    valid_from: dt.datetime
    valid_to: dt.datetime


def check_before_signing(
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    scheme: SignatureScheme,
    at: dt.datetime,
    *,
    anchors: Collection[x509.Certificate],
    revocation: RevocationSource | None,
    near_expiry: dt.timedelta = NEAR_EXPIRY,
    usage: CertificateUsage = CertificateUsage.DOCUMENT,
    policy: AlgorithmPolicy | None = None,
) -> Clearance:
    """Return if `certificate` may sign with `scheme` at `at` (aware); otherwise raise.

    `chain` may be incomplete as far as `anchors` fill it. Without `revocation` the status is
    not looked at: for offline use that says so. Raises `CertificateRefused` with what to do,
    `RevocationError` when the status cannot be found out, `TrustError` without anchors.
    """
    rules = policy or AlgorithmPolicy.default()
    if not anchors:
        raise TrustError(
            "Chưa ghim gốc tin cậy nào; hãy cấu hình chứng thư gốc của CA. / No trust anchor is "
            "pinned: configure the root certificate of your CA."
        )
    _check_time(certificate, at, near_expiry)  # 1
    _check_usage(certificate, usage)  # 2
    _check_algorithm(certificate, scheme, at, rules)  # 3
    path = _find_path(certificate, chain, anchors, at, rules)  # 4
    if revocation is not None:  # 5
        revocation.collect(path, at)
    midnight = dt.datetime.combine(at.astimezone(VIETNAM).date() + _DAY, dt.time(), VIETNAM)
    return Clearance(
        path,
        max(one.not_valid_before_utc for one in path),
        min(
            certificate.not_valid_after_utc - near_expiry,
            midnight,  # rules for algorithms change with the date
            *(one.not_valid_after_utc for one in path),
        ),
    )


class PreSigningCheck:
    """`check_before_signing` for a sealer, called with the key and the time. Thread-safe.

    What cannot have changed since the last signature with the same certificate is remembered
    until it can; the revocation status and the clock are looked at each time.
    """

    def __init__(
        self,
        anchors: Collection[x509.Certificate],
        revocation: RevocationSource | None,
        *,
        near_expiry: dt.timedelta = NEAR_EXPIRY,
        usage: CertificateUsage = CertificateUsage.DOCUMENT,
        policy: AlgorithmPolicy | None = None,
        clock: ClockGate | None = None,
    ) -> None:
        """Parameters as of `check_before_signing`; `clock` is the gate of requirement 22.

        `anchors` are looked at anew each time, so that they may follow a list of trust.
        """
        self._anchors = anchors
        self._revocation = revocation
        self._near_expiry = near_expiry
        self._usage = usage
        self._policy = policy
        self._clock = clock or ClockGate()
        self._clearances: dict[tuple[x509.Certificate, SignatureScheme], Clearance] = {}

    def __call__(self, key: SigningKey, at: dt.datetime) -> None:
        """Return if `key` may sign at `at`; raises as `check_before_signing` does.

        `ClockRefused` says nothing of the certificate: what waits can be signed after a restart.
        """
        try:
            self._clock.now()
        except ClockDisagreement as error:
            raise ClockRefused(str(error)) from error
        subject = (key.certificate, key.scheme)
        known = self._clearances.get(subject)
        if (
            known is not None
            and known.valid_from <= at < known.valid_to
            and known.path[-1] in self._anchors
        ):
            if self._revocation is not None:
                self._revocation.collect(known.path, at)
            return
        clearance = check_before_signing(
            key.certificate,
            key.chain,
            key.scheme,
            at,
            anchors=self._anchors,
            revocation=self._revocation,
            near_expiry=self._near_expiry,
            usage=self._usage,
            policy=self._policy,
        )
        if len(self._clearances) >= _CLEARANCES:
            self._clearances.clear()
        self._clearances[subject] = clearance


def _check_time(certificate: x509.Certificate, at: dt.datetime, near_expiry: dt.timedelta) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if at < start:
        raise _refused(
            certificate,
            f"chưa có hiệu lực, chỉ từ {_local(start)}; hãy kiểm tra giờ máy hoặc đợi",
            f"is not valid before {_local(start)}: check the system time, or wait",
        )
    if at > end:
        raise _refused(
            certificate,
            f"đã hết hạn từ {_local(end)}; hãy gia hạn với CA rồi nạp chứng thư mới",
            f"expired on {_local(end)}: renew it with its CA, then import the new one",
        )
    if end - at < near_expiry:
        raise _refused(
            certificate,
            f"sắp hết hạn ({_local(end)}), không đủ {near_expiry.days} ngày theo quy định; hãy "
            "gia hạn trước khi ký",
            f"expires on {_local(end)}, within the {near_expiry.days} days of the policy: renew "
            "it before signing",
        )


def _check_usage(certificate: x509.Certificate, usage: CertificateUsage) -> None:
    try:
        extensions = extensions_of(certificate)
    except NoPath as error:
        raise _refused(
            certificate,
            "có phần mở rộng không đọc được; hãy xin CA cấp lại",
            f"has unreadable extensions ({error}): ask its CA for a new one",
        ) from error
    is_ca, may_sign, purposes = False, False, frozenset[x509.ObjectIdentifier]()
    is_exclusive = False
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints):
            is_ca = value.ca
        elif isinstance(value, x509.KeyUsage):
            may_sign = value.digital_signature or value.content_commitment
        elif isinstance(value, x509.ExtendedKeyUsage):
            purposes = frozenset(value)
            is_exclusive = extension.critical
    if is_ca:
        raise _refused(
            certificate,
            "là chứng thư của CA, không được ký tài liệu; hãy chọn chứng thư của người ký",
            "is a CA's and may not sign documents: choose the signer's certificate",
        )
    if not may_sign:
        raise _refused(
            certificate,
            "không có mục đích digitalSignature hay nonRepudiation (KeyUsage); hãy chọn chứng "
            "thư ký số",
            "has neither digitalSignature nor contentCommitment in its KeyUsage: choose a "
            "certificate for signing",
        )
    timestamping = ExtendedKeyUsageOID.TIME_STAMPING
    if usage is CertificateUsage.TIMESTAMP:
        if not is_exclusive or purposes != {timestamping}:
            raise _refused(
                certificate,
                "phải có duy nhất EKU timeStamping, đánh dấu critical; hãy xin CA cấp chứng thư "
                "cho đơn vị cấp dấu thời gian",
                "must have the critical extended key usage timeStamping and no other: ask its CA "
                "for a timestamp unit's certificate",
            )
    elif purposes & {timestamping, ExtendedKeyUsageOID.OCSP_SIGNING}:
        raise _refused(
            certificate,
            "dành cho dấu thời gian hoặc OCSP, không được ký tài liệu; hãy chọn chứng thư khác",
            "is for timestamps or OCSP and may not sign documents: choose another one",
        )


def check_timestamping(certificate: x509.Certificate) -> None:
    """Raise `CertificateRefused` unless it is a timestamp unit's certificate (RFC 3161 2.3)."""
    _check_usage(certificate, CertificateUsage.TIMESTAMP)


def _check_algorithm(
    certificate: x509.Certificate,
    scheme: SignatureScheme,
    at: dt.datetime,
    rules: AlgorithmPolicy,
) -> None:
    try:
        rules.check(scheme, public_key_of(certificate), at)
    except ForbiddenAlgorithm as error:
        raise _refused(
            certificate,
            f"không được dùng với thuật toán {scheme.value}: {error}; hãy đổi thuật toán hoặc "
            "xin chứng thư có khóa mạnh hơn",
            f"may not be used with {scheme.value}: {error}. Choose another scheme, or a "
            "certificate with a stronger key",
        ) from error


def _find_path(
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    anchors: Collection[x509.Certificate],
    at: dt.datetime,
    rules: AlgorithmPolicy,
) -> tuple[x509.Certificate, ...]:
    try:
        return find_path(certificate, chain, anchors, at, policy=rules)
    except NoPath as error:
        raise _refused(
            certificate,
            f"không dẫn tới gốc tin cậy nào ({error}); hãy nạp đủ chứng thư CA trung gian và "
            "ghim đúng gốc",
            f"has no path to a trust anchor ({error}): import the intermediate CAs and pin the "
            "right root",
        ) from error


def _refused(certificate: x509.Certificate, vietnamese: str, english: str) -> CertificateRefused:
    name = certificate.subject.rfc4514_string()
    return CertificateRefused(
        f"Chứng thư “{name}” {vietnamese}. Chưa ký gì cả. / The certificate {english}. "
        "Nothing was signed."
    )


def _local(moment: dt.datetime) -> str:
    return moment.astimezone(VIETNAM).isoformat(timespec="seconds")
