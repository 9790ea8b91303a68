"""Signature records, from the order to the published document and its renewal."""
