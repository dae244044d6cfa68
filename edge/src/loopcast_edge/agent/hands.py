"""What an agent works with: a link, an outbox, clocks. Devices and simulations bring their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.agent.spot import Proof


class Link(Protocol):
    """The way to the centre; without a connection it drops what it is given."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at least once."""

    def subscribe(self, names: Sequence[str], *, sure: bool = False) -> None:
        """Subscribe to topics, with acknowledgement where it has to be ``sure``."""

    def unsubscribe(self, names: Sequence[str]) -> None:
        """Subscribe to topics no more."""


class Hands(NamedTuple):
    """What an agent is given to work with.

    Attributes
    ----------
    now_ms
        Wall clock, milliseconds since 1970-01-01 in UTC; it may step.
    clock
        Seconds, which do not step.
    prove
        Begins to prove the package of a digest in a folder.
    outbox
        Of the device.
    """

    link: Link
    prove: Callable[[str, Path], Proof]
    outbox: Outbox
    random: Random
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    clock: Callable[[], float] = time.monotonic
