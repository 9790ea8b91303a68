"""Watched folders: what is dropped there becomes a stack, once."""
