"""Loading, initialising and re-initialising a module; return codes."""

from __future__ import annotations

import _ctypes
import ctypes
import threading
from pathlib import Path

import pytest

from hsm import _cryptoki as ck
from hsm import _pkcs11
from hsm._pkcs11 import Module, TokenLost, error_for, is_loaded, load_module
from hsm._startup import startup_lock
from hsm.errors import (
    DeviceError,
    HSMError,
    ModuleError,
    PinError,
    SchemeNotSupported,
    TokenUnavailable,
)


class FakeFunctions(dict):
    """C_Initialize gives the codes of `answers` in turn, everything else succeeds."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.flags: list[int] = []
        super().__init__(C_Initialize=self.initialise, C_Finalize=lambda _: 0, C_Sign=self.sign)
        self.inside = 0
        self.overlapped = False

    def initialise(self, arguments) -> int:
        self.flags.append(arguments._obj.flags)
        return self.answers.pop(0)

    def sign(self, *_) -> int:
        self.inside += 1
        self.overlapped |= self.inside > 1
        threading.Event().wait(0.005)
        self.inside -= 1
        return 0


def module(*answers: int) -> Module:
    return Module(Path("fake.so"), FakeFunctions(*answers), None)


def overlaps(candidate: Module) -> bool:
    threads = [
        threading.Thread(target=lambda: [candidate.do("C_Sign", 1) for _ in range(5)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return candidate.functions.overlapped


def test_a_module_that_cannot_lock_gets_one_call_at_a_time():
    assert overlaps(module(0))
    weak = module(ck.CKR_CANT_LOCK, 0, ck.CKR_CANT_LOCK, 0)
    assert not overlaps(weak)
    weak.reinitialise(1)
    assert not overlaps(weak)
    assert weak.functions.flags == [ck.CKF_OS_LOCKING_OK, 0] * 2


def test_a_module_initialised_by_other_code_is_refused():
    with pytest.raises(ModuleError, match="process of its own"):
        module(ck.CKR_CRYPTOKI_ALREADY_INITIALIZED)


def test_a_module_that_does_not_start():
    with pytest.raises(ModuleError, match=r"CKR_DEVICE_ERROR.*check that its service"):
        module(0x30)


def test_reinitialise_waits_for_calls_and_gives_up(monkeypatch):
    monkeypatch.setattr(_pkcs11, "DRAIN_S", 0.05)
    busy = module(0, 0)
    with busy.use() as generation, pytest.raises(TokenUnavailable, match="has not returned"):
        busy.reinitialise(generation)
    busy.reinitialise(generation)
    assert busy.generation == 2
    busy.reinitialise(generation)  # too late: it is done already
    assert busy.generation == 2


def test_callers_wait_while_the_module_is_reinitialised():
    held = module(0, 0)
    inside = threading.Event()
    entered = []

    def finalise(_) -> int:
        inside.set()
        threading.Event().wait(0.05)
        return 0

    held.functions["C_Finalize"] = finalise
    again = threading.Thread(target=held.reinitialise, args=(1,))
    again.start()
    inside.wait(5)
    with held.use() as generation:
        entered.append(generation)
    held.reinitialise(1)
    again.join()
    assert entered == [2]
    assert held.generation == 2


def test_reinitialise_waits_for_the_last_user_and_lets_nobody_in():
    busy = module(0, 0)
    entered = []

    def enter() -> None:
        with busy.use() as generation:
            entered.append(generation)

    with busy.use():
        again = threading.Thread(target=busy.reinitialise, args=(1,))
        again.start()
        while not busy._exclusive:
            threading.Event().wait(0.001)
        late = threading.Thread(target=enter)
        late.start()
        threading.Event().wait(0.05)
        assert busy.generation == 1
        assert entered == []
    again.join()
    late.join()
    assert entered == [2]


def test_every_return_code_becomes_an_error_with_its_name():
    for code, name in ck.CKR_NAMES.items():
        error = error_for(code, "C_Sign")
        assert isinstance(error, HSMError)
        assert name in str(error)
    assert isinstance(error_for(0xA4, "C_Login"), PinError)
    assert isinstance(error_for(0xE0, "C_Sign"), TokenLost)
    assert isinstance(error_for(0x70, "C_SignInit"), SchemeNotSupported)
    vendor = error_for(0x80000123, "C_Sign")
    assert isinstance(vendor, DeviceError)
    assert vendor.code == "CKR_VENDOR_DEFINED_0x80000123"


def test_files_that_are_no_module(tmp_path):
    text = tmp_path / "x.so"
    text.write_text("not a library")
    for path in (text, tmp_path / "none.so"):
        with pytest.raises(ModuleError, match="not a PKCS#11 module"):
            load_module(path)
        assert not is_loaded(path)
    # a real library, but of something else
    with pytest.raises(ModuleError, match="C_GetFunctionList"):
        load_module(Path(_ctypes.__file__))


def test_a_module_without_function_list(monkeypatch):
    class Library:
        @staticmethod
        def C_GetFunctionList(_) -> int:  # noqa: N802 - the standard's name
            return 0x5

    monkeypatch.setattr(ctypes, "CDLL", lambda path: Library)
    with pytest.raises(ModuleError, match="CKR_GENERAL_ERROR"):
        load_module(Path("broken.so"))


def test_a_module_is_loaded_once_and_with_one_set_of_parameters(softhsm_module):
    loaded = load_module(softhsm_module)
    assert load_module(softhsm_module) is loaded
    with pytest.raises(ModuleError, match="other parameters"):
        load_module(softhsm_module, "configDir='sql:/nowhere'")


def test_the_startup_lock_keeps_others_out(tmp_path):
    order = []
    lock = tmp_path / "lock"

    def other() -> None:
        with startup_lock(Path("m.so"), lock):
            order.append("second")

    with startup_lock(Path("m.so"), lock):
        thread = threading.Thread(target=other)
        thread.start()
        threading.Event().wait(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_the_startup_lock_does_not_follow_links(tmp_path):
    link = tmp_path / "lock"
    link.symlink_to(tmp_path / "target")
    with (
        pytest.raises(ModuleError, match="cannot be opened"),
        startup_lock(Path("m.so"), link),
    ):
        pass
    assert not (tmp_path / "target").exists()


def test_the_startup_lock_has_a_place_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with startup_lock(Path("m.so")):
        (made,) = tmp_path.iterdir()
    assert made.stat().st_mode & 0o777 == 0o600
