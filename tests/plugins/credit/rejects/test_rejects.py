from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast.api import ConfigurationError, DataError, Preparation, ScoreData
from loopcast_credit import loopcast_preparations
from loopcast_credit.rejects.bands import band_of, score_bands
from loopcast_credit.rejects.population import joined, scored
from loopcast_credit.templates.boosting import Boosting
from loopcast_credit.templates.logistic import Logistic
from loopcast_credit.templates.scorecard import Scorecard

from ..samples import auc, fitted, score_data

PREPARATIONS: dict[str, Preparation] = {one.name: one for one in loopcast_preparations()}
EXTERNAL: dict[str, dict[str, Any]] = {"credit.external_calibration": {"column": "x"}}


def prepared(name: str, data: ScoreData, seed: int = 0, **options: Any) -> ScoreData:
    preparation = PREPARATIONS[name]
    return preparation.prepare(data, preparation.options(**options), seed)


def world(rows: int = 6000, seed: int = 0) -> tuple[ScoreData, ScoreData]:
    """Applicants as an old decision by x left them, and the same with all outcomes."""
    random = np.random.default_rng(seed)
    x, z = random.normal(size=rows), random.normal(size=rows)
    event = (random.random(rows) < 1 / (1 + np.exp(1.5 - 1.2 * x - 0.5 * z))).astype(float)
    town = np.where(random.random(rows) < 0.3, "a", "b")
    truth = score_data(pd.DataFrame({"x": x, "z": z, "town": town}), event)
    passed = x + random.normal(0, 0.5, rows) < 0.3
    schema = msgspec.structs.replace(truth.schema, accepted="passed")
    truth = replace(truth, schema=schema)
    return replace(truth, target=np.where(passed, event, np.nan), accepted=passed), truth


@pytest.mark.parametrize("name", sorted(PREPARATIONS))
def test_every_score_template_learns_from_what_it_gives(name: str) -> None:
    hidden, truth = world(2000)
    data = prepared(name, hidden, **EXTERNAL.get(name, {}))
    assert not np.isnan(data.target).any()
    assert (data.weight > 0.0).all()
    for template in (Scorecard(), Logistic(), Boosting()):
        options = {"rounds": 20} if isinstance(template, Boosting) else {}
        model = fitted(template, data, **options)
        assert auc(truth.target, model.predict(truth.features).probability) > 0.7


@pytest.mark.parametrize("name", ["credit.reweighting", "credit.augmentation"])
def test_weights_make_the_accepted_look_like_the_applicants(name: str) -> None:
    hidden, truth = world()
    known = hidden.take(np.flatnonzero(~np.isnan(hidden.target)))
    data = prepared(name, hidden)
    assert data.features.index.equals(known.features.index)
    assert data.weight.sum() == pytest.approx(known.weight.sum())
    goal = truth.features["x"].mean()
    before, after = known.features["x"].mean(), np.average(data.features["x"], weights=data.weight)
    assert abs(after - goal) < abs(before - goal) / 2
    share = np.average(data.target, weights=data.weight)
    assert abs(share - truth.target.mean()) < abs(known.target.mean() - truth.target.mean()) / 2


def test_weights_are_limited() -> None:
    hidden, _ = world()
    data = prepared("credit.reweighting", hidden, least=0.5)
    assert data.weight.max() / data.weight.min() <= 2.0 + 1e-9
    assert prepared("credit.reweighting", hidden, least=0.01).weight.max() > 2 * data.weight.max()


def test_augmentation_is_the_share_that_was_accepted_of_a_band() -> None:
    hidden, _ = world()
    assert hidden.accepted is not None
    both = [hidden.take(np.flatnonzero(part)) for part in (hidden.accepted, ~hidden.accepted)]
    known, rejected = scored(*both)
    data = prepared("credit.augmentation", hidden, bands=5)
    edges = np.quantile(np.concatenate([known, rejected]), [0.2, 0.4, 0.6, 0.8])
    counts = [np.bincount(np.digitize(one, edges), minlength=5) for one in (known, rejected)]
    stands_for = ((counts[0] + counts[1]) / counts[0])[np.digitize(known, edges)]
    np.testing.assert_allclose(data.weight / data.weight.mean(), stands_for / stands_for.mean())


@pytest.mark.parametrize("odds", [1.0, 2.5])
def test_a_rejected_applicant_counts_as_both_outcomes(odds: float) -> None:
    hidden, _ = world()
    assert hidden.accepted is not None
    count = int(hidden.accepted.sum())
    data = prepared("credit.fuzzy_parcelling", hidden, odds=odds)
    inferred = data.take(np.arange(count, len(data.target)))
    half = len(inferred.target) // 2
    assert half == int((~hidden.accepted).sum())
    np.testing.assert_allclose(inferred.weight[:half] + inferred.weight[half:], 1.0)
    assert inferred.target.tolist() == [1.0] * half + [0.0] * half
    _, log_odds = scored(
        *(hidden.take(np.flatnonzero(p)) for p in (hidden.accepted, ~hidden.accepted))
    )
    np.testing.assert_allclose(
        np.log(inferred.weight[:half] / inferred.weight[half:]),
        log_odds + math.log(odds),
        atol=1e-9,
    )


def test_outcomes_by_lot_have_the_rate_of_their_band() -> None:
    hidden, _ = world(20_000)
    assert hidden.accepted is not None
    both = [hidden.take(np.flatnonzero(part)) for part in (hidden.accepted, ~hidden.accepted)]
    known, rejected = scored(*both)
    edges = score_bands(np.concatenate([known, rejected]), known, 10)
    data = prepared("credit.parcelling", hidden, rate=1.3, seed=1)
    drawn = data.target[len(known) :]
    for band in range(len(edges) + 1):
        own = band_of(rejected, edges) == band
        if own.sum() > 200:
            rate = 1.3 * both[0].target[band_of(known, edges) == band].mean()
            assert drawn[own].mean() == pytest.approx(min(rate, 1.0), abs=0.06)
    again, other = (prepared("credit.parcelling", hidden, seed=s).target for s in (1, 2))
    assert not np.array_equal(again, other)
    np.testing.assert_array_equal(again, prepared("credit.parcelling", hidden, seed=1).target)


def test_external_data_tells_what_the_features_do_not() -> None:
    """How a like loan went elsewhere, known of everybody and used by no score."""
    hidden, truth = world(20_000)
    right = np.random.default_rng(1).random(len(truth.target)) < 0.85
    elsewhere = np.where(right, truth.target, 1.0 - truth.target)
    beside = pd.DataFrame({"elsewhere": elsewhere}, hidden.features.index)
    data = prepared(
        "credit.external_calibration", replace(hidden, attributes=beside), column="elsewhere"
    )
    assert list(data.features.columns) == list(hidden.features.columns)

    def judged(rows: ScoreData) -> float:
        return auc(truth.target, fitted(Scorecard(), rows).predict(truth.features).probability)

    assert judged(data) > judged(hidden)


def test_external_data_has_to_say_of_the_rejected_what_it_says_of_the_accepted() -> None:
    hidden, _ = world()
    name = "credit.external_calibration"
    with pytest.raises(ConfigurationError, match="'bureau' is no feature; there are x, z, town"):
        prepared(name, hidden, column="bureau")
    assert hidden.accepted is not None
    beside = pd.DataFrame({"bureau": np.where(hidden.accepted, 1.0, 2.0)}, hidden.features.index)
    with pytest.raises(
        DataError, match="'bureau': 100% of the rejected rows have no value such as"
    ):
        prepared(name, replace(hidden, attributes=beside), column="bureau")


@pytest.mark.parametrize("name", sorted(PREPARATIONS))
def test_it_has_to_be_known_who_was_rejected(name: str) -> None:
    hidden, _ = world(500)
    options = EXTERNAL.get(name, {})
    with pytest.raises(ConfigurationError, match=r"needs logical_model\.schema\.accepted"):
        prepared(name, replace(hidden, accepted=None), **options)
    chance = msgspec.structs.replace(hidden.schema, chance="chance")
    with pytest.raises(ConfigurationError, match="stand for the rejected already"):
        prepared(name, replace(hidden, schema=chance), **options)
    with pytest.raises(DataError, match="all 500 rows were accepted"):
        prepared(name, replace(hidden, accepted=np.ones(500, dtype=bool)), **options)
    few = replace(hidden, target=np.where(np.arange(500) < 460, np.nan, hidden.target))
    if name not in ("credit.reweighting", "credit.external_calibration"):
        with pytest.raises(DataError, match="a model needs 20 of each"):
            prepared(name, few, **options)


@pytest.mark.parametrize("name", sorted(PREPARATIONS))
def test_assumptions_are_sentences(name: str) -> None:
    preparation = PREPARATIONS[name]
    for sentence in preparation.assumptions(preparation.options()):
        assert sentence[0].isupper()
        assert sentence.endswith(".")


@given(
    known=st.lists(st.floats(-5, 5), min_size=1, max_size=40),
    others=st.lists(st.floats(-5, 5), max_size=40),
    bands=st.integers(2, 12),
)
@settings(max_examples=100, deadline=None)
def test_every_band_has_somebody_whose_outcome_is_known(
    known: list[float], others: list[float], bands: int
) -> None:
    own = np.array(known)
    edges = score_bands(np.array(known + others), own, bands)
    assert (np.diff(edges) > 0).all()
    assert np.bincount(band_of(own, edges), minlength=len(edges) + 1).all()
    assert len(edges) < bands


def test_rows_of_the_same_columns_are_joined() -> None:
    hidden, _ = world(300)
    first, rest = (hidden.take(rows) for rows in np.split(np.arange(300), [100]))
    back: ScoreData = joined(first, rest)
    pd.testing.assert_frame_equal(back.features, hidden.features)
    values: NDArray[np.float64] = back.target
    np.testing.assert_array_equal(values, hidden.target)
