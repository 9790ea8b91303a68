"""Signed files as other producers make them: pyHanko alone, OpenSSL in our placeholder."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from asn1crypto import cms, tsp
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers, timestamps
from pyhanko.stamp import TextStampStyle
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signer.services import Timestamper
from tests.fakes import SoftwareKey
from tests.fixtures_signed import append, body_of, objects_of


def asn1_certificate(certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def pyhanko_signer(key: SoftwareKey, *, prefer_pss: bool = False) -> signers.SimpleSigner:
    private = key.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return signers.SimpleSigner(
        signing_cert=asn1_certificate(key.certificate),
        signing_key=asn1_keys.PrivateKeyInfo.load(private),
        cert_registry=SimpleCertificateStore.from_certs([asn1_certificate(c) for c in key.chain]),
        prefer_pss=prefer_pss,
    )


class PyhankoTimeStamper(timestamps.TimeStamper):
    """Lets pyHanko ask our TSA client."""

    def __init__(self, client: Timestamper) -> None:
        super().__init__()
        self._client = client

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        imprint = req["message_imprint"]
        token = self._client.timestamp(
            imprint["hashed_message"].native, imprint["hash_algorithm"]["algorithm"].native
        )
        return tsp.TimeStampResp(
            {"status": {"status": "granted"}, "time_stamp_token": cms.ContentInfo.load(token)}
        )

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """Our client checks its own nonce; pyHanko's would never match."""
        return cms.ContentInfo.load(self._client.timestamp(message_digest, md_algorithm))


def pyhanko_sign(
    pdf: bytes,
    key: SoftwareKey,
    name: str,
    *,
    box: tuple[int, int, int, int] | None = None,
    timestamper: timestamps.TimeStamper | None = None,
    context: ValidationContext | None = None,
    lta: bool = False,
    **metadata,
) -> bytes:
    """`pdf` signed by stock pyHanko."""
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    spec = metadata.pop("new_field", None) or (fields.SigFieldSpec(name, box=box) if box else None)
    sub_filter = metadata.pop("subfilter", fields.SigSeedSubFilter.PADES)
    meta = signers.PdfSignatureMetadata(
        field_name=name,
        subfilter=sub_filter,
        embed_validation_info=context is not None,
        use_pades_lta=lta,
        validation_context=context,
        **metadata,
    )
    signer = signers.PdfSigner(
        meta,
        pyhanko_signer(key),
        timestamper=timestamper,
        stamp_style=TextStampStyle(stamp_text="Signed by %(signer)s") if box else None,
        new_field_spec=spec,
    )
    out = io.BytesIO()
    asyncio.run(signer.async_sign_pdf(writer, output=out))
    return out.getvalue()


def pyhanko_timestamp(pdf: bytes, timestamper: timestamps.TimeStamper) -> bytes:
    """`pdf` with a document timestamp by stock pyHanko."""
    stamper = signers.PdfTimeStamper(timestamper)
    out = io.BytesIO()
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    asyncio.run(stamper.async_timestamp_pdf(writer, "sha256", output=out))
    return out.getvalue()


def place_cms(
    pdf: bytes,
    make: Callable[[bytes], bytes],
    *,
    name: str = "Chu ky",
    sub_filter: str = "adbe.pkcs7.detached",
    room: int = 16000,
    upper: bool = False,
    kind: str = "Sig",
) -> bytes:
    """`pdf` with one more signature whose CMS `make` builds from the bytes that it covers."""
    numbers = objects_of(pdf)
    field, signature = numbers["next"], numbers["next"] + 1
    form = body_of(pdf, numbers["form"])
    form = re.sub(rb"/Fields \[([^\]]*)\]", rb"/Fields [\1 %d 0 R]" % field, form)
    form = form if b"/SigFlags" in form else form.replace(b"<<", b"<< /SigFlags 3", 1)
    objects = {
        field: b"<< /FT /Sig /Type /Annot /Subtype /Widget /F 132 /Rect [0 0 0 0] "
        b"/T (%s) /P %d 0 R /V %d 0 R >>" % (name.encode(), numbers["page"], signature),
        signature: b"<< /Type /%s /Filter /Adobe.PPKLite /SubFilter /%s "
        b"/M (D:20260302120000+07'00') /ByteRange [0 %s] /Contents <%s> >>"
        % (kind.encode(), sub_filter.encode(), b"*" * 35, b"0" * 2 * room),
        numbers["form"]: form,
    }
    data = append(pdf, objects)
    gap = data.rindex(b"/Contents <") + 10
    end = gap + 2 * room + 2
    numbers_text = b"%d %d %d" % (gap, end, len(data) - end)
    data = data.replace(b"*" * 35, numbers_text.ljust(35))
    text = make(data[:gap] + data[end:]).hex().ljust(2 * room, "0")
    return data[: gap + 1] + (text.upper() if upper else text).encode() + data[end - 1 :]


def openssl_cms(key: SoftwareKey, folder: Path, *options: str) -> Callable[[bytes], bytes]:
    """Makes a detached CMS with ``openssl cms``."""
    folder.mkdir(exist_ok=True)
    pem = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    (folder / "cert.pem").write_bytes(key.certificate.public_bytes(Encoding.PEM))

    def make(covered: bytes) -> bytes:
        (folder / "covered").write_bytes(covered)
        subprocess.run(
            ["openssl", "cms", "-sign", "-binary", "-in", folder / "covered", "-outform", "DER",
             "-signer", folder / "cert.pem", "-inkey", folder / "key.pem", "-out", folder / "cms",
             *options],
            check=True, capture_output=True,
        )  # fmt: skip
        return (folder / "cms").read_bytes()

    return make
