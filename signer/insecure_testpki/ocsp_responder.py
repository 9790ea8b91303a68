"""OCSP answers (RFC 6960) of the test PKI, signed by its delegated responder."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Callable

from cryptography import x509
from cryptography.x509 import ocsp

from hsm.errors import HSMError
from hsm.keys import SigningKey
from signer import der
from signer.certificate_parts import certificate_parts
from signer.insecure_testpki.certificates import RevokedEntry, extensions, sign_value

_log = logging.getLogger(__name__)

_OID_BASIC = der.oid("1.3.6.1.5.5.7.48.1.1")
_SUCCESSFUL = 0
_MALFORMED_REQUEST = 1
_INTERNAL_ERROR = 2
_UNAUTHORIZED = 6
_GOOD = der.implicit(0, b"")
_UNKNOWN = der.implicit(2, b"")
_HASH_OIDS = {
    "sha1": "1.3.14.3.2.26",  # names the issuer in a look-up key; nothing is signed with it
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}


def _status(number: int) -> bytes:
    return der.sequence(der.tlv(0x0A, bytes((number,))))


class OCSPResponder:
    """Answers for the certificates of one issuer. Thread-safe when `status_of` is.

    `status_of` gives None for a good serial, a `RevokedEntry` for a revoked one and raises
    KeyError for a serial that was never issued.
    """

    def __init__(
        self,
        key: SigningKey,
        issuer: x509.Certificate,
        status_of: Callable[[int], RevokedEntry | None],
        *,
        validity: dt.timedelta,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._key = key
        self._status_of = status_of
        self._validity = validity
        self._clock = clock
        self._issuer = certificate_parts(issuer)
        own = certificate_parts(key.certificate)
        self._certificates = der.explicit(0, der.sequence(own.encoded))
        key_hash = hashlib.sha1(own.key_bits, usedforsecurity=False).digest()
        self._responder_id = der.explicit(2, der.octet_string(key_hash))

    def respond(self, request: bytes) -> bytes:
        """A DER OCSPResponse; bad requests get an OCSP error status, never an exception."""
        try:
            parsed = ocsp.load_der_ocsp_request(request)
            cert_id = self._cert_id(parsed)
            nonce = _nonce(parsed)
        except (ValueError, NotImplementedError):
            return _status(_MALFORMED_REQUEST)
        if cert_id is None:
            return _status(_UNAUTHORIZED)
        now = self._clock()
        single = der.sequence(
            cert_id,
            self._cert_status(parsed.serial_number),
            der.generalized_time(now),
            der.explicit(0, der.generalized_time(now + self._validity)),
        )
        data = der.sequence(
            self._responder_id,
            der.generalized_time(now),
            der.sequence(single),
            *([der.explicit(1, extensions([(nonce, False)]))] if nonce else []),
        )
        try:
            basic = sign_value(self._key, data, self._certificates)
        except HSMError as error:
            _log.warning("The OCSP responder's key could not sign: %s", error)
            return _status(_INTERNAL_ERROR)
        return der.sequence(
            der.tlv(0x0A, bytes((_SUCCESSFUL,))),
            der.explicit(0, der.sequence(_OID_BASIC, der.octet_string(basic))),
        )

    def _cert_id(self, request: ocsp.OCSPRequest) -> bytes | None:
        """The request's CertID again, or None when it is not about our issuer."""
        name = request.hash_algorithm.name
        if name not in _HASH_OIDS:
            return None
        name_hash = hashlib.new(name, self._issuer.subject, usedforsecurity=False).digest()
        key_hash = hashlib.new(name, self._issuer.key_bits, usedforsecurity=False).digest()
        if (request.issuer_name_hash, request.issuer_key_hash) != (name_hash, key_hash):
            return None
        return der.sequence(
            der.sequence(der.oid(_HASH_OIDS[name]), der.null()),
            der.octet_string(name_hash),
            der.octet_string(key_hash),
            der.integer(request.serial_number),
        )

    def _cert_status(self, serial: int) -> bytes:
        try:
            entry = self._status_of(serial)
        except KeyError:
            return _UNKNOWN
        if entry is None:
            return _GOOD
        at = der.generalized_time(entry.at)
        if entry.reason is None:
            return der.explicit(1, at)
        reason = x509.CRLReason(entry.reason).public_bytes()
        return der.explicit(1, at, der.explicit(0, reason))


def _nonce(request: ocsp.OCSPRequest) -> x509.OCSPNonce | None:
    try:
        return request.extensions.get_extension_for_class(x509.OCSPNonce).value
    except x509.ExtensionNotFound:
        return None
