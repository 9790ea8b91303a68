"""`sohoa search`, run as people run it, on a database of its own."""

from __future__ import annotations

from pathlib import Path

from dossier.storage.database import Database
from dossier.storage.migrations import upgrade
from tests.fixtures_installation import run_sohoa
from tests.search_pages import AGENCY, NEIGHBOUR, Library


def test_words_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "sohoa.toml").write_text('[token]\nmodule = "/none.so"\nlabel = "none"\n')
    database = Database(f"sqlite:///{tmp_path / 'house.db'}")
    upgrade(database)
    library = Library(database)
    library.put("dig_a", "Số: 123/QĐ-UBND", "Nay quyết định cấp phép")
    library.put("dig_b", "quyết định", agency=NEIGHBOUR)
    with database.begin() as connection:
        library.index._terms.create(connection, [])  # an index that was lost
    database.close()

    def run(*arguments: str):
        return run_sohoa("search", *arguments, "--data", tmp_path)

    nobody = run("quyet")
    assert nobody.code == 4
    assert f"{AGENCY}, {NEIGHBOUR}" in nobody.told
    made = run("--rebuild")
    assert made.code == 0, made.told
    assert "3" in made.told
    answer = run("quyet dinh", "nay", "--agency", AGENCY, "--json")
    assert answer.code == 0, answer.told
    (hit,) = answer.json["items"]
    assert (hit["document"]["id"], hit["page"]) == ("dig_a", 2)
    assert [word["text"] for word in hit["words"]] == ["Nay", "quyết", "định"]
    assert "Văn bản dig_a · trang / page 2" in answer.told
    none = run("dinh quyet", "--agency", AGENCY, "--json")  # one argument: a phrase
    assert none.json == {"items": [], "next": None}
    assert "nothing found" in none.told
