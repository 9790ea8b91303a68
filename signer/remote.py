"""Signing keys behind the CSC API v2: those of our own key agent, or of an outside provider.

    client = CSCClient("unix:/srv/sohoa/agent.sock")
    key = client.key("leader").bound(agency="H22.12", purpose="document", subject="rec_…")
    signatures = key.sign_digests(digests)

Calls of many threads for one key leave together (`signer.csc.lane`). Every signature is verified
against the certificate before it is returned, whatever the service says.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hsm.errors import KeyNotFound, SignatureFault
from hsm.keys import SignatureScheme
from signer import der
from signer.algorithms import DIGEST_OIDS, HASHES, WrongSignature, verify_digest
from signer.csc.credentials import Credential, read_credential
from signer.csc.lane import Lane
from signer.csc.login import ActivationData, Bearer, ClientLogin
from signer.csc.transport import Answer, Transport
from signer.csc.wire import (
    HEAD_PATH,
    Context,
    Failure,
    MalformedMessage,
    Result,
    decoded,
    ecdsa_as_der,
    encoded,
    read_results,
    scheme_to_wire,
    texts,
)
from signer.errors import KeyUseRefused, SignerError, TimestampError

__all__ = ["AgentHealth", "CSCClient", "ClientLogin", "Credential", "RemoteKey"]

_FRESH_S: Final = 60.0  # how long an answer to credentials/info is believed
_OK: Final = 200
_UNAUTHORIZED: Final = 401
_HEALTH_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """How a key service is. `details` is what it said: token, audit, keys, counts."""

    ok: bool
    message: str
    retry_after_s: int | None
    details: Mapping[str, Any]


class CSCClient:
    """A key service. Thread-safe; make one a process and `close` it."""

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float = 20.0,
        server_ca: Path | None = None,
        client_certificate: Path | None = None,
        client_key: Path | None = None,
        login: ClientLogin | None = None,
        activation: ActivationData | None = None,
        hardware: bool = False,
    ) -> None:
        """`address` is ``unix:/path`` or ``https://host[:port][/base]``.

        With `login` it is an outside provider's: requests carry a bearer token and contexts stay
        at home. With `activation`, each call is authorised first (credentials/authorize, SAD).
        `hardware` vouches that the provider keeps its keys in hardware (S11). `timeout_s` is for
        one call as a whole. Raises `SignerError` for an unusable address.
        """
        self._transport = Transport(
            address,
            server_ca=server_ca,
            client_certificate=client_certificate,
            client_key=client_key,
        )
        self._bearer = Bearer(self._transport, login) if login else None
        self._activation = activation
        self._hardware = hardware
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Credential]] = {}
        self._lanes: dict[tuple[str, SignatureScheme], Lane] = {}

    @property
    def address(self) -> str:
        """Where the service is."""
        return self._transport.address

    def info(self) -> dict[str, Any]:
        """What the service says of itself (info, 11.1). Raises `HSMError`, `SignerError`."""
        return dict(self._ask("/info", {}))

    def credentials(self) -> list[Credential]:
        """The credentials that this client may see. Raises `HSMError`, `SignerError`."""
        try:
            found = texts(self._ask("/credentials/list", {}).get("credentialIDs"), "credentialIDs")
        except MalformedMessage as error:
            raise self._unusable(error) from error
        return [self._credential(identity) for identity in found]

    def key(self, label: str, scheme: SignatureScheme | None = None) -> RemoteKey:
        """The key `label` (an outside provider's credentialID), ready to sign.

        Raises `KeyNotFound`, `KeyUseRefused` (disabled, expired or not for this client),
        `KeyMismatch`, `TokenUnavailable`.
        """
        credential = self._credential(label)
        if not credential.enabled:
            raise KeyUseRefused(
                f"Khóa “{label}” đang bị khóa hoặc chứng thư hết hiệu lực; hãy dùng khóa khác. / "
                "The key is disabled or its certificate is not in force; use another one."
            )
        chosen = scheme or credential.schemes[0]
        if chosen not in credential.schemes:
            raise KeyUseRefused(
                f"Khóa “{label}” không ký bằng {chosen.value}. / The key does not sign with "
                f"{chosen.value}; it offers {', '.join(s.value for s in credential.schemes)}."
            )
        return RemoteKey(self, credential, chosen, Context())

    def sign(
        self,
        credential: Credential,
        scheme: SignatureScheme,
        digests: Sequence[bytes],
        context: Context,
    ) -> list[Result]:
        """A signature, not yet verified, or a failure for each digest. Calls gather; blocking."""
        name = (credential.id, scheme)
        with self._lock:
            lane = self._lanes.get(name)
            if lane is None:
                lane = self._lanes[name] = Lane(
                    lambda hashes, contexts: self._sign_hashes(name, hashes, contexts),
                    credential.hashes_per_call,
                )
        return lane.sign(digests, context)

    def timestamp(self, digest: bytes, digest_name: str = "sha256") -> bytes:
        """A DER TimeStampToken over `digest` (signatures/timestamp, 11.11), not verified here.

        Raises `TimestampError`, `HSMError`.
        """
        if len(digest) != HASHES[digest_name].digest_size:
            raise TimestampError(
                f"{len(digest)} byte không phải giá trị băm {digest_name}. / This is no digest of "
                f"{digest_name}."
            )
        body = {"hash": encoded(digest), "hashAlgo": DIGEST_OIDS[digest_name]}
        answer = self._ask("/signatures/timestamp", body)
        try:
            token = decoded(answer.get("timestamp"))
            der.parse(token)
        except (MalformedMessage, der.MalformedDER) as error:
            raise TimestampError(
                f"Dịch vụ khóa {self.address} trả dấu thời gian không đọc được. / The key service "
                "gave a timestamp that cannot be read; tell its operator."
            ) from error
        return token

    def health(self) -> AgentHealth:
        """Ask the agent how it is; an outside provider is asked for `info`. Raises nothing.

        Waits 5 s at most.
        """
        try:
            if self._bearer is not None:
                return AgentHealth(True, "ok", None, self.info())
            answer = self._transport.call("/healthz", None, timeout_s=_HEALTH_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
            return AgentHealth(False, str(error), getattr(error, "retry_after_s", None), {})
        wait = answer.retry_after
        return AgentHealth(
            answer.status == _OK,
            str(answer.body.get("message", answer.status)),
            int(wait) if wait and wait.isdigit() else None,
            dict(answer.body),
        )

    def sealed_head(self) -> Mapping[str, Any] | None:
        """The newest sealed head of our own agent's audit chain, not verified; None: not yet any.

        Raises `HSMError`, `SignerError`.
        """
        answer = self._transport.call(HEAD_PATH, None, timeout_s=_HEALTH_TIMEOUT_S)
        if answer.status != _OK:
            raise Failure.read(answer.status, answer.body, answer.retry_after).error()
        head = answer.body.get("head")
        if head is not None and not isinstance(head, dict):
            raise self._unusable(MalformedMessage("the head of the audit chain is no object"))
        return head

    def close(self) -> None:
        """Close idle connections; the object stays usable."""
        self._transport.close()

    def _credential(self, identity: str) -> Credential:
        now = time.monotonic()
        since, known = self._known.get(identity, (0.0, None))
        if known is not None and now - since < _FRESH_S:
            return known
        body = self._ask(
            "/credentials/info",
            {"credentialID": identity, "certificates": "chain", "certInfo": True, "authInfo": True},
            missing=identity,
        )
        try:
            known = read_credential(identity, body, hardware=self._hardware)
        except MalformedMessage as error:
            raise self._unusable(error) from error
        self._known[identity] = (now, known)
        return known

    def _sign_hashes(
        self,
        name: tuple[str, SignatureScheme],
        hashes: Sequence[bytes],
        contexts: Sequence[Context],
    ) -> Sequence[Result]:
        """One signHash call."""
        identity, scheme = name
        body: dict[str, Any] = {
            "credentialID": identity,
            "hashes": [encoded(digest) for digest in hashes],
            **scheme_to_wire(scheme),
        }
        try:
            if self._bearer is None:
                body["clientData"] = json.dumps(
                    [context.to_json() for context in contexts], ensure_ascii=False
                )
            if self._activation is not None:
                body["SAD"] = self._authorise(identity, scheme, hashes)
            answer = self._ask("/signatures/signHash", body)
            return read_results(answer, len(hashes))
        except MalformedMessage as error:
            return [Failure.of(self._unusable(error))] * len(hashes)
        except Exception as error:  # noqa: BLE001 - it belongs to every hash of the call
            return [Failure.of(error)] * len(hashes)

    def _authorise(self, identity: str, scheme: SignatureScheme, hashes: Sequence[bytes]) -> str:
        """Signature activation data for exactly these hashes (credentials/authorize, 11.6)."""
        assert self._activation is not None  # noqa: S101 - the caller asked
        answer = self._ask(
            "/credentials/authorize",
            {
                "credentialID": identity,
                "numSignatures": len(hashes),
                "hashes": [encoded(digest) for digest in hashes],
                "hashAlgorithmOID": DIGEST_OIDS[scheme.digest_name],
                "authData": [dict(entry) for entry in self._activation(identity, hashes)],
            },
        )
        sad = answer.get("SAD")
        if not isinstance(sad, str):
            raise MalformedMessage("credentials/authorize gave no SAD")
        return sad

    def _ask(
        self, path: str, body: Mapping[str, Any], missing: str | None = None
    ) -> Mapping[str, Any]:
        """One call; `missing` names the credential that a 400 or 404 says does not exist."""
        answer = self._call(path, body)
        if answer.status == _OK:
            return answer.body
        failure = Failure.read(answer.status, answer.body, answer.retry_after)
        if missing is not None and failure.kind in ("SignerError", "KeyNotFound"):
            raise KeyNotFound(
                f"Dịch vụ khóa {self.address} không có khóa “{missing}”; xem: sohoa keys list. / "
                f"The key service has no such key ({failure.message})."
            )
        raise failure.error()

    def _call(self, path: str, body: Mapping[str, Any]) -> Answer:
        url, timeout_s = self._transport.base + path, self._timeout_s
        if self._bearer is None:
            return self._transport.call(url, body, timeout_s=timeout_s)
        header = self._bearer.header(timeout_s=timeout_s)
        answer = self._transport.call(url, body, timeout_s=timeout_s, headers=header)
        if answer.status == _UNAUTHORIZED:  # run out before its time; nothing was done
            header = self._bearer.header(timeout_s=timeout_s, renewed=True)
            answer = self._transport.call(url, body, timeout_s=timeout_s, headers=header)
        return answer

    def _unusable(self, error: MalformedMessage) -> SignerError:
        return SignerError(
            f"Dịch vụ khóa {self.address} trả lời sai giao thức CSC: {error}. / The key service "
            "does not keep to the CSC API; check its address and version."
        )


class RemoteKey:
    """A `hsm.keys.SigningKey` behind a key service. Thread-safe."""

    __slots__ = ("_client", "_context", "_credential", "_public_key", "scheme")

    def __init__(
        self,
        client: CSCClient,
        credential: Credential,
        scheme: SignatureScheme,
        context: Context,
        public_key: object = None,
    ) -> None:
        """Made by `CSCClient.key`; `public_key` is the certificate's, read once."""
        self._client = client
        self._credential = credential
        self._context = context
        self._public_key = public_key or credential.certificate.public_key()
        self.scheme = scheme

    def __repr__(self) -> str:
        return f"<RemoteKey {self.label!r} {self.scheme.value} at {self._client.address}>"

    @property
    def label(self) -> str:
        """The key's label."""
        return self._credential.label

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate; every signature is verified with it before it is returned."""
        return self._credential.certificate

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """Issuers of `certificate`, nearest first."""
        return self._credential.chain

    @property
    def is_hardware(self) -> bool:
        """What the agent found out about its token; for a provider what the settings vouch for."""
        return self._credential.is_hardware

    @property
    def context(self) -> Context:
        """What goes to the agent with each hash."""
        return self._context

    def bound(self, **context: Any) -> RemoteKey:  # noqa: ANN401 - the fields of Context
        """A copy that sends `context` with each hash: the fields of `signer.csc.wire.Context`.

        Fields that are not given keep their value. Costs next to nothing.
        """
        wider = replace(self._context, **context)
        return RemoteKey(self._client, self._credential, self.scheme, wider, self._public_key)

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        """See `hsm.keys.SigningKey`. Also raises `KeyUseRefused`, `SignerError`.

        Raises ValueError for a digest of the wrong length before anything is sent. Several
        digests may leave in several calls, and with those of other threads.
        """
        size = HASHES[self.scheme.digest_name].digest_size
        for digest in digests:
            if len(digest) != size:
                raise ValueError(
                    f"{self.scheme.value} signs digests of {size} bytes, this one has {len(digest)}"
                )
        if not digests:
            return []
        results = self._client.sign(self._credential, self.scheme, digests, self._context)
        for result in results:
            if isinstance(result, Failure):
                raise result.error()
        return [
            self._checked(result, digest)
            for result, digest in zip(results, digests, strict=True)
            if isinstance(result, bytes)
        ]

    def _checked(self, signature: bytes, digest: bytes) -> bytes:
        if isinstance(self._public_key, ec.EllipticCurvePublicKey):
            signature = ecdsa_as_der(signature, (self._public_key.key_size + 7) // 8)
        try:
            verify_digest(self._public_key, self.scheme, signature, digest)
        except WrongSignature as error:
            raise SignatureFault(
                f"Dịch vụ khóa {self._client.address} trả chữ ký sai cho “{self.label}”; không có "
                "gì được phát hành: hãy ngừng dùng và kiểm tra thiết bị. / The key service gave a "
                "signature that the certificate does not verify; nothing was released: take it "
                "out of service and have it examined."
            ) from error
        return signature
