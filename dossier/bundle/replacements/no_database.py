"""Instead of `dossier.register.log`, `.nodes` and `.checkpoints`: there is no database here.

A proof is checked without one; only making it needs these. So any name can be imported from here,
and none can be used.
"""

from __future__ import annotations

from typing import NoReturn


def __getattr__(name: str) -> object:
    """Whatever is asked for by name, as long as nobody calls it."""
    if name.startswith("__"):
        raise AttributeError(name)
    return _absent


def _absent(*_: object, **__: object) -> NoReturn:
    raise NotImplementedError("there is no database here: a proof is checked without one")
