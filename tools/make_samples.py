"""Write the bundled dossier: `python -m tools.make_samples [FOLDER]` (default samples/dossier)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tools.samples.dossier import write_dossier
from tools.samples.typefaces import FontMissing


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the dossier; 2 when a font is missing."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    out = Path(given[0]) if given else Path("samples/dossier")
    try:
        pages = write_dossier(out)
    except FontMissing as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(pages)} pages in {out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
