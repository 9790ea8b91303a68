"""Verification of strangers' files: in processes of their own, kept, repeated, in bulk."""
