"""docs/deployment.md is true: commands, settings, names and servers are what it says.

The certificates, the settings of each machine and the key policy also run as a whole, in
tests/e2e/test_two_machines.py.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from typer.main import get_command

from api.agent.policy import load_policy
from api.cli import app
from api.settings import Settings, default_data_dir, load_settings
from dossier.storage.blobs import open_blobs
from dossier.storage.database import Database
from dossier.storage.s3blobs import S3Blobs
from dossier.storage.store import BlobStore
from tests.fixtures_databases import PostgresCluster, postgres_programs
from tests.fixtures_s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.machines import DOCUMENT, DRAIN_S, SOHOA, commands, documented

TEXT = DOCUMENT.read_text("utf-8")
PASSWORD = "mat-khau-mau"
MACHINES = ("khoa", "may-a", "web-1")


def parse(words: list[str], *, whole: bool) -> None:
    """Raise or assert unless there is such a command; `whole`: with all that it needs."""
    command: Any = get_command(app)
    while hasattr(command, "list_commands"):
        context = command.make_context("sohoa", [], resilient_parsing=True)
        assert words, "a group is no command"
        assert words[0] in command.list_commands(context), words
        command, words = command.get_command(context, words[0]), words[1:]
    if whole:
        command.make_context("sohoa", list(words))
        return
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known, words


def test_every_command_exists() -> None:
    in_blocks = re.findall(r"^\$ sohoa (.*)$", TEXT, re.MULTILINE)
    in_units = re.findall(r"^ExecStart=\S+/sohoa (.*)$", TEXT, re.MULTILINE)
    mentioned = re.findall(r"`sohoa ([^`]+)`", TEXT)
    assert len(in_blocks) >= 8
    assert in_units
    assert mentioned
    for line in (*in_blocks, *in_units):
        parse(shlex.split(line), whole=True)
    for line in mentioned:
        parse(shlex.split(line), whole=False)
    for queue in ("seal", "ocr", "house"):
        parse(["worker", queue], whole=True)
        assert f"`{queue}`" in TEXT or f"worker {queue}" in TEXT
    for machine in MACHINES:
        assert commands(machine)


def test_every_variable_exists(tmp_path: Path) -> None:
    names = set(re.findall(r"\bSOHOA_[A-Z_]+\b", TEXT))
    assert default_data_dir({"SOHOA_DATA": "/srv/x"}) == Path("/srv/x")
    settings = {name for name in names if "__" in name}
    assert names - settings == {"SOHOA_DATA"}
    for name in settings:
        section, entry = name.removeprefix("SOHOA_").lower().split("__")
        assert entry in fields_of(section), name
    found = re.findall(r"`(SOHOA_\w+__\w+)=([^`]+)`", TEXT)
    assert found
    (tmp_path / "sohoa.toml").touch()
    for name, value in found:
        section, entry = name.removeprefix("SOHOA_").lower().split("__")
        loaded = load_settings(tmp_path, {name: value})
        assert str(getattr(getattr(loaded, section), entry)) == value
    assert "pin" not in fields_of("token")  # "The PIN is never one."


def fields_of(section: str) -> set[str]:
    """The entries of a section of the settings."""
    annotation: Any = Settings.model_fields[section].annotation
    of = getattr(annotation, "__args__", (annotation,))[0]
    return set(of.model_fields)


def test_every_entry_that_the_text_names_exists() -> None:
    named = [
        (section, entry)
        for section, entry in re.findall(r"`([a-z]+)\.([a-z_]+)`", TEXT)
        if section in Settings.model_fields
    ]
    assert ("worker", "lease_s") in named
    assert [(s, e) for s, e in named if e not in fields_of(s)] == []
    assert "max_body_bytes" in fields_of("web")
    (lease,) = re.findall(r"`worker\.lease_s` \((\d+) s\)", TEXT)
    defaults = Settings(data_dir=Path("/srv/sohoa"))
    assert float(lease) == defaults.worker.lease_s
    (threads,) = re.findall(r"`worker\.threads` (\d+) ", TEXT)
    assert int(threads) == defaults.worker.threads


def test_settings_and_policy_are_accepted(tmp_path: Path) -> None:
    loaded: dict[str, Settings] = {}
    for machine in MACHINES:
        folder = tmp_path / machine
        folder.mkdir()
        (folder / "sohoa.toml").write_text(documented("toml", machine), "utf-8")
        loaded[machine] = load_settings(folder, {})
        assert loaded[machine].mode == "production"
    assert loaded["khoa"].token is not None
    assert loaded["may-a"].token is None
    assert loaded["web-1"].token is None
    assert len({settings.agent_address for settings in loaded.values()}) == 1
    assert len({settings.keys for settings in loaded.values()}) == 1
    policy = re.sub(
        "certificate:[A-Z0-9-]+", f"certificate:{'0' * 64}", documented("toml", "policy")
    )
    path = tmp_path / "key-policy.toml"
    path.write_text(policy, "utf-8")
    keys = loaded["khoa"].keys
    for label in (
        keys.officer, keys.leader, keys.seal, keys.audit, keys.results, keys.proof,
    ):  # fmt: skip
        assert load_policy(path).rule(label) is not None


def test_unit_file_fits_the_command() -> None:
    (text,) = re.findall(r"^```ini\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment, method-assign] # names keep their case
    unit.read_string(text)
    service = unit["Service"]
    variables = dict(pair.split("=", 1) for pair in service["Environment"].split())
    assert default_data_dir(variables) == Path(service["ReadWritePaths"])
    # everything else is read-only, so the place for temporary files has to be there, inside
    place = Path(variables["TMPDIR"])
    assert place.is_relative_to(service["ReadWritePaths"])
    assert shlex.split(service["ExecStartPre"])[-1] == str(place)
    assert float(service["TimeoutStopSec"]) > DRAIN_S
    assert service["UMask"] == "0077"
    (enabled,) = re.findall(r"systemctl enable --now (.*)", text)
    (template,) = re.findall(r"/etc/systemd/system/(\S+)@\.service", text)
    assert [name.split("@")[0] for name in enabled.split()] == [template, template]


def test_lifecycle_ends_parts_of_uploads_and_no_object() -> None:
    for rule in json.loads(documented("json", "lifecycle"))["Rules"]:
        assert set(rule) == {"ID", "Status", "Filter", "AbortIncompleteMultipartUpload"}


@pytest.fixture
def server(postgres: PostgresCluster) -> Iterator[dict[str, str]]:
    """Where the cluster is, which asks `sohoa` for a password as a real one does."""
    (folder,) = parse_qs(urlsplit(postgres.url("postgres")).query)["host"]
    with psycopg.connect(postgres.url("postgres")) as connection:
        ((rules,),) = connection.execute("SHOW hba_file").fetchall()
    before = Path(rules).read_text()
    Path(rules).write_text(f"local sohoa sohoa scram-sha-256\n{before}")
    postgres.run("SELECT pg_reload_conf()")
    try:
        yield {**os.environ, "PGHOST": folder, "PGUSER": "postgres"}
    finally:
        Path(rules).write_text(before)
        postgres.run("SELECT pg_reload_conf()")
        postgres.run("DROP DATABASE IF EXISTS sohoa WITH (FORCE)")
        postgres.run("DROP ROLE IF EXISTS sohoa")


def test_database_and_blob_store_serve_a_worker_machine(
    server: dict[str, str], postgres: PostgresCluster, s3_server: S3Server, tmp_path: Path
) -> None:
    """createuser and createdb as they stand; password file, credentials file, `sohoa prepare`."""
    (line,) = re.findall(r"^\$ (createuser .*)$", TEXT, re.MULTILINE)
    subprocess.run(
        ["bash", "-euc", line],
        env={**server, "PATH": f"{postgres_programs()}:{server['PATH']}"},
        input=f"{PASSWORD}\n{PASSWORD}\n",
        text=True,
        capture_output=True,
        check=True,
        start_new_session=True,  # without a terminal the password is read from here
    )
    with psycopg.connect(postgres.url("postgres")) as connection:
        told = connection.execute(
            "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), rolsuper"
            " FROM pg_database JOIN pg_roles ON rolname = 'sohoa' WHERE datname = 'sohoa'"
        ).fetchall()
    assert told == [("sohoa", "UTF8", False)]

    credentials = tmp_path / "s3.toml"
    form = re.search(r"`(access_key_id) = \"…\"`, `(secret_access_key) = \"…\"`", TEXT)
    assert form
    credentials.touch(mode=0o600)
    credentials.write_text(f'{form[1]} = "{ACCESS_KEY}"\n{form[2]} = "{SECRET_KEY}"\n', "utf-8")
    data = tmp_path / "data"
    data.mkdir()
    text = documented("toml", "may-a")
    for theirs, ours in (
        ("sohoa@csdl.example/sohoa", f"sohoa@/sohoa?host={server['PGHOST']}"),
        ("s3://sohoa/kho", s3_server.new_url()),
        ("https://s3.example", s3_server.endpoint),
        ("/etc/sohoa/s3.toml", str(credentials)),
        ('mode = "production"', 'mode = "test"'),  # it trusts a server without TLS
    ):
        assert theirs in text
        text = text.replace(theirs, ours)
    (data / "sohoa.toml").write_text(text, "utf-8")
    assert prepare(data, server, "sai-mat-khau").returncode != 0
    done = prepare(data, server, PASSWORD)
    assert done.returncode == 0, done.stderr
    assert "sohoa_" in done.stdout  # the first administrator's key

    settings = load_settings(data, {})
    database = Database(postgres.url("sohoa"))
    # what a process may open at most, by which max_connections is reckoned
    (each,) = re.findall(r"`max_connections` ≥ (\d+) × số tiến trình", TEXT)
    pool: Any = database.engine.pool
    assert pool.size() + pool._max_overflow == int(each)
    with database.read() as connection_:
        assert connection_.exec_driver_sql("SELECT count(*) FROM jobs").scalar_one() == 0
        assert connection_.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    database.close()
    blobs = store_of(settings, tmp_path)
    assert blobs.get(blobs.put(b"%PDF-mau").sha256) == b"%PDF-mau"


def prepare(data: Path, server: dict[str, str], password: str) -> subprocess.CompletedProcess[str]:
    """The document's `sohoa prepare` with a password file."""
    passfile = data.parent / "pgpass"
    passfile.touch(mode=0o600)
    passfile.write_text(f"*:*:sohoa:sohoa:{password}\n", "utf-8")
    (words,) = [each for each in commands("may-a") if each[0] == "prepare"]
    return subprocess.run(
        [SOHOA, *(word.replace("/srv/sohoa", str(data)) for word in words)],
        env={**server, "PGUSER": "nobody", "PGPASSFILE": str(passfile)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def store_of(settings: Settings, folder: Path) -> BlobStore:
    """The blob store that the settings name."""
    blobs = open_blobs(
        settings.blobs.url,
        folder,
        endpoint=settings.blobs.endpoint,
        region=settings.blobs.region,
        credentials_file=settings.blobs.credentials_file,
    )
    assert isinstance(blobs, S3Blobs)
    return blobs
