"""Reweighing makes the outcome independent of the group, and says what it cannot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast.api import DataError, Feature, ScoreData, ScoreSchema
from loopcast.develop.fairness.reweighing import Reweighing, ReweighingOptions

SCHEMA = ScoreSchema(
    key="id",
    target="bad",
    event=1,
    features={
        "income": Feature(kind="numeric"),
        "sex": Feature(kind="category", protected=True, used=False),
        "region": Feature(kind="category", protected=True, used=False),
    },
)


def data(seed: int, rows: int = 800) -> ScoreData:
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], rows)
    region = rng.choice(["north", "south"], rows, p=[0.7, 0.3])
    bad = (rng.random(rows) < np.where(sex == "f", 0.4, 0.2)).astype(np.float64)
    bad[rng.random(rows) < 0.1] = np.nan
    index = pd.Index([f"r{number}" for number in range(rows)], name="id")
    attributes = pd.DataFrame({"sex": sex, "region": region}, index, dtype="category")
    attributes.iloc[:5, 0] = np.nan
    return ScoreData(
        features=pd.DataFrame({"income": rng.normal(size=rows)}, index),
        attributes=attributes,
        target=bad,
        weight=rng.uniform(0.5, 2.0, rows),
        schema=SCHEMA,
    )


def rates(found: ScoreData, names: list[str]) -> NDArray[np.float64]:
    """The weighted event rate of each group."""
    assert found.attributes is not None
    known = ~np.isnan(found.target) & found.attributes[names].notna().all(axis=1).to_numpy()
    table = found.attributes.loc[known, names].assign(
        weight=found.weight[known], bad=found.target[known] * found.weight[known]
    )
    sums = table.groupby(names, observed=True)[["bad", "weight"]].sum()
    return (sums["bad"] / sums["weight"]).to_numpy(np.float64)


@given(seed=st.integers(0, 50))
def test_groups_have_one_event_rate_and_the_weight_that_they_had(seed: int) -> None:
    before = data(seed)
    after = Reweighing().prepare(before, ReweighingOptions(fewest=1), seed)
    assert np.ptp(rates(before, ["sex", "region"])) > 0.05
    assert np.ptp(rates(after, ["sex", "region"])) < 1e-12
    assert before.attributes is not None
    for sex in ("f", "m"):
        known = (before.attributes["sex"] == sex).to_numpy() & ~np.isnan(before.target)
        assert after.weight[known].sum() == pytest.approx(before.weight[known].sum())
    np.testing.assert_array_equal(after.target, before.target)


def test_rows_without_a_group_or_an_outcome_stay_as_they_are() -> None:
    before = data(1)
    after = Reweighing().prepare(before, ReweighingOptions(attributes=("sex",)), 0)
    aside = np.isnan(before.target) | (np.arange(800) < 5)
    np.testing.assert_array_equal(after.weight[aside], before.weight[aside])
    assert (after.weight[~aside] != before.weight[~aside]).any()


def test_strength_goes_from_nothing_to_beyond() -> None:
    before = data(2)
    spread = []
    for strength in (0.0, 0.5, 1.0):
        options = ReweighingOptions(attributes=("sex",), strength=strength)
        spread.append(np.ptp(rates(Reweighing().prepare(before, options, 0), ["sex"])))
    assert spread[0] == pytest.approx(np.ptp(rates(before, ["sex"])))
    assert spread[0] > spread[1] > spread[2]
    assert spread[2] < 1e-12


def test_small_groups_stay_as_they_are_and_two_are_needed() -> None:
    before = data(3, rows=60)
    options = ReweighingOptions(attributes=("sex", "region"), fewest=4)
    after = Reweighing().prepare(before, options, 0)
    assert before.attributes is not None
    counts = (
        before.attributes.assign(bad=before.target)
        .groupby(["sex", "region", "bad"], observed=True).size().unstack("bad").min(axis=1)
    )  # fmt: skip
    small = counts[counts < 4].index
    assert len(small)
    groups = pd.MultiIndex.from_frame(before.attributes[["sex", "region"]])
    untouched = np.asarray(groups.isin(small))
    np.testing.assert_array_equal(after.weight[untouched], before.weight[untouched])
    with pytest.raises(DataError, match="expected two or more"):
        Reweighing().prepare(before, ReweighingOptions(fewest=40), 0)


def test_an_attribute_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="reweighing by 'age': expected one that the schema"):
        Reweighing().prepare(data(4), ReweighingOptions(attributes=("age",)), 0)
