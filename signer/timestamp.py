"""RFC 3161 client: asks a time-stamping authority, believes nothing it has not checked."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Collection

from cryptography import x509

from signer import der
from signer.algorithms import HASHES
from signer.certificate_path import NoPath, find_path
from signer.clock import ClockDisagreement, ClockGate
from signer.errors import TimestampError
from signer.fetch import Fetcher, TransportFault, UnusableAnswer
from signer.timestamp_token import TimestampToken, UnusableToken, build_request, read_response

_log = logging.getLogger(__name__)

_CONTENT_TYPE = "application/timestamp-query"
_MAX_RESPONSE = 64 * 1024  # bytes; real tokens have 2 to 10 thousand
_FIRST_SIZE_HINT = 8 * 1024
_ASK_AGAIN_S = 1.0  # between two looks whether an authority that was away is back
_SIZE_HEADROOM = 512  # bytes: chains and serial numbers of one TSA vary by less


class TSAClient:
    """A `signer.services.Timestamper` over HTTP. Thread-safe.

    Exactly one request a token. Only transport faults are tried again, after a pause that
    doubles; what the authority answers is final. At most `max_parallel` requests are under
    way, the others wait (the national TSA has been seen to take two minutes).
    """

    def __init__(
        self,
        url: str,
        *,
        fetcher: Fetcher | None = None,
        timeout_s: float = 180.0,
        tries: int = 3,
        first_pause_s: float = 1.0,
        max_parallel: int = 4,
        policy_oid: str | None = None,
        anchors: Collection[x509.Certificate] | None = None,
        clock: ClockGate | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`timeout_s` is for one request as a whole. With `anchors` (looked at anew each time), the
        timestamp unit's certificate must have a path to one of them; without, verification judges
        it later.
        `policy_oid` is asked for and then required.
        """
        self._url = url
        self._fetcher = fetcher or Fetcher()
        self._timeout_s = timeout_s
        self._tries = tries
        self._first_pause_s = first_pause_s
        self._slots = threading.BoundedSemaphore(max_parallel)
        self._policy_oid = policy_oid
        self._anchors = anchors
        self._clock = clock or ClockGate()
        self._sleep = sleep
        self._largest = 0
        self._trusted: set[x509.Certificate] = set()
        self._away: str | None = None  # what the last request failed with
        self._look_at = 0.0
        self._looking = threading.Lock()

    @property
    def size_hint(self) -> int:
        """Upper estimate in bytes of a token: the largest one yet and headroom, even."""
        return self._largest + _SIZE_HEADROOM if self._largest else _FIRST_SIZE_HINT

    @property
    def requests(self) -> int:
        """Requests sent so far through this client's fetcher, failed ones included."""
        return self._fetcher.requests

    def timestamp(self, imprint: bytes, digest_name: str = "sha256") -> bytes:
        """Return a DER TimeStampToken over `imprint`. Blocking. Raises `TimestampError`."""
        digest = HASHES.get(digest_name)
        if digest is None or len(imprint) != digest.digest_size:
            raise TimestampError(
                f"{len(imprint)} byte không phải là giá trị băm {digest_name} (cần SHA-2). / "
                f"{len(imprint)} bytes are no {digest_name} digest; SHA-2 is required."
            )
        return self._timestamp(imprint, digest_name, self._tries)

    def require_answering(self) -> None:
        """Raise `TimestampError` while the authority gives no timestamps. Costs nothing else.

        To be asked before a key is used: a signature whose timestamp cannot be had is wasted.
        After a request that failed, one caller a second asks for a timestamp that nobody needs.
        """
        if self._away is None:
            return
        if time.monotonic() >= self._look_at and self._looking.acquire(blocking=False):
            try:
                self._timestamp(secrets.token_bytes(32), "sha256", 1)
            finally:
                self._look_at = time.monotonic() + _ASK_AGAIN_S
                self._looking.release()
        elif (message := self._away) is not None:
            raise TimestampError(message)

    def _timestamp(self, imprint: bytes, digest_name: str, tries: int) -> bytes:
        """As `timestamp`; remembers how it went."""
        try:
            token = self._checked(imprint, digest_name, tries)
        except TimestampError as error:
            self._away = str(error)
            raise
        self._away = None
        return token

    def _checked(self, imprint: bytes, digest_name: str, tries: int) -> bytes:
        nonce = secrets.randbits(63) | 1 << 63
        request = build_request(imprint, digest_name, nonce, self._policy_oid)
        try:
            before = self._clock.now()
            response = self._ask(request, tries)
            token = read_response(response, imprint, digest_name, nonce)
            self._clock.compare(token.gen_time, before, self._clock.now())
            self._check_policy(token)
        except ClockDisagreement as error:
            raise TimestampError(str(error)) from error
        except UnusableAnswer as error:
            raise TimestampError(
                f"Máy chủ dấu thời gian {self._url} trả lời sai: {error}. Hãy kiểm tra địa chỉ "
                f"TSA. / The TSA at {self._url} is unusable: {error}. Check its address."
            ) from error
        except UnusableToken as error:
            raise TimestampError(
                f"Dấu thời gian của {self._url} không dùng được: {error}. Không có gì được ký; "
                "hãy báo cho đơn vị cấp dấu thời gian. / The timestamp is unusable and was "
                f"discarded: {error}. Tell the operator of the TSA."
            ) from error
        self._check_path(token)
        self._largest = max(self._largest, len(token.encoded))
        return token.encoded

    def _ask(self, request: bytes, tries: int) -> bytes:
        pause_s = self._first_pause_s
        for remaining in reversed(range(tries)):
            try:
                with self._slots:
                    return self._fetcher.post(
                        self._url,
                        request,
                        _CONTENT_TYPE,
                        timeout_s=self._timeout_s,
                        max_bytes=_MAX_RESPONSE,
                    )
            except TransportFault as error:
                if not remaining:
                    raise TimestampError(
                        f"Không lấy được dấu thời gian từ {self._url} sau {tries} lần: "
                        f"{error}. Hãy kiểm tra mạng và máy chủ TSA rồi ký lại. / No timestamp "
                        f"from {self._url} after {tries} tries: {error}. Check the network "
                        "and the TSA, then sign again."
                    ) from error
                _log.warning("TSA %s: %s; trying again in %g s", self._url, error, pause_s)
                self._sleep(pause_s)
                pause_s *= 2
        raise TimestampError("TSAClient was made with tries=0. Give it at least one.")

    def _check_policy(self, token: TimestampToken) -> None:
        if self._policy_oid and token.policy != der.oid(self._policy_oid).hex():
            raise UnusableToken("the token was issued under another policy than the one asked for")

    def _check_path(self, token: TimestampToken) -> None:
        """The unit's path is checked once for each certificate, then remembered."""
        if self._anchors is None or token.certificate in self._trusted:
            return
        try:
            find_path(token.certificate, token.certificates, self._anchors, token.gen_time)
        except NoPath as error:
            raise TimestampError(
                f"Chứng thư của đơn vị cấp dấu thời gian {self._url} không dẫn tới gốc tin cậy "
                f"nào: {error} / The timestamp unit's certificate has no path to an anchor."
            ) from error
        self._trusted.add(token.certificate)
