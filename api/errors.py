"""Errors of the `api` package.

APIError
├── SettingsError          the settings file or an environment variable is wrong
├── NotInitialised         no data folder yet: run `sohoa init`
├── ProductionRefused      production settings meet something that is for tests only
├── InputUnusable          a file named on the command line cannot be used
└── PublishError           finished files cannot be put where they should go
"""

from __future__ import annotations


class APIError(Exception):
    """Root of all errors that leave `api`."""


class SettingsError(APIError):
    """The settings file or an environment variable is wrong; the message names the entry."""


class NotInitialised(APIError):
    """There is no data folder yet."""


class ProductionRefused(APIError):
    """Production settings meet a software token, a test anchor or an embedded authority (S11)."""


class InputUnusable(APIError):
    """A file named on the command line cannot be read or used."""


class PublishError(APIError):
    """Finished files cannot be put where they should go: disk full, no permission."""
