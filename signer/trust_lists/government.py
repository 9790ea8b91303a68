"""The Government Cipher Committee's list of authorities, ``gca.ctl`` (`domain.md` 5.6).

JSON with Version, ListIdentifier, SequenceNumber, ThisUpdate, NextUpdate and the certificates
in Base64; its readers in the field also know the list of certificates as ``Cerificates``, and
times as ``/Date(1500000000000+0700)/``. The list itself is not signed, so that it is believed
only with the pin of the file or a detached signature.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from signer.clock import VIETNAM
from signer.trust.store import TrustDomain, sorted_store
from signer.trust_lists.content import (
    MAX_CERTIFICATES,
    ListKind,
    ListUnreadable,
    TrustList,
    certificate_of,
    load_object,
    whole_number,
)

_MILLISECONDS = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/")
_CERTIFICATES = ("Certificates", "Cerificates")


def is_government_list(said: dict[str, Any]) -> bool:
    """Whether a JSON object looks like one."""
    return "SequenceNumber" in said and any(name in said for name in _CERTIFICATES)


def read_government_list(text: bytes, domain: TrustDomain | None = None) -> TrustList:
    """The list, of the domain OFFICIAL_DUTY unless `domain` says otherwise.

    Raises `ListUnreadable`.
    """
    said = load_object(text)
    values = [said[name] for name in _CERTIFICATES if name in said]
    if len(values) != 1 or not isinstance(values[0], list) or not values[0]:
        raise ListUnreadable("the list has no certificates, or has them twice")
    if len(values[0]) > MAX_CERTIFICATES:
        raise ListUnreadable(f"the list has more than {MAX_CERTIFICATES} certificates")
    certificates = list(dict.fromkeys(certificate_of(value) for value in values[0]))
    return TrustList(
        kind=ListKind.CTL,
        store=sorted_store(certificates, domain or TrustDomain.OFFICIAL_DUTY),
        sequence=whole_number(said.get("SequenceNumber")),
        issued_at=_time(said.get("ThisUpdate")),
        next_update=_time(said.get("NextUpdate")),
        operator=str(said.get("ListIdentifier") or ""),
    )


def _time(value: object) -> dt.datetime:
    """Without a zone it is Vietnam's."""
    if not isinstance(value, str):
        raise ListUnreadable("ThisUpdate or NextUpdate is missing")
    try:
        if found := _MILLISECONDS.fullmatch(value):
            return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=int(found[1]))
        moment = dt.datetime.fromisoformat(value)
    except (ValueError, OverflowError) as error:
        raise ListUnreadable(f"{value!r} is not a time") from error
    return moment if moment.utcoffset() is not None else moment.replace(tzinfo=VIETNAM)
