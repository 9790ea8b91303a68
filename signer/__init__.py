"""Signing and verifying PDF documents (PAdES, ETSI EN 319 142-1) over `hsm.keys.SigningKey`."""
