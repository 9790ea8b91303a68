"""The evidence of a signing: what was relied on when the key was used (S15, K13).

One JSON blob a record: certificate and chain, revocation values with their times, timestamps,
and the digest of the verification report. It serves below B-LT too, where the file itself holds
no revocation evidence. The revocation values stand there by their digests: each is a blob of the
agency, kept once for all documents that relied on it, for a list of a real CA has megabytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from dossier.model import JSON
from dossier.signing.sealing import Finished
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.store import BlobStore
from hsm.keys import SigningKey
from signer.services import RevocationEvidence

FORMAT = "sohoa-signing-evidence-1"
_KEPT = 256  # sets of values remembered as kept


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
            "certificates": [_reference(one) for one in revocation.certificates],
            "ocsp": [_reference(one) | _ocsp_times(one) for one in revocation.ocsps],
            "crl": [_reference(one) | _crl_times(one) for one in revocation.crls],
        }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))[1:-1]


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _value(encoded: bytes) -> dict[str, JSON]:
    return {
        "sha256": hashlib.sha256(encoded).hexdigest(),
        "der": base64.b64encode(encoded).decode(),
    }


def _reference(encoded: bytes) -> dict[str, JSON]:
    return {"sha256": hashlib.sha256(encoded).hexdigest(), "bytes": len(encoded)}


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


class KeptValues:
    """Keeps revocation values as blobs of the agencies that relied on them, each once."""

    def __init__(self, database: Database, blobs: BlobStore, holdings: Holdings) -> None:
        self._database = database
        self._blobs = blobs
        self._holdings = holdings
        self._known: dict[tuple[str, RevocationEvidence], None] = {}

    def keep(self, agency_id: str, revocation: RevocationEvidence) -> None:
        """Make sure that the values can be looked up; durable when it returns.

        Costs nothing for values that this process has kept before. Raises `StoreError`.
        """
        entry = (agency_id, revocation)
        if entry in self._known:
            return
        items = [
            (self._blobs.put(value), media_type)
            for media_type, values in (
                ("application/pkix-cert", revocation.certificates),
                ("application/ocsp-response", revocation.ocsps),
                ("application/pkix-crl", revocation.crls),
            )
            for value in values
        ]
        self._database.together(
            lambda connection: self._holdings.register_all(connection, agency_id, items)
        )
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[entry] = None


def report_json(finished: Finished) -> bytes:
    """The verification report as it is stored."""
    return json.dumps(finished.report.to_json(), ensure_ascii=False, separators=(",", ":")).encode()


def organisations(certificate: x509.Certificate) -> Sequence[str]:
    """The organisation and unit names of a certificate's subject."""
    oids = (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
    return [
        str(name.value) for oid in oids for name in certificate.subject.get_attributes_for_oid(oid)
    ]
