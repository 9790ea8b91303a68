"""Keeps a process's memory to itself: no core dumps, no reading by other processes of the user.

For the process that holds a PIN. What the memory can still hold is said in docs/agent.md.
"""

from __future__ import annotations

import ctypes
import os
import resource
from typing import Final

from hsm.errors import HSMError

_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4


def forbid_dumps() -> None:
    """RLIMIT_CORE 0 and PR_SET_DUMPABLE 0 (prctl(2)); call it before a PIN is read.

    Afterwards ptrace, /proc/PID/mem and /proc/PID/environ are refused to everybody but root.
    Raises `HSMError` when the kernel does not do it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 or libc.prctl(_PR_GET_DUMPABLE) != 0:
        raise HSMError(
            "the kernel does not keep this process's memory to itself "
            f"({os.strerror(ctypes.get_errno())}); run it on Linux without a tracer"
        )
