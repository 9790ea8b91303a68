"""Instead of `dossier.register.log`, `.nodes` and `.checkpoints`: there is no database here.

A proof is checked without one; only making it needs these.
"""

from __future__ import annotations


class Register:
    """Names the parameter of a function that is not called here."""


class Checkpoints:
    """As `Register`."""
