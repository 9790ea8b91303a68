"""The token and its keys: opened once, in the background, and kept.

While the token is not there yet the agent is up and says so. A PIN that was refused is never
tried again by this process: the message says what to do.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable
from typing import Final

from api.agent.ledger import Ledger, Use
from api.agent.policy import LOCAL, SELF_TEST, KeyPolicy, KeyRule
from api.agent.witness import CallWitness
from api.errors import ProductionRefused, SettingsError
from dossier.errors import AuditUnavailable
from hsm.errors import (
    HSMError,
    KeyMismatch,
    KeyNotFound,
    PinError,
    SchemeNotSupported,
    TokenUnavailable,
)
from hsm.keys import SignatureScheme, WitnessedKey
from hsm.token import Token
from signer.csc.wire import Context

_LOG = logging.getLogger(__name__)

RETRY_S: Final = 2.0
_LATCHED_RETRY_S: Final = 60
"""What clients are told while only a person can help."""


class KeyringState(enum.StrEnum):
    """Where the opening of the token stands."""

    OPENING = "opening"
    READY = "ready"
    LATCHED = "latched"  # wrong PIN, or a token that production refuses: a person has to act


class Keyring:
    """Keys by label and scheme. Safe for threads."""

    def __init__(self, policy: KeyPolicy, ledger: Ledger, open_token: Callable[[], Token]) -> None:
        """`open_token` opens the token anew when called again; it reads the PIN itself."""
        self._policy = policy
        self._ledger = ledger
        self._open_token = open_token
        self._token: Token | None = None
        self._keys: dict[tuple[str, SignatureScheme], WitnessedKey] = {}
        self._defaults: dict[str, SignatureScheme] = {}
        self._faults: dict[str, str] = {}
        self._stop = threading.Event()
        self.state = KeyringState.OPENING
        self.message = "thiết bị khóa đang được mở. / the token is being opened"

    def start(self) -> None:
        """Open the token in a thread and keep trying until it is there."""
        threading.Thread(target=self._open, name="token-opener", daemon=True).start()

    def close(self) -> None:
        """Stop trying."""
        self._stop.set()

    @property
    def faults(self) -> dict[str, str]:
        """Keys of the policy that cannot sign, and why."""
        return dict(self._faults)

    def labels(self) -> list[str]:
        """The keys that can sign, in the policy's order."""
        return [label for label in self._policy.rules if label in self._defaults]

    def schemes(self, label: str) -> list[SignatureScheme]:
        """What the key `label` signs with, the default first."""
        return [scheme for name, scheme in self._keys if name == label]

    def key(self, label: str, scheme: SignatureScheme | None = None) -> WitnessedKey:
        """A key, proved at loading. Raises `TokenUnavailable`, `KeyNotFound`, and
        `SchemeNotSupported` when the policy does not give the key that scheme.
        """
        default = self._defaults.get(label)
        if default is None:
            if self.state is not KeyringState.READY:
                latched = self.state is KeyringState.LATCHED
                raise TokenUnavailable(
                    self.message, retry_after_s=_LATCHED_RETRY_S if latched else 2
                )
            raise KeyNotFound(
                self._faults.get(label)
                or f"không có khóa “{label}”. / there is no key {label!r} here; see the key policy"
            )
        found = self._keys.get((label, scheme or default))
        if found is None:
            raise SchemeNotSupported(
                f"khóa “{label}” không ký bằng {scheme and scheme.value}. / the key policy does "
                "not give this key that scheme; see `schemes`"
            )
        return found

    def probe(self) -> None:
        """Ask the token whether it is there; makes no signature. Raises `HSMError`."""
        if self._token is None:
            raise TokenUnavailable(self.message)
        self._token.check_health()

    def _open(self) -> None:
        while not self._stop.is_set():
            try:
                self._token = self._token or self._open_token()
                for rule in self._policy.rules.values():
                    self._load(self._token, rule)
            except (PinError, ProductionRefused) as error:
                self.message, self.state = str(error), KeyringState.LATCHED
                _LOG.error("the key agent signs nothing: %s", error)
                return
            except (HSMError, SettingsError, AuditUnavailable) as error:
                if str(error) != self.message:
                    _LOG.warning("the token cannot be opened yet: %s", error)
                self.message = str(error)
                self._stop.wait(RETRY_S)
            else:
                self.message, self.state = "", KeyringState.READY
                return

    def _load(self, token: Token, rule: KeyRule) -> None:
        for scheme in rule.schemes or (None,):
            if rule.label in self._defaults and (
                scheme is None or (rule.label, scheme) in self._keys
            ):
                continue  # of an earlier try
            try:
                key = self._proved(token, rule.label, scheme)
            except (KeyNotFound, KeyMismatch, SchemeNotSupported) as error:
                self._faults[rule.label] = str(error)
                _LOG.warning("the key %s does not sign: %s", rule.label, error)
                return
            self._keys[rule.label, key.scheme] = key
            self._defaults.setdefault(rule.label, key.scheme)
        self._faults.pop(rule.label, None)

    def _proved(self, token: Token, label: str, scheme: SignatureScheme | None) -> WitnessedKey:
        """The key after its test signature, which stands in the chain like every other."""
        context = Context(purpose=SELF_TEST, subject=label)
        made: list[CallWitness] = []

        def witness(scheme: SignatureScheme, digest: bytes) -> CallWitness:
            use = Use(label, context, LOCAL, scheme.value, digest)
            made.append(CallWitness(self._ledger, [use]))
            return made[0]

        try:
            key = token.signing_key(label, scheme, witness=witness)
        except BaseException as error:
            for told in made:
                told.give_up(error)
            raise
        for told in made:
            told.settle([b"proved"], released=False)
        return key
