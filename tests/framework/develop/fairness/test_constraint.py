"""A constraint holds on rows that it was not chosen on, and is fairlearn's at one half."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from fairlearn.reductions import DemographicParity, ErrorRate, GridSearch, TruePositiveRateParity
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from loopcast.api import ConfigurationError, DataError, Feature, ScoreData, Scores, ScoreSchema
from loopcast.develop.decision import Decision
from loopcast.develop.fairness.constraint import Constraint, ConstraintOptions

SCHEMA = ScoreSchema(
    key="id",
    target="bad",
    event=1,
    features={
        "income": Feature(kind="numeric"),
        "hours": Feature(kind="numeric"),
        "sex": Feature(kind="category", protected=True, used=False),
        "age": Feature(kind="numeric", used=False),
    },
)


def data(seed: int = 0, rows: int = 4000) -> ScoreData:
    """Women earn less, and the score does not see who is one."""
    rng = np.random.default_rng(seed)
    female = rng.random(rows) < 0.4
    income, hours = rng.normal(1.0 - 1.2 * female), rng.normal(size=rows)
    bad = (rng.random(rows) < 1.0 / (1.0 + np.exp(0.8 + income + 0.5 * hours))).astype(np.float64)
    index = pd.Index([f"r{number}" for number in range(rows)], name="id")
    sex = pd.Categorical(np.where(female, "f", "m"))
    age = rng.uniform(18, 70, rows)
    return ScoreData(
        features=pd.DataFrame({"income": income, "hours": hours}, index),
        attributes=pd.DataFrame({"sex": sex, "age": age}, index),
        target=bad,
        weight=rng.uniform(0.5, 2.0, rows),
        schema=SCHEMA,
    )


class Logistic:
    """scikit-learn's, as a scorer."""

    def __init__(self, rows: ScoreData) -> None:
        known = ~np.isnan(rows.target)
        self.model = LogisticRegression(C=1e6).fit(
            rows.features[known], rows.target[known], sample_weight=rows.weight[known]
        )

    def predict(self, rows: pd.DataFrame) -> Scores:
        return Scores(probability=self.model.predict_proba(rows)[:, 1])

    def save(self) -> dict[str, bytes]:
        return {}


def options(**changes: Any) -> ConstraintOptions:
    return ConstraintOptions(attribute="sex", **changes)


def settled(rows: ScoreData, decision: Decision, **changes: Any) -> ConstraintOptions:
    found = Constraint().settle(rows, options(**changes), decision, Logistic, 0)
    return msgspec.convert(found.options, ConstraintOptions)


def gap(model: Logistic, rows: ScoreData, decision: Decision, *, deserving: bool = False) -> float:
    granted = decision.granted(model.predict(rows.features).probability)
    assert rows.attributes is not None
    inside = (rows.attributes["sex"] == "f").to_numpy()
    good = rows.target == (0.0 if decision.favourable == "low" else 1.0)
    counted = good if deserving else np.ones(len(granted), bool)
    shares = [
        np.average(granted[side & counted], weights=rows.weight[side & counted])
        for side in (inside, ~inside)
    ]
    return float(shares[0] - shares[1])


@pytest.mark.parametrize("decision", [Decision(cutoff=0.3), Decision(favourable="high")])
@pytest.mark.parametrize("measure", ["selection", "opportunity"])
def test_the_bound_is_met_on_rows_that_nobody_has_seen(decision: Decision, measure: Any) -> None:
    before, unseen = data(0, rows=12_000), data(1, rows=40_000)
    chosen = settled(before, decision, measure=measure, bound=0.03, strongest=4.0)
    plain = Logistic(before)
    constrained = Logistic(Constraint().prepare(before, chosen, 0))
    deserving = measure == "opportunity"
    assert abs(gap(plain, unseen, decision, deserving=deserving)) > 0.15
    assert abs(gap(constrained, unseen, decision, deserving=deserving)) < 0.06
    sign = 1.0 if decision.favourable == "low" else -1.0
    assert chosen.multiplier is not None
    assert sign * chosen.multiplier > 0.0


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # of fairlearn
@pytest.mark.parametrize("multiplier", [-0.4, 0.1, 0.6])
@pytest.mark.parametrize(
    ("measure", "moment"),
    [("selection", DemographicParity), ("opportunity", TruePositiveRateParity)],
)
def test_at_one_half_it_is_the_reduction_of_fairlearn(
    multiplier: float, measure: Any, moment: Any
) -> None:
    rows = data(2)
    rows.weight[:] = 1.0
    assert rows.attributes is not None
    sex, event = rows.attributes["sex"].astype(str), rows.target.astype(int)
    chosen = options(measure=measure, multiplier=multiplier, cutoff=0.5, favourable="high")
    after = Constraint().prepare(rows, chosen, 0)

    constraint = moment()
    constraint.load_data(rows.features, event, sensitive_features=sex)
    counted = np.ones(len(event), bool) if measure == "selection" else event == 1
    share = float((sex[counted] == "f").mean())
    side = "+" if multiplier < 0.0 else "-"
    [place] = [key for key in constraint.index if key[0] == side and key[2] == "f"]
    size = 2.0 * abs(multiplier) * share * float(counted.mean())
    grid = pd.DataFrame(
        {0: np.where([key == place for key in constraint.index], size, 0.0)}, constraint.index
    )
    search = GridSearch(LogisticRegression(C=1e6), constraints=moment(), grid=grid)
    search.fit(rows.features, event, sensitive_features=sex)
    [theirs] = search.predictors_
    ours = Logistic(after).model
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-3)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-3)
    objective = ErrorRate()
    objective.load_data(rows.features, event, sensitive_features=sex)
    signed = constraint.signed_weights(grid[0]) + objective.signed_weights()
    np.testing.assert_array_equal(after.target, (signed > 0).to_numpy(float))
    np.testing.assert_allclose(after.weight, signed.abs(), rtol=1e-9)


@given(seed=st.integers(0, 30), cutoff=st.floats(0.05, 0.95))
def test_no_multiplier_changes_nothing(seed: int, cutoff: float) -> None:
    before = data(seed, rows=300)
    still = options(multiplier=0.0, cutoff=cutoff, favourable="low")
    after = Constraint().prepare(before, still, 0)
    np.testing.assert_array_equal(after.target, before.target)
    np.testing.assert_allclose(after.weight, before.weight)


@given(
    cutoff=st.floats(0.1, 0.9),
    multiplier=st.floats(-2.0, 2.0),
    risk=st.lists(st.floats(0.05, 0.95), min_size=2, max_size=2),
)
def test_a_score_that_knows_all_is_decided_by_the_cost(
    cutoff: float, multiplier: float, risk: list[float]
) -> None:
    """Of rows that look alike, the event share of what is learned is past the cut-off where the
    expected cost of deciding for the event, with the multiplier, is below nothing."""
    rows = 2000
    sex = np.repeat(["f", "m"], rows // 2)
    target = np.concatenate([np.arange(1000) < round(1000 * share) for share in risk]).astype(float)
    index = pd.Index(np.arange(rows), name="id")
    before = ScoreData(
        features=pd.DataFrame({"income": np.zeros(rows)}, index),
        attributes=pd.DataFrame({"sex": pd.Categorical(sex), "age": 30.0}, index),
        target=target,
        weight=np.ones(rows),
        schema=SCHEMA,
    )
    chosen = options(multiplier=multiplier, cutoff=cutoff, favourable="low")
    after = Constraint().prepare(before, chosen, 0)
    assert after.attributes is not None
    for group, centred in (("f", 0.5), ("m", -0.5)):
        cost = cutoff - target[sex == group].mean() + multiplier * centred
        here = (after.attributes["sex"] == group).to_numpy()
        said = np.average(after.target[here], weights=after.weight[here])
        if abs(cost) > 1e-9:
            assert (said > cutoff) == (cost < 0.0)


def test_what_keeps_the_bound_anyway_is_left_alone() -> None:
    decision = Decision(cutoff=0.3)
    assert settled(data(0), decision, bound=0.6).multiplier == 0.0


def test_rows_without_a_group_or_an_outcome_stay_as_they_are() -> None:
    before = data(3)
    assert before.attributes is not None
    before.attributes.loc[before.attributes.index[:5], "sex"] = np.nan
    before.target[5:10] = np.nan
    after = Constraint().prepare(before, options(multiplier=0.2, cutoff=0.3, favourable="low"), 0)
    np.testing.assert_array_equal(after.weight[:10], before.weight[:10])
    np.testing.assert_array_equal(after.target[:10], before.target[:10])
    assert (after.weight[10:] != before.weight[10:]).all()


def test_a_number_divides_a_numeric_attribute() -> None:
    before = data(4)
    chosen = ConstraintOptions(
        attribute="age", below=30.0, multiplier=0.1, cutoff=0.5, favourable="low"
    )
    after = Constraint().prepare(before, chosen, 0)
    assert before.attributes is not None
    young = (before.attributes["age"] < 30.0).to_numpy()
    good = before.target == 0.0
    factor = after.weight / before.weight
    assert np.ptp(factor[young & good]) < 1e-12
    assert factor[young & good].mean() > 1.0 > factor[~young & good].mean()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group": "x"}, "'x' is no group by sex; expected options.group to be one of f, m"),
        ({"bound": 1e-6, "steps": 1, "strongest": 0.001}, "none keeps the difference in selection"),
        ({"share": 0.01}, "expected 30 or more"),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        settled(data(0, rows=1000), Decision(cutoff=0.3), **changes)


def test_of_three_groups_one_has_to_be_named() -> None:
    before = data(0, rows=300)
    assert before.attributes is not None
    sex = pd.Categorical(np.resize(["f", "m", "x"], 300))
    three = replace(before, attributes=before.attributes.assign(sex=sex))
    message = "options.group does not say which by sex; expected options.group to be one of f, m, x"
    with pytest.raises(DataError, match=message):
        settled(three, Decision(cutoff=0.3))


def test_an_attribute_has_to_be_there_and_said_where_there_are_several() -> None:
    open_ = {"multiplier": 0.1, "cutoff": 0.3, "favourable": "low"}
    with pytest.raises(DataError, match="constraint by 'height': expected one that the schema"):
        Constraint().prepare(data(), ConstraintOptions(attribute="height", **open_), 0)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="age is numeric; expected the number below"):
        Constraint().prepare(data(), ConstraintOptions(attribute="age", **open_), 0)  # type: ignore[arg-type]


def test_nothing_is_prepared_while_something_is_open() -> None:
    with pytest.raises(ConfigurationError, match="the multiplier is open"):
        Constraint().prepare(data(), options(), 0)
