"""Tokens, sessions and keys: everything that touches a PKCS#11 module.

The lowest floor. Keys are made in the token and never leave it; this package hands out
`SigningKey` objects that sign digests and nothing else.
"""
