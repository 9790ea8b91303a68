"""Whom we believe, and by which rules: values without network, database or clock.

store   anchors in named domains, with their grants; intermediates
rules   the dated rule sets of the domains (NĐ 68/2024; NĐ 23/2025 and TT 15/2025)

How a store is read from what authorities publish: `signer.trust_lists`.
"""

from signer.trust.store import (
    TEST_MARK,
    Grant,
    Service,
    TrustAnchor,
    TrustDomain,
    TrustStore,
)

__all__ = ["TEST_MARK", "Grant", "Service", "TrustAnchor", "TrustDomain", "TrustStore"]
