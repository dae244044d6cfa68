from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import ConfigurationError
from loopcast_credit.bins.bins import FEW_CUTS, CategoryBins, NumericBins
from loopcast_credit.bins.make import make_bins
from loopcast_credit.bins.options import BinOptions, Characteristic


def place(x: float, cuts: list[float], specials: list[float]) -> int:
    """The rule, value by value."""
    if np.isnan(x):
        return len(cuts) + 1 + len(specials)
    if x in specials:
        return len(cuts) + 1 + specials.index(x)
    return sum(x >= cut for cut in cuts)


@given(
    st.lists(st.integers(-50, 50).map(float) | st.just(np.nan), max_size=60),
    st.lists(st.integers(-40, 40).map(float), unique=True, max_size=FEW_CUTS + 5).map(sorted),
    st.lists(st.sampled_from([-7.0, 0.0, 99.0]), unique=True),
)
def test_codes_follow_the_rule(
    values: list[float], cuts: list[float], specials: list[float]
) -> None:
    bins = NumericBins(name="x", cuts=tuple(cuts), specials=tuple(specials))
    codes = bins.codes(pd.Series(values, dtype="float64"))
    assert codes.tolist() == [place(x, cuts, specials) for x in values]
    assert len(bins.labels()) == bins.size


def test_a_category_is_in_its_group_missing_or_other() -> None:
    bins = CategoryBins(name="home", groups=(("owner",), ("rent", "parents")))
    values = pd.Series(["rent", "owner", None, "castle", "parents"], dtype="category")
    assert bins.codes(values).tolist() == [1, 0, 2, 3, 1]
    assert bins.labels() == ["owner", "rent, parents", "missing", "other"]


def test_rare_categories_are_other_and_many_are_grouped_by_rate() -> None:
    random = np.random.default_rng(1)
    code = random.integers(0, 40, 8000)
    event = (random.random(8000) < 0.1 + 0.02 * code).astype(float)
    names = pd.Series([f"c{one:02}" for one in code])
    names[:5] = "seldom"
    [bins] = make_bins({"c": names.astype("category")}, event, np.ones(8000), BinOptions(bins=5))
    assert isinstance(bins, CategoryBins)
    assert len(bins.groups) == 5
    assert not any("seldom" in group for group in bins.groups)
    middle = [np.mean([int(name[1:]) for name in group]) for group in bins.groups]
    assert middle == sorted(middle)


def test_an_expert_overrules_the_data() -> None:
    columns = {"x": pd.Series(np.arange(100.0)), "c": pd.Series(["a", "b"] * 50, dtype="category")}
    said = {
        "x": Characteristic(cuts=(10.0, 50.0), specials=(99.0,)),
        "c": Characteristic(groups=(("a", "z"),)),
    }
    options = BinOptions(characteristics=said)
    number, category = make_bins(columns, np.zeros(100), np.ones(100), options)
    assert number == NumericBins(name="x", cuts=(10.0, 50.0), specials=(99.0,))
    assert category == CategoryBins(name="c", groups=(("a", "z"),))


def test_specials_do_not_move_the_cuts() -> None:
    values = np.concatenate([np.arange(100.0), np.full(100, 999.0)])
    options = BinOptions(bins=4, characteristics={"x": Characteristic(specials=(999.0,))})
    [bins] = make_bins({"x": pd.Series(values)}, np.zeros(200), np.ones(200), options)
    assert isinstance(bins, NumericBins)
    assert bins.cuts == (24.5, 49.5, 74.5)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"y": Characteristic()}, "'y' is no feature; there are x, c"),
        ({"x": Characteristic(cuts=(2.0, 1.0))}, "characteristics.x.cuts.*do not ascend"),
        ({"x": Characteristic(groups=(("a",),))}, "x is a number"),
        ({"c": Characteristic(cuts=(1.0,))}, "c is a category"),
        ({"c": Characteristic(monotone="auto")}, "no order"),
        ({"c": Characteristic(groups=(("a",), ("a",)))}, "'a' is in two groups"),
    ],
)
def test_words_that_do_not_fit_are_refused(said: dict[str, Characteristic], message: str) -> None:
    columns: dict[str, pd.Series[Any]] = {
        "x": pd.Series([1.0, 2.0]),
        "c": pd.Series(["a", "b"], dtype="category"),
    }
    with pytest.raises(ConfigurationError, match=message):
        make_bins(columns, np.zeros(2), np.ones(2), BinOptions(characteristics=said))
