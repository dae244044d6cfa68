from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast.api import Applicability, IntegrityError
from loopcast.develop import applicability
from loopcast.develop.applicability import (
    RIDGE,
    Domain,
    beyond,
    distances,
    domains_bytes,
    fit_domain,
    read_domains,
)


def people(rows: int, seed: int) -> dict[str, Any]:
    """Incomes with a heavy tail, a limit that follows from them, a town, and a rare flag."""
    rng = np.random.default_rng(seed)
    income = np.exp(rng.normal(8.0, 0.6, rows))
    return {
        "income": income,
        "limit": income * rng.uniform(1.8, 2.2, rows),
        "debt": np.where(rng.random(rows) < 0.1, np.nan, rng.gamma(2.0, 500.0, rows)),
        "town": pd.Categorical(rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])),
    }


def asked(**columns: Any) -> dict[str, Any]:
    usual = {"income": 3000.0, "limit": 6000.0, "debt": 900.0, "town": "a"}
    row = {name: columns.get(name, value) for name, value in usual.items()}
    return {
        name: pd.Categorical([value]) if name == "town" else np.array([value], dtype=np.float64)
        for name, value in row.items()
    }


def reason(domain: Domain, columns: dict[str, Any], share: float = 0.01) -> str:
    [found] = beyond(domain, columns, share).rows()
    return found.text if found else ""


def test_what_training_had_is_inside_and_what_it_had_not_says_why() -> None:
    training = people(2000, seed=1)
    domain = fit_domain(training)
    assert reason(domain, asked()) == ""
    assert reason(domain, asked(income=1e9, limit=2e9)).startswith("income above ")
    assert "limit above" in reason(domain, asked(income=1e9, limit=2e9))
    assert reason(domain, asked(income=-5.0)).startswith("income below ")
    assert reason(domain, asked(income=np.nan)) == "income missing, as never in training"
    assert reason(domain, asked(debt=np.nan)) == ""
    assert reason(domain, asked(town=None)).startswith("town missing, as never in training")
    assert reason(domain, asked(town="d")).startswith("town of a category that training had not")
    low, high = np.quantile(training["income"], [0.05, 0.95])
    assert reason(domain, asked(income=low, limit=2 * high)) == "unusual combination of values"
    assert reason(domain, asked(income=high, limit=2 * high)) == ""
    whole = beyond(domain, training, 0.01)
    assert not any(found and found.outside for found in whole.rows())


@pytest.mark.parametrize("share", [0.002, 0.01, 0.05])
def test_the_stated_share_of_the_same_population_is_novel(share: float) -> None:
    """Exactly that of the training rows that have a rank; no more of new rows, on average."""
    shares = []
    for seed in range(20):
        domain = fit_domain(people(600, seed=seed))
        found = beyond(domain, people(4000, seed=1000 + seed), share)
        shares.append(np.mean([bool(each and each.novel) for each in found.rows()]))
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) <= share + 3.0 * error
    assert np.mean(shares) >= 0.4 * share - 3.0 * error


def test_thresholds_are_distances_from_the_other_rows() -> None:
    """The short formula against leaving each row out, with the same normal scores."""
    columns = people(40, seed=3)
    domain = fit_domain(columns)
    design = np.empty((40, len(domain.centre)))
    applicability._design(domain, columns, slice(0, 40), out=design)
    expected = []
    for row in range(40):
        others = np.delete(design, row, axis=0)
        off = design[row] - others.mean(axis=0)
        centred = others - others.mean(axis=0)
        scatter = centred.T @ centred + 40 * RIDGE * np.eye(design.shape[1])
        expected.append(40 * off @ np.linalg.solve(scatter, off))
    own = distances(domain, columns)
    found = applicability._from_the_others(own, 40)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert domain.threshold(0.5) == pytest.approx(np.sort(expected)[int(np.ceil(0.5 * 41)) - 1])
    assert domain.threshold(0.001) == np.inf  # forty rows cannot tell


@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=60),
    st.floats(1e-3, 1e3),
    st.sampled_from([0.01, 0.1, 0.5]),
)
@settings(max_examples=60, deadline=None)
def test_neither_units_nor_monotone_scales_matter(
    values: list[float], factor: float, share: float
) -> None:
    column = np.array(values)
    other = np.arange(len(column), dtype=np.float64)
    plain = fit_domain({"x": column, "k": other})
    scaled = fit_domain({"x": factor * column, "k": other})
    first = beyond(plain, {"x": column, "k": other}, share)
    second = beyond(scaled, {"x": factor * column, "k": other}, share)
    if len(np.unique(column[~np.isnan(column)])) == len(
        np.unique((factor * column)[~np.isnan(column)])
    ):
        np.testing.assert_array_equal(first.code, second.code)
    assert not any(found and found.outside for found in first.rows())


@pytest.mark.parametrize("rows", [0, 1, 5, 25])
def test_few_rows_have_bounds_and_tell_no_combination(rows: int) -> None:
    domain = fit_domain(people(rows, seed=2))
    found = beyond(domain, people(50, seed=4), 0.01)
    assert not any(each and each.novel for each in found.rows())
    assert beyond(fit_domain({}), {}, 0.01).rows() == []


def test_columns_that_say_nothing_break_nothing() -> None:
    training: dict[str, Any] = {
        "same": np.full(100, 7.0),
        "none": np.full(100, np.nan),
        "copy": np.arange(100.0),
        "again": 3.0 * np.arange(100.0),
        "one": pd.Categorical(["x"] * 100),
    }
    domain = fit_domain(training)
    row: dict[str, Any] = {
        "same": np.array([7.0]), "none": np.array([1.0]), "copy": np.array([50.0]),
        "again": np.array([150.0]), "one": pd.Categorical(["x"]),
    }  # fmt: skip
    assert reason(domain, row) == ""
    assert reason(domain, {**row, "again": np.array([10.0])}) == "unusual combination of values"
    assert reason(domain, {**row, "same": np.array([7.5])}).startswith(
        "same above the most in training (7)"
    )


def test_a_domain_comes_back_from_its_file_as_it_was() -> None:
    domain = fit_domain(people(300, seed=5))
    again = read_domains(domains_bytes({"": domain}))
    assert again == {"": domain}
    new = people(50, seed=6)
    np.testing.assert_array_equal(distances(again[""], new), distances(domain, new))
    with pytest.raises(IntegrityError, match=r"applicability\.json of a bundle"):
        read_domains(b'{"": 3}')


def test_more_reasons_than_one_are_joined_and_the_stricter_action_wins() -> None:
    domain = fit_domain(people(500, seed=6))
    rules = Applicability(outside="person", novelty="refuse")
    [found] = beyond(domain, asked(income=1e9, town="d"), 0.01).rows()
    assert found is not None
    assert found.text.count(";") == 2
    assert (found.outside, found.novel) == (True, True)
    assert rules.action(outside=True, novel=True) == "refused"
    assert rules.action(outside=True, novel=False) == "person"
    assert Applicability(outside="ignore", novelty="ignore").action(outside=True, novel=True) == (
        "served"
    )
