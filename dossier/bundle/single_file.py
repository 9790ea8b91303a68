"""verify.py: the verifier of this release as one file, with nothing but `cryptography` under it.

    single_file()          # the text, made once a process

It is made of our own modules, so it judges as we do: from `dossier.bundle.alone` every import is
followed, and the source of each module goes into the file as it is, readable, after ``#| ``. When
it is run the file writes them to a temporary folder and starts there. Modules that need other
libraries (qpdf, PDFium, defusedxml) or a database are replaced by those of `replacements`.

A module that comes to need another library fails `single_file`, and so a test.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ENTRY = "dossier.bundle.alone"
_OURS = ("api", "dossier", "hsm", "ocr", "signer")
_LIBRARY = "cryptography"  # the only one
_STAND_INS = {
    "signer.verification.file.second_reader": "dossier.bundle.replacements.second_reader",
    "signer.verification.shown.rendering": "dossier.bundle.replacements.rendering",
    "dossier.register.log": "dossier.bundle.replacements.no_database",
    "dossier.register.nodes": "dossier.bundle.replacements.no_database",
    "dossier.register.checkpoints": "dossier.bundle.replacements.no_database",
    "defusedxml": "dossier.bundle.replacements.xml_without_dtd",
    "defusedxml.ElementTree": "dossier.bundle.replacements.xml_without_dtd",
}
_EMPTY = ("signer/__init__.py", "dossier/__init__.py", "hsm/__init__.py")
_RESOURCES = {".toml"}  # beside a module that is taken

_HEAD = """\
#!/usr/bin/env python3
# Kiem tra goi bang chung Sohoa. / Verifies a proof bundle of Sohoa.
#
#     python3 -I verify.py [--json] [--trust ROOT.pem] [BUNDLE.zip | FOLDER]
#
# Can Python 3.11 va thu vien `cryptography`; khong dung mang. Ma nguon nam ngay trong tep nay, sau
# dau "#| ". / Needs Python 3.11 and `cryptography`; uses no network. Its source stands in this
# very file, after "#| ": it is written to a temporary folder and run from there.
# Licence: Apache-2.0.
import os
import sys
import tempfile

if sys.version_info < (3, 11):
    sys.exit("Can Python 3.11 tro len. / Python 3.11 or newer is needed.")
try:
    import cryptography  # noqa: F401
except ImportError:
    sys.exit(
        "Thieu thu vien: hay chay pip install cryptography. / "
        "A library is missing: run pip install cryptography."
    )


def _unpack(folder):
    target = None
    with open(os.path.abspath(__file__), encoding="utf-8", newline="\\n") as lines:
        for line in lines:
            if line.startswith("#@ "):
                if target is not None:
                    target.close()
                path = os.path.join(folder, *line[3:].strip().split("/"))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                target = open(path, "w", encoding="utf-8", newline="\\n")
            elif target is not None and line.startswith("#|"):
                target.write(line[3:] if line.startswith("#| ") else "\\n")
    if target is not None:
        target.close()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory(prefix="sohoa-verify-") as place:
        _unpack(place)
        sys.path.insert(0, place)
        from dossier.bundle.alone import main

        sys.exit(main(sys.argv[1:], os.path.dirname(os.path.abspath(__file__))))
"""


class NotAlone(Exception):
    """A module of the verifier needs a library that is not on the reader's machine."""


@cache
def single_file() -> bytes:
    """The whole of verify.py, UTF-8. Raises `NotAlone`."""
    parts = [_HEAD]
    for name, text in sorted(modules().items()):
        parts.append(f"#@ {name}\n")
        parts += [f"#| {line}\n" if line else "#|\n" for line in text.split("\n")[:-1]]
    return "".join(parts).encode()


def modules() -> dict[str, str]:
    """The files that verify.py holds, by path, and their texts. Raises `NotAlone`."""
    files = dict.fromkeys(_EMPTY, "\n")
    waiting, seen = [ENTRY], {ENTRY}
    while waiting:
        name = waiting.pop()
        origin = _source(_STAND_INS.get(name, name))
        if origin is None:
            raise NotAlone(f"{name} has no source")
        text = origin.read_text("utf-8")
        is_package = origin.name == "__init__.py" or name == "defusedxml"
        files[name.replace(".", "/") + ("/__init__.py" if is_package else ".py")] = text
        for wanted in _imports(text, name if is_package else name.rpartition(".")[0]):
            for one in _with_packages(wanted):
                if one not in seen and _is_taken(one, name):
                    seen.add(one)
                    waiting.append(one)
        if name not in _STAND_INS:
            for beside in origin.parent.iterdir():
                if beside.suffix in _RESOURCES and beside.name in text:
                    folder = name.rpartition(".")[0].replace(".", "/")
                    files[f"{folder}/{beside.name}"] = beside.read_text("utf-8")
    return files


def _source(module: str) -> Path | None:
    """The file of a module of ours, without importing it; None when there is no such module."""
    root, *names = module.split(".")
    spec = importlib.util.find_spec(root)
    if root not in _OURS or spec is None or spec.origin is None:
        return None
    place = Path(spec.origin).parent.joinpath(*names)
    return next(
        (file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None
    )


def _is_taken(module: str, by: str) -> bool:
    """True for a module of ours, False for what the reader has. Raises `NotAlone`."""
    root = module.partition(".")[0]
    if module in _STAND_INS or _source(module) is not None:
        return True
    if root in _OURS or root == _LIBRARY or root in sys.stdlib_module_names:
        return False  # a name in a module of ours, or what is on the reader's machine
    raise NotAlone(f"{by} needs {module}, which whoever has only the bundle has not")


def _with_packages(module: str) -> Iterator[str]:
    """`module` after the packages that it is in."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def _imports(text: str, package: str) -> Iterator[str]:
    """Every module that `text` may import when it runs, also late; also what may be a name."""
    stack: list[ast.AST] = [ast.parse(text)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and _is_for_types(node.test):
            stack += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *([node.module] if node.module else [])])
            base = base if node.level else node.module or ""
            yield base
            if base.partition(".")[0] in _OURS:
                yield from (f"{base}.{alias.name}" for alias in node.names)
        stack += ast.iter_child_nodes(node)


def _is_for_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
