"""What somebody who can write the database, but has no audit key, can do to an export.

`Forged` holds the parsed lines; `relink` computes anew everything that needs no key.
"""

from __future__ import annotations

import json
from typing import Any

from dossier.audit.chain import canonical, digest_of, genesis, next_link
from dossier.audit.head import Head


class Forged:
    """An export taken apart: `header`, `body` (entries and heads in order), `end`."""

    def __init__(self, export: bytes) -> None:
        lines = [json.loads(line) for line in export.splitlines()]
        self.header = lines[0]
        self.certificates = [line for line in lines if line["type"] == "certificate"]
        self.body = [line for line in lines if line["type"] in ("entry", "digest", "head")]
        self.end = lines[-1]

    @property
    def lines(self) -> list[bytes]:
        whole = [self.header, *self.certificates, *self.body, self.end]
        return [json.dumps(line, ensure_ascii=False).encode() for line in whole]

    def entry(self, seq: int) -> dict[str, Any]:
        return next(e for e in self.body if e["type"] != "head" and e["seq"] == seq)

    def head_line(self, seq: int) -> dict[str, Any]:
        return next(h for h in self.body if h["type"] == "head" and h["seq"] == seq)

    def head(self, seq: int) -> Head:
        return Head.read(self.head_line(seq))

    def edit(self, seq: int, **fields: Any) -> None:
        """Change fields of an entry's text, in canonical form."""
        line = self.entry(seq)
        line["entry"] = canonical({**json.loads(line["entry"]), **fields}).decode()

    def rehash(self, seq: int) -> None:
        line = self.entry(seq)
        line["sha256"] = digest_of(line["entry"].encode()).hex()

    def swap(self, seq: int) -> None:
        """Let the entries `seq` and `seq + 1` change places in the file."""
        one, two = self.entry(seq), self.entry(seq + 1)
        i, j = self.body.index(one), self.body.index(two)
        self.body[i], self.body[j] = two, one

    def relink(self) -> None:
        """Number, hash and link all entries anew; header and end tell of them."""
        link = genesis(self.header["chain"], self.header["installation"])
        entries = [line for line in self.body if line["type"] != "head"]
        for seq, line in enumerate(entries, 1):
            line["seq"] = seq
            if line["type"] == "entry":
                line["entry"] = canonical({**json.loads(line["entry"]), "seq": seq}).decode()
                line["sha256"] = digest_of(line["entry"].encode()).hex()
            link = next_link(link, bytes.fromhex(line["sha256"]))
            line["link"] = link.hex()
        self.body.sort(key=lambda line: (line["seq"], line["type"] == "head"))
        self.retell()

    def retell(self) -> None:
        """Let header and end tell of what is there."""
        entries = [line for line in self.body if line["type"] != "head"]
        last = entries[-1] if entries else {"seq": 0, "link": "00" * 32}
        self.header["last"] = self.end["seq"] = last["seq"]
        self.end["link"] = last["link"]
        self.end["heads"] = len(self.body) - len(entries)

    def cut(self, after: int) -> None:
        """Leave nothing behind entry `after`, and say so."""
        self.body = [line for line in self.body if line["seq"] <= after]
        self.retell()
