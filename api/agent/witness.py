"""Turns the calls of C_Sign of one batch into intents and outcomes of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from api.agent.ledger import Ledger, Outcome, Use
from dossier.errors import DossierError
from hsm.errors import HSMError, SignatureFault
from signer.errors import SignerError


class CallWitness:
    """A `hsm.keys.Witness` for one batch; for the thread that signs it."""

    def __init__(
        self,
        ledger: Ledger,
        uses: Sequence[Use],
        max_per_day: int | None = None,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._ledger = ledger
        self._uses = uses
        self._max_per_day = max_per_day
        self._go_on = go_on
        self._intents: dict[int, tuple[int, Use]] = {}  # by position: what has no outcome yet
        self._called: set[int] = set()
        self._tries = [0] * len(uses)
        self._outcomes: list[Outcome] = []

    def intend(self, positions: Sequence[int]) -> None:
        """See `hsm.keys.Witness`. Raises `AuditUnavailable`, `KeyUseRefused`."""
        uses = [replace(self._uses[n], again=self._tries[n]) for n in positions]
        intents = self._ledger.intend(uses, self._max_per_day)
        for position, intent, use in zip(positions, intents, uses, strict=True):
            self._intents[position] = (intent, use)
            self._tries[position] += 1

    def calling(self, position: int) -> None:
        """See `hsm.keys.Witness`."""
        self._called.add(position)

    def failed(self, position: int, error: HSMError) -> None:
        """See `hsm.keys.Witness`."""
        intent, use = self._intents.pop(position)
        self._called.discard(position)
        self._outcomes.append(Outcome(intent, use, False, True, False, described(error)))

    def may_go_on(self) -> bool:
        """See `hsm.keys.Witness`."""
        return self._go_on()

    def settle(self, results: Sequence[bytes | HSMError], *, released: bool) -> None:
        """Commit what came of each intent. Raises `AuditUnavailable`: then release nothing."""
        for position, (intent, use) in sorted(self._intents.items()):
            result = results[position]
            ok = isinstance(result, bytes)
            called = position in self._called
            error = None if isinstance(result, bytes) else described(result)
            self._outcomes.append(Outcome(intent, use, ok, called, released and ok, error))
        self._finish()

    def give_up(self, error: BaseException) -> None:
        """Commit that nothing of the batch is released, because `error` ended it."""
        for position, (intent, use) in sorted(self._intents.items()):
            called = position in self._called
            self._outcomes.append(Outcome(intent, use, False, called, False, described(error)))
        self._finish()

    def _finish(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        self._intents.clear()
        if outcomes:
            self._ledger.settle(outcomes)


def described(error: BaseException) -> str:
    """An error as the chain names it: its class, and the token's code."""
    name = type(error).__name__
    if name == "TokenLost":
        name = "TokenUnavailable"
    if not isinstance(error, HSMError | SignerError | DossierError):
        return "Unexpected"
    code = getattr(error, "code", None)
    if code is None and not isinstance(error, SignatureFault):
        code = next((word.rstrip(":;,.") for word in str(error).split() if "CKR_" in word), None)
    return name if code is None else f"{name} {code}"
