"""PDFs to seal, and what independent programs say of sealed ones."""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from signer.sealing.seal import Sealer
from signer.sealing.stamp import DocumentGeometry, ObjectSink, Rect
from signer.sealing.syntax import numbers, stream

OBJECT_STREAMS = pikepdf.ObjectStreamMode.generate
NO_OBJECT_STREAMS = pikepdf.ObjectStreamMode.disable


def blank(pages: int = 1, **save) -> bytes:
    """A document of blank A4 pages, saved as pikepdf is told (default: xref table)."""
    pdf = pikepdf.new()
    for number in range(pages):
        pdf.add_blank_page(page_size=(595, 842))
        pdf.pages[number].Contents = pdf.make_stream(b"0 0 m 10 %d l S" % number)
    return saved(pdf, **save)


def saved(pdf: pikepdf.Pdf, **save) -> bytes:
    """The document as bytes."""
    out = io.BytesIO()
    pdf.save(out, **{"object_stream_mode": NO_OBJECT_STREAMS, "static_id": True, **save})
    return out.getvalue()


def edited(pdf: bytes, edit, **save) -> bytes:
    """`pdf` after `edit(pikepdf.Pdf)`, rewritten: for inputs only, never for sealed files."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        edit(opened)
        return saved(opened, **save)


def no_precheck(key, at) -> None:
    """For tests of what comes after the certificate's own checks."""


def sealer(**options) -> Sealer:
    """A sealer that does not look at certificates."""
    return Sealer(**{"precheck": no_precheck, **options})


@dataclass(frozen=True)
class Box:
    """A stamp and its plan: a filled rectangle at a fixed place."""

    rect: Rect
    page_index: int = 0

    def resolve(self, document: DocumentGeometry) -> Box:
        return self

    def draw(self, sink: ObjectSink) -> int:
        width, height = self.rect[2] - self.rect[0], self.rect[3] - self.rect[1]
        form = {
            "/Type": b"/XObject",
            "/Subtype": b"/Form",
            "/BBox": numbers((0, 0, width, height)),
            "/Resources": {},
        }
        return sink.add(stream(form, b"0.8 0 0 rg 0 0 %d %d re f" % (width, height)))


@dataclass(frozen=True)
class Embedded:
    """One signature as it lies in a file."""

    sub_filter: str
    contents: bytes  # with padding
    covered: bytes


def signatures(pdf: bytes) -> list[Embedded]:
    """Every signature dictionary in the order of the file, cut out by regular expressions."""
    found = []
    pattern = rb"/SubFilter /([\w.]+).*?/ByteRange \[(\d+) (\d+) (\d+) (\d+) *\] /Contents <"
    for match in re.finditer(pattern, pdf, re.DOTALL):
        first, length, second, rest = (int(match[i]) for i in range(2, 6))
        gap = pdf[first + length : second]
        found.append(
            Embedded(
                match[1].decode(),
                bytes.fromhex(gap[1:-1].decode()),
                pdf[first:length] + pdf[second : second + rest],
            )
        )
    return found


def pem_file(path: Path, certificates: Sequence[x509.Certificate]) -> Path:
    """The certificates as one PEM file."""
    pems = [c.public_bytes(serialization.Encoding.PEM) for c in certificates]
    path.write_bytes(b"".join(pems))
    return path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program; its output is text, whatever bytes it prints."""
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def pdfsig_verdicts(path: Path) -> list[str]:
    """What poppler says of each signature; it cannot judge document timestamps."""
    blocks = run("pdfsig", "-nocert", path).stdout.split("Signature #")[1:]
    seals = [block for block in blocks if "Signature Type: unknown" not in block]
    return re.findall(r"Signature Validation: (.*)", "".join(seals))


def openssl_cms(folder: Path, one: Embedded, anchors: Sequence[x509.Certificate]) -> str:
    """`openssl cms -verify -cades` over the signature as extracted; its complaint, or ""."""
    cms, data = folder / "one.p7s", folder / "one.bin"
    cms.write_bytes(one.contents)
    data.write_bytes(one.covered)
    done = run(
        "openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", cms,
        "-content", data, "-CAfile", pem_file(folder / "ca.pem", anchors),
        "-purpose", "any", "-out", folder / "out.bin",
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stderr


def openssl_ts(
    folder: Path, token: bytes, stamped: bytes, anchors: Sequence[x509.Certificate]
) -> str:
    """`openssl ts -verify` of a token over `stamped`; its complaint, or ""."""
    token_file, data = folder / "token.der", folder / "stamped.bin"
    token_file.write_bytes(token)
    data.write_bytes(stamped)
    done = run(
        "openssl", "ts", "-verify", "-token_in", "-in", token_file, "-data", data,
        "-CAfile", pem_file(folder / "ca.pem", anchors),
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stderr + done.stdout


def der_value(padded: bytes) -> bytes:
    """The DER value at the start of `padded`, without the padding."""
    count = padded[1] & 0x7F
    size = int.from_bytes(padded[2 : 2 + count], "big") if padded[1] & 0x80 else padded[1]
    return padded[: 2 + (count if padded[1] & 0x80 else 0) + size]
