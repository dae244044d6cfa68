"""Contributions: as the scorer says, or Shapley values that agree with their definition."""

from __future__ import annotations

import sys
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
import pytest

from loopcast.api import ConfigurationError, Contributions
from loopcast.develop.calibration.maps import BetaMap, Calibration
from loopcast.develop.explain.contributions import contributions_of
from loopcast.develop.explain.reasons import reason_places, reason_texts
from loopcast.develop.score.finished import FinishedScorer

from .models import SCHEMA, Formula, rows


def by_definition(model: Formula, row: pd.DataFrame, background: pd.DataFrame) -> np.ndarray:
    """The mean change of the mean log-odds as each feature is let in, over all orders."""
    names = list(row.columns)
    found = np.zeros(len(names))
    for order in permutations(range(len(names))):
        mixed = background.copy()
        before = model.log_odds(mixed).mean()
        for place in order:
            mixed[names[place]] = pd.Series(
                [row[names[place]].iloc[0]] * len(mixed), mixed.index
            ).astype(background[names[place]].dtype)
            after = model.log_odds(mixed).mean()
            found[place] += after - before
            before = after
    return found / factorial(len(names))


@pytest.mark.slow  # the package alone takes seconds to import
@pytest.mark.parametrize("together", [0.0, 0.8])
def test_shapley_values_are_those_of_the_definition(together: float) -> None:
    model, table = Formula(together), rows(40)
    found = contributions_of(model, table.iloc[:3], table)
    assert found.parts == tuple(table.columns)
    total = found.base + found.added.sum(axis=1)
    np.testing.assert_allclose(total, model.log_odds(table.iloc[:3]), atol=1e-6)
    for place in range(3):
        expected = by_definition(model, table.iloc[place : place + 1], table)
        np.testing.assert_allclose(found.added[place], expected, atol=1e-6)


def test_a_scorer_that_explains_itself_is_asked() -> None:
    class Explained(Formula):
        def explain(self, table: pd.DataFrame) -> Contributions:
            return Contributions(
                parts=tuple(table.columns), base=-0.5, added=self.terms(table), method="a formula"
            )

    found = contributions_of(Explained(), rows(), rows())
    np.testing.assert_array_equal(found.added, Formula().terms(rows()))
    calibration = Calibration(method="beta", whole=BetaMap(a=2.0, b=0.5, c=1.0), rows=9, events=3)
    again = contributions_of(FinishedScorer(Explained(), calibration), rows(), rows())
    np.testing.assert_array_equal(again.added, found.added)  # a calibration moves none of them


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'loopcast\[explain\]'"):
        contributions_of(Formula(), rows(), rows())


def test_reasons_are_what_counts_most_against_a_person() -> None:
    table = pd.DataFrame(
        {
            "income": [1200.0, np.nan, 6000.0],
            "months": [60.0, 10.0, 12.0],
            "home": pd.Categorical(["rent", None, "owner"]),
            "late": [1.0, 1.0, 0.0],
        }
    )
    contributions = Contributions(
        parts=(*table.columns, "two loans at once"),
        base=0.0,
        added=np.array(
            [[0.4, 0.9, 0.1, -0.2, 0.0], [0.3, -1.0, 0.2, 0.5, 0.6], [-1.0, -0.5, -0.2, -0.1, 0.0]]
        ),
        method="by hand",
    )
    places = reason_places(contributions, 3, "low")
    assert places.tolist() == [[1, 0, 2], [4, 3, 0], [-1, -1, -1]]
    texts = reason_texts(places, contributions.parts, table, SCHEMA.features)
    assert texts.tolist() == [
        ["months: 60 months", "Income: 1,200 EUR", "home: rent"],
        ["two loans at once", "late: yes", "Income: not known"],
        [None, None, None],
    ]
    low = reason_places(contributions, 2, "high")
    assert low.tolist() == [[3, -1], [1, -1], [0, 1]]


def test_more_reasons_than_parts_leave_places_empty() -> None:
    contributions = Contributions(parts=("late",), base=0.0, added=np.ones((2, 1)), method="m")
    assert reason_places(contributions, 3, "low").tolist() == [[0, -1, -1]] * 2
