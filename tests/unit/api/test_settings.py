"""Settings: file under environment, relative paths, the PIN file's rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.errors import NotInitialised, SettingsError
from api.settings import Settings, default_data_dir, load_settings
from api.tokens import open_token

MINIMAL = """
[token]
module = "/usr/lib/softhsm/libsofthsm2.so"
label = "test"
pin_file = "pin"

[trust]
anchors = ["pki/root.pem"]

[embedded]
port = 4711
folder = "pki"
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "sohoa.toml").write_text(MINIMAL, "utf-8")
    return tmp_path


def load(data: Path, **env: str) -> Settings:
    return load_settings(data, env)


def test_paths_are_relative_to_the_data_folder(data: Path) -> None:
    settings = load(data)
    assert settings.trust.anchors == (data / "pki/root.pem",)
    assert settings.embedded is not None
    assert settings.embedded.folder == data / "pki"
    assert settings.token.pin_file == data / "pin"
    assert settings.key_label("leader") == "leader"


def test_environment_wins_over_the_file(data: Path) -> None:
    settings = load(data, SOHOA_MODE="production", SOHOA_TOKEN__LABEL="other")
    assert settings.mode == "production"
    assert settings.token.label == "other"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (MINIMAL + "\n[surprise]\na = 1\n", "surprise"),
        (MINIMAL.replace("4711", "99999"), "embedded.port"),
        (MINIMAL.replace("[token]", "[token"), "sohoa.toml"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "sohoa.toml").write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=named):
        load(tmp_path)


def test_a_section_cannot_be_overlaid_on_a_plain_entry(tmp_path: Path) -> None:
    (tmp_path / "sohoa.toml").write_text('mode = "test"\n' + MINIMAL, "utf-8")
    with pytest.raises(SettingsError, match="SOHOA_MODE__X"):
        load(tmp_path, SOHOA_MODE__X="1")


def test_no_installation_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotInitialised, match="sohoa init --data"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"SOHOA_DATA": "/srv/sohoa"}, Path("/srv/sohoa")),
        ({"XDG_DATA_HOME": "/x"}, Path("/x/sohoa")),
        ({}, Path.home() / ".local/share/sohoa"),
    ],
)
def test_default_data_folder(env: dict[str, str], expected: Path) -> None:
    assert default_data_dir(env) == expected


def test_the_pin_file_must_be_private_and_full(data: Path) -> None:
    settings = load(data)
    pin = data / "pin"
    with pytest.raises(SettingsError, match="cannot read"):
        settings.read_pin()
    pin.write_text("1234\n", "utf-8")
    pin.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600") as refused:
        settings.read_pin()
    assert "1234" not in str(refused.value)
    pin.chmod(0o600)
    assert settings.read_pin() == "1234"
    pin.write_text("\n", "utf-8")
    with pytest.raises(SettingsError, match="empty"):
        settings.read_pin()


def test_without_pin_file_and_terminal_there_is_no_pin(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "sohoa.toml").write_text(MINIMAL.replace('pin_file = "pin"', ""), "utf-8")
    settings = load(data)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(SettingsError, match="no PIN"):
        settings.read_pin()
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "9999")
    assert settings.read_pin() == "9999"


def test_a_machine_without_keys_says_so_where_a_token_is_needed(tmp_path: Path) -> None:
    (tmp_path / "sohoa.toml").write_text('[trust]\nanchors = ["root.pem"]\n', "utf-8")
    settings = load(tmp_path)
    assert settings.token is None
    for ask in (settings.required_token, settings.read_pin, lambda: open_token(settings)):
        with pytest.raises(SettingsError, match="no keys"):
            ask()


def test_people_who_check_papers_may_have_their_own_keys(data: Path) -> None:
    assert load(data).officer_keys == {}
    (data / "sohoa.toml").write_text(f'{MINIMAL}\n[officer_keys]\n"prn_1" = "thu"\n', "utf-8")
    assert load(data).officer_keys == {"prn_1": "thu"}
    (data / "sohoa.toml").write_text(f'{MINIMAL}\n[officer_keys]\n"prn_1" = ""\n', "utf-8")
    with pytest.raises(SettingsError, match="officer_keys"):
        load(data)
