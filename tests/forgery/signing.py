"""Signs what an attacker writes: any widget, any entries, with a real key."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from tests.fakes import SoftwareKey
from tests.forgery.save import Save

ROOM = 6000  # bytes for the CMS


def detached(key: SoftwareKey, covered: bytes) -> bytes:
    """A CMS over `covered` as agencies make it: no certificate attribute, the chain inside."""
    builder = pkcs7.PKCS7SignatureBuilder().set_data(covered)
    builder = builder.add_signer(key.certificate, key.private_key, hashes.SHA256())
    for certificate in key.chain:
        builder = builder.add_certificate(certificate)
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary,
               pkcs7.PKCS7Options.NoCapabilities]  # fmt: skip
    return builder.sign(Encoding.DER, options)


def signature_dictionary(
    entries: bytes = b"", *, sub_filter: bytes = b"adbe.pkcs7.detached"
) -> bytes:
    """A signature dictionary with room for what `finish` puts in."""
    return (
        b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /%s %s /ByteRange [0 %s] "
        b"/Contents <%s> >>" % (sub_filter, entries, b"*" * 32, b"0" * 2 * ROOM)
    )


def finish(data: bytes, key: SoftwareKey) -> bytes:
    """Fill the one open `signature_dictionary` of the last save."""
    gap = data.rindex(b"/Contents <" + b"0" * 2 * ROOM) + 10
    end = gap + 2 * ROOM + 2
    numbers = b"%d %d %d" % (gap, end, len(data) - end)
    data = data.replace(b"*" * 32, numbers.ljust(32))
    cms = detached(key, data[:gap] + data[end:])
    return data[: gap + 1] + cms.hex().ljust(2 * ROOM, "0").encode() + data[end - 1 :]


def signed(save: Save, key: SoftwareKey, *, how: str = "table") -> bytes:
    """The save with its section, signed."""
    return finish({"table": save.table, "stream": save.stream, "packed": save.packed}[how](), key)
