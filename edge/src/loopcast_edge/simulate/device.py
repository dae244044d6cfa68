"""A simulated device: an agent, its link, and the accidents that befall both."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from loopcast_edge.agent.agent import Agent
from loopcast_edge.agent.golden import Verdict, verdict
from loopcast_edge.agent.hands import Hands
from loopcast_edge.agent.link import BrokerLink
from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.agent.settings import Broker, Settings
from loopcast_edge.agent.slots import read_package
from loopcast_edge.simulate.scenario import Fate


class ProvedHere:
    """A package that is proved at once, in this process."""

    def __init__(self, digest: str, folder: Path) -> None:
        package = read_package(folder)
        self._verdict = (
            Verdict(digest, "the package is gone") if package is None else verdict(package, digest)
        )

    def verdict(self) -> Verdict:
        """Return the verdict."""
        return self._verdict

    def stop(self) -> None:
        """There is nothing to stop."""


class Device:
    """One device of the simulated fleet.

    Parameters
    ----------
    settings
        Of its agent.
    fate
        Its accidents.
    version
        Of the agent.
    """

    def __init__(self, settings: Settings, broker: Broker, fate: Fate, version: str) -> None:
        self._settings, self._broker, self._version = settings, broker, version
        self.fate = fate
        self.outbox = Outbox(None, settings.most_rows)
        self.later: Callable[[float, Callable[[], None]], None] = lambda _, do: do()
        """Has something done so many seconds later; the loop that drives the device sets it."""
        self.lost = self.arrived = 0
        settings.state.mkdir(parents=True, exist_ok=True)
        self._begin()

    def _begin(self) -> None:
        """Start the agent from its disk; the outbox stands for a file, which outlives it."""
        self.link = BrokerLink(self._broker, self._settings.device, self, self.fate.random)
        skew = self.fate.skew_ms
        hands = Hands(
            self.link,
            ProvedHere,
            self.outbox,
            self.fate.random,
            lambda: time.time_ns() // 1_000_000 + skew,
        )
        self.agent = Agent(self._settings, hands, self._version)
        self.agent.start(crashed=False)

    def power_cut(self) -> None:
        """Lose all that is not on the disk, the connection too, and start again."""
        self.drop()
        self._begin()

    def drop(self) -> None:
        """Lose the connection without a good-bye."""
        socket = self.link.client.socket()
        if socket is not None:
            socket.close()
        self.agent.disconnected()

    def will(self) -> tuple[str, bytes]:
        """Return topic and payload of the last will."""
        return self.agent.will()

    def connected(self) -> None:
        """The connection stands."""
        self.agent.connected()

    def disconnected(self) -> None:
        """The connection is lost."""
        self.agent.disconnected()

    def received(self, topic: str, payload: bytes) -> None:
        """Take a message, unless it is lost or late."""
        if self.fate.lost():
            self.lost += 1
            return
        self.arrived += 1
        late = self.fate.late_s()
        if late:
            self.later(late, partial(self._deliver, self.agent, topic, payload))
        else:
            self.agent.received(topic, payload)

    def _deliver(self, agent: Agent, topic: str, payload: bytes) -> None:
        """Deliver a late message, unless the power has gone since."""
        if agent is self.agent:
            agent.received(topic, payload)

    def stages(self) -> dict[str, str]:
        """Return the stage of each package that the device knows."""
        return {each.manifest: each.stage for each in self.agent.report().packages}
