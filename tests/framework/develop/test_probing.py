"""Adversarial probing, against all combinations of what is tried, and the formula."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from loopcast.develop.probing import STEPS, probe, slack_of

from .explain.models import SCHEMA, Formula, rows


def by_brute_force(model: Formula, table: pd.DataFrame, slack: dict[str, float]) -> np.ndarray:
    """Lowest and highest probability of each row over all combinations, shape (2, rows)."""
    found = []
    for steps in product(STEPS, repeat=len(slack)):
        moved = table.copy()
        for step, (name, by) in zip(steps, slack.items(), strict=True):
            feature = SCHEMA.features[name]
            values = moved[name].to_numpy(np.float64) + step * by
            values = np.round(values) if name == "months" else values
            moved[name] = np.clip(values, feature.minimum, feature.maximum)
        found.append(model.probability(moved))
    return np.array([np.min(found, axis=0), np.max(found, axis=0)])


@pytest.mark.parametrize("together", [0.0, 0.6])
def test_the_search_finds_the_extremes(together: float) -> None:
    model, table = Formula(together), rows()
    found = probe(model.probability, table, SCHEMA)
    assert found.slack == {"income": pytest.approx(found.slack["income"]), "months": 6.0}
    low, high = by_brute_force(model, table, dict(found.slack))
    if not together:
        np.testing.assert_allclose([found.lowest, found.highest], [low, high], atol=1e-12)
    # Where features work together the search may stop at a lesser extreme, and never beyond one.
    assert (found.lowest >= low - 1e-12).all()
    assert (found.highest <= high + 1e-12).all()
    assert np.isclose(found.highest, high).mean() > 0.9


def test_one_number_alone_moves_the_score_as_the_formula_says() -> None:
    table = rows().assign(months=40.0, late=0.0)
    table.iloc[0, 1] = 46.0
    found = probe(Formula().probability, table, SCHEMA)
    plain, up, down = (
        Formula().probability(table.assign(months=table["months"] + by)) for by in (0.0, 6.0, -6.0)
    )
    expected = np.maximum(np.abs(up - plain), np.abs(down - plain))
    np.testing.assert_allclose(found.alone["months"], expected)
    assert (found.move >= found.alone["months"] - 1e-12).all()


def test_numbers_stay_within_their_bounds_and_missing_ones_missing() -> None:
    table = rows().assign(months=84.0)
    table.iloc[0, 1] = 80.0
    seen: list[pd.DataFrame] = []

    def predict(asked: pd.DataFrame) -> np.ndarray:
        seen.append(asked)
        return Formula().probability(asked)

    probe(predict, table, SCHEMA)
    assert max(asked["months"].max() for asked in seen) == 84.0
    assert all((asked["months"] == np.round(asked["months"])).all() for asked in seen)
    missing = table["income"].isna()
    for asked in seen:
        assert asked["income"].isna().groupby(asked.index).all()[missing.index[missing]].all()


def test_what_declares_no_slack_moves_by_a_share_of_its_range() -> None:
    table = rows(2000)
    low, high = np.nanquantile(table["income"], [0.05, 0.95])
    assert slack_of(table, SCHEMA, 0.1)["income"] == pytest.approx(0.1 * (high - low))
    still = replace(
        SCHEMA, features=SCHEMA.features | {"months": replace(SCHEMA.features["months"], slack=0.4)}
    )
    assert list(slack_of(table, still, 0.1)) == ["income"], "a whole number has no half step"
