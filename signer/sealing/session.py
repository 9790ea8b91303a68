"""One run over one document: its copy, its revisions, its fields.

The steps that `signer.sealing.seal` and `signer.sealing.augment` are made of. A run belongs to
one thread and lives inside one `with` block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from signer.sealing.check import read_back
from signer.sealing.document import SourceDocument
from signer.sealing.fields import SignatureFields
from signer.sealing.incremental import Filled, Revisions, SealedFile, SignatureHole
from signer.sealing.locks import Restrictions
from signer.sealing.syntax import Ref, Value

FillContents = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Written:
    """A signature as it stands in the file."""

    digest: bytes  # over the byte range
    contents: bytes  # the value of /Contents: the CMS and its zero padding
    place: Filled

    @property
    def byte_range(self) -> tuple[int, int, int, int]:
        """The four integers of /ByteRange."""
        start, end = self.place.contents_start, self.place.contents_end
        return 0, start, end, self.place.revision_end - end


@dataclass(slots=True)
class SealingRun:
    """A document being sealed, and what is known of it."""

    target: SealedFile
    source: SourceDocument
    revisions: Revisions
    fields: SignatureFields
    restrictions: Restrictions
    contents: dict[Ref, bytes]  # signature dictionary → /Contents value, of this run

    def commit_signature(
        self,
        ref: Ref,
        entries: dict[str, Value],
        reserved: int,
        digest_name: str,
        fill: FillContents,
    ) -> Written:
        """Write the revision with the signature dictionary `ref`, and read it back.

        Raises what `fill` raises, `OutputRejected`, and `OSError`.
        """
        prefix = self.target.prefix(digest_name)
        hole = SignatureHole(entries, reserved, digest_name, fill)
        filled = self.revisions.commit_signed(ref, hole)
        digest, contents = read_back(self.target.fd, prefix, filled)
        self.contents[ref] = contents
        return Written(digest, contents, filled)


@contextmanager
def sealing_run(
    source: int | bytes, target_fd: int, digest_names: Iterable[str]
) -> Iterator[SealingRun]:
    """Copy `source` (a descriptor, or the PDF itself) to `target_fd` and open the copy.

    What is parsed is what was hashed: the copy, not the source, which may change meanwhile.
    """
    target = SealedFile(target_fd, digest_names)
    if isinstance(source, bytes):
        target.append(source)
    else:
        target.copy_from(source)
    with SourceDocument(target_fd) as document:
        revisions = Revisions(document, target)
        fields = SignatureFields(document, revisions)
        restrictions = Restrictions.read(document, fields.signed)
        yield SealingRun(target, document, revisions, fields, restrictions, {})
