"""Curves over a feature, against scikit-learn's and against the formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.inspection import partial_dependence

from loopcast.develop.explain.dependence import dependences

from .models import RISK, SCHEMA, Formula, rows


class Wrapped(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The formula as scikit-learn sees a classifier."""

    classes_ = np.array([0, 1])

    def fit(self, table: pd.DataFrame, target: Any) -> Wrapped:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, table: pd.DataFrame) -> NDArray[np.float64]:
        found = Formula(0.5).probability(table)
        return np.column_stack([1.0 - found, found])


def test_curves_are_those_of_scikit_learn() -> None:
    table = rows()
    found = {one.feature: one for one in dependences(Formula(0.5).probability, table, SCHEMA)}
    assert list(found) == ["income", "months", "home", "late"]
    for name in ("income", "months"):
        expected = partial_dependence(
            Wrapped(), table, [name], kind="both", custom_values={name: found[name].x}
        )
        np.testing.assert_allclose(found[name].mean, expected["average"][0], atol=1e-12)
        np.testing.assert_allclose(found[name].curves, expected["individual"][0], atol=1e-12)


def test_levels_are_named_with_their_share() -> None:
    table = rows()
    home = next(d for d in dependences(Formula().probability, table, SCHEMA) if d.feature == "home")
    assert set(home.labels) == set(RISK)
    assert home.share.sum() == 1.0
    place = home.labels.index("rent")
    np.testing.assert_allclose(
        home.curves[:, place],
        Formula().probability(table.assign(home=pd.Categorical(["rent"] * 120))),
    )


def test_the_density_is_where_the_data_is() -> None:
    table = rows(400)
    table["months"] = np.r_[np.full(300, 12.0), np.linspace(13.0, 84.0, 100)]
    months = next(
        d for d in dependences(Formula().probability, table, SCHEMA) if d.feature == "months"
    )
    assert months.share.max() == 1.0
    assert months.share[months.x < 14].min() > 5 * months.share[months.x > 20].max()


def test_a_feature_that_does_not_vary_has_no_curve() -> None:
    table = rows().assign(months=12.0, income=np.nan)
    found = [one.feature for one in dependences(Formula().probability, table, SCHEMA)]
    assert found == ["home", "late"]
