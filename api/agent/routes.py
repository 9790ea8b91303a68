"""CSC API v2.0.0.2 in and out: what each method takes and answers. No HTTP, no sockets."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api.agent.desk import Desk, Order
from api.agent.keyring import Keyring
from api.agent.policy import KeyPolicy, KeyRule
from dossier.errors import AuditUnavailable, StoreError
from hsm.errors import HSMError, KeyNotFound
from hsm.keys import SignatureScheme, WitnessedKey
from signer.algorithms import DIGEST_OIDS, HASHES, signature_oid
from signer.csc.wire import (
    BASE,
    HASHES_PER_CALL,
    SPECS,
    Context,
    Failure,
    MalformedMessage,
    decoded,
    encoded,
    scheme_from_wire,
    texts,
)
from signer.errors import SignerError
from signer.services import Timestamper

Body = Mapping[str, Any]
_METHODS: Final = ("info", "credentials/list", "credentials/info", "signatures/signHash")
_DIGEST_NAMES: Final = {oid: name for name, oid in DIGEST_OIDS.items()}
_LONGEST_NONCE: Final = 16  # hexadecimal digits: 64 bits (11.11)


class Routes:
    """The methods of the API for one agent. Safe for threads."""

    def __init__(
        self,
        policy: KeyPolicy,
        keyring: Keyring,
        desk: Desk,
        timestamper: Timestamper | None,
    ) -> None:
        self._policy = policy
        self._keyring = keyring
        self._desk = desk
        self._timestamper = timestamper
        self._methods: dict[str, Callable[[str, Body], dict[str, Any]]] = {
            f"{BASE}/info": self._info,
            f"{BASE}/credentials/list": self._list,
            f"{BASE}/credentials/info": self._credential,
            f"{BASE}/signatures/signHash": self._sign,
        }
        if timestamper is not None:
            self._methods[f"{BASE}/signatures/timestamp"] = self._timestamp

    def answer(self, path: str, caller: str, content: bytes) -> tuple[int, dict[str, Any], int]:
        """Status, body, and seconds for Retry-After (0: none). Raises nothing it knows of."""
        method = self._methods.get(path)
        if method is None:
            return 404, _error("invalid_request", f"There is no method {path}"), 0
        try:
            return 200, method(caller, _object(content)), 0
        except MalformedMessage as error:
            return 400, _error("invalid_request", str(error)), 0
        except AuditUnavailable as error:
            failure = Failure("TokenUnavailable", str(error), retry_after_s=5)
        except (HSMError, SignerError) as error:
            failure = Failure.of(error)
        return failure.status, failure.to_json(), failure.retry_after_s or 0

    def health(self) -> tuple[int, dict[str, Any], int]:
        """As `answer`, for GET /healthz."""
        ok, said, wait = self._desk.health()
        return 200 if ok else 503, said, wait

    def head(self) -> tuple[int, dict[str, Any], int]:
        """As `answer`, for GET of the newest head: others keep it, so that a cut is found."""
        try:
            head = self._desk.sealed_head()
        except StoreError as error:
            return 503, Failure("TokenUnavailable", str(error), retry_after_s=5).to_json(), 5
        return 200, {"head": None if head is None else head.to_json()}, 0

    def _info(self, caller: str, body: Body) -> dict[str, Any]:
        """11.1."""
        del caller, body
        methods = [*_METHODS, *(["signatures/timestamp"] if self._timestamper else [])]
        return {
            "specs": SPECS,
            "name": "Sohoa",
            "logo": "",
            "region": "VN",
            "lang": "vi",
            "description": "Dịch vụ khóa của Sohoa / Key agent of Sohoa",
            "authType": ["TLS"],
            "methods": methods,
            "validationInfo": False,
            "asynchronousOperationMode": False,
            "signAlgorithms": {
                "algos": sorted({signature_oid(scheme) for scheme in SignatureScheme})
            },
            "sohoa": {"hashes_per_call": HASHES_PER_CALL},
        }

    def _list(self, caller: str, body: Body) -> dict[str, Any]:
        """11.4."""
        labels = [rule.label for rule in self._rules(caller)]
        answer: dict[str, Any] = {"credentialIDs": labels}
        if body.get("onlyValid") is True:
            labels = [name for name in labels if _in_force(self._keyring.key(name).certificate)]
            answer = {"credentialIDs": labels, "onlyValid": True}
        if body.get("credentialInfo") is True:
            answer["credentialInfos"] = [
                {"credentialID": label, **self._described(label, body)} for label in labels
            ]
        return answer

    def _credential(self, caller: str, body: Body) -> dict[str, Any]:
        """11.5."""
        label = _text(body, "credentialID")
        rule = self._policy.rule(label)
        if rule is None or not rule.serves(caller):
            raise KeyNotFound(
                f"không có khóa “{label}” cho {caller}. / there is no such key for this caller; "
                "see the key policy"
            )
        return self._described(label, body)

    def _described(self, label: str, body: Body) -> dict[str, Any]:
        key = self._keyring.key(label)
        rule = self._policy.rules[label]
        return {
            "description": label,
            "key": _key(key, self._keyring.schemes(label)),
            "cert": _certificate(key, str(body.get("certificates", "single"))),
            "auth": {"mode": "implicit"},
            "SCAL": "1",
            "multisign": rule.max_per_call,
            "lang": "vi",
            "sohoa": {"hardware": key.is_hardware, "purposes": sorted(rule.purposes)},
        }

    def _sign(self, caller: str, body: Body) -> dict[str, Any]:
        """11.10, synchronous only."""
        if body.get("operationMode", "S") != "S":
            raise MalformedMessage("operationMode: this service signs at once (S) only")
        hashes = tuple(decoded(entry) for entry in texts(body.get("hashes"), "hashes"))
        if not 1 <= len(hashes) <= HASHES_PER_CALL:
            raise MalformedMessage(f"hashes: bring 1 to {HASHES_PER_CALL} in one call")
        parameters, digest = body.get("signAlgoParams"), body.get("hashAlgorithmOID")
        if not isinstance(parameters, str | None) or not isinstance(digest, str | None):
            raise MalformedMessage("signAlgoParams or hashAlgorithmOID is no text")
        scheme = scheme_from_wire(_text(body, "signAlgo"), parameters, digest)
        size = HASHES[scheme.digest_name].digest_size
        if any(len(entry) != size for entry in hashes):
            raise MalformedMessage(f"hashes: {scheme.digest_name} has {size} bytes")
        contexts = _contexts(body.get("clientData"), len(hashes))
        order = Order(
            caller,
            _text(body, "credentialID"),
            scheme,
            hashes,
            contexts or (Context(),) * len(hashes),
        )
        results = self._desk.sign(order)
        failures = [result for result in results if isinstance(result, Failure)]
        if failures and (contexts is None or len(failures) == len(results)):
            # a client that knows of no errors one by one, or nothing to tell apart
            raise failures[0].error()
        answer: dict[str, Any] = {
            "signatures": [encoded(r) if isinstance(r, bytes) else "" for r in results]
        }
        if failures:
            answer["sohoa"] = {
                "errors": [r.to_json() if isinstance(r, Failure) else None for r in results]
            }
        return answer

    def _timestamp(self, caller: str, body: Body) -> dict[str, Any]:
        """11.11; the nonce is the agent's own, checked by it."""
        del caller
        assert self._timestamper is not None  # noqa: S101 - else there is no such method
        name = _DIGEST_NAMES.get(_text(body, "hashAlgo"))
        digest = decoded(body.get("hash"))
        if name is None or len(digest) != HASHES[name].digest_size:
            raise MalformedMessage("hashAlgo names none of SHA-256, SHA-384, SHA-512, or not hash")
        nonce = body.get("nonce", "")
        if not isinstance(nonce, str) or len(nonce) > _LONGEST_NONCE:
            raise MalformedMessage("nonce has more than 64 bits")
        return {"timestamp": encoded(self._timestamper.timestamp(digest, name))}

    def _rules(self, caller: str) -> list[KeyRule]:
        """The keys that `caller` may use and that can sign. Raises while there is no token."""
        rules = self._policy.rules.values()
        served = [rule for rule in rules if rule.serves(caller)]
        labels = self._keyring.labels()
        if served and not labels:
            self._keyring.key(served[0].label)  # says why
        return [rule for rule in served if rule.label in labels]


def _contexts(client_data: object, size: int) -> tuple[Context, ...] | None:
    """One context a hash, from a JSON list in clientData; None: there is no such list."""
    if not isinstance(client_data, str) or not client_data.startswith("["):
        return None
    try:
        found = json.loads(client_data)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("clientData begins like a JSON list and is none") from error
    if len(found) != size:
        raise MalformedMessage(f"clientData has {len(found)} entries for {size} hashes")
    return tuple(Context.read(entry) for entry in found)


def _key(key: WitnessedKey, schemes: list[SignatureScheme]) -> dict[str, Any]:
    public_key = key.certificate.public_key()
    described: dict[str, Any] = {
        "status": "enabled",
        "algo": [signature_oid(scheme) for scheme in schemes],
        "len": getattr(public_key, "key_size", 0),
    }
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        described["curve"] = {"secp256r1": "1.2.840.10045.3.1.7", "secp384r1": "1.3.132.0.34"}[
            public_key.curve.name
        ]
    return described


def _certificate(key: WitnessedKey, wanted: str) -> dict[str, Any]:
    own = key.certificate
    certificates = {"none": (), "chain": (own, *key.chain)}.get(wanted, (own,))
    return {
        "status": "valid" if _in_force(own) else "expired",
        "certificates": [
            encoded(certificate.public_bytes(serialization.Encoding.DER))
            for certificate in certificates
        ],
        "issuerDN": own.issuer.rfc4514_string(),
        "serialNumber": f"{own.serial_number:X}",
        "subjectDN": own.subject.rfc4514_string(),
        "validFrom": own.not_valid_before_utc.strftime("%Y%m%d%H%M%SZ"),
        "validTo": own.not_valid_after_utc.strftime("%Y%m%d%H%M%SZ"),
    }


def _in_force(certificate: x509.Certificate) -> bool:
    now = dt.datetime.now(dt.UTC)
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _object(content: bytes) -> Body:
    try:
        body = json.loads(content or b"{}")
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("the body is no JSON") from error
    if not isinstance(body, dict):
        raise MalformedMessage("the body is no JSON object")
    return body


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= 256:
        raise MalformedMessage(f"{name} is missing, or no text of up to 256 characters")
    return value


def _error(code: str, description: str) -> dict[str, Any]:
    return {"error": code, "error_description": description}
