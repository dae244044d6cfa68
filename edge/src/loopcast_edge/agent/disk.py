"""A disk that is full, or fails: the device goes on with what it has, and says so."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOG = logging.getLogger(__name__)

DISK_ERRORS = (OSError, sqlite3.OperationalError)
"""What it raises, in files and in the outbox."""

SAID_EVERY_S = 3600.0


class Disk:
    """Where it may be that nothing can be kept.

    Parameters
    ----------
    clock
        Seconds, which do not step.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._say_at = clock()

    @contextmanager
    def tolerated(self) -> Iterator[None]:
        """Go on where the disk takes nothing; it is said in the log, once an hour."""
        try:
            yield
        except DISK_ERRORS as error:
            if self._clock() >= self._say_at:
                self._say_at = self._clock() + SAID_EVERY_S
                LOG.error(
                    "the disk: %s; predictions go on, and what it does not take is lost", error
                )
