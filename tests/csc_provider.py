"""A provider of remote signatures after the letter of CSC API v2.0.0.2; nothing of `signer.csc`.

OAuth2 client credentials, credentials/authorize with a PIN in authData, SAD bound to the hashes
and good once, and the error bodies of the specification. Keys are in memory.
"""

from __future__ import annotations

import base64
import http.server
import json
import secrets
import threading
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

PIN = "482915"
CLIENT = ("so-hoa", "bí mật + khác")
DIGESTS = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
RSA_OIDS = {
    "1.2.840.113549.1.1.11": hashes.SHA256(),
    "1.2.840.113549.1.1.12": hashes.SHA384(),
    "1.2.840.113549.1.1.13": hashes.SHA512(),
}
EC_OIDS = {
    "1.2.840.10045.4.3.2": hashes.SHA256(),
    "1.2.840.10045.4.3.3": hashes.SHA384(),
    "1.2.840.10045.4.3.4": hashes.SHA512(),
}


class Refusal(Exception):
    def __init__(self, status: int, error: str, description: str = "") -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": description or error}


class Provider:
    """What it knows and what it was asked; tests change its fields."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[object, list[x509.Certificate], list[str]]] = {}
        self.multisign = 5
        self.disabled: set[str] = set()
        self.needs_sad = True
        self.raw_ecdsa = False
        self.tokens: set[str] = set()
        self.token_requests = 0
        self.sads: dict[str, tuple[str, list[str]]] = {}
        self.asked: list[tuple[str, dict]] = []
        self.answers: dict[str, object] = {}  # by path: what is answered instead
        self.retry_after: str | None = None

    def add(self, name: str, key, certificates: list[x509.Certificate], algorithms: list[str]):
        self.keys[name] = (key, certificates, algorithms)

    def answer(self, path: str, header: str, content: bytes) -> object:
        if path == "/csc/v2/oauth2/token":
            return self._token(header, content)
        body = json.loads(content)
        self.asked.append((path, body))
        if header.removeprefix("Bearer ") not in self.tokens:
            raise Refusal(401, "invalid_token")
        if path in self.answers:
            fixed = self.answers[path]
            if isinstance(fixed, Refusal):
                raise fixed
            return fixed
        method = {
            "/csc/v2/info": self._info,
            "/csc/v2/credentials/list": lambda _: {"credentialIDs": list(self.keys)},
            "/csc/v2/credentials/info": self._credential,
            "/csc/v2/credentials/authorize": self._authorize,
            "/csc/v2/signatures/signHash": self._sign,
        }.get(path)
        if method is None:
            raise Refusal(404, "invalid_request", "no such method")
        return method(body)

    def _token(self, header: str, content: bytes):
        self.token_requests += 1
        form = parse_qs(content.decode())
        said = base64.b64decode(header.removeprefix("Basic ")).decode()
        from urllib.parse import unquote_plus

        if tuple(map(unquote_plus, said.split(":", 1))) != CLIENT:
            raise Refusal(401, "unauthorized_client")
        if form != {"grant_type": ["client_credentials"], "scope": ["service"]}:
            raise Refusal(400, "invalid_request")
        token = secrets.token_urlsafe(16)
        self.tokens.add(token)
        return {"access_token": token, "token_type": "Bearer", "expires_in": 3600}

    def _info(self, body):
        return {
            "specs": "2.0.0.2",
            "name": "Provider of tests",
            "logo": "",
            "region": "VN",
            "lang": "en",
            "description": "",
            "authType": ["oauth2client"],
            "methods": ["credentials/list"],
        }

    def _credential(self, body):
        name = body["credentialID"]
        if name not in self.keys:
            raise Refusal(400, "invalid_request", "Invalid parameter credentialID")
        key, certificates, algorithms = self.keys[name]
        assert body["certificates"] == "chain"
        return {
            "key": {
                "status": "disabled" if name in self.disabled else "enabled",
                "algo": algorithms,
                "len": key.key_size,
            },
            "cert": {
                "status": "valid",
                "certificates": [
                    base64.b64encode(c.public_bytes(serialization.Encoding.DER)).decode()
                    for c in certificates
                ],
            },
            "auth": {"mode": "explicit", "expression": "PIN", "objects": [{"id": "PIN"}]},
            "SCAL": "2",
            "multisign": self.multisign,
        }

    def _authorize(self, body):
        if body["authData"] != [{"id": "PIN", "value": PIN}]:
            raise Refusal(400, "invalid_request", "Invalid PIN")
        if body["numSignatures"] != len(body["hashes"]) or body["numSignatures"] > self.multisign:
            raise Refusal(400, "invalid_request", "numSignatures")
        sad = secrets.token_urlsafe(12)
        self.sads[sad] = (body["credentialID"], body["hashes"])
        return {"SAD": sad, "expiresIn": 60}

    def _sign(self, body):
        if set(body) - {
            "credentialID", "SAD", "hashes", "hashAlgorithmOID", "signAlgo", "signAlgoParams",
            "operationMode", "clientData",
        }:  # fmt: skip
            raise Refusal(400, "invalid_request", "unknown member")
        if len(body["hashes"]) > self.multisign:
            raise Refusal(400, "invalid_request", "too many hashes")
        if self.needs_sad:
            granted = self.sads.pop(body.get("SAD", ""), None)
            if granted != (body["credentialID"], body["hashes"]):
                raise Refusal(400, "invalid_request", "Invalid parameter SAD")
        key, _, algorithms = self.keys[body["credentialID"]]
        if body["signAlgo"] not in algorithms:
            raise Refusal(400, "invalid_request", "signAlgo")
        return {"signatures": [self._one(key, body, base64.b64decode(h)) for h in body["hashes"]]}

    def _one(self, key, body, digest: bytes) -> str:
        algorithm = body["signAlgo"]
        if algorithm in RSA_OIDS:
            how = padding.PKCS1v15(), utils.Prehashed(RSA_OIDS[algorithm])
        elif algorithm in EC_OIDS:
            how = (ec.ECDSA(utils.Prehashed(EC_OIDS[algorithm])),)
        else:
            hash_ = DIGESTS[body["hashAlgorithmOID"]]
            # RSASSA-PSS-params of exactly this digest, MGF1 with it, salt as long
            oid = bytes.fromhex("0609608648016503040201")
            assert base64.b64decode(body["signAlgoParams"]).count(oid) == 2
            how = padding.PSS(padding.MGF1(hash_), hash_.digest_size), utils.Prehashed(hash_)
        signature = key.sign(digest, *how)
        if algorithm in EC_OIDS and self.raw_ecdsa:
            r, s = utils.decode_dss_signature(signature)
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return base64.b64encode(signature).decode()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        status = 200
        try:
            body = self.server.provider.answer(
                self.path, self.headers.get("Authorization", ""), content
            )
        except Refusal as refusal:
            status, body = refusal.status, refusal.body
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(encoded)))
        if self.server.provider.retry_after:
            self.send_header("Retry-After", self.server.provider.retry_after)
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *arguments):
        pass


class ProviderServer(http.server.ThreadingHTTPServer):
    """Serves a `Provider` on loopback until the block ends."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.provider = Provider()

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *arguments):
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"
