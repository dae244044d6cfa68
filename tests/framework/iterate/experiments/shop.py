"""A shop that is served by a bandit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loopcast.api import BanditSettings
from loopcast.deploy.lookup import look_up
from loopcast.iterate.experiments.learning import learn
from loopcast.store.events import event_table
from loopcast.store.trials import Trial

from .worlds import BEGUN, MODEL, begin, experiment, hear, home_with_arms

RATES = (0.05, 0.25, 0.1)


class Shop:
    """A bandit of three arms that serves the same customers every day."""

    def __init__(self, folder: Path, **fields: Any) -> None:
        self.home, arms = home_with_arms(folder, 3, model=fields.pop("model", MODEL))
        self.item = experiment(
            arms, kind="bandit", sample_size=None, bandit=BanditSettings(),
            **({"silence_counts": True, "wait_days": 2} | fields),
        )  # fmt: skip
        begin(self.home, self.item)
        self.random = np.random.default_rng(0)
        self.names = [f"customer {number}" for number in range(400)]

    @property
    def trial(self) -> Trial:
        return self.home.catalog.experiment("demand", "", "spring")

    def serve(self, day: int, *, hear_of_it: bool = True) -> NDArray[np.intp]:
        """Serve everyone, hear of clicks within hours, and return the arms."""
        at = BEGUN + timedelta(days=day, hours=8)
        serving = look_up(self.home.catalog, "demand")
        versions = serving.versions(self.names)
        share = {part.version: part.share for part in serving.parts}
        self.home.events.append(
            event_table(
                key=self.names, time=at, logical_model="demand", segment="", version=versions,
                role=np.where(versions == self.item.arms[0], "champion", "challenger"),
                outputs={"probability": np.full(len(self.names), 0.1)},
                propensity=np.array([share[version] for version in versions]),
            )
        )  # fmt: skip
        rate = np.array([RATES[self.item.arms.index(version)] for version in versions])
        clicked = np.flatnonzero(self.random.random(len(rate)) < rate)
        names = [self.names[place] for place in clicked]
        if hear_of_it:
            hear(self.home, names, np.ones(len(names)), at + timedelta(hours=3))
        return np.array([self.item.arms.index(version) for version in versions])

    def learn(self, day: int) -> None:
        now = BEGUN + timedelta(days=day, hours=23)
        self.home.catalog.put_bandits("demand", learn([self.trial], self.home, now))


def read_since(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note from when on events are read, from now on."""
    since: list[Any] = []
    read = shop.home.events.read

    def noted(model: str, start: Any, *rest: Any, **more: Any) -> Any:
        since.append(start)
        return read(model, start, *rest, **more)

    monkeypatch.setattr(shop.home.events, "read", noted)
    return since
