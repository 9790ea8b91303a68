"""One signHash call: policy, breaker, audit, token; answered within a bounded time."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509

from api.agent.breaker import Breaker, State
from api.agent.keyring import Keyring, KeyringState
from api.agent.ledger import ACTOR, Ledger, Use
from api.agent.policy import LOCAL, KeyPolicy, KeyRule
from api.agent.witness import CallWitness
from api.agent.workers import Call, TooLate, TooMany, Workers
from dossier.audit.head import Head
from dossier.errors import AuditUnavailable
from dossier.model import AuditEvent
from hsm.errors import DeviceError, HSMError, TokenUnavailable
from hsm.keys import SignatureScheme, SigningKey, WitnessedKey
from signer.csc.wire import Context, Failure, Result
from signer.errors import KeyUseRefused

THREADS: Final = 32  # as many as the token has sessions
WAITING: Final = 64
MOST_HANGING: Final = 24
"""Calls that hang in the token; with more, it is left alone until some of them return."""


@dataclass(frozen=True, slots=True)
class Order:
    """What one signHash call asks for; one context a digest."""

    caller: str
    label: str
    scheme: SignatureScheme | None
    digests: tuple[bytes, ...]
    contexts: tuple[Context, ...]


class Desk:
    """Serves signHash calls. Safe for threads."""

    def __init__(
        self,
        policy: KeyPolicy,
        ledger: Ledger,
        keyring: Keyring,
        *,
        answer_within_s: float,
    ) -> None:
        self._policy = policy
        self._ledger = ledger
        self._keyring = keyring
        self._answer_within_s = answer_within_s
        self._workers = Workers(THREADS, WAITING)
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()
        self.breaker = Breaker(keyring.probe)

    def sign(self, order: Order) -> list[Result]:
        """A signature or a `Failure` for each digest.

        Raises `KeyNotFound`, `KeyUseRefused` (of the whole call), `TokenUnavailable`,
        `AuditUnavailable`; then nothing of the call was released.
        """
        rule = self._policy.rule(order.label)
        if rule is None or not rule.serves(order.caller):
            self._refuse(order, len(order.digests), "no rule of the key policy allows it")
            raise KeyUseRefused(
                f"Chính sách khóa không cho {order.caller} dùng “{order.label}”. / The key policy "
                "does not let this caller use the key; see key-policy.toml."
            )
        if len(order.digests) > rule.max_per_call:
            self._refuse(order, len(order.digests), "more hashes than max_per_call")
            raise KeyUseRefused(
                f"Một lần chỉ ký được {rule.max_per_call} giá trị băm. / One call may bring "
                f"{rule.max_per_call} hashes; bring fewer."
            )
        now = dt.datetime.now(dt.UTC)
        refusals = [rule.refusal(order.caller, context, now) for context in order.contexts]
        allowed = [n for n, refusal in enumerate(refusals) if refusal is None]
        if len(allowed) < len(refusals):
            first = next(refusal for refusal in refusals if refusal is not None)
            self._refuse(order, len(refusals) - len(allowed), first)
        signed = iter(self._sign(order, rule, allowed) if allowed else [])
        results: list[Result] = [
            next(signed) if refusal is None else Failure("KeyUseRefused", refusal)
            for refusal in refusals
        ]
        return results

    def signer(self, label: str, context: Context) -> SigningKey:
        """A key of this process that signs through the desk, policy and chain. Raises as `key`."""
        return _DeskKey(self, self._keyring.key(label), context)

    def health(self) -> tuple[bool, dict[str, Any], int]:
        """Whether it can sign, what there is to say, and when to come back (seconds)."""
        keyring, breaker = self._keyring, self.breaker
        message, wait = "", 0
        if keyring.state is not KeyringState.READY:
            message, wait = keyring.message, 60 if keyring.state is KeyringState.LATCHED else 2
        elif breaker.state is State.OPEN:
            message, wait = breaker.reason, breaker.retry_after_s
        elif self._workers.late >= MOST_HANGING:
            message, wait = _HANGS, 5
        try:
            self._ledger.check()
        except AuditUnavailable as error:
            message, wait = str(error), 5
        with self._counting:
            counts = dict(self._counts)
        return (
            not message,
            {
                "status": "unavailable" if message else "ok",
                "message": message or "ok",
                "token": {"state": keyring.state.value, "breaker": breaker.state.value},
                "audit": {"ok": self._ledger.is_well},
                "keys": keyring.labels(),
                "faults": keyring.faults,
                "counts": {**counts, "hanging": self._workers.late, "trips": breaker.trips},
            },
            wait,
        )

    def sealed_head(self) -> Head | None:
        """The newest sealed head of the chain of keys. Raises `StoreError`."""
        return self._ledger.log.head()

    def drain(self, timeout_s: float) -> bool:
        """Wait for the calls under way; False when some hang still. Then stop probing."""
        drained = self._workers.drain(timeout_s)
        self.breaker.close()
        return drained

    def _sign(self, order: Order, rule: KeyRule, positions: Sequence[int]) -> list[Result]:
        """Sign the digests at `positions`."""
        key = self._keyring.key(order.label, order.scheme)
        self.breaker.admit()
        if self._workers.late >= MOST_HANGING:
            raise TokenUnavailable(_HANGS)
        digests = [order.digests[n] for n in positions]
        uses = [
            Use(
                order.label,
                order.contexts[n],
                order.caller,
                key.scheme.value,
                order.digests[n],
            )
            for n in positions
        ]

        def work(call: Call[list[Result]]) -> list[Result]:
            return self._work(call, key, digests, uses, rule.max_per_day)

        try:
            return self._workers.do(work, self._answer_within_s)
        except TooMany as error:
            self._count("shed", len(digests))
            raise TokenUnavailable(
                "Dịch vụ khóa đang quá tải; không ký gì, hãy thử lại. / The key agent has too much "
                "to do; nothing was signed, try again.",
                retry_after_s=1,
            ) from error
        except TooLate as error:
            self._count("late", len(digests))
            raise TokenUnavailable(
                "Thiết bị khóa trả lời quá chậm; kết quả, nếu có, chỉ được ghi vào nhật ký. / The "
                "token takes too long; what it still signs is recorded and thrown away: try again.",
                retry_after_s=1,
            ) from error

    def _work(
        self,
        call: Call[list[Result]],
        key: WitnessedKey,
        digests: Sequence[bytes],
        uses: Sequence[Use],
        max_per_day: int | None,
    ) -> list[Result]:
        """In a thread that may hang: sign, record what came of it."""
        witness = CallWitness(self._ledger, uses, max_per_day, lambda: not call.is_abandoned)
        try:
            results = key.sign_each(digests, witness)
        except BaseException as error:
            self.breaker.failed(error)
            self._count("failed", len(digests))
            witness.give_up(error)
            raise
        self._judge(results)
        witness.settle(results, released=call.keep())
        signed = sum(isinstance(result, bytes) for result in results)
        self._count("signed", signed)
        self._count("failed", len(results) - signed)
        return [r if isinstance(r, bytes) else Failure.of(r) for r in results]

    def _judge(self, results: Sequence[bytes | HSMError]) -> None:
        """Tell the breaker how the token did."""
        errors = [result for result in results if isinstance(result, HSMError)]
        gone = next((error for error in errors if isinstance(error, TokenUnavailable)), None)
        if gone is not None:
            self.breaker.failed(gone)
        elif len(errors) == len(results) and isinstance(errors[0], DeviceError):
            self.breaker.failed(errors[0])
        elif len(errors) < len(results):
            self.breaker.succeeded()
        else:
            self.breaker.failed(errors[0])

    def _refuse(self, order: Order, hashes: int, reason: str) -> None:
        """Put a refusal into the chain. Raises `AuditUnavailable`."""
        self._count("refused", hashes)
        context = order.contexts[0]
        details = {
            "caller": order.caller,
            "credential": order.label,
            "hashes": hashes,
            "principal": context.principal,
            "purpose": context.purpose,
            "reason": reason.rpartition(" / ")[2],
            "request_id": context.request_id,
        }
        subject = context.subject or order.label
        self._ledger.note(AuditEvent("key.refused", ACTOR, context.agency, subject, details))

    def _count(self, what: str, number: int) -> None:
        with self._counting:
            self._counts[what] += number


class _DeskKey:
    """A `SigningKey` for the agent's own signatures: heads of its audit chain."""

    def __init__(self, desk: Desk, key: WitnessedKey, context: Context) -> None:
        self._desk = desk
        self._key = key
        self._context = context

    @property
    def label(self) -> str:
        return self._key.label

    @property
    def certificate(self) -> x509.Certificate:
        return self._key.certificate

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return self._key.chain

    @property
    def scheme(self) -> SignatureScheme:
        return self._key.scheme

    @property
    def is_hardware(self) -> bool:
        return self._key.is_hardware

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        contexts = (self._context,) * len(digests)
        order = Order(LOCAL, self.label, self.scheme, tuple(digests), contexts)
        signatures = []
        for result in self._desk.sign(order) if digests else []:
            if isinstance(result, Failure):
                raise result.error()
            signatures.append(result)
        return signatures


_HANGS: Final = (
    "Thiết bị khóa treo: quá nhiều lệnh ký không trả lời; hãy kiểm tra thiết bị rồi khởi động lại "
    "`sohoa agent`. / The token hangs: too many calls have not returned; check the device, then "
    "start `sohoa agent` again."
)
