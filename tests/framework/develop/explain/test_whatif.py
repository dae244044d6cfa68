"""What if: no nearer change exists, and none that the person cannot make is asked for."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from loopcast.api import ConfigurationError, ScoreSchema
from loopcast.develop.decision import Decision
from loopcast.develop.explain.whatif import Options, WhatIf, nearest_changes, options_of

from .models import SCHEMA, Formula, rows

MODEL = Formula(0.3)
TYPICAL = rows(200, 3)


def nearest(row: pd.DataFrame, cutoff: float, schema: ScoreSchema = SCHEMA) -> list[WhatIf]:
    return nearest_changes(MODEL.probability, row, TYPICAL, schema, Decision(cutoff=cutoff))


def by_brute_force(row: pd.DataFrame, cutoff: float) -> float:
    """The smallest distance of all combinations of the coarse options; infinite without a flip."""
    options = [
        options_of(name, row[name], TYPICAL[name], SCHEMA.features[name])
        for name in ("income", "months", "home")
    ]
    stay = [(None, 0.0)]
    choices = [[*stay, *zip(one.values, one.distance, strict=True)] for one in options]
    every = list(product(*choices))
    table = pd.concat([row] * len(every), ignore_index=True)
    for place, name in enumerate(("income", "months", "home")):
        own = row[name].iloc[0]
        values = [own if choice[place][0] is None else choice[place][0] for choice in every]
        table[name] = pd.Categorical(values) if name == "home" else np.array(values, np.float64)
    distance = np.array([sum(part[1] for part in choice) for choice in every])
    granted = MODEL.probability(table) < cutoff
    flipped = granted != (MODEL.probability(row)[0] < cutoff)
    return float(distance[flipped].min()) if flipped.any() else np.inf


@settings(max_examples=15)
@given(number=st.integers(0, 119), cutoff=st.floats(0.1, 0.9))
def test_no_change_on_the_grid_is_nearer(number: int, cutoff: float) -> None:
    row = rows().iloc[[number]]
    expected, found = by_brute_force(row, cutoff), nearest(row, cutoff)
    if not found:
        assert expected == np.inf
        return
    # Finer values lie between those of the grid, so that they may be nearer still.
    assert found[0].distance <= expected + 1e-12
    assert [one.distance for one in found] == sorted(one.distance for one in found)


@settings(max_examples=15)
@given(number=st.integers(0, 119), cutoff=st.floats(0.1, 0.9))
def test_changes_flip_the_decision_and_can_be_made(number: int, cutoff: float) -> None:
    row = rows().iloc[[number]]
    was = MODEL.probability(row)[0] < cutoff
    sets = []
    for found in nearest(row, cutoff):
        changed = row.copy()
        for change in found.changes:
            feature = SCHEMA.features[change.feature]
            assert feature.changeable is not None
            value = change.after
            if change.feature == "home":
                changed["home"] = pd.Categorical([value])
                continue
            assert isinstance(value, float)
            assert (feature.minimum or 0.0) <= value <= (feature.maximum or np.inf)
            if feature.changeable == "up" and change.before is not None:
                assert value > float(change.before)
            changed[change.feature] = value
        assert MODEL.probability(changed)[0] == pytest.approx(found.probability)
        assert (found.probability < cutoff) != was
        sets.append(frozenset(change.feature for change in found.changes))
    assert len(set(sets)) == len(sets)


def test_whole_numbers_stay_whole_and_the_change_is_the_smallest() -> None:
    row = rows().iloc[[0]].assign(income=3000.0, months=70.0, late=0.0)
    row["home"] = pd.Categorical(["parents"])
    fixed = {n: replace(SCHEMA.features[n], changeable=None) for n in ("income", "home")}
    only = replace(SCHEMA, features=SCHEMA.features | fixed)
    found = nearest(row, 0.5, only)
    [change] = found[0].changes
    assert isinstance(change.after, float)
    assert change.after.is_integer()
    # −0.5 + (months − 40) / 30 + 0.1 = 0 at 52 months: the largest whole number below, or close.
    assert 48.0 <= change.after < 52.0


def test_an_unknown_number_may_become_known() -> None:
    row = rows().iloc[[0]].assign(income=np.nan, months=40.0, late=0.0)
    option = options_of("income", row["income"], TYPICAL["income"], SCHEMA.features["income"])
    assert isinstance(option, Options)
    assert option.before is None
    assert (option.distance == 1.0).all()
    assert nearest(row, 0.4)


def test_without_a_changeable_feature_the_error_says_what_to_declare() -> None:
    fixed = {name: replace(one, changeable=None) for name, one in SCHEMA.features.items()}
    with pytest.raises(ConfigurationError, match="no feature of the schema is changeable"):
        nearest(rows().iloc[[0]], 0.5, replace(SCHEMA, features=fixed))
