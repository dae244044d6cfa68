"""What a command takes, with all the processes that it starts."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import NamedTuple

_ADOPT = 36
"""PR_SET_CHILD_SUBREAPER of Linux."""


class Spent(NamedTuple):
    """CPU time of all processes together in seconds, and the memory of the largest in GB.

    ``system`` is that of the kernel: it has to find the memory that files and processes ask for,
    which a virtual machine has to ask its host for where it gave it back.
    """

    status: int
    user: float
    system: float
    peak: float

    @property
    def cpu(self) -> float:
        """Of the program and of the kernel."""
        return self.user + self.system


def adopt() -> None:
    """Let what outlives the command that started it, if for a moment, be waited for here.

    The process that workers are forked from is no child that a command waits for.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)


def wait_for(command: int) -> Spent:
    """Wait for a command and for all that it leaves behind."""
    status, user, system, peak = 0, 0.0, 0.0, 0
    while True:
        try:
            ended, its, used = os.wait4(-1, 0)
        except ChildProcessError:
            unit = 1 if sys.platform == "darwin" else 1024
            return Spent(status, user, system, peak * unit / 1e9)
        status = its if ended == command else status
        user += used.ru_utime
        system += used.ru_stime
        peak = max(peak, used.ru_maxrss)
