"""Templates and static files of the public pages.

Jinja2 with escaping on and no undefined names; static files are read once at start, so no address
of a request ever becomes a path. The address of a static file names the digest of all of them,
which lets browsers keep it for ever.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from api.public.words import catalogue
from api.web.problem_documents import Language
from dossier.register.codes import LENGTH, printed
from signer.clock import VIETNAM

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing inline."""
_MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff": "font/woff",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
}
_LONGEST = 300  # characters of a text that a stranger's file brings


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that the pages use."""

    content: bytes
    media_type: str


class Stage:
    """What pages are made with. Immutable; safe for threads."""

    def __init__(
        self, *, agency: str, is_test: bool, package: str = "api.public", address: str = "/verify"
    ) -> None:
        """`agency` is named on each page; `is_test` marks an installation for trying out.

        `package` holds ``templates``, ``static`` and ``locale`` of pages below `address`; the
        fonts are those of the public pages.
        """
        self._package = package
        folders = [(resources.files(package) / "static", "")]
        if package != __package__:
            folders.append((resources.files("api.public") / "static" / "fonts", "fonts/"))
        self.files = {
            name: StaticFile(content, _MEDIA["." + name.rpartition(".")[2]])
            for folder, above in folders
            for name, content in _read(folder, above)
        }
        digest = hashlib.sha256()
        for name, file in sorted(self.files.items()):
            digest.update(f"{name}\0{len(file.content)}\0".encode() + file.content)
        self.build = digest.hexdigest()[:16]
        self._environment = Environment(
            loader=PackageLoader(package),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "static": lambda name: f"{address}/static/{self.build}/{self._known(name)}",
            "agency": agency,
            "is_test": is_test,
        }
        self._environment.filters |= {
            "plain": plain,
            "size": size_text,
            "bdi": isolated,
            "grouped": grouped,
        }

    def _known(self, name: str) -> str:
        if name not in self.files:
            raise KeyError(name)
        return name

    def page(self, template: str, language: Language, **values: Any) -> bytes:  # noqa: ANN401
        """A page as UTF-8 HTML. Raises `jinja2.UndefinedError` for a value that is missing."""
        words = catalogue(language, self._package)

        def moment(time: str | None) -> str:
            return moment_text(time, language)

        return (
            self._environment.get_template(template)
            .render(t=words, language=language, moment=moment, **values)
            .encode()
        )


def _read(folder: Traversable, above: str = "") -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _read(entry, f"{above}{entry.name}/")
        else:
            found.append((above + entry.name, entry.read_bytes()))
    return found


def plain(text: object, longest: int = _LONGEST) -> str:
    """What a stranger wrote, safe to be read: no controls, no change of direction, not endless.

    Characters that show nothing themselves but rearrange or hide others (Unicode Cc, Cf, Co, Cn,
    surrogates, line and paragraph separators) become U+FFFD.
    """
    shown = "".join(
        c if unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp") else "\ufffd"
        for c in unicodedata.normalize("NFC", str(text)[: longest + 1])
    )
    return shown if len(shown) <= longest else shown[:longest] + "…"


def isolated(text: object, longest: int = _LONGEST) -> Markup:
    """`plain`, in an element that keeps right-to-left names from rearranging what is around."""
    return Markup("<bdi>{}</bdi>").format(plain(text, longest))


def grouped(code: object) -> str:
    """A result code in groups of four, as it is printed."""
    return printed(plain(code, LENGTH))


def size_text(size: int) -> str:
    """A size with its unit; Vietnamese and English differ in the separator alone: none is used."""
    if size < 1024:
        return f"{size} B"
    return f"{-(-size // 1024)} KiB" if size < 1 << 20 else f"{-(-size // (1 << 20))} MiB"


def moment_text(time: str | None, language: Language) -> str:
    """An ISO 8601 time as people in Vietnam read it (UTC+7); a dash when there is none."""
    if not time:
        return "–"
    local = dt.datetime.fromisoformat(time).astimezone(VIETNAM)
    words = catalogue(language)
    return words(
        "time.moment",
        clock=f"{local:%H:%M:%S}",
        day=local.day,
        month=local.month,
        month_name=words(f"time.month.{local.month}"),
        year=local.year,
    )
