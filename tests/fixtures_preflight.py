"""PDFBox preflight, which knows PDF/A-1b: for files of ours and for twins of them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Preflight = Callable[..., dict[Path, set[str]]]


@pytest.fixture(scope="session")
def preflight(tmp_path_factory: pytest.TempPathFactory) -> Preflight:
    """Codes that PDFBox preflight reports, by file."""
    folder = tmp_path_factory.mktemp("java")
    jars = ("preflight", "pdfbox2", "fontbox2", "xmpbox", "commons-logging", "jaxb-api")
    classpath = ":".join(f"/usr/share/java/{jar}.jar" for jar in (*jars, "javax.activation"))
    source = Path(__file__).parent / "vectors" / "PreflightReport.java"
    subprocess.run(["javac", "-cp", classpath, "-d", str(folder), str(source)], check=True)

    def run(*paths: Path) -> dict[Path, set[str]]:
        done = subprocess.run(
            ["java", "-cp", f"{classpath}:{folder}", "PreflightReport", *map(str, paths)],
            capture_output=True,
            check=True,
        )
        codes: dict[Path, set[str]] = {path: set() for path in paths}
        for line in done.stdout.decode("utf-8").splitlines():
            path, code, _ = line.split("\t")
            codes[Path(path)].add(code)
        return codes

    return run
