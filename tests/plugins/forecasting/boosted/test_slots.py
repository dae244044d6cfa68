from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from loopcast_forecasting.boosted.slots import fit_slots, slot_terms
from loopcast_forecasting.features.site import DAYS
from loopcast_forecasting.gam import fit_series

DAYS_LONG, PER_DAY = 120, 4
DAY = np.repeat(np.arange(DAYS_LONG), PER_DAY)
SLOT = np.tile(np.arange(PER_DAY), DAYS_LONG)
FOLD = DAY // 12 % 5
RNG = np.random.default_rng(11)


@pytest.fixture(scope="module")
def inputs() -> dict[str, NDArray[np.float64]]:
    flags = dict(zip(DAYS, np.eye(7)[DAY % 7].T, strict=True))
    warm = RNG.normal(15, 5, DAYS_LONG)[DAY]
    return {
        "hour": SLOT * 6.0,
        "day_of_year": DAY / 365,
        **flags,
        "years": (DAY - DAYS_LONG) / 365,
        "temperature": warm + RNG.normal(size=len(DAY)),
        "day_mean": warm,
    }


@pytest.fixture(scope="module")
def response(inputs: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    curve = (inputs["temperature"] - 15) ** 2 / 100 * (1 + SLOT)
    noise = 0.05 * RNG.normal(size=len(DAY))
    return np.column_stack([curve + noise, 10 - curve + noise])


def test_each_time_of_day_is_the_model_of_its_own_rows(
    inputs: dict[str, NDArray[np.float64]], response: NDArray[np.float64]
) -> None:
    models, _ = fit_slots(inputs, response, SLOT, FOLD, whole_year=False)
    X = np.column_stack(list(inputs.values()))
    predicted = models.predict(X, SLOT)
    terms = slot_terms(inputs, whole_year=False)
    rows = SLOT == 2
    alone = fit_series(terms, X[rows], response[rows, 0], feature_names=tuple(inputs))
    np.testing.assert_allclose(predicted[rows, 0], alone.predict(X[rows])[:, 0], atol=0.01)


def test_what_is_left_out_is_predicted_without_it(
    inputs: dict[str, NDArray[np.float64]], response: NDArray[np.float64]
) -> None:
    _, left_out = fit_slots(inputs, response, SLOT, FOLD, whole_year=False)
    spoilt = response.copy()
    spoilt[FOLD == 3] += 100.0
    _, with_spoilt = fit_slots(inputs, spoilt, SLOT, FOLD, whole_year=False)
    found = np.abs(left_out - response).mean()
    assert 0.03 < found < 0.2
    assert np.abs(with_spoilt[FOLD == 3] - response[FOLD == 3]).mean() < 1.0


def test_a_time_of_day_without_values_has_no_model(
    inputs: dict[str, NDArray[np.float64]], response: NDArray[np.float64]
) -> None:
    holed = response.copy()
    holed[SLOT == 1, 0] = np.nan
    models, left_out = fit_slots(inputs, holed, SLOT, FOLD, whole_year=False)
    predicted = models.predict(np.column_stack(list(inputs.values())), SLOT)
    assert np.isnan(predicted[SLOT == 1, 0]).all()
    assert np.isnan(left_out[SLOT == 1, 0]).all()
    assert np.isfinite(predicted[SLOT != 1]).all()
    assert np.isfinite(predicted[:, 1]).all()
