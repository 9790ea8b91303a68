"""Signatures over HTTP: three forms of an order, one record; waiting, files, cancelling."""

from __future__ import annotations


def test_smoke(web) -> None:
    answer = web.sign()
    assert answer.status_code == 202, answer.text
    record = web.published()
    got = web.ask("GET", record["links"]["result"], as_="clerk")
    assert got.status_code == 200, got.text
    assert got.content.startswith(b"%PDF")
