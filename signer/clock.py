"""Vietnam's zone, and the clock gate (security requirement 22): no signing by a doubtful clock."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

VIETNAM = dt.timezone(dt.timedelta(hours=7))
"""The zone of signing times (NĐ 30/2020; S4) and of legal dates. It has no summer time."""


class ClockDisagreement(Exception):
    """Two clocks disagree beyond the bound; callers turn it into their own typed error."""


def _running_s() -> float:
    """Seconds since the machine started, sleep included; nobody can set this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class ClockGate:
    """Compares the wall clock with the machine's running time, and with others' clocks.

    The wall clock may be slewed, not stepped: a step beyond `bound` since this object was
    made is a disagreement until the process starts again. Thread-safe.
    """

    def __init__(
        self,
        bound: dt.timedelta = dt.timedelta(minutes=5),
        *,
        wall_s: Callable[[], float] = time.time,
        running_s: Callable[[], float] = _running_s,
    ) -> None:
        self.bound = bound
        self._wall_s = wall_s
        self._running_s = running_s
        self._offset_s = wall_s() - running_s()

    def now(self) -> dt.datetime:
        """The time in UTC. Raises `ClockDisagreement` if the wall clock was stepped."""
        wall_s = self._wall_s()
        stepped_s = wall_s - self._running_s() - self._offset_s
        if abs(stepped_s) > self.bound.total_seconds():
            raise ClockDisagreement(
                f"Đồng hồ hệ thống đã bị chỉnh {stepped_s:+.0f} giây khi chương trình đang chạy; "
                "hãy kiểm tra giờ (NTP) rồi khởi động lại chương trình. / The system clock was "
                f"stepped by {stepped_s:+.0f} s while running: check the time (NTP), then restart."
            )
        return dt.datetime.fromtimestamp(wall_s, dt.UTC)

    def compare(self, other: dt.datetime, earliest: dt.datetime, latest: dt.datetime) -> None:
        """Accept `other` from `earliest` − bound to `latest` + bound; else `ClockDisagreement`."""
        if not earliest - self.bound <= other <= latest + self.bound:
            raise ClockDisagreement(
                f"Đồng hồ TSA ({other:%Y-%m-%d %H:%M:%S} UTC) và đồng hồ máy này "
                f"({latest:%Y-%m-%d %H:%M:%S} UTC) lệch quá {self.bound}; hãy kiểm tra giờ hệ "
                "thống (NTP). / The TSA's clock and this machine's disagree beyond the bound: "
                "check the system time (NTP), then the TSA."
            )
