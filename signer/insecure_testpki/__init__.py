"""A test PKI: NOT SECURE, CHỈ DÙNG THỬ. Anyone who runs Sohoa holds its CA keys.

It gives the embedded default something to sign, timestamp and check revocation with:
root → issuing CA → officer, leader, agency seal, audit log, codes on printouts, register, timestamp
unit, OCSP responder.
Every name says that it is fictitious, and production settings refuse its root as an anchor (S11).
"""

from signer.insecure_testpki.authority import InsecureTestPKI
from signer.insecure_testpki.keys import BareKey, KeyLoader, KeyMaker
from signer.insecure_testpki.roles import CertificateProfile, Role
from signer.insecure_testpki.token_keys import TokenKeys

__all__ = [
    "BareKey",
    "CertificateProfile",
    "InsecureTestPKI",
    "KeyLoader",
    "KeyMaker",
    "Role",
    "TokenKeys",
]
