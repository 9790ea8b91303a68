"""The two sides of the verification measurements: ours, and pyHanko's AdES-LTA validation."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable

from bench.harness import Actions
from bench.verify_stage import PAGES, SIGNATURES, Stage

NAMES = (
    "typed", "scanned",
    *(f"pages-{n}" for n in PAGES), *(f"signatures-{n}" for n in SIGNATURES),
)  # fmt: skip


def ours(stage: Stage) -> Actions:
    """Verification of each document in this process."""
    from signer.trust import TrustStore
    from signer.verification.report import Indication, Integrity
    from signer.verification.shown.opinion import Engines
    from signer.verification.verify import Verifier

    verifier = Verifier(TrustStore.from_files([stage.root]))

    def verify(name: str) -> None:
        report = verifier.verify(stage.document(name))
        wanted = (Integrity.INTACT, Engines.AGREE)
        if (report.integrity, report.engines) != wanted or (
            not name.startswith("signatures") and report.indication is not Indication.TOTAL_PASSED
        ):
            raise RuntimeError(f"{name}: {report.indication}, {report.integrity}")

    def action(name: str) -> Callable[[], None]:
        return lambda: verify(name)

    return {name: action(name) for name in NAMES}


def pyhanko(stage: Stage) -> Actions:
    """`ades_lta_validation` of every signature of a document, as pyHanko's manual shows it.

    Same root, no network, revocation required for signers. All signatures have to pass.
    """
    from asn1crypto import pem
    from asn1crypto import x509 as asn1_x509
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.ades.report import AdESPassed
    from pyhanko.sign.validation.ades import ades_lta_validation
    from pyhanko.sign.validation.policy_decl import (
        PdfSignatureValidationSpec,
        RevinfoOnlineFetchingRule,
        RevocationInfoGatheringSpec,
        SignatureValidationSpec,
    )
    from pyhanko_certvalidator.context import CertValidationPolicySpec
    from pyhanko_certvalidator.policy_decl import (
        CertRevTrustPolicy,
        RevocationCheckingPolicy,
        RevocationCheckingRule,
    )
    from pyhanko_certvalidator.registry import SimpleTrustManager

    logging.disable(logging.ERROR)
    root = asn1_x509.Certificate.load(pem.unarmor(stage.root.read_bytes())[2])
    rules = CertRevTrustPolicy(
        RevocationCheckingPolicy(
            ee_certificate_rule=RevocationCheckingRule.CRL_OR_OCSP_REQUIRED,
            intermediate_ca_cert_rule=RevocationCheckingRule.CHECK_IF_DECLARED,
        )
    )

    def specification() -> PdfSignatureValidationSpec:
        paths = CertValidationPolicySpec(
            trust_manager=SimpleTrustManager.build([root]), revinfo_policy=rules
        )
        offline = RevocationInfoGatheringSpec(
            online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY
        )
        return PdfSignatureValidationSpec(
            SignatureValidationSpec(
                cert_validation_policy=paths,
                ts_cert_validation_policy=paths,
                revinfo_gathering_policy=offline,
            )
        )

    async def validate(document: bytes) -> None:
        reader = PdfFileReader(io.BytesIO(document))
        for signature in reader.embedded_regular_signatures:
            result = await ades_lta_validation(signature, specification())
            if result.ades_subindic is not AdESPassed.OK:
                raise RuntimeError(f"pyHanko: {result.ades_subindic} {result.failure_msg}")

    def action(name: str) -> Callable[[], None]:
        return lambda: asyncio.run(validate(stage.document(name).read_bytes()))

    return {name: action(name) for name in ("typed", "scanned")}
