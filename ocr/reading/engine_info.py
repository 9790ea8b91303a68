"""Which engine reads: a plain value, for those who never load the engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Which engine and models read the page, for the provenance manifest.

    `models` holds (language, SHA-256 of the model file) in the order of use.
    """

    name: str
    version: str
    models: tuple[tuple[str, str], ...]
