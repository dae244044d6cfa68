"""What is known of segments: a training that made no version is one too."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from loopcast.api import Attempt, Segment
from loopcast.iterate.past import past_of
from loopcast.iterate.retrain.facts import facts_of
from loopcast.settings.retrain import RetrainSettings
from loopcast.store.home import Home, open_home
from loopcast.store.truth import truth_table

from ...store.builders import NOON, digest, logical_model, registration, version

NOW = NOON + timedelta(days=40)


def attempt(segment: Segment, days: int) -> Attempt:
    return Attempt(
        logical_model="demand",
        segment=segment,
        at=NOON + timedelta(days=days),
        recipe=digest("recipe"),
        dataset=digest("data"),
        protocol="random 50 %",
        champion=None,
        kpi=3.5,
        champion_kpi=None,
        reason="mape 3.5 against 3.4",
    )


def filled(folder: Path) -> Home:
    """North and south have a version of noon; what was tried came before or after it, or alone."""
    home = open_home(folder)
    home.catalog.put_logical_model(logical_model())
    home.catalog.register([registration(version(0, segment=name)) for name in ("north", "south")])
    home.catalog.put_attempts([attempt("north", 20), attempt("south", -5), attempt("east", 1)])
    return home


def test_the_last_training_is_the_later_of_version_and_attempt(tmp_path: Path) -> None:
    home = filled(tmp_path)
    past = past_of(home.catalog, "demand")
    facts = facts_of(home, logical_model(), RetrainSettings(), NOW, past)
    trained: dict[Segment, datetime | None] = {s: found.trained for s, found in facts.items()}
    assert trained == {
        "north": NOON + timedelta(days=20), "south": NOON, "east": NOON + timedelta(days=1)
    }  # fmt: skip
    assert {found.champion for found in facts.values()} == {None}


def test_outcomes_count_from_the_last_training_on(tmp_path: Path) -> None:
    home = filled(tmp_path)
    for days, count in ((10, 3), (30, 2)):
        keys = np.array([f"{days}/{number}" for number in range(count)])
        for segment in ("north", "south"):
            home.truth.add(
                "demand",
                truth_table(
                    key=keys,
                    segment=np.repeat(segment, count),
                    value=np.zeros(count),
                    observed=NOON + timedelta(days=days),
                ),
            )
    past = past_of(home.catalog, "demand")
    facts = facts_of(home, logical_model(), RetrainSettings(outcomes=1), NOW, past)
    assert {s: found.outcomes for s, found in facts.items()} == {"north": 2, "south": 5, "east": 0}
