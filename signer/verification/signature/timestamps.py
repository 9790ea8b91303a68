"""RFC 3161 timestamp tokens, in a signature or over the document (ISO 32000-2, 12.8.5).

Threats: copied and replayed tokens (the imprint must be of this very data), tokens whose own
signature is broken (never a side note: the document is BROKEN), authorities that are none.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.verification.attacks import Attack
from signer.verification.report import Checklist, Integrity, SubIndication
from signer.verification.signature.algorithms import UnknownAlgorithm, digest_name, digest_of
from signer.verification.signature.certificates import Certificate
from signer.verification.signature.cms import (
    ID_TST_INFO,
    Naming,
    SignedData,
    check_algorithm_protection,
    check_content_type,
    message_digest,
    names_certificate,
    signature_verifies,
)
from signer.verification.signature.der import (
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    DERError,
    Node,
    check_tree,
    read_exactly,
)
from signer.verification.signature.x509_fields import read_time


@dataclass(frozen=True, slots=True)
class TSTInfo:
    """What the authority signed (RFC 3161, 2.4.2)."""

    digest: str
    imprint: bytes
    time: dt.datetime
    policy: str


def read_tst_info(data: SignedData) -> TSTInfo:
    """Raises `DERError`, `UnknownAlgorithm`."""
    if data.content is None:
        raise DERError("the token carries no TSTInfo", Attack.TIMESTAMP_AS_SIGNATURE)
    node = read_exactly(data.content)
    check_tree(node)
    fields = node.expect(SEQUENCE).children()
    if len(fields) < 5 or fields[0].integer() != 1:
        raise DERError("an unreadable TSTInfo")
    imprint = fields[2].expect(SEQUENCE).children()
    if len(imprint) != 2:
        raise DERError("an unreadable message imprint")
    fields[3].expect(INTEGER)
    _check_optional(fields[5:])
    return TSTInfo(
        digest=digest_name(imprint[0]),
        imprint=imprint[1].expect(OCTET_STRING).content,
        time=read_time(fields[4].expect(GENERALIZED_TIME)),
        policy=fields[1].expect(OID).oid(),
    )


def _check_optional(fields: list[Node]) -> None:
    """accuracy, ordering, nonce, tsa, extensions: each at most once, in this order."""
    order = [SEQUENCE, BOOLEAN, INTEGER, 0xA0, 0xA1]
    for field in fields:
        if field.tag not in order:
            raise DERError("TSTInfo has unknown or misplaced fields")
        order = order[order.index(field.tag) + 1 :]


def note_unreadable(error: DERError | UnknownAlgorithm, check: str, into: Checklist) -> None:
    """What cannot be computed leaves doubt; what is not the structure it must be convicts."""
    if isinstance(error, UnknownAlgorithm):
        into.unknown(
            "cms.algorithm", SubIndication.CRYPTO_CONSTRAINTS_FAILURE, str(error), Integrity.UNKNOWN
        )
    else:
        into.failed(
            check, SubIndication.FORMAT_FAILURE, str(error), Integrity.MALFORMED,
            attack=error.attack,
        )  # fmt: skip


def check_token(
    data: SignedData, authority: Certificate | None, imprint_of: dict[str, bytes], into: Checklist
) -> TSTInfo | None:
    """Everything about a token but trust; None when it proves nothing.

    `imprint_of` maps digest names to the digest of what the token must be over; a digest that
    is missing there is taken as not computable.
    """
    try:
        check_content_type(data, ID_TST_INFO)
        info = read_tst_info(data)
        content_digest = digest_of(data.digest, data.content or b"")
        is_own = message_digest(data) == content_digest
        check_algorithm_protection(data)
        named = names_certificate(data, authority) if authority else Naming.ABSENT
    except (DERError, UnknownAlgorithm) as error:
        note_unreadable(error, "timestamp.structure", into)
        return None
    into.passed("timestamp.structure")
    if not is_own:
        into.failed(
            "timestamp.value", SubIndication.HASH_FAILURE, "TSTInfo was altered", Integrity.BROKEN
        )
        return None
    if imprint_of.get(info.digest) != info.imprint:
        into.failed(
            "timestamp.imprint", SubIndication.HASH_FAILURE,
            "the imprint is not the digest of this data", Integrity.BROKEN,
        )  # fmt: skip
        return None
    into.passed("timestamp.imprint", info.digest)
    if authority is None:
        into.unknown(
            "timestamp.authority", SubIndication.NO_SIGNING_CERTIFICATE_FOUND,
            "the authority's certificate is missing", Integrity.UNKNOWN,
        )  # fmt: skip
        return None
    if named is Naming.WRONG:
        into.failed(
            "timestamp.value", SubIndication.SIG_CRYPTO_FAILURE,
            "signing-certificate names another certificate", Integrity.BROKEN,
            attack=Attack.CERTIFICATE_SUBSTITUTION,
        )  # fmt: skip
        return None
    try:
        is_verified = signature_verifies(data, authority)
    except UnknownAlgorithm as error:
        note_unreadable(error, "timestamp.structure", into)
        return None
    if not is_verified:
        into.failed(
            "timestamp.value", SubIndication.SIG_CRYPTO_FAILURE,
            "the token's signature does not verify", Integrity.BROKEN,
        )  # fmt: skip
        return None
    into.passed("timestamp.value", data.algorithm.name)
    if named is Naming.ABSENT:
        into.warn("cms.signing-certificate", "the token does not name its certificate")
    return info


def authority_refusal(authority: Certificate) -> str:
    """Why this certificate may not sign timestamps (RFC 3161, 2.3); empty when it may."""
    wanted = ExtendedKeyUsageOID.TIME_STAMPING.dotted_string
    if authority.extended_usages != frozenset({wanted}):
        return "the certificate is not for time-stamping alone"
    if not authority.extended_usage_is_critical:
        return "the time-stamping usage is not marked critical"
    usages = authority.usages
    if usages is not None and not usages & {"digital_signature", "content_commitment"}:
        return "the key may not sign"
    return ""
