"""What befalls simulated devices: drawn from a seed, each device's on its own."""

from __future__ import annotations

from random import Random
from typing import Optional

import msgspec


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How hard life is.

    Attributes
    ----------
    churn_per_hour
        How often a device loses its connection.
    away_s
        Mean time until it tries again; on top comes the agent's own back-off.
    loss
        Share of messages of the centre that never arrive.
    slow_share, slow_s
        Share of devices whose messages are late, and by how much in the mean.
    skew_s
        Standard deviation of the devices' clocks.
    power_cuts_per_hour
        How often a device loses its power, and starts again from its disk.
    """

    churn_per_hour: float = 0.0
    away_s: float = 10.0
    loss: float = 0.0
    slow_share: float = 0.0
    slow_s: float = 1.0
    skew_s: float = 0.0
    power_cuts_per_hour: float = 0.0


CALM = Scenario()
HARD = Scenario(
    churn_per_hour=60.0,
    away_s=2.0,
    loss=0.02,
    slow_share=0.2,
    slow_s=0.5,
    skew_s=60.0,
    power_cuts_per_hour=20.0,
)
SCENARIOS = {"calm": CALM, "hard": HARD}


class Fate:
    """The accidents of one device.

    Parameters
    ----------
    seed, number
        Of the simulation, and of the device in it.
    """

    def __init__(self, scenario: Scenario, seed: int, number: int) -> None:
        self.random = Random(f"{seed}/{number}")
        self._scenario = scenario
        self.skew_ms = int(1000 * self.random.gauss(0.0, scenario.skew_s))
        self._slow = self.random.random() < scenario.slow_share

    def lost(self) -> bool:
        """Tell whether the next message never arrives."""
        return self.random.random() < self._scenario.loss

    def late_s(self) -> float:
        """Return by how much the next message is late."""
        return self.random.expovariate(1 / self._scenario.slow_s) if self._slow else 0.0

    def away_s(self) -> float:
        """Return how long a lost connection stays lost."""
        return self.random.expovariate(1 / self._scenario.away_s)

    def next_churn_s(self) -> Optional[float]:
        """Return in how many seconds the connection is lost."""
        return self._next(self._scenario.churn_per_hour)

    def next_power_cut_s(self) -> Optional[float]:
        """Return in how many seconds the power goes."""
        return self._next(self._scenario.power_cuts_per_hour)

    def _next(self, per_hour: float) -> Optional[float]:
        return self.random.expovariate(per_hour / 3600) if per_hour else None
