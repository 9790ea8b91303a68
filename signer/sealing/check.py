"""The cheap check that every sealed file passes before it is released (S10).

What was appended is read back from the file and judged without the encoder's knowledge. What
was there before is not read again: its digest is the running one, of the very bytes that were
written. A full verification, which reads everything anew, is `signer.verification`'s work.
"""

from __future__ import annotations

import hashlib
import os
import re

from cryptography import x509

from hsm.keys import SignatureScheme
from signer import der
from signer.algorithms import (
    WrongSignature,
    digest_algorithm,
    digest_name,
    signature_algorithm,
    verify_digest,
)
from signer.errors import OutputRejected
from signer.oids import OID_CONTENT_TYPE, OID_MESSAGE_DIGEST, OID_TST_INFO
from signer.sealing.incremental import Filled, Prefix
from signer.sealing.signeddata import OID_DATA, parse_signed_data

_BYTE_RANGE = re.compile(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+) *\]")


def read_back(fd: int, prefix: Prefix, filled: Filled) -> tuple[bytes, bytes]:
    """The revision's digest and /Contents value, as they are in the file now.

    `prefix` is the state before the revision. Raises `OutputRejected` unless the byte range
    starts at 0, leaves out exactly the /Contents string and ends where the revision ends.
    """
    revision = os.pread(fd, filled.revision_end - prefix.size, prefix.size)
    ranges = _BYTE_RANGE.findall(revision)
    if len(ranges) != 1:
        raise _rejected("its revision does not hold exactly one byte range")
    first, length, second, rest = (int(part) for part in ranges[0])
    start, end = length - prefix.size, second - prefix.size
    gap = revision[start:end]
    if (
        first != 0
        or second + rest != filled.revision_end
        or len(revision) != filled.revision_end - prefix.size
        or not revision[:start].endswith(b"/Contents ")
        or not re.fullmatch(rb"<(?:[0-9a-f]{2})+>", gap)
    ):
        raise _rejected("its byte range does not cover all but the /Contents string")
    digest = prefix.digest.copy()
    digest.update(revision[:start])
    digest.update(revision[end:])
    return digest.digest(), bytes.fromhex(gap[1:-1].decode("ascii"))


def check_signature(
    contents: bytes, digest: bytes, certificate: x509.Certificate, scheme: SignatureScheme
) -> None:
    """Check a detached signature over `digest` against the certificate that should have made it.

    Raises `OutputRejected`.
    """
    try:
        signed = parse_signed_data(contents)
        if (
            signed.content is not None
            or signed.content_type != der.oid(OID_DATA)
            or signed.attributes.get(der.oid(OID_CONTENT_TYPE)) != der.oid(OID_DATA)
            or signed.digest_algorithm.raw != digest_algorithm(scheme.digest_name)
            or signed.signature_algorithm != signature_algorithm(scheme)
        ):
            raise _rejected("it is not a detached signature in its scheme")
        if signed.attributes.get(der.oid(OID_MESSAGE_DIGEST)) != der.octet_string(digest):
            raise _rejected("it is over another digest than the file's")
        if signed.signer_certificate() != certificate:
            raise _rejected("it names another certificate than the key's")
        hashed = hashlib.new(scheme.digest_name, signed.signed_attributes).digest()
        verify_digest(certificate.public_key(), scheme, signed.signature, hashed)
    except WrongSignature as error:
        raise _rejected(f"{error}, so the token answered wrongly") from error
    except ValueError as error:
        raise _rejected(f"it cannot be read back: {error}") from error


def check_timestamp(token: bytes, imprint: bytes) -> None:
    """Check that a timestamp token is over `imprint`, a SHA-256 digest (RFC 3161 2.4.2).

    Whose token it is, and whether its signature holds, was the timestamper's work. Raises
    `OutputRejected`.
    """
    try:
        signed = parse_signed_data(token)
        _, _, message_imprint, *_ = der.parse(signed.content or b"").children()
        algorithm, hashed = message_imprint.expect(der.SEQUENCE).children()
        if (
            signed.content_type != der.oid(OID_TST_INFO)
            or digest_name(algorithm) != "sha256"
            or hashed.content != imprint
        ):
            raise _rejected("its timestamp is not over the bytes that it should prove")
    except ValueError as error:
        raise _rejected(f"its timestamp cannot be read back: {error}") from error


def _rejected(reason: str) -> OutputRejected:
    return OutputRejected(
        f"Chữ ký vừa tạo không qua được kiểm tra ({reason}) nên đã bị hủy; hãy kiểm tra thiết bị "
        f"khóa rồi ký lại. / The signature just made failed its check: {reason}. Nothing was "
        "released; check the token, then seal again."
    )
