from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import DataError, Feature
from loopcast.develop.score.prepare import (
    dataset_record,
    fingerprint,
    prepare_score,
    rows_of,
    unlabelled,
)
from loopcast.develop.score.weights import judging_weight
from loopcast.settings import ScoreTable

from .conftest import FEATURES, score_data, score_schema


def test_a_table_becomes_rows_of_used_features(table: pd.DataFrame) -> None:
    table.loc[3, "outcome"] = None
    data = score_data(table)
    assert list(data.features.columns) == ["income", "debt"]
    assert data.features.index.name == "application"
    assert data.features.index[0] == "a1_0"
    assert data.attributes is not None
    assert list(data.attributes["sex"].cat.categories) == ["f", "m"]
    expected = np.where(table["outcome"].isna(), np.nan, table["outcome"] == "bad")
    np.testing.assert_array_equal(data.target, expected.astype(float))
    assert data.time is not None
    assert data.time[0] == np.datetime64(table["at"][0])
    assert data.weight.tolist() == [1.0] * 200


def spoilt(table: pd.DataFrame, column: str, row: int, value: Any) -> pd.DataFrame:
    changed = table.assign(**{column: table[column].astype(object)})
    changed.loc[row, column] = value
    return changed


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("income", "much", "column 'income': values that are no finite numbers (1), the first 'mu"),
        ("income", None, "column 'income': missing values (1), the first None in row 6"),
        ("income", float("inf"), "column 'income': values that are no finite numbers (1)"),
        ("income", -6000.0, "the first -6000.0 in row 6; expected € at least -5000"),
        ("at", "soon", "column 'at': values that are no time (1), the first 'soon' in row 6"),
        ("id", "a1_0", "column 'id': repeated keys (1), the first 'a1_0' in row 6; expected one"),
    ],
)
def test_a_bad_value_is_refused_with_its_place(
    table: pd.DataFrame, column: str, value: Any, message: str
) -> None:
    with pytest.raises(DataError) as caught:
        score_data(spoilt(table, column, 5, value))
    assert str(caught.value).startswith("applications.csv: column")
    assert message in str(caught.value)


def test_an_absent_column_names_the_nearest(table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no column 'income'; did you mean 'incomes'"):
        score_data(table.rename(columns={"income": "incomes"}))
    with pytest.raises(DataError, match="no rows"):
        score_data(table.iloc[:0])


@pytest.mark.parametrize(("value", "said"), [("good", "no row has"), ("bad", "every row has")])
def test_one_outcome_teaches_nothing(table: pd.DataFrame, value: str, said: str) -> None:
    with pytest.raises(DataError, match=f"{said} the event 'bad'") as caught:
        score_data(table.assign(outcome=value))
    assert f"'{value}' ×200" in str(caught.value)


def test_flags_weights_and_whole_numbers_as_categories(table: pd.DataFrame) -> None:
    features = {
        **FEATURES,
        "home": Feature(kind="flag"),
        "code": Feature(kind="category", missing=True),
    }
    more = table.assign(home=[0, 1] * 100, code=[1.0, np.nan] * 100, w=2.0)
    data = score_data(more, features=features, weight="w")
    assert list(data.features["code"].cat.categories) == ["1"]
    assert data.features["code"].isna().sum() == 100
    assert data.weight.tolist() == [2.0] * 200
    with pytest.raises(
        DataError, match=r"'home': values that are no flag \(1\), the first 2 in row 1"
    ):
        score_data(more.assign(home=[2, *[1] * 199]), features=features)
    with pytest.raises(DataError, match="weights of 0 or less"):
        score_data(more.assign(w=0.0), features=features, weight="w")


def test_times_may_count_from_1970(table: pd.DataFrame) -> None:
    numbers = table.assign(at=np.arange(200) * 86_400)
    with pytest.raises(DataError, match=r"set data\.table\.time_unit"):
        score_data(numbers)
    names = ScoreTable(columns={"application": "id"}, time_unit="s")
    data = prepare_score(numbers, names, score_schema(), "x")
    assert data.time is not None
    assert data.time[1] == np.datetime64("1970-01-02")


def test_rows_to_score_need_no_outcome_and_no_protected_attribute(table: pd.DataFrame) -> None:
    names = ScoreTable(columns={"application": "id"})
    bare = table[["id", "income", "debt"]]
    data = prepare_score(bare, names, score_schema(), "x", labelled=False)
    assert np.isnan(data.target).all()
    assert data.attributes is None
    with pytest.raises(DataError, match="no column 'outcome'"):
        prepare_score(bare.assign(at="2024-01-01", sex="f"), names, score_schema(), "x")


def test_outcomes_of_rejected_rows_cannot_be_known(table: pd.DataFrame) -> None:
    passed = np.arange(200) % 4 > 0
    table = table.assign(passed=passed, outcome=table["outcome"].where(passed))
    data = score_data(table, accepted="passed")
    assert data.accepted is not None
    np.testing.assert_array_equal(data.accepted, passed)
    assert np.isnan(data.target[~passed]).all()
    part = rows_of(data, np.arange(200) < 8)
    assert part.accepted is not None
    assert part.accepted.tolist() == [False, True, True, True] * 2
    assert fingerprint(data) != fingerprint(score_data(table))
    table.loc[4, "outcome"] = "good"
    with pytest.raises(
        DataError, match=r"outcomes of rows that 'passed' did not accept .* in row 5"
    ):
        score_data(table, accepted="passed")


def test_rows_to_learn_from_are_asked_about_as_the_rows_to_score_that_they_are(
    table: pd.DataFrame,
) -> None:
    passed = np.arange(200) % 3 > 0
    table = table.assign(passed=passed, chance=0.5, outcome=table["outcome"].where(passed), w=3.0)
    roles = {"accepted": "passed", "chance": "chance", "weight": "w"}
    names, schema = ScoreTable(columns={"application": "id"}), score_schema(**roles)
    expected = prepare_score(table, names, schema, "applications.csv", labelled=False)
    found = unlabelled(score_data(table, **roles))
    pd.testing.assert_frame_equal(found.features, expected.features)
    assert found.attributes is not None
    assert expected.attributes is not None
    pd.testing.assert_frame_equal(found.attributes, expected.attributes)
    np.testing.assert_array_equal(found.target, expected.target)
    np.testing.assert_array_equal(found.weight, expected.weight)
    rest = ("time", "accepted", "chance", "schema")
    assert all(getattr(found, name) == getattr(expected, name) for name in rest)


def test_rows_that_a_draw_let_in_count_by_its_chance(table: pd.DataFrame) -> None:
    passed, drawn = np.arange(200) % 4 > 0, np.arange(200) % 40 == 1
    chance = np.where(drawn, 0.04, np.where(passed, 1.0, np.nan))
    table = table.assign(
        passed=passed, chance=chance, outcome=table["outcome"].where(passed), w=3.0
    )
    data = score_data(table, accepted="passed", chance="chance", weight="w")
    np.testing.assert_allclose(data.weight, np.where(drawn, 15.0, 3.0))
    np.testing.assert_allclose(judging_weight(data), np.where(drawn, 75.0, 3.0))
    np.testing.assert_allclose(judging_weight(score_data(table, weight="w")), 3.0)
    with pytest.raises(DataError, match=r"'chance': chances of acceptance that are none"):
        score_data(
            table.assign(chance=np.where(np.arange(200) == 5, np.nan, chance)),
            accepted="passed",
            chance="chance",
        )


def test_the_fingerprint_is_that_of_the_content(table: pd.DataFrame) -> None:
    data = score_data(table)
    assert fingerprint(score_data(table.copy())) == fingerprint(data)
    for column, value in [("income", 1.0), ("sex", "x"), ("outcome", "bad"), ("id", "new")]:
        row = int(np.argmax(table["outcome"] == "good"))
        assert fingerprint(score_data(spoilt(table, column, row, value))) != fingerprint(data)
    record = dataset_record("applications", data, "applications.csv")
    assert (record.rows, record.fingerprint) == (200, fingerprint(data))
    assert record.start is not None
    assert record.start.isoformat().startswith(table["at"].min())


def test_a_part_forgets_categories_that_it_does_not_have(table: pd.DataFrame) -> None:
    features = {**FEATURES, "town": Feature(kind="category")}
    data = score_data(table.assign(town=["here"] * 199 + ["there"]), features=features)
    part = rows_of(data, np.arange(200) < 100)
    assert list(part.features["town"].cat.categories) == ["here"]
    assert len(part.target) == 100
