"""Other people's programs that sign PDFs, and files that other people's programs make.

store = key_store(key, folder)                   # PKCS#12, and an NSS database beside it
mutool_sign(pdf, store)                          # bytes, signed by MuPDF
pdfsig_sign(pdf, store, "--etsi")                # by poppler and NSS
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from tests.increments import Increment
from tests.odd_certificates import OddKey

PASSWORD = "thu-nghiem"  # of keys that live as long as a test
NICKNAME = "nguoi ky thu"
_JARS = ("pdfbox2", "fontbox2", "commons-logging", "bcprov", "bcpkix", "bcutil")
VECTORS = Path(__file__).parent / "vectors"


@dataclass(frozen=True)
class KeyStore:
    """A key with its chain as other programs want it, and a folder to work in."""

    folder: Path

    @property
    def p12(self) -> Path:
        return self.folder / "key.p12"

    @property
    def nss(self) -> str:
        return f"sql:{self.folder / 'nss'}"

    def put(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path


def key_store(key: OddKey, folder: Path) -> KeyStore:
    """The key in PKCS#12 and in an NSS database."""
    folder.mkdir(exist_ok=True)
    store = KeyStore(folder)
    chain = [x509.load_der_x509_certificate(c) for c in key.chain]
    store.p12.write_bytes(
        pkcs12.serialize_key_and_certificates(
            NICKNAME.encode(), key.private, x509.load_der_x509_certificate(key.certificate), chain,
            BestAvailableEncryption(PASSWORD.encode()),
        )
    )  # fmt: skip
    (folder / "nss").mkdir()
    run("certutil", "-N", "-d", store.nss, "--empty-password")
    run("pk12util", "-i", store.p12, "-d", store.nss, "-W", PASSWORD)
    for number, one in enumerate(key.chain):
        own = store.put(f"ca{number}.der", one)
        run("certutil", "-A", "-d", store.nss, "-n", f"ca{number}", "-t", "CT,C,C", "-i", own)
    return store


def run(*command: str | Path) -> str:
    """Standard output; raises with what the program said when it failed."""
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, f"{command}: {said}{done.stderr.decode(errors='replace')}"
    return said


def pdfsig_sign(pdf: bytes, store: KeyStore, *options: str, field: str | None = None) -> bytes:
    """One more signature, by poppler with NSS: in a field of its own, or in an empty `field`."""
    source, target = store.put("poppler-in.pdf", pdf), store.folder / "poppler-out.pdf"
    how = ("-sign", field) if field else ("-add-signature",)
    run("pdfsig", "-nssdir", store.nss, *how, "-nick", NICKNAME, *options, source, target)
    return target.read_bytes()


def mutool_sign(pdf: bytes, store: KeyStore, field: int) -> bytes:
    """Signs the signature field of this object number, by MuPDF with OpenSSL."""
    source, target = store.put("mupdf-in.pdf", pdf), store.folder / "mupdf-out.pdf"
    run("mutool", "sign", "-s", store.p12, "-P", PASSWORD, "-o", target, source, str(field))
    return target.read_bytes()


def compiled(name: str, folder: Path) -> Sequence[str]:
    """The command that runs a Java program of `vectors/`, compiled into `folder`."""
    classpath = ":".join(f"/usr/share/java/{jar}.jar" for jar in _JARS)
    run("javac", "-cp", classpath, "-d", folder, VECTORS / f"{name}.java")
    return ("java", "-cp", f"{classpath}:{folder}", name)


def with_empty_field(pdf: bytes, name: str, box: tuple[float, ...]) -> bytes:
    """`pdf` saved anew with an empty signature field on page 1."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        field = opened.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, FT=pikepdf.Name.Sig,
                T=pikepdf.String(name), Rect=list(box), F=4, P=opened.pages[0].obj,
            )
        )  # fmt: skip
        page = opened.pages[0].obj
        if "/Annots" not in page:
            page.Annots = pikepdf.Array()
        page.Annots.append(field)
        if "/AcroForm" not in opened.Root:
            opened.Root.AcroForm = opened.make_indirect(pikepdf.Dictionary(Fields=[], SigFlags=3))
        opened.Root.AcroForm.Fields.append(field)
        out = io.BytesIO()
        opened.save(out)
    return out.getvalue()


def signature_fields(pdf: bytes) -> list[int]:
    """Object numbers of the signature fields, in the order of the form."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return [f.objgen[0] for f in opened.Root.AcroForm.Fields if f.get("/FT") == "/Sig"]


# base files


def ghostscript_base(pdf: bytes, folder: Path, version: str = "1.4") -> bytes:
    """`pdf` distilled by Ghostscript."""
    source, target = folder / "gs-in.pdf", folder / "gs-out.pdf"
    source.write_bytes(pdf)
    run("gs", "-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-sDEVICE=pdfwrite",
        f"-dCompatibilityLevel={version}", "-o", target, source)  # fmt: skip
    return target.read_bytes()


def mupdf_base(pdf: bytes, folder: Path, *options: str) -> bytes:
    """`pdf` rewritten by MuPDF."""
    source, target = folder / "mu-in.pdf", folder / "mu-out.pdf"
    source.write_bytes(pdf)
    run("mutool", "clean", *options, source, target)
    return target.read_bytes()


def pikepdf_base(pdf: bytes, **options) -> bytes:
    """`pdf` saved by qpdf as told: linearised, with object streams, …"""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        out = io.BytesIO()
        opened.save(out, **options)
    return out.getvalue()


def hybrid_base(pdf: bytes) -> bytes:
    """`pdf` with a save whose table names a stream too, for new readers (ISO 32000-1, 7.5.8.4)."""
    table = Increment(pdf)
    table.add(b"<< /Producer (van phong) >>")
    saved = table.close()
    at = int(saved.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    number = table.next
    head = b"<< /Type /XRef /W [1 4 2] /Index [%d 1] /Size %d /Length 7 >>" % (number, number + 1)
    row = b"\1" + at.to_bytes(4) + b"\0\0"
    stream = b"%d 0 obj\n%s\nstream\n%s\nendstream\nendobj\n" % (number, head, row)
    tail = saved[at:].replace(b"/Size %d" % number, b"/Size %d /XRefStm %d" % (number + 1, at))
    tail = tail.replace(b"startxref\n%d\n" % at, b"startxref\n%d\n" % (at + len(stream)))
    return saved[:at] + stream + tail
