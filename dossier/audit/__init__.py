"""The audit chains: append-only, hash-linked, their heads sealed by another key and timestamped.

chain.py      what an entry is and how entries are linked: pure, shared by writer and verifier
head.py       what a sealed head is
log.py        appends to a chain in the database, reads it, proves single entries
heads.py      seals heads, one process at a time
export.py     a chain as JSON lines         verify.py     verifies such lines, offline
findings.py   what can be wrong, and where  proof.py      checks the proof of one entry
explain.py    joins both chains: why was each key used?
recompute.py  walks a chain in the database, for restore
"""
