"""Scans become records in the background."""
