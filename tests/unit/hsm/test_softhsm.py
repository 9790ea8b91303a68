"""SoftHSM2 in a folder."""

from __future__ import annotations

import os

import pytest

from hsm import softhsm, token
from hsm.errors import CeremonyRefused, ModuleError, PinError
from hsm.token import Token
from tests.fixtures_token import PIN, SO_PIN, TOKEN_LABEL


def test_a_folder_holds_several_tokens(own_softhsm):
    softhsm.create_token(own_softhsm.folder, "second", PIN, SO_PIN)
    assert Token.open(own_softhsm.module, "second", PIN).serial != own_softhsm.open().serial
    assert (own_softhsm.folder / "tokens").stat().st_mode & 0o77 == 0


def test_a_label_is_used_once(own_softhsm):
    with pytest.raises(CeremonyRefused, match="another label"):
        softhsm.create_token(own_softhsm.folder, TOKEN_LABEL, PIN, SO_PIN)


def test_a_label_that_is_too_long(own_softhsm):
    with pytest.raises(CeremonyRefused, match="32 bytes"):
        softhsm.create_token(own_softhsm.folder, "ủ" * 20, PIN, SO_PIN)


def test_a_pin_that_the_token_does_not_take(own_softhsm):
    with pytest.raises(PinError, match="C_InitPIN"):
        softhsm.create_token(own_softhsm.folder, "third", "1", SO_PIN)
    with pytest.raises(PinError, match="C_InitToken"):
        softhsm.create_token(own_softhsm.folder, "fourth", PIN, lambda: "1")


def test_one_folder_a_process(own_softhsm, tmp_path):
    with pytest.raises(ModuleError, match="new process"):
        softhsm.use_folder(tmp_path / "other")
    assert softhsm.use_folder(own_softhsm.folder) == own_softhsm.module
    assert os.environ[softhsm.VARIABLE] == str(own_softhsm.folder / "softhsm2.conf")


def test_no_free_slot(own_softhsm, monkeypatch):
    monkeypatch.setattr(softhsm, "slots", lambda module: [])
    with pytest.raises(ModuleError, match="no free slot"):
        softhsm.create_token(own_softhsm.folder, "fourth", PIN, SO_PIN)
    assert token.slots is not softhsm.slots


def test_not_installed(monkeypatch):
    monkeypatch.setattr(softhsm, "_PLACES", ("/nowhere/libsofthsm2.so",))
    with pytest.raises(ModuleError, match="apt-get install"):
        softhsm.module_path()
