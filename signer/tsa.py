"""An RFC 3161 time-stamping authority over a `SigningKey`: the embedded default's.

The transport is somebody else's (`api.loopback`); this turns request bytes into response
bytes. What does not change from token to token is encoded once, so that the time goes into
the signature. Refused in production where the key is not in hardware (S11): settings say so.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hsm.errors import HSMError
from hsm.keys import SigningKey
from signer import der
from signer.algorithms import HASHES, digest_algorithm, digest_name, signature_algorithm
from signer.certificate_parts import certificate_parts
from signer.oids import (
    OID_CONTENT_TYPE,
    OID_MESSAGE_DIGEST,
    OID_SIGNED_DATA,
    OID_SIGNING_CERTIFICATE_V2,
    OID_TST_INFO,
)
from signer.policy import check_timestamping

_log = logging.getLogger(__name__)

# PKIFailureInfo bits (RFC 3161 2.4.2)
BAD_ALG = 0
BAD_REQUEST = 2
BAD_DATA_FORMAT = 5
TIME_NOT_AVAILABLE = 14
UNACCEPTED_POLICY = 15
UNACCEPTED_EXTENSION = 16
SYSTEM_FAILURE = 25

_GRANTED = der.sequence(der.integer(0))
_REJECTION = 2
_MAX_REQUEST = 4096  # bytes; a request with a SHA-512 imprint has about 110
_EXTENSIONS_TAG = 0xA0


class _Refusal(Exception):
    """A request that is answered with a PKIFailureInfo bit."""

    def __init__(self, bit: int, message: str) -> None:
        super().__init__(message)
        self.bit = bit


@dataclass(frozen=True, slots=True)
class _Request:
    imprint: bytes  # MessageImprint as it came
    policy: bytes | None
    nonce: bytes  # encoded INTEGER or nothing
    wants_certificates: bool


class TimeSerials:
    """Serial numbers that grow and never repeat: nanoseconds of the clock, 64 random bits.

    Nothing need be stored: after a restart, even one with the clock set back, the random half
    keeps a repetition away. Thread-safe; 127 bits, within the 160 that RFC 3161 lets a client
    expect.
    """

    def __init__(self, time_ns: Callable[[], int] = time.time_ns) -> None:
        self._time_ns = time_ns
        self._lock = threading.Lock()
        self._last_ns = 0

    def __call__(self) -> int:
        """The next serial number."""
        with self._lock:
            self._last_ns = max(self._time_ns(), self._last_ns + 1)
            return self._last_ns << 64 | secrets.randbits(64)


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class TimestampAuthority:
    """Answers timestamp requests. Thread-safe; several requests sign at once."""

    def __init__(
        self,
        key: SigningKey,
        policy_oid: str,
        *,
        serials: Callable[[], int] | None = None,
        clock: Callable[[], dt.datetime] = _utc_now,
        accuracy: dt.timedelta = dt.timedelta(seconds=1),
    ) -> None:
        """`accuracy` is what tokens claim, in whole milliseconds.

        Raises `CertificateRefused` unless the certificate has the critical, sole extended key
        usage id-kp-timeStamping (RFC 3161 2.3).
        """
        check_timestamping(key.certificate)
        self._key = key
        self._clock = clock
        self._serials = serials or TimeSerials()
        self._policy = der.oid(policy_oid)
        self._accuracy = _accuracy(accuracy)
        self._digest = key.scheme.digest_name
        parts = certificate_parts(key.certificate)
        encoded = {parts.encoded, *(certificate_parts(issuer).encoded for issuer in key.chain)}
        self._certificates = der.tlv(0xA0, *sorted(encoded))
        self._content_type = _attribute(OID_CONTENT_TYPE, der.oid(OID_TST_INFO))
        self._signing_certificate = _attribute(
            OID_SIGNING_CERTIFICATE_V2, _signing_certificate_v2(parts.encoded, self._digest)
        )
        algorithm = digest_algorithm(self._digest)
        self._data_head = der.integer(3) + der.set_of([algorithm])
        self._signer_head = der.integer(1) + parts.issuer_and_serial + algorithm
        self._signature_algorithm = signature_algorithm(key.scheme)

    def respond(self, request: bytes) -> bytes:
        """A DER TimeStampResp for a DER TimeStampReq.

        What cannot be granted is answered with status ``rejection`` and its PKIFailureInfo
        bit; faults of the token with ``systemFailure``. Never raises for its input.
        """
        try:
            parsed = self._read(request)
            return der.sequence(_GRANTED, self._token(parsed))
        except _Refusal as refusal:
            return _rejected(refusal.bit, str(refusal))
        except HSMError as error:
            _log.warning("The timestamp unit's key could not sign: %s", error)
            return _rejected(SYSTEM_FAILURE, "the timestamp unit cannot sign at present")

    def _read(self, request: bytes) -> _Request:
        if len(request) > _MAX_REQUEST:
            raise _Refusal(BAD_REQUEST, "the request is too long")
        try:
            parsed = _parse_request(request)
        except der.MalformedDER as error:
            raise _Refusal(BAD_DATA_FORMAT, f"not a TimeStampReq: {error}") from error
        if parsed.policy not in (None, self._policy):
            raise _Refusal(UNACCEPTED_POLICY, "this policy is not offered here")
        return parsed

    def _token(self, request: _Request) -> bytes:
        now = self._clock()
        certificate = self._key.certificate
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise _Refusal(TIME_NOT_AVAILABLE, "the timestamp unit's certificate is not in force")
        info = der.sequence(
            b"\x02\x01\x01",
            self._policy,
            request.imprint,
            der.integer(self._serials()),
            der.generalized_time(now, fraction=True),
            self._accuracy,
            request.nonce,
        )
        message_digest = hashlib.new(self._digest, info).digest()
        attributes = b"".join(
            sorted(
                (
                    self._content_type,
                    _attribute(OID_MESSAGE_DIGEST, der.octet_string(message_digest)),
                    self._signing_certificate,
                )
            )
        )
        signed = hashlib.new(self._digest, der.tlv(der.SET, attributes)).digest()
        (signature,) = self._key.sign_digests([signed])
        signer_info = der.sequence(
            self._signer_head,
            der.tlv(0xA0, attributes),
            self._signature_algorithm,
            der.octet_string(signature),
        )
        signed_data = der.sequence(
            self._data_head,
            der.sequence(der.oid(OID_TST_INFO), der.explicit(0, der.octet_string(info))),
            self._certificates if request.wants_certificates else b"",
            der.tlv(der.SET, signer_info),
        )
        return der.sequence(der.oid(OID_SIGNED_DATA), der.explicit(0, signed_data))


def _attribute(dotted: str, value: bytes) -> bytes:
    return der.sequence(der.oid(dotted), der.tlv(der.SET, value))


def _signing_certificate_v2(certificate: bytes, digest: str) -> bytes:
    """SigningCertificateV2 with one ESSCertIDv2; SHA-256 is the DEFAULT and so left out."""
    algorithm = b"" if digest == "sha256" else digest_algorithm(digest)
    identifier = der.octet_string(hashlib.new(digest, certificate).digest())
    return der.sequence(der.sequence(der.sequence(algorithm, identifier)))


def _accuracy(accuracy: dt.timedelta) -> bytes:
    seconds, milliseconds = divmod(round(accuracy / dt.timedelta(milliseconds=1)), 1000)
    return der.sequence(
        der.integer(seconds) if seconds else b"",
        der.implicit(0, der.parse(der.integer(milliseconds)).content) if milliseconds else b"",
    )


def _parse_request(request: bytes) -> _Request:
    version, imprint, *rest = der.parse(request).fields(2)
    if version.as_integer() != 1:
        raise der.MalformedDER("not version 1")
    algorithm, hashed = imprint.pair()
    try:
        size = HASHES[digest_name(algorithm)].digest_size
    except der.MalformedDER as error:
        raise _Refusal(BAD_ALG, str(error)) from error
    if len(hashed.expect(der.OCTET_STRING).content) != size:
        raise _Refusal(BAD_DATA_FORMAT, "the imprint is not as long as its digest")
    policy = rest.pop(0).raw if rest and rest[0].tag == der.OID else None
    nonce = b""
    if rest and rest[0].tag == der.INTEGER:
        rest[0].as_integer()
        nonce = rest.pop(0).raw
    wants_certificates = False
    if rest and rest[0].tag == der.BOOLEAN:
        wants_certificates = any(rest.pop(0).content)
    if rest and rest[0].tag == _EXTENSIONS_TAG:
        raise _Refusal(UNACCEPTED_EXTENSION, "no request extensions are known here")
    if rest:
        raise der.MalformedDER("an unknown field follows")
    return _Request(imprint.raw, policy, nonce, wants_certificates)


def _rejected(bit: int, message: str) -> bytes:
    """TimeStampResp with status rejection; a BIT STRING of named bits ends with its last one."""
    octets = bytearray(bit // 8 + 1)
    octets[-1] = 0x80 >> bit % 8
    status = der.sequence(
        der.integer(_REJECTION),
        der.sequence(der.utf8_string(message)),
        der.bit_string(bytes(octets), 7 - bit % 8),
    )
    return der.sequence(status)
