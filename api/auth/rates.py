"""Token buckets: how often somebody may ask. In memory, one set for each web process.

With several web processes each grants the whole rate; what the limits protect is a process.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class TokenBuckets:
    """Buckets by name; at most `most` of them, the longest unused go first.

    A bucket that was forgotten is a full one. For one event loop.
    """

    def __init__(
        self, *, most: int = 10_000, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str, *, rate: float, burst: float) -> float:
        """Take one token. Returns what is left, or minus the seconds until there is one."""
        bucket = self._filled(name, rate, burst)
        if bucket.level < 1:
            return -(1 - bucket.level) / rate
        bucket.level -= 1
        return bucket.level

    def wait_s(self, name: str, *, rate: float, burst: float) -> float:
        """Seconds until there is a token; 0 when there is one. Takes none."""
        if name not in self._buckets:
            return 0.0
        return max(0.0, (1 - self._filled(name, rate, burst).level) / rate)

    def _filled(self, name: str, rate: float, burst: float) -> _Bucket:
        now = self._monotonic()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(burst, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        else:
            bucket.level = min(burst, bucket.level + (now - bucket.at) * rate)
            bucket.at = now
            self._buckets.move_to_end(name)
        return bucket


def source_of(host: str | None) -> str:
    """What counts as one source: an IPv4 address, or the /64 that one IPv6 customer holds."""
    if host is None:
        return "local"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "local"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def whole_seconds(wait_s: float) -> int:
    """For Retry-After: at least one second."""
    return max(1, math.ceil(wait_s))
