"""The PAdES baseline levels (ETSI EN 319 142-1 clause 6)."""

from __future__ import annotations

import enum


class Level(enum.Enum):
    """What a signature carries besides itself."""

    B_B = "B-B"  # nothing
    B_T = "B-T"  # a signature timestamp
    B_LT = "B-LT"  # and revocation evidence in the document
    B_LTA = "B-LTA"  # and a document timestamp over it all

    @property
    def timestamped(self) -> bool:
        """Whether the signature carries a signature timestamp."""
        return self is not Level.B_B

    @property
    def long_term(self) -> bool:
        """Whether revocation evidence goes into the document."""
        return self in {Level.B_LT, Level.B_LTA}
