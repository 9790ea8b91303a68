"""Judging signatures: from the bytes of a PDF to a `VerificationReport` (ETSI EN 319 102-1)."""
