from __future__ import annotations

from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import DataError
from loopcast.develop.columns import Columns, categories, coded

NAMES = st.sampled_from(["Zoë", "a", "b", "10", "9", "é", ""])


def held_as(values: pd.Series, names: list[str]) -> pd.Series:
    return values.astype(pd.CategoricalDtype(pd.Index(names, dtype="str")))


@given(st.lists(st.none() | NAMES, max_size=30), st.randoms())
def test_the_codes_of_texts_do_not_depend_on_how_they_are_held(
    values: list[str | None], random: Random
) -> None:
    plain = pd.Series(values, dtype="str")
    distinct = sorted({value for value in values if value is not None})
    codes, names = coded(plain)
    assert names.tolist() == distinct
    assert [None if code < 0 else distinct[code] for code in codes] == values
    in_order = sorted([*distinct, "not in", "any row"])
    mixed = random.sample(in_order, len(in_order))
    for held in (held_as(plain, in_order), held_as(plain, mixed), plain.astype(object)):
        again, same = coded(held)
        np.testing.assert_array_equal(again, codes, strict=True)
        pd.testing.assert_index_equal(same, names)


def test_numbers_are_named_by_whole_numbers_and_sorted_as_texts() -> None:
    codes, names = coded(pd.Series([9.0, 10.0, np.nan]))
    assert (codes.tolist(), names.tolist()) == ([1, 0, -1], ["10", "9"])
    held = pd.Series([9, 10, 9]).astype("category")
    assert categories(held).tolist() == ["9", "10", "9"]


def test_columns_of_categories_are_read_as_what_they_stand_for() -> None:
    table = pd.DataFrame(
        {"at": ["2026-01-01", "2026-01-02T03:00+03:00"], "amount": ["1.5", "2"], "who": ["x", "y"]}
    )
    plain, held = Columns(table, "t.csv"), Columns(table.astype("category"), "t.csv")
    np.testing.assert_array_equal(held.moments("at"), plain.moments("at"))
    np.testing.assert_array_equal(held.numbers("amount"), [1.5, 2.0])
    pd.testing.assert_series_equal(held.known("who"), table["who"])


@pytest.mark.parametrize("held", ["str", "category"])
def test_a_name_that_is_missing_is_refused_where_it_is(held: str) -> None:
    columns = Columns(pd.DataFrame({"who": pd.Series(["x", None, "x"], dtype=held)}), "t.csv")
    message = r"t\.csv: column 'who': missing values \(1\), the first nan in row 2; expected one in"
    with pytest.raises(DataError, match=message):
        columns.coded("who")
    assert columns.missing("who").tolist() == [False, True, False]
