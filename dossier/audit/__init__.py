"""The audit chains: append-only, hash-linked, their heads sealed by another key and timestamped.

chain.py    what an entry is and how entries are linked: pure, shared by writer and verifier
log.py      appends to a chain in the database and reads it
"""
