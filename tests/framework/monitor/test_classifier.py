"""The domain classifier on real wines: blind where nothing changed, else it says what changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from loopcast.api import DataError
from loopcast.monitor.classifier import area, separation
from loopcast.monitor.reference import Reference, fit_reference

from .test_drift import WINE


@pytest.fixture(scope="module")
def wines() -> pd.DataFrame:
    if not WINE.exists():
        pytest.skip("the wine data is not here")
    return pd.read_csv(WINE).drop_duplicates(ignore_index=True)


def inputs(frame: pd.DataFrame) -> dict[str, Any]:
    left = frame.drop(columns=["quality", "alcohol"])
    return {str(name): values.to_numpy() for name, values in left.items()}


def of(frame: pd.DataFrame) -> Reference:
    return fit_reference(inputs(frame), {})


def test_weak_wines_are_told_from_strong_ones_without_their_alcohol(wines: pd.DataFrame) -> None:
    found = separation(of(wines[wines["alcohol"] >= 11]), inputs(wines[wines["alcohol"] < 11]))
    assert found.auc > 0.9
    assert found.p_value < 1e-12
    assert found.gives_away[0][0] == "density"
    assert found.rows == 1_000


def test_halves_of_the_same_wines_are_not(wines: pd.DataFrame) -> None:
    p_values = []
    for seed in range(4):
        mixed = wines.sample(frac=1.0, random_state=seed)
        half = len(mixed) // 2
        found = separation(of(mixed[:half]), inputs(mixed[half:]), seed=seed)
        assert abs(found.auc - 0.5) < 0.06
        p_values.append(found.p_value)
    assert min(p_values) > 0.001


def test_it_finds_what_no_single_input_shows() -> None:
    noise = np.random.default_rng(0)
    one, two = noise.normal(size=(2, 2_000))
    reference = fit_reference({"one": one, "two": one + 0.3 * two}, {})
    recent = {"one": one, "two": noise.permutation(one + 0.3 * two)}
    found = separation(reference, recent)
    assert found.auc > 0.8
    assert {name for name, fall in found.gives_away if fall > 0.05} == {"one", "two"}


def test_too_little_to_tell(wines: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="needs 100 rows of each kind; there are 50"):
        separation(of(wines), inputs(wines[:50]))
    without = inputs(wines.drop(columns="ph"))
    with pytest.raises(DataError, match="input 'ph' of the reference is not in the data"):
        separation(of(wines), without)


def test_the_area_is_that_of_scikit_learn() -> None:
    noise = np.random.default_rng(0)
    label, score = noise.integers(0, 2, 300), noise.integers(0, 20, 300).astype(float)
    assert area(label, score) == pytest.approx(roc_auc_score(label, score))
