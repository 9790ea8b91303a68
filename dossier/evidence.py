"""The evidence of a signing: what was relied on when the key was used (S15, K13).

One JSON blob a record: certificate and chain, revocation values with their times, timestamps,
and the digest of the verification report. It serves below B-LT too, where the file itself holds
no revocation evidence.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.x509 import ocsp

from dossier.model import JSON
from dossier.sealing import Finished
from hsm.keys import SigningKey
from signer.services import RevocationEvidence

FORMAT = "sohoa-signing-evidence-1"


def evidence_json(
    record_id: str,
    finished: Finished,
    key: SigningKey,
    revocation: RevocationEvidence | None,
    *,
    at: datetime,
    source_sha256: str,
    result_sha256: str,
    report_sha256: str,
) -> bytes:
    """The evidence as JSON in UTF-8. `revocation` is None where no status was asked."""
    own: dict[str, JSON] = {
        "format": FORMAT,
        "record": record_id,
        "signed_at": at.isoformat(),
        "source_sha256": source_sha256,
        "result_sha256": result_sha256,
        "report_sha256": report_sha256,
        "verdict": finished.report.indication.value,
        "key": {"label": key.label, "scheme": key.scheme.value, "hardware": key.is_hardware},
        "signatures": [
            {
                "field": seal.field_name,
                "level": seal.level.value,
                "digest": seal.digest_name,
                "document_digest": seal.digest.hex(),
                "byte_range": list(seal.byte_range),
                "signature": base64.b64encode(seal.signature).decode(),
            }
            for seal in finished.seals
        ],
        "timestamps": _timestamps(finished),
    }
    text = json.dumps(own, ensure_ascii=False, separators=(",", ":"))
    # what many documents share is written once: it is most of the bytes
    shared = _shared(key.certificate, tuple(key.chain), revocation)
    return f"{text[:-1]},{shared}}}".encode()


def _timestamps(finished: Finished) -> list[JSON]:
    ours = {seal.field_name for seal in finished.seals}
    tokens = [
        (signature.field_name, token)
        for signature in finished.report.signatures
        if signature.field_name in ours
        for token in signature.timestamps
    ]
    tokens += [(token.field_name or "", token) for token in finished.report.document_timestamps]
    return [
        {
            "field": field,
            "time": token.time.isoformat() if token.time else None,
            "authority": token.authority,
            "verdict": token.indication.value,
        }
        for field, token in tokens
    ]


@lru_cache(maxsize=64)
def _shared(
    certificate: x509.Certificate,
    chain: tuple[x509.Certificate, ...],
    revocation: RevocationEvidence | None,
) -> str:
    """The members that every signing with this key and these answers has in common."""
    values: dict[str, JSON] = {
        "certificate": _value(_der(certificate)),
        "chain": [_value(_der(one)) for one in chain],
        "revocation": None,
    }
    if revocation is not None:
        values["revocation"] = {
            "certificates": [_value(one) for one in revocation.certificates],
            "ocsp": [_value(one) | _ocsp_times(one) for one in revocation.ocsps],
            "crl": [_value(one) | _crl_times(one) for one in revocation.crls],
        }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))[1:-1]


def _der(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)


def _value(encoded: bytes) -> dict[str, JSON]:
    return {
        "sha256": hashlib.sha256(encoded).hexdigest(),
        "der": base64.b64encode(encoded).decode(),
    }


def _ocsp_times(encoded: bytes) -> dict[str, JSON]:
    try:
        answer = ocsp.load_der_ocsp_response(encoded)
        return _times(
            produced_at=answer.produced_at_utc,
            this_update=answer.this_update_utc,
            next_update=answer.next_update_utc,
        )
    except ValueError:  # several answers in one: the value itself says more than we can
        return {}


def _crl_times(encoded: bytes) -> dict[str, JSON]:
    crl = x509.load_der_x509_crl(encoded)
    return _times(this_update=crl.last_update_utc, next_update=crl.next_update_utc)


def _times(**moments: datetime | None) -> dict[str, JSON]:
    return {name: moment.isoformat() if moment else None for name, moment in moments.items()}


def report_json(finished: Finished) -> bytes:
    """The verification report as it is stored."""
    return json.dumps(finished.report.to_json(), ensure_ascii=False, separators=(",", ":")).encode()


def organisations(certificate: x509.Certificate) -> Sequence[str]:
    """The organisation and unit names of a certificate's subject."""
    oids = (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
    return [
        str(name.value) for oid in oids for name in certificate.subject.get_attributes_for_oid(oid)
    ]
