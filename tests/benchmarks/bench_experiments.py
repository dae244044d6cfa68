"""Error rates of experiments and what bandits lose, simulated; and what their steps cost.

What a user would do instead is in the same run: look at a fixed test every day, or divide entities
evenly for half the time and serve the winner after it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.special import ndtri

from loopcast.api import (
    BanditSettings,
    BanditState,
    Experiment,
    ExperimentStep,
    Kpi,
    LogicalModel,
    RankSchema,
)
from loopcast.deploy.assignment import arms
from loopcast.iterate.experiments.bandit import discounted, shares
from loopcast.iterate.experiments.design import sample_size, sequential_sample_size
from loopcast.iterate.experiments.learning import learn
from loopcast.iterate.experiments.sequential import FEWEST, radius
from loopcast.store.events import event_table
from loopcast.store.home import Home, open_home
from loopcast.store.trials import Trial
from loopcast.store.truth import truth_table

sys.path.insert(0, str(Path(__file__).parents[1] / "framework" / "iterate" / "experiments"))
import simulation as simulated  # type: ignore[import-not-found]  # shared with the tests

BASE, EFFECT, EVERY = 0.1, 0.03, 50
BEGUN, DAYS = datetime(2026, 3, 2, tzinfo=UTC), 90
SHOP = LogicalModel(
    name="shop", title="Shop", owner="owner", kpi=Kpi(metric="ndcg"),
    schema=RankSchema(entity="customer", item="product", time="sold"),
)  # fmt: skip
WANTED = {"abrupt": 0.45, "drifting": 0.45}
CONTENDERS = {
    "fixed test, half the time": None,
    "Thompson, plain": simulated.PLAIN,
    "Thompson, forgetting .9995": BanditSettings(forgetting=0.9995, sharpness=1.0, floor=0.02),
    "Thompson, forgetting .999, sharpened × 8": BanditSettings(forgetting=0.999),
    "default: forgetting .9995, sharpened × 8": BanditSettings(),
}


def run(scale: float) -> list[dict[str, Any]]:
    """Simulate 20,000 A/B tests and 200 bandits of 20,000 impressions; count 90 days of 2,000."""
    return [
        *_error_rates(max(500, round(20_000 * scale))),
        *_losses(max(20, round(200 * scale))),
        *_costs(scale),
        *_nights(max(10, round(2_000 * scale))),
    ]


def _error_rates(runs: int) -> list[dict[str, Any]]:
    deviation = float(np.sqrt(BASE * (1.0 - BASE)))
    errors: dict[str, Any] = {"significance": 0.05, "power": 0.8}
    fixed = sample_size(deviation, EFFECT, **errors)
    most = sequential_sample_size(deviation, EFFECT, **errors)
    rows = []
    for effect, rates in ((0.0, (BASE, BASE)), (EFFECT, (BASE - EFFECT / 2, BASE + EFFECT / 2))):
        difference, variance = simulated.ab_tests(rates, most, EVERY, runs, seed=1)
        until = fixed // EVERY
        looked = np.abs(difference) > ndtri(0.975) * np.sqrt(variance)
        bounds = np.interp(variance, *_radii(variance))
        valid = np.abs(difference) > bounds
        valid[:, : FEWEST // EVERY - 1] = False
        ends = np.where(valid.any(axis=1), (valid.argmax(axis=1) + 1) * EVERY, most)
        for what, found, size in (
            ("fixed, looked at once", looked[:, until - 1], fixed),
            ("fixed, looked at each 50", looked[:, :until].any(axis=1), fixed),
            ("sequential, looked at each 50", valid.any(axis=1), float(ends.mean())),
        ):
            share = float(found.mean())
            rows.append(
                {
                    "what": f"A/B test: {what}",
                    "true_effect": effect,
                    "found": share,
                    "found_error": float(np.sqrt(share * (1.0 - share) / runs)),
                    "entities_of_an_arm": size,
                    "runs": runs,
                }
            )
    return rows


def _radii(variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the radius on a grid of variances, close enough to read between."""
    grid = np.geomspace(max(variance.min(), 1e-9), variance.max(), 2_000)
    return grid, np.array([radius(value, EFFECT, 0.05) for value in grid])


def _losses(runs: int) -> list[dict[str, Any]]:
    rows = []
    for world in simulated.WORLDS:
        rates = simulated.click_rates(world)
        lost = {}
        for name, settings in CONTENDERS.items():
            started = time.process_time()
            if settings is None:
                found = simulated.lost_by_fixed_test(rates, runs, seed=1)
            else:
                found = simulated.lost_by_bandit(rates, settings, runs, seed=1)
            lost[name] = float(found.mean())
            rows.append(
                {
                    "what": f"{world}: {name}",
                    "lost_conversions": lost[name],
                    "lost_error": float(found.std() / np.sqrt(runs)),
                    "of_fixed": lost[name] / lost["fixed test, half the time"],
                    "of_plain": lost[name] / lost["Thompson, plain"]
                    if "Thompson, plain" in lost
                    else None,
                    "wanted_of_fixed": WANTED.get(world),
                    "wanted_of_plain": 2.0 if world == "stationary" else None,
                    "cpu_s": time.process_time() - started,
                }
            )
    return rows


def _costs(scale: float) -> list[dict[str, Any]]:
    """Assign a million entities; let 4,000 bandits of four arms learn from a night."""
    entities = [f"customer {number}" for number in range(round(1_000_000 * scale))]
    started = time.process_time()
    arms(entities, "shop//night", (0.25,) * 4)
    assigned = time.process_time() - started
    random, tenants = np.random.default_rng(0), max(10, round(4_000 * scale))
    count = 500 * tenants
    population, arm = random.integers(0, tenants, count), random.integers(0, 4, count)
    reward = (random.random(count) < 0.03).astype(float)
    started = time.process_time()
    won, lost = discounted(population, arm, reward, np.full(tenants, 0.9995), 4)
    shares(won, lost, BanditSettings())
    learned = time.process_time() - started
    return [
        {"what": "assign entities to arms", "count": len(entities), "cpu_s": assigned,
         "us_each": 1e6 * assigned / len(entities)},
        {"what": "bandits of 4 arms learn from 500 impressions each", "count": tenants,
         "cpu_s": learned, "us_each": 1e6 * learned / tenants},
    ]  # fmt: skip


def _nights(segments: int) -> list[dict[str, Any]]:
    """Let bandits learn after 90 days with 20 impressions a day each: first, next and late."""
    with TemporaryDirectory() as folder:
        home = open_home(folder)
        home.catalog.put_logical_model(SHOP)
        trials = [_trial(number) for number in range(segments)]
        random = np.random.default_rng(0)
        for day in range(DAYS):
            _append(home, segments, day, 20, random)
        rows, states = [], dict[str, BanditState]()
        for what, days in (
            ("the first time", DAYS - 1),
            ("the next night", DAYS),
            ("an event and an outcome came a month late", DAYS),
        ):
            if "late" in what:
                _append(home, 1, DAYS - 30, 1, random)
            known = [replace(t, bandit=states.get(t.experiment.segment)) for t in trials]
            started = time.process_time()
            states = dict(learn(known, home, BEGUN + timedelta(days=days)))
            spent = time.process_time() - started
            rows.append(
                {"what": f"bandits learn from {DAYS} days of 20 impressions: {what}",
                 "count": segments, "cpu_s": spent, "us_each": 1e6 * spent / segments}
            )  # fmt: skip
        home.catalog.close()
    return rows


def _trial(number: int) -> Trial:
    item = Experiment(
        name="night", logical_model="shop", segment=f"t{number}", kind="bandit",
        arms=tuple(f"{4 * number + arm:016x}" for arm in range(4)), metric="outcome",
        declared=BEGUN, by="benchmark", wait_days=2, silence_counts=True, bandit=BanditSettings(),
    )  # fmt: skip
    begun = ExperimentStep(step="begun", at=BEGUN, by="benchmark")
    return Trial(experiment=item, steps={"begun": begun})


def _append(
    home: Home, segments: int, day: int, impressions: int, random: np.random.Generator
) -> None:
    """Log a day of impressions, of which three in a hundred are clicked on."""
    count, at = segments * impressions, BEGUN + timedelta(days=day, hours=8)
    number = np.repeat(np.arange(segments), impressions)
    place, arm = np.tile(np.arange(impressions), segments), random.integers(0, 4, count)
    versions = np.array([f"{version:016x}" for version in range(4 * segments)])
    segment = np.array([f"t{n}" for n in range(segments)])[number]
    key = np.array([f"c{n}" for n in range(impressions)])[place]
    home.events.append(
        event_table(
            key=key, time=at, logical_model="shop", segment=segment,
            version=versions[4 * number + arm], role=np.where(arm == 0, "champion", "challenger"),
            outputs={"score": np.ones(count)}, propensity=np.full(count, 0.25),
        )
    )  # fmt: skip
    clicked = random.random(count) < 0.03 if segments > 1 else np.ones(count, dtype=bool)
    home.truth.add(
        "shop",
        truth_table(
            key=key[clicked], segment=segment[clicked], value=np.ones(clicked.sum()),
            observed=at + timedelta(hours=3 + (segments == 1)),
        ),
    )  # fmt: skip
