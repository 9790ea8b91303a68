"""A file that exceeds the bounds of its verification, asked over HTTP."""

from __future__ import annotations

import dataclasses

from dossier.verifying.checkers import Bounds, Checkers
from signer.trust import TrustStore
from tests.hostile_documents import assemble, one_page
from tests.hostile_pages import hardest_rows

TIGHT = Bounds(wall_s=20, cpu_s=2, memory_bytes=300 << 20)


def test_over_http_it_is_a_problem_of_the_file(web) -> None:
    with Checkers(TrustStore(), processes=1, bounds=TIGHT) as tight:
        web.app.state.house = dataclasses.replace(web.house, verifier=tight)
        answer = web.ask("POST", "/v1/verifications", content=hardest_rows())
        assert answer.status_code == 422
        assert answer.json()["code"] == "verification-stopped"
        assert "sohoa verify" in answer.json()["detail"]
        again = web.ask("POST", "/v1/verifications", content=assemble(one_page()))
        assert again.status_code == 200
        assert again.json()["integrity"] == "NONE"
        assert not list((web.folder / "incoming").glob("*"))
