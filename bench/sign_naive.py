"""Naive pyHanko: what somebody writes who follows its documentation, one document at a time.

For every document it opens a PKCS#11 session with the PIN, looks up key and certificates, and
calls `sign_pdf` with pyHanko's defaults (its own `PKCS11Signer`, room for the signature found
by a dry run); for B-LTA it makes a time-stamper and a validation context with fetching, so
nothing is cached from one document to the next. The Python process, the loaded module and the
imports are shared by all documents: the cost of starting a program is not counted against it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import pkcs11
from asn1crypto import x509 as asn1_x509
from pyhanko.config.pkcs11 import TokenCriteria
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.pkcs11 import PKCS11Signer, open_pkcs11_session
from pyhanko.sign.timestamps import HTTPTimeStamper
from pyhanko_certvalidator import ValidationContext

from bench.harness import Actions
from bench.sign_stage import EC_ROLE, LABEL, PIN, RSA_ROLE, Stage
from signer.insecure_testpki import Role


def prepare(stage: Stage) -> Actions:
    """The actions of the naive party."""
    module = str(stage.module)
    pkcs11.lib(module)
    pki = stage.folder / "pki"
    base_url = _base_url(pki)
    small, large = stage.document("1p.pdf").read_bytes(), stage.document("15mb.pdf")
    out = stage.folder / "naive.pdf"

    def sign(source: BinaryIO, output: BinaryIO, role: Role, *, lta: bool = False) -> None:
        with open_pkcs11_session(
            module, token_criteria=TokenCriteria(label=LABEL), user_pin=PIN
        ) as session:
            signer = PKCS11Signer(
                session,
                cert_label=role.label,
                key_label=role.label,
                use_raw_mechanism=role is EC_ROLE,  # SoftHSM has no CKM_ECDSA_SHA256
                ca_chain=[_certificate(pki / f"{Role.ISSUING.value}.pem")],
            )
            metadata = signers.PdfSignatureMetadata(
                field_name="Signature1", subfilter=SigSeedSubFilter.PADES
            )
            timestamper = None
            if lta:
                timestamper = HTTPTimeStamper(f"{base_url}/tsa")
                metadata = signers.PdfSignatureMetadata(
                    field_name="Signature1",
                    subfilter=SigSeedSubFilter.PADES,
                    embed_validation_info=True,
                    use_pades_lta=True,
                    validation_context=ValidationContext(
                        trust_roots=[_certificate(pki / f"{Role.ROOT.value}.pem")],
                        allow_fetching=True,
                        revocation_mode="require",
                    ),
                )
            signers.sign_pdf(
                IncrementalPdfFileWriter(source),
                metadata,
                signer=signer,
                timestamper=timestamper,
                output=output,
            )

    def sign_in_memory(role: Role, *, lta: bool = False) -> None:
        sign(io.BytesIO(small), io.BytesIO(), role, lta=lta)

    def sign_large() -> None:
        with large.open("rb") as source, out.open("w+b") as output:
            sign(source, output, RSA_ROLE)

    return {
        "bb.rsa3072.1p": lambda: sign_in_memory(RSA_ROLE),
        "bb.p256.1p": lambda: sign_in_memory(EC_ROLE),
        "bb.rsa3072.15mb": sign_large,
        "blta.1p": lambda: sign_in_memory(RSA_ROLE, lta=True),
    }


def _base_url(pki: Path) -> str:
    import json

    state = json.loads((pki / "INSECURE-TEST-PKI.json").read_text())
    return str(state["base_url"])


def _certificate(path: Path) -> asn1_x509.Certificate:
    from asn1crypto import pem

    return asn1_x509.Certificate.load(pem.unarmor(path.read_bytes())[2])
