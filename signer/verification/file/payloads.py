"""Unencrypted wrappers: a page that says nothing, around a document that nobody can judge.

ISO 32000-2, 7.6.7: a reader that knows the encryption shows the document inside in place of the
signed page. Threat: encrypted input that passes for its wrapper.
"""

from __future__ import annotations

from collections.abc import Iterator

from signer.verification.file.pdf_objects import Dictionary, Ref, Value
from signer.verification.file.structure import View

_MAX_NODES = 10_000


def wraps_encrypted(view: View) -> bool:
    """True when an attached file is the encrypted document that this one stands for."""
    return any(
        "EP" in found or found.get("AFRelationship") == "EncryptedPayload"
        for found in _file_specifications(view)
    )


def _file_specifications(view: View) -> Iterator[Dictionary]:
    """The associated files of the catalogue and all embedded ones; bounded."""
    names = view.dictionary(view.root.get("Names")) or Dictionary()
    stack: list[Value] = [*view.array(view.root.get("AF")), names.get("EmbeddedFiles")]
    seen: set[int] = set()
    looked_at = 0
    while stack and looked_at < _MAX_NODES:
        looked_at += 1
        item = stack.pop()
        if isinstance(item, Ref):
            if item.number in seen:
                continue
            seen.add(item.number)
        found = view.dictionary(item)
        if found is None:
            continue
        if "Kids" in found or "Names" in found:
            stack += [*view.array(found.get("Kids")), *view.array(found.get("Names"))]
        else:
            yield found
