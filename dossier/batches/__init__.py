"""Thousands of documents as one frozen list."""
