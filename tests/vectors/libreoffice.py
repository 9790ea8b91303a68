"""Makes the LibreOffice vectors: ``python -m tests.vectors.libreoffice`` (needs LibreOffice 7.4).

LibreOffice is too heavy for every machine that runs the tests, so its files are kept:

    libreoffice-signed.pdf        exported and signed in one go, PDF 1.6
    libreoffice-signed-pdfa.pdf   the same as PDF/A-2b
    libreoffice-unsigned.pdf      exported only: a base for other tools

The signer is fictitious and its key was thrown away; the root is `libreoffice-root.der`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from tests.der_writing import name
from tests.odd_certificates import OddAuthority
from tests.other_tools import key_store

TEXT = "ỦY BAN NHÂN DÂN XÃ MẪU SƠN THỬ\nQuyết định mẫu, số liệu hư cấu.\n"
SUBJECT = (("C", "VN"), ("O", "UBND xa Mau Son Thu"), ("CN", "Nguoi Ky Thu"))
SIGNING = {
    "SignPDF": {"type": "boolean", "value": "true"},
    "SignCertificateSubjectName": {
        "type": "string",
        "value": ",".join(f"{kind}={value}" for kind, value in reversed(SUBJECT)),
    },
}
PDFA = {"SelectPdfVersion": {"type": "long", "value": "2"}}
OURS = Path(__file__).parent


def export(folder: Path, options: dict[str, object]) -> bytes:
    """The text as LibreOffice Writer exports it; certificates come from the NSS database."""
    source = folder / "quyet-dinh.txt"
    source.write_text(TEXT, encoding="utf-8")
    environment = {
        **os.environ, "HOME": str(folder),
        "MOZILLA_CERTIFICATE_FOLDER": str(folder / "store" / "nss"),
    }  # fmt: skip
    subprocess.run(
        ["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to",
         f"pdf:writer_pdf_Export:{json.dumps(options)}", "--outdir", folder, source],
        check=True, env=environment, timeout=300, capture_output=True,
    )  # fmt: skip
    return source.with_suffix(".pdf").read_bytes()


def main() -> None:
    """Write the vectors beside this file."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        authority = OddAuthority("CA cong vu thu LibreOffice")
        key_store(authority.issue(name(*SUBJECT)), folder / "store")
        made = {
            "libreoffice-signed.pdf": export(folder, SIGNING),
            "libreoffice-signed-pdfa.pdf": export(folder, SIGNING | PDFA),
            "libreoffice-unsigned.pdf": export(folder, {}),
            "libreoffice-root.der": authority.certificate,
        }
    for file_name, data in made.items():
        assert file_name.endswith(".der") or (b"/ByteRange" in data) == ("-signed" in file_name)
        (OURS / file_name).write_bytes(data)


if __name__ == "__main__":
    main()
