"""Stability indices by the industry's limits, and calibration in the large."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from loopcast.api import Feature, Kpi, LogicalModel, ScoreOutcome, ScoreSchema
from loopcast.monitor.calibration import calibration_in_the_large
from loopcast.monitor.compare import Compared
from loopcast.monitor.daily import Group
from loopcast.monitor.drift import measure
from loopcast.monitor.performance import Coverage, Labelled
from loopcast.monitor.population import LIMITS, stabilities
from loopcast.monitor.reference import fit_reference
from loopcast.monitor.sketch import sketch

START = datetime(2026, 1, 5, tzinfo=UTC)
MODEL = LogicalModel(
    name="credit", title="Credit", owner="me", kpi=Kpi(metric="auc", direction="higher"),
    schema=ScoreSchema(key="id", target="bad", event=1, features={"x": Feature(kind="numeric")}),
)  # fmt: skip


def people(rows: int, seed: int, shift: float = 0.0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    town = random.choice(list("abc"), rows, p=[0.6 - shift / 4, 0.3, 0.1 + shift / 4])
    return {"income": random.normal(shift, 1.0, rows), "town": town}


def verdicts(rows: int, shift: float) -> dict[str, Any]:
    known = people(20_000, 0)
    score = {"probability": 1.0 / (1.0 + np.exp(known["income"]))}
    reference = fit_reference(known, score)
    new = people(rows, 1, shift)
    columns = {**new, "output.probability": 1.0 / (1.0 + np.exp(new["income"]))}
    group = Group(segment="north", version="a" * 16, bins=reference.bins.digest)
    measured = measure(reference, sketch(columns, reference.bins))
    found = stabilities(Compared(groups=(group,), measured=measured), {group: rows}, LIMITS)
    return {one.name: one for one in found}


def test_verdicts_follow_the_limits_of_the_industry() -> None:
    assert {one.verdict for one in verdicts(5000, 0.0).values()} == {"stable"}
    moving = verdicts(5000, 0.4)
    assert moving["income"].verdict == moving["probability"].verdict == "shifting"
    moved = verdicts(5000, 1.0)
    assert moved["income"].verdict == moved["probability"].verdict == "shifted"
    assert (moved["probability"].of, moved["income"].of) == ("population", "characteristic")
    assert moved["town"].ks is None
    assert moved["town"].verdict == "shifted"
    assert moved["income"].wasserstein == pytest.approx(1.0, abs=0.1)


def test_the_index_is_the_sum_over_tenths_of_the_training() -> None:
    known, new = people(20_000, 0)["income"], people(5000, 1, 1.0)["income"]
    edges = np.quantile(known, np.linspace(0.1, 0.9, 9))
    p, q = (np.bincount(np.searchsorted(edges, x), minlength=10) / len(x) for x in (known, new))
    assert verdicts(5000, 1.0)["income"].psi == pytest.approx(
        float(((q - p) * np.log(q / p)).sum()), rel=0.05
    )


def test_few_rows_have_a_large_index_by_chance_and_that_is_said() -> None:
    few = verdicts(20, 0.0)["income"]
    assert few.psi > LIMITS.shifted
    assert few.verdict == "too few rows"


def test_nothing_is_said_of_a_subpopulation_that_nobody_was_of() -> None:
    known = people(2000, 0)
    reference = fit_reference(known, {"probability": known["income"]})
    group = Group(segment="north", version="a" * 16, bins=reference.bins.digest, subset="town=d")
    columns = {**known, "output.probability": known["income"]}
    measured = measure(reference, sketch(columns, reference.bins))
    compared = Compared(groups=(group,), measured=measured)
    names = {one.name for one in stabilities(compared, {group: 500}, LIMITS)}
    assert names == {"income", "town", "probability"}
    assert not list(stabilities(compared, {group: 0}, LIMITS))


def labelled(said: float, happened: float, rows: int, days: int = 40) -> Labelled:
    """Scores of which the events of the last days are known already, and the others not."""
    random = np.random.default_rng(0)
    actual = (random.random(rows) < happened).astype(float)
    day = np.arange(rows) * days // rows
    known = np.flatnonzero((actual == 1.0) | (day < days // 2))
    return Labelled(
        time=pd.Series(pd.Timestamp(START) + pd.to_timedelta(day, unit="D")),
        known=known,
        outcome=ScoreOutcome(
            actual=actual[known], probability=np.full(len(known), said), weight=np.ones(len(known))
        ),
        segment=np.full(len(known), "", object),
        weight=np.ones(len(known)),
        block=np.arange(len(known)),
        attributes={},
        overall=np.ones(rows, dtype=bool),
        serial=False,
        coverage=Coverage(predictions=rows, chosen=rows, labelled=len(known), volunteered=0),
    )


def test_what_is_too_young_is_left_out_of_the_calibration_in_the_large() -> None:
    ripe, now = msgspec.structs.replace(MODEL, truth_delay_days=20.5), START + timedelta(days=40)
    found = calibration_in_the_large(labelled(0.2, 0.2, 4000), ripe, now)
    assert found is not None
    assert found.happened == pytest.approx(0.2, abs=0.02)
    assert not found.broken(0.01)
    hasty = calibration_in_the_large(labelled(0.2, 0.2, 4000), MODEL, now)
    assert hasty is not None
    assert hasty.happened > 0.3  # of the young, only events are known
    assert hasty.broken(0.05)


def test_a_gap_counts_where_it_is_large_and_no_chance() -> None:
    ripe, now = msgspec.structs.replace(MODEL, truth_delay_days=20.5), START + timedelta(days=40)

    def broken(happened: float, rows: int) -> bool:
        found = calibration_in_the_large(labelled(0.2, happened, rows), ripe, now)
        assert found is not None
        return found.broken(0.05)

    assert broken(0.35, 4000)
    assert not broken(0.23, 40_000)  # for sure, and too small to matter
    assert not broken(0.35, 30)
    assert calibration_in_the_large(labelled(0.2, 0.2, 4000), ripe, START) is None


def test_a_rare_event_that_happens_three_times_as_often_is_no_small_gap() -> None:
    """Two points more than one in a hundred are told; two points more than thirty are not."""
    ripe, now = msgspec.structs.replace(MODEL, truth_delay_days=20.5), START + timedelta(days=40)
    rare = calibration_in_the_large(labelled(0.01, 0.03, 4000), ripe, now)
    common = calibration_in_the_large(labelled(0.30, 0.32, 40_000), ripe, now)
    assert rare is not None
    assert common is not None
    assert rare.gaps(0.05) == pytest.approx(rare.difference.value / 0.0025)
    assert (rare.broken(0.05), common.broken(0.05)) == (True, False)
