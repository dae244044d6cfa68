"""Decision sets hold what happens with the confidence that was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast.api import Feature, ScoreData, ScoreSchema, SetSettings
from loopcast.api.score import BOTH, EVENT, OTHER
from loopcast.develop.score.sets import Bounds, bounds, learn_sets

SCHEMA = ScoreSchema(
    key="id", target="bad", event=1, features={"home": Feature(kind="category", missing=True)}
)


def scored(rows: int, seed: int) -> tuple[Any, ScoreData]:
    """Probabilities that are right for owners and too low for those who rent."""
    random = np.random.default_rng(seed)
    odds, rents = random.normal(-1.0, 1.5, rows), random.random(rows) < 0.2
    risk = 1.0 / (1.0 + np.exp(-odds - 1.5 * rents))
    data = ScoreData(
        features=pd.DataFrame({"home": pd.Categorical(np.where(rents, "rent", "own"))}),
        target=(random.random(rows) < risk).astype(np.float64),
        weight=np.ones(rows),
        schema=SCHEMA,
    )
    return 1.0 / (1.0 + np.exp(-odds)), data


def coverage(codes: Any, actual: Any) -> dict[float, float]:
    holds = (codes & np.where(actual == 1.0, EVENT, OTHER)) > 0
    return {outcome: float(holds[actual == outcome].mean()) for outcome in (0.0, 1.0)}


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 60), confidence=st.floats(0.5, 0.95))
def test_bounds_are_the_conformal_p_values_by_brute_force(
    seed: int, rows: int, confidence: float
) -> None:
    """An outcome is possible unless fewer than a share of rows is as unlike it as the new one."""
    random = np.random.default_rng(seed)
    p, actual = random.random(rows), (random.random(rows) < 0.4).astype(float)
    found = bounds(p, actual, np.ones(rows), confidence)
    for new in random.random(20):
        for outcome, code in ((1.0, EVENT), (0.0, OTHER)):
            own = p[actual == outcome]
            unlike = (own <= new).sum() if outcome == 1.0 else (own >= new).sum()
            possible = (unlike + 1) / (len(own) + 1) > 1.0 - confidence + 1e-12
            codes = int(found.codes(np.array([new]))[0])
            if codes != BOTH:
                assert bool(codes & code) == possible
            elif not possible:  # neither was: both are given
                other = p[actual == 1.0 - outcome]
                unlike = (other >= new).sum() if outcome == 1.0 else (other <= new).sum()
                assert (unlike + 1) / (len(other) + 1) <= 1.0 - confidence + 1e-12


@pytest.mark.parametrize("confidence", [0.8, 0.9])
def test_the_promise_is_kept_on_new_rows_for_either_outcome(confidence: float) -> None:
    sets = learn_sets(*scored(8000, 0), SetSettings(confidence=confidence))
    p, new = scored(40_000, 1)
    found = coverage(sets.codes(p, new.features), new.target)
    assert found[0.0] == pytest.approx(confidence, abs=0.02)
    assert found[1.0] == pytest.approx(confidence, abs=0.02)


def test_the_promise_holds_in_each_group_that_it_is_given_for() -> None:
    p, new = scored(60_000, 1)
    rents = (new.features["home"] == "rent").to_numpy()
    plain = learn_sets(*scored(20_000, 0), SetSettings())
    groups = learn_sets(*scored(20_000, 0), SetSettings(by="home"))
    together = coverage(plain.codes(p, new.features)[rents], new.target[rents])
    own = coverage(groups.codes(p, new.features)[rents], new.target[rents])
    assert together[0.0] > 0.95  # their probabilities are too low: 'no event' is always possible
    assert own == pytest.approx({0.0: 0.9, 1.0: 0.9}, abs=0.02)


def test_unseen_groups_take_the_bounds_of_all_and_small_ones_rule_nothing_out() -> None:
    p, data = scored(5000, 0)
    home = data.features["home"].to_numpy(object).copy()
    home[:5] = "tent"
    data = replace(data, features=pd.DataFrame({"home": pd.Categorical(home)}))
    sets = learn_sets(p, data, SetSettings(by="home"))
    rows = pd.DataFrame({"home": pd.Categorical(["tent", "boat", None])})
    found = sets.codes(np.full(3, 0.001), rows)
    assert found.tolist() == [BOTH, OTHER, OTHER]


def test_weights_count_as_repeated_rows() -> None:
    p, data = scored(400, 0)
    twice = bounds(p, data.target, np.full(400, 2.0), 0.9)
    assert twice == bounds(p, data.target, np.ones(400), 0.9)
    heavy = np.where(p > 0.5, 5.0, 1.0)
    assert bounds(p, data.target, heavy, 0.9).other_to > twice.other_to


def test_where_nothing_fits_both_are_given() -> None:
    certain = Bounds(event_from=0.7, other_to=0.3)
    assert certain.codes(np.array([0.1, 0.5, 0.9])).tolist() == [OTHER, BOTH, EVENT]
    assert Bounds().codes(np.array([0.0, 0.5, 1.0])).tolist() == [BOTH] * 3
