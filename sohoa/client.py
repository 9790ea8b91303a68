"""Sohoa's Python client; see `api.client`, where it is."""

from api.client import *  # noqa: F403 - the names of its __all__, and no others
from api.client import __all__

__all__ = list(__all__)
