"""A PKCS#11 module in this process: loading, locking, re-initialising, return codes.

Why our own binding over ctypes and not python-pkcs11: that library calls
``C_Initialize(NULL)``, so the module is never told to lock, and two signing threads end in
SIGSEGV (measured with SoftHSM 2.6.1 and python-pkcs11 0.10.1: each run of 16 threads).
The two remedies for it, p11-kit-proxy and initialising behind its back, cost 0-12 % and need a
configuration per machine, or leave a half-constructed library object. It also logs the whole
process out when a session is closed, asks the token twice for each signature (the first time
for the length), raises inside finalisers after a failed search, and folds vendors' return codes
into one text. Calling the function list directly with CKF_OS_LOCKING_OK has none of these and
costs 1.5-5 microseconds less a signature.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hsm import _cryptoki as ck
from hsm.errors import (
    DeviceError,
    HSMError,
    ModuleError,
    PinError,
    SchemeNotSupported,
    TokenUnavailable,
)

DRAIN_S: Final = 5.0  # how long a re-initialisation waits for calls that are under way
TURN_S: Final = 30.0  # how long a call waits for a re-initialisation that is under way

_PIN: Final = frozenset({0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0x102})
# After these the session, the login or the whole module has to be made anew. CKR_DEVICE_ERROR
# and CKR_GENERAL_ERROR are what network HSMs answer when their connection is gone.
_LOST: Final = frozenset({0x3, 0x5, 0x30, 0x32, 0x60, 0x82, 0xB0, 0xB3, 0xE0, 0xE1, 0x101, 0x190})
_SCHEME: Final = frozenset({0x62, 0x63, 0x68, 0x70, 0x71})


class TokenLost(TokenUnavailable):
    """A return code that a re-initialisation may cure. `generation` is the one that failed."""

    generation: int = 0


class ModuleStalled(TokenUnavailable):
    """A call into the module does not return, so the module cannot be re-initialised."""


def error_for(code: int, function: str) -> HSMError:
    """Translate a return value of `function` (never CKR_OK) into the error to raise."""
    name = ck.name_of(code)
    said = f"{function} returned {name}"
    if code in _PIN:
        return PinError(
            f"{said}: the token refused the PIN. It will not be tried again by this process; "
            "correct the PIN (a token locks after a few wrong ones) and start again"
        )
    if code in _LOST:
        return TokenLost(f"{said}: the token is gone or its sessions are; check it and retry")
    if code in _SCHEME:
        return SchemeNotSupported(
            f"{said}: the key or the token does not allow this operation; "
            "choose another scheme or another key"
        )
    return DeviceError(f"{said}; look it up in the manual of the token", code=name)


class Module:
    """One loaded and initialised module. Thread-safe; there is one a path and process.

    `generation` counts initialisations: handles of an earlier generation are worthless.
    """

    def __init__(
        self, path: Path, functions: dict[str, Callable[..., int]], init_reserved: str | None
    ) -> None:
        self.path = path
        self.init_reserved = init_reserved
        self.generation = 0
        self.functions = functions
        self.logins = Logins()
        self._pid = os.getpid()
        self._gate = threading.Condition()  # guards generation, _users, _exclusive
        self._users = 0
        self._exclusive = False
        self._serial: threading.Lock | None = None
        self._initialise()

    def call(self, function: str, *arguments: object) -> int:
        """Call `function`; returns the CK_RV. For codes that the caller looks at himself."""
        if self._serial is None:
            return self.functions[function](*arguments)
        with self._serial:
            return self.functions[function](*arguments)

    def do(self, function: str, *arguments: object) -> None:
        """Call `function`; raises the `HSMError` of its return value unless it is CKR_OK."""
        code = self.call(function, *arguments)
        if code != ck.CKR_OK:
            raise error_for(code, function)

    @contextmanager
    def use(self) -> Iterator[int]:
        """Keep re-initialisation away while the block runs; gives the generation.

        Must not be nested in one thread. Raises `ModuleError` in a forked child.
        """
        if os.getpid() != self._pid:
            raise ModuleError(
                f"{self.path.name} was loaded before this process was forked; PKCS#11 forbids "
                "its use here: start workers with 'spawn' and open the token in each"
            )
        with self._gate:
            if self._exclusive:
                self._wait_turn()
            self._users += 1
            generation = self.generation
        try:
            yield generation
        finally:
            with self._gate:
                self._users -= 1
                if self._exclusive:
                    self._gate.notify_all()

    def reinitialise(self, seen: int) -> None:
        """C_Finalize and C_Initialize, once for all threads that failed in generation `seen`.

        Returns at once when another thread did it meanwhile. Raises `ModuleStalled` when calls
        under way do not end within `DRAIN_S`, `ModuleError` when C_Initialize fails.
        """
        with self._gate:
            self._wait_turn()
            if self.generation != seen:
                return
            self._exclusive = True
            try:
                if not self._gate.wait_for(lambda: self._users == 0, DRAIN_S):
                    raise ModuleStalled(
                        f"{self.path.name} cannot be re-initialised: a call into it has not "
                        f"returned for {DRAIN_S:.0f} s; check the device and restart"
                    )
                self.call("C_Finalize", None)  # whatever it answers, C_Initialize decides
                self._initialise()
            finally:
                self._exclusive = False
                self._gate.notify_all()

    def renew(self, seen: int) -> None:
        """A new generation without C_Finalize: sessions and logins are made anew, once for all.

        For when a call hangs in the module, perhaps for ever: PKCS#11 forbids to finalise under
        it, and the others should not share its fate. Sessions of the old generation are left to
        the module. Raises `ModuleError` when C_Initialize fails.
        """
        with self._gate:
            self._wait_turn()
            if self.generation == seen:
                self._initialise(again=True)

    def _wait_turn(self) -> None:
        """Wait, with the gate held, until no re-initialisation is under way."""
        if not self._gate.wait_for(lambda: not self._exclusive, TURN_S):
            raise ModuleStalled(
                f"the re-initialisation of {self.path.name} has not returned for {TURN_S:.0f} s; "
                "check the device and restart"
            )

    def _initialise(self, *, again: bool = False) -> None:
        """`again`: it may be initialised still."""
        self.generation += 1
        reserved = None if self.init_reserved is None else self.init_reserved.encode()
        arguments = ck.InitializeArgs(flags=ck.CKF_OS_LOCKING_OK, pReserved=reserved)
        code = self.call("C_Initialize", ctypes.byref(arguments))
        if code == ck.CKR_CANT_LOCK:
            # The standard lets a module refuse to lock; then no two calls may overlap.
            self._serial = self._serial or threading.Lock()
            arguments.flags = 0
            code = self.call("C_Initialize", ctypes.byref(arguments))
        if code == ck.CKR_CRYPTOKI_ALREADY_INITIALIZED and again:
            return
        if code == ck.CKR_CRYPTOKI_ALREADY_INITIALIZED:
            raise ModuleError(
                f"{self.path.name} was initialised by other code in this process, perhaps "
                "without locking; open the token before that code does, or in a process of its own"
            )
        if code != ck.CKR_OK:
            raise ModuleError(
                f"{self.path.name} cannot be initialised ({ck.name_of(code)}); check that its "
                "service is running and that its configuration can be read"
            )


class Logins:
    """Who is logged in, by token serial: PINs that were refused, and proof of the right one.

    Lock `guard` is held through C_Login, so that a wrong PIN reaches the token once only.
    """

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self.refused: dict[str, str] = {}  # serial → message; never emptied
        self.accepted: dict[str, tuple[int, bytes]] = {}  # serial → (generation, fingerprint)


_modules: dict[Path, Module] = {}
_modules_lock = threading.Lock()


def load_module(path: Path, init_reserved: str | None = None) -> Module:
    """The module at `path`, initialised; a second call gives the same object.

    `init_reserved` is the string some modules expect in CK_C_INITIALIZE_ARGS.pReserved (NSS:
    ``configDir='sql:…' …``). Raises `ModuleError`.
    """
    path = path.resolve()
    with _modules_lock:
        if module := _modules.get(path):
            if init_reserved is not None and module.init_reserved != init_reserved:
                raise ModuleError(
                    f"{path.name} is loaded in this process with other parameters; "
                    "use one set of parameters a process"
                )
            return module
        _modules[path] = module = Module(path, _functions(path), init_reserved)
        return module


def is_loaded(path: Path) -> bool:
    """Whether `load_module` has loaded this module in this process."""
    with _modules_lock:
        return path.resolve() in _modules


def _functions(path: Path) -> dict[str, Callable[..., int]]:
    """dlopen `path` and bind its function list. The library is never unloaded."""
    try:
        library = ctypes.CDLL(os.fspath(path))
        get_list = library.C_GetFunctionList
    except (OSError, AttributeError) as error:
        raise ModuleError(
            f"{path} is not a PKCS#11 module that can be loaded ({error}); "
            "give the path of the vendor's .so file"
        ) from error
    table = ctypes.POINTER(ck.FunctionList)()
    code = get_list(ctypes.byref(table))
    if code != ck.CKR_OK:
        raise ModuleError(
            f"{path.name} gave no function list ({ck.name_of(code)}); "
            "check that the file is the vendor's module and complete"
        )
    return dict(ck.functions_of(table.contents))
