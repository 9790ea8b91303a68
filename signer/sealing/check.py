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
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from hsm.keys import SignatureScheme
from signer.errors import OutputRejected
from signer.sealing.cms import DATA, DIGESTS, signature_algorithm
from signer.sealing.der import OCTET_STRING, read, tlv
from signer.sealing.incremental import Filled, Prefix
from signer.sealing.signeddata import CONTENT_TYPE, MESSAGE_DIGEST, TST_INFO, der_of, parse

_BYTE_RANGE = re.compile(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+) *\]")
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def read_back(fd: int, prefix: Prefix, filled: Filled) -> tuple[bytes, bytes]:
    """The revision's digest and /Contents value, as they are in the file now.

    `prefix` is the state before the revision. Raises `OutputRejected` unless the byte range
    starts at 0, leaves out exactly the /Contents string and ends where the revision ends.
    """
    revision = os.pread(fd, filled.revision_end - prefix.size, prefix.size)
    ranges = _BYTE_RANGE.findall(revision)
    if len(ranges) != 1:
        raise OutputRejected("The sealed revision does not hold exactly one byte range.")
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
        raise OutputRejected("The byte range does not cover the file up to its /Contents string.")
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
        signed = parse(contents)
    except ValueError as error:
        raise OutputRejected(f"The signature written cannot be read back: {error}.") from error
    if (
        signed.content is not None
        or signed.content_type != DATA
        or signed.attributes.get(CONTENT_TYPE) != DATA
        or signed.digest_algorithm != tlv(0x30, DIGESTS[scheme.digest_name])
        or signed.signature_algorithm != signature_algorithm(scheme)
    ):
        raise OutputRejected("The signature written is not a detached signature of its scheme.")
    if signed.attributes.get(MESSAGE_DIGEST) != tlv(OCTET_STRING, digest):
        raise OutputRejected("The signature written is over another digest than the file's.")
    if signed.signer_certificate() != der_of(certificate):
        raise OutputRejected("The signature written names another certificate than the key's.")
    hashed = hashlib.new(scheme.digest_name, signed.signed_attributes).digest()
    if not verifies(certificate, scheme, signed.signature, hashed):
        raise OutputRejected(
            f"The signature does not verify against the certificate of "
            f"{certificate.subject.rfc4514_string()}; nothing was released. Check the token."
        )


def verifies(
    certificate: x509.Certificate, scheme: SignatureScheme, signature: bytes, digest: bytes
) -> bool:
    """Whether `signature` over `digest` is by the certificate's key in that scheme."""
    key = certificate.public_key()
    algorithm = utils.Prehashed(_HASHES[scheme.digest_name])
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and scheme.family == "ecdsa":
            key.verify(signature, digest, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and scheme.family == "rsa-pss":
            mask = padding.MGF1(_HASHES[scheme.digest_name])
            key.verify(signature, digest, padding.PSS(mask, len(digest)), algorithm)
        elif isinstance(key, rsa.RSAPublicKey) and scheme.family == "rsa-pkcs1":
            key.verify(signature, digest, padding.PKCS1v15(), algorithm)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def check_timestamp(token: bytes, imprint: bytes) -> None:
    """Check that a timestamp token is over `imprint`, a SHA-256 digest (RFC 3161 2.4.2).

    Whose token it is, and whether its signature holds, was the timestamper's work. Raises
    `OutputRejected`.
    """
    try:
        signed = parse(token)
        message_imprint = read(signed.content or b"")[0].children[2].children
        algorithm, stamped = message_imprint[0].children[0].raw, message_imprint[1].contents
    except (ValueError, IndexError) as error:
        raise OutputRejected(f"The timestamp written cannot be read back: {error}.") from error
    if signed.content_type != TST_INFO or algorithm != DIGESTS["sha256"] or stamped != imprint:
        raise OutputRejected("The timestamp written is not over the bytes that it should prove.")
