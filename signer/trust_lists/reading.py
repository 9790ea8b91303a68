"""One entrance for lists of trust, whatever their form: proved first, then read.

found = read_trust_list(octets, Credentials(sha256=pin), at=now)
found.content.store, found.proof.kind
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from signer.errors import TrustError
from signer.trust.store import TrustDomain, TrustStore
from signer.trust_lists.content import (
    MAX_BYTES,
    MAX_CERTIFICATES,
    ListKind,
    ListUnreadable,
    TrustList,
    load_object,
    read_json,
)
from signer.trust_lists.etsi import ROOT, read_etsi_list
from signer.trust_lists.government import is_government_list, read_government_list
from signer.trust_lists.proof import Credentials, Proof, ProofKind, proof_by, unproved

_CLOCKS_DIFFER = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ProvedList:
    """A list, and what makes it believable."""

    content: TrustList
    proof: Proof


def read_trust_list(
    octets: bytes,
    credentials: Credentials,
    *,
    at: dt.datetime,
    domain: TrustDomain | None = None,
) -> ProvedList:
    """The list in `octets`, proved at `at` (aware). `domain` is for forms that name none.

    A list that has expired, or was issued after `at`, is refused. Raises `TrustError`.
    """
    try:
        if len(octets) > MAX_BYTES:
            raise ListUnreadable(f"it is larger than {MAX_BYTES} bytes")  # noqa: TRY301
        found = _proved(octets, credentials, at, domain)
        _check_times(found.content, at)
    except ListUnreadable as error:
        raise TrustError(
            f"Không nhập danh sách tin cậy này: {error}. Hãy tải lại từ nơi công bố rồi kiểm tra "
            f"với một nguồn khác. / This list of trust is refused: {error}. Fetch it again from "
            "whoever publishes it and compare it with another source."
        ) from error
    return found


def _proved(
    octets: bytes, credentials: Credentials, at: dt.datetime, domain: TrustDomain | None
) -> ProvedList:
    pin = credentials.check_pin(octets)
    if _is_xml(octets):
        from signer.trust_lists.xml_signature import verify_signed_xml  # late: who needs lxml?

        # a pin says that these are the octets meant; a list that is broken is refused all the same
        signers = credentials.signers or (None if pin else ())
        signed = verify_signed_xml(octets, ROOT, at, signers)
        content = read_etsi_list(signed.octets, domain)
        return ProvedList(content, pin or proof_by(ProofKind.XADES, signed.signer))
    proof = credentials.check_signature(octets, at) or pin
    if proof is None:
        raise unproved()
    return ProvedList(_read_unsigned(octets, domain), proof)


def _is_xml(octets: bytes) -> bool:
    return octets.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def _read_unsigned(octets: bytes, domain: TrustDomain | None) -> TrustList:
    if octets.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        text = octets.removeprefix(b"\xef\xbb\xbf")
        if is_government_list(load_object(text)):
            return read_government_list(text, domain)
        return read_json(text)
    try:
        store = TrustStore.from_pem(octets, domain)
    except TrustError as error:
        raise ListUnreadable(str(error)) from error
    if len(store.anchors) + len(store.intermediates) > MAX_CERTIFICATES:
        raise ListUnreadable(f"the list has more than {MAX_CERTIFICATES} certificates")
    return TrustList(kind=ListKind.PEM, store=store.merged(TrustStore()))


def _check_times(content: TrustList, at: dt.datetime) -> None:
    if not content.store.anchors:
        raise ListUnreadable("it grants nothing that could be an anchor")
    issued, until = content.issued_at, content.next_update
    if issued is not None and issued > at + _CLOCKS_DIFFER:
        raise ListUnreadable(f"it was issued at {issued.isoformat()}, which is still to come")
    if until is not None and until <= at:
        raise ListUnreadable(f"it expired at {until.isoformat()}: there must be a newer one")
    if issued is not None and until is not None and until <= issued:
        raise ListUnreadable("it expires before it was issued")
