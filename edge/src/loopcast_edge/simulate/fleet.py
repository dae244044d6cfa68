"""The loop that drives many devices: one epoll for their connections, one heap for their times."""

from __future__ import annotations

import heapq
import selectors
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Optional

from loopcast_edge.simulate.device import Device
from loopcast_edge.simulate.world import World

TICK_S = 5.0
WAIT_S = 0.05
BURST = 200
"""Times that are handled before messages are looked at again."""


class Fleet:
    """Devices, and the loop that they share.

    Parameters
    ----------
    devices
        Already made; they connect when the loop begins, one after the other.
    world
        What they measure; ``None`` for nothing.
    """

    def __init__(self, devices: Sequence[Device], world: Optional[World]) -> None:
        self.devices, self._world = devices, world
        self._selector = selectors.DefaultSelector()
        self._times: list[tuple[float, int, Callable[[], None]]] = []
        self._count = count()
        self._sockets: dict[int, int] = {}
        self._measured = [0] * len(devices)
        self.power_cuts = self.churned = self.predictions = 0

    def begin(self) -> None:
        """Have every device connect, and plan its accidents."""
        for number, device in enumerate(self.devices):
            draw = device.fate.random.random
            device.later = self._in
            self._in(0.0, partial(self._connect, number))
            self._in(TICK_S * draw(), partial(self._tick, number))
            self._in(device.fate.next_churn_s(), partial(self._churn, number))
            self._in(device.fate.next_power_cut_s(), partial(self._cut, number))
            if self._world is not None:
                self._in(self._world.every_s * draw(), partial(self._measure, number))

    def turn(self) -> None:
        """Do what is due, and wait for messages a moment at most."""
        for _ in range(BURST):
            if not self._times or self._times[0][0] > time.monotonic():
                break
            heapq.heappop(self._times)[2]()
        next_at = self._times[0][0] if self._times else float("inf")
        pause = min(WAIT_S, max(0.0, next_at - time.monotonic()))
        for key, mask in self._selector.select(pause):
            self._serve(key.data, mask)

    def end(self) -> None:
        """End all connections, and keep what devices keep."""
        for number, device in enumerate(self.devices):
            device.agent.leaving()
            device.agent.stop()
            device.link.client.disconnect()
            self._forget(number)
        self._selector.close()

    @property
    def connected(self) -> int:
        """How many devices are connected."""
        return sum(device.link.client.is_connected() for device in self.devices)

    def running(self) -> int:
        """Return how many champions have come through their trial."""
        return sum(device.agent.running for device in self.devices)

    def stages(self) -> Counter[str]:
        """Return how many packages are in which stage."""
        return Counter(stage for device in self.devices for stage in device.stages().values())

    def _in(self, seconds: Optional[float], do: Callable[[], None]) -> None:
        """Plan something; ``None`` seconds are never."""
        if seconds is not None:
            heapq.heappush(self._times, (time.monotonic() + seconds, next(self._count), do))

    def _connect(self, number: int) -> None:
        device = self.devices[number]
        if number in self._sockets:
            return
        try:
            device.link.connect()
        except OSError:
            device.link.failed()
            self._in(device.link.pause_s(), partial(self._connect, number))
            return
        self._watch(number)

    def _serve(self, number: int, mask: int) -> None:
        """Read and write what a connection has and wants."""
        client = self.devices[number].link.client
        if mask & selectors.EVENT_READ:
            client.loop_read()
        self._settle(number)

    def _settle(self, number: int) -> None:
        """Write what is queued; then watch the connection, or plan another where it is lost."""
        client = self.devices[number].link.client
        if client.want_write():
            client.loop_write()
        if client.socket() is None:
            self._lost(number)
        else:
            self._watch(number)

    def _watch(self, number: int) -> None:
        client = self.devices[number].link.client
        socket = client.socket()
        if socket is None:
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.want_write() else 0)
        handle = socket.fileno()
        if self._sockets.get(number) != handle:
            self._forget(number)
            self._selector.register(handle, events, number)
            self._sockets[number] = handle
        elif self._selector.get_key(handle).events != events:
            self._selector.modify(handle, events, number)

    def _forget(self, number: int) -> None:
        handle = self._sockets.pop(number, None)
        if handle is not None:
            self._selector.unregister(handle)

    def _lost(self, number: int) -> None:
        """Connect again after a while, once."""
        if number in self._sockets:
            self._forget(number)
            device = self.devices[number]
            self._in(device.fate.away_s() + device.link.pause_s(), partial(self._connect, number))

    def _tick(self, number: int) -> None:
        device = self.devices[number]
        device.link.client.loop_misc()
        device.agent.tick()
        if number in self._sockets:
            self._settle(number)
        self._in(TICK_S, partial(self._tick, number))

    def _measure(self, number: int) -> None:
        assert self._world is not None
        line = self._world.line(number, self._measured[number])
        if line is None:
            return
        self._measured[number] += 1
        self.predictions += len(self.devices[number].agent.measured([line]))
        self._in(self._world.every_s, partial(self._measure, number))

    def _churn(self, number: int) -> None:
        """Lose a connection."""
        device = self.devices[number]
        if number in self._sockets:
            self.churned += 1
            self._forget(number)
            device.drop()
            self._in(device.fate.away_s(), partial(self._connect, number))
        self._in(device.fate.next_churn_s(), partial(self._churn, number))

    def _cut(self, number: int) -> None:
        """Take the power from a device; it starts again at once."""
        device = self.devices[number]
        self.power_cuts += 1
        away = number not in self._sockets
        self._forget(number)
        device.power_cut()
        if not away:
            self._in(0.0, partial(self._connect, number))
        self._in(device.fate.next_power_cut_s(), partial(self._cut, number))
