"""`sohoa station day` and `sohoa lexicon`, run as people run them, over real rows."""

from __future__ import annotations

from pathlib import Path

from dossier.storage.database import Database
from dossier.storage.migrations import upgrade
from tests.checking_room import AGENCY, MAU, VI, CheckingRoom
from tests.contract.test_lexicon import HOLD, LEARN, checked
from tests.fixtures_installation import run_sohoa


def test_figures_and_lexicon_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "sohoa.toml").write_text('[token]\nmodule = "/none.so"\nlabel = "none"\n')
    database = Database(f"sqlite:///{tmp_path / 'house.db'}")
    upgrade(database)
    room = CheckingRoom(database, tmp_path).found()
    for half, person in ((LEARN, MAU), (LEARN, VI), (LEARN, MAU), *((HOLD, MAU),) * 3):
        checked(room, half, {"dan": "dân", "Số:": "Số:"}, person)
    database.close()

    def run(*arguments: str):
        return run_sohoa(*arguments, "--data", tmp_path)

    day = run("station", "day", "--agency", AGENCY, "--json")
    assert day.code == 0, day.told
    assert day.json["throughput"]["pages"] == 6
    assert day.json["papers"] == {"checked": 6}
    assert day.json["corrections"]["words"] == {"count": 6, "of": 12, "percent": 50.0}
    assert "50.00 % (6/12)" in day.told
    early = run("station", "day", "--agency", AGENCY, "--date", "2026-01-01", "--json")
    assert early.json["throughput"]["pages_per_hour"] is None
    assert "N/A" in early.told
    wrong = run("station", "day", "--agency", AGENCY, "--date", "hôm qua")
    assert wrong.code == 4
    assert "YYYY-MM-DD" in wrong.told
    measured = run("lexicon", "measure", "--agency", AGENCY, "--json")
    assert measured.code == 0, measured.told
    [word] = measured.json["items"]
    assert (word["misread"], word["correct"], word["state"]) == ("dan", "dân", "active")
    assert word["gain"]["mended"] == 3
    assert "dan → dân" in measured.told
    assert run("lexicon", "list", "--agency", AGENCY, "--json").json == measured.json
