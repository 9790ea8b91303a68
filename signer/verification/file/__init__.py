"""Bytes and revisions first: objects, cross-references, what every byte is there for (step 1)."""
