"""Takes secrets out of texts before they are logged or audited."""

from __future__ import annotations

import re

from dossier.identity.keytext import PATTERN

_HIDDEN = "[…]"
_SECRETS = re.compile(
    rf"({PATTERN})"
    r"|(?P<jwt>\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*)"
    r"|(?P<webhook>\bwhsec_[A-Za-z0-9+/=_-]+)"
    r"|(?P<scheme>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{6,}"
    r"|(?P<name>\b(?:pin|pin[-_]value|password|passwd|secret|authorization|api[-_]?key|"
    r"client[-_]secret|token)[\"']?\s*[=:]\s*[\"']?(?:(?:Bearer|Basic)\s+)?)(?!None\b|null\b)[^\s\"',;&}]{1,400}"
    r"|(?P<url>\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z0-9_./{}-]{0,80}")
_MARKS = ("sohoa_", "SOHOA_", "eyJ", "whsec_")


def redact(text: str) -> str:
    """`text` without API keys, tokens, PINs, passwords and what stands behind such names.

    An API key keeps its public part, so that a leak can be revoked.
    """
    if _WORD.fullmatch(text) and not any(mark in text for mark in _MARKS):
        return text  # most of what is logged: ids, routes, names of events
    return _SECRETS.sub(_replaced, text)


def _replaced(match: re.Match[str]) -> str:
    if match[1] is not None:
        return match[1][: -len(match[1].rpartition("_")[2])] + _HIDDEN
    for group in ("scheme", "name", "url"):
        if match[group] is not None:
            return match[group] + _HIDDEN
    return _HIDDEN
