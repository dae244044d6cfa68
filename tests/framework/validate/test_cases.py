"""Base case, oddities and stability notice models that misbehave."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    Applicability,
    DataError,
    Forecast,
    ForecastData,
    ForecastQuery,
    GateResult,
    Ranking,
    RankQuery,
    Scores,
    Subject,
    Treatment,
)
from loopcast.deploy.limits import Limits, domain_verdict
from loopcast.develop.applicability import fit_domain
from loopcast.develop.forecast.beyond import site_domains
from loopcast.develop.score.inputs import columns_of
from loopcast.validate.cases import (
    BaseCase,
    Oddities,
    Stability,
    check_base_case,
    check_oddities,
    check_stability,
)

from .conftest import LastDay, Logistic, score_rows, subject_of, with_model


def failed(results: object) -> dict[str, str]:
    assert results is not None
    return {r.test: r.measured for r in results if not r.passed}  # type: ignore[attr-defined]


def oddities(subject: Subject) -> list[GateResult]:
    return list(check_oddities(subject, Oddities()))


def test_every_kind_of_oddity_is_tried() -> None:
    names = {task: [r.test for r in oddities(subject_of(task))] for task in ("forecast", "score")}
    for name in (
        "missing the last day of actuals", "missing all actuals", "missing temperature",
        "missing holiday", "lowest temperature", "highest temperature", "constant actuals",
        "zero actuals", "constant covariates", "series in another order",
        "sites in another order", "covariates in another order", "missing one series",
        "ten times the actuals on the last day",
    ):  # fmt: skip
        assert f"1h: {name}" in names["forecast"]
    for name in (
        "missing income", "missing city", "unseen city", "lowest income", "highest income",
        "rows in another order", "columns in another order", "one row many times",
        "one row alone", "no row",
    ):  # fmt: skip
        assert name in names["score"]


def test_a_forecast_of_nan_is_noticed() -> None:
    def predict(known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        return Forecast(mean=known.target.iloc[-24:].to_numpy())

    found = failed(oddities(with_model(subject_of("forecast"), predict)))
    assert found["1h: missing the last day of actuals"] == "48 of 48 values are not finite"
    assert {"1h: missing all actuals", "1h: missing one series"} < set(found)
    assert "1h: missing temperature" not in found


def test_a_refusal_in_words_is_an_answer_but_a_crash_is_none() -> None:
    def refuse(rows: pd.DataFrame) -> Scores:
        if rows["income"].isna().any():
            raise DataError("column 'income' has missing values, which the model was not shown")
        return Logistic().predict(rows)

    def crash(rows: pd.DataFrame) -> Scores:
        return Scores(probability=Logistic().predict(rows).probability / (1 // len(rows) + 1))

    refused = oddities(with_model(subject_of("score"), refuse))
    assert not failed(refused)
    [said] = [r.measured for r in refused if r.test == "missing income"]
    assert said.startswith("refused: column 'income' has missing values")
    found = failed(oddities(with_model(subject_of("score"), crash)))
    assert found["no row"].startswith("ZeroDivisionError")


def strict(rows: pd.DataFrame) -> Scores:
    """Break on a city that is not known."""
    if not rows["city"].dropna().isin(["north", "south"]).all():
        raise KeyError("city")
    return Logistic().predict(rows)


@pytest.mark.parametrize("outside", ["flag", "person", "refuse"])
def test_what_nobody_asks_a_model_when_serving_does_not_fail_it(outside: Treatment) -> None:
    subject = with_model(subject_of("score"), strict)
    [scenario] = subject.scenarios
    assert isinstance(scenario.inputs, pd.DataFrame)
    limits = Limits(domains={"": fit_domain(columns_of(scenario.inputs))})
    rules = Applicability(outside=outside, novelty="ignore")
    watched = replace(subject, domain=partial(domain_verdict, limits, rules))
    found = {r.test: r for r in oddities(watched)}
    unseen = found["unseen city"]
    assert unseen.passed == (outside != "flag")
    if outside == "flag":
        assert unseen.measured.startswith("KeyError: 'city'; ")
        assert "flagged: city of a category that training had not" in unseen.measured
        assert "flagged: income above the most in training" in found["highest income"].measured
    else:
        assert unseen.measured.startswith("left to others by the domain of applicability: city")
    assert "flagged" not in found["rows in another order"].measured


def test_a_forecast_beyond_its_covariates_says_so() -> None:
    subject = subject_of("forecast")
    query = subject.scenarios[0].inputs
    assert isinstance(query, ForecastQuery)
    rules = Applicability(outside="refuse", novelty="ignore")
    domain = partial(domain_verdict, Limits(domains=site_domains(query.known)), rules)
    found = {r.test: r.measured for r in oddities(replace(subject, domain=domain))}
    assert found["1h: highest temperature"].startswith(
        "left to others by the domain of applicability: temperature above the most in training"
    )
    assert "domain" not in found["1h: constant covariates"]


def test_a_score_that_depends_on_its_neighbours_is_noticed() -> None:
    def predict(rows: pd.DataFrame) -> Scores:
        own = Logistic().predict(rows).probability
        return Scores(probability=own / own.max(initial=0.01))

    subject = with_model(subject_of("score"), predict)
    [scenario] = subject.scenarios
    assert isinstance(scenario.inputs, pd.DataFrame)
    subject = replace(subject, scenarios=(replace(scenario, answer=predict(scenario.inputs)),))
    assert set(failed(oddities(subject))) == {"one row many times", "one row alone"}


def test_a_forecast_by_position_of_the_column_is_noticed() -> None:
    def predict(known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        own = LastDay().predict(known, horizon).mean
        return Forecast(mean=own * np.array([1.0, 2.0]))

    subject = with_model(subject_of("forecast"), predict)
    [scenario] = subject.scenarios
    answer = subject.answer("1h", scenario.inputs)
    found = failed(oddities(replace(subject, scenarios=(replace(scenario, answer=answer),))))
    assert set(found) == {"1h: series in another order"}


def test_a_score_beyond_one_is_noticed() -> None:
    def predict(rows: pd.DataFrame) -> Scores:
        return Scores(probability=0.5 + rows["income"].fillna(0.0).to_numpy())

    found = failed(oddities(with_model(subject_of("score"), predict)))
    assert found["highest income"] == "40 of 40 are no probabilities"


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([[4, 1, 2]], "items that are not allowed"),
        ([[0, 1, 2]], "items that are excluded"),
        ([[1, 1, 2]], "an item twice in one list"),
        ([[1, 2, 9]], "item 9, where there are 5"),
        ([[1, 2]], "shape (1, 2), expected (1, 3)"),
    ],
)
def test_a_list_that_breaks_the_query_is_noticed(items: list[list[int]], problem: str) -> None:
    def predict(query: RankQuery) -> Ranking:
        found = np.array(items, np.int32)
        return Ranking(items=found, scores=np.ones(found.shape, np.float32))

    subject = with_model(subject_of("rank"), predict)
    assert failed(oddities(subject))["one entity alone"] == problem


def test_an_answer_that_is_not_the_one_of_training_is_noticed() -> None:
    subject = subject_of("score")
    shifted = with_model(
        subject,
        lambda rows: Scores(probability=Logistic().predict(rows).probability * (1.0 - 1e-6)),
    )
    assert [r.measured for r in check_base_case(subject, BaseCase())] == ["identical"]
    [found] = check_base_case(shifted, BaseCase())
    assert not found.passed
    assert found.measured.startswith("differs by up to 7.6")
    assert all(r.passed for r in check_base_case(shifted, BaseCase(tolerance=1e-5)))


def test_a_model_that_was_asked_already_is_not_asked_again() -> None:
    def broken(rows: pd.DataFrame) -> Scores:
        raise AssertionError("asked again")

    subject = with_model(subject_of("score"), broken)
    [scenario] = subject.scenarios
    asked = replace(subject, scenarios=(replace(scenario, again=scenario.answer),))
    assert [r.measured for r in check_base_case(asked, BaseCase())] == ["identical"]
    other = Scores(probability=1.0 - Logistic().predict(score_rows()).probability)
    wrong = replace(subject, scenarios=(replace(scenario, again=other),))
    assert not any(r.passed for r in check_base_case(wrong, BaseCase()))


def test_a_model_that_jumps_is_not_stable() -> None:
    def predict(rows: pd.DataFrame) -> Scores:
        jumping = np.sin(1e4 * rows["income"].fillna(0.0).to_numpy()) > 0
        return Scores(probability=np.where(jumping, 0.9, 0.1))

    subject = with_model(subject_of("score"), predict)
    [scenario] = subject.scenarios
    answer = subject.answer("", scenario.inputs)
    jumpy = replace(subject, scenarios=(replace(scenario, answer=answer),))
    [found] = check_stability(jumpy, Stability())
    assert (found.passed, found.measured) == (False, "by 0.8")
    assert all(r.passed for r in check_stability(subject_of("score"), Stability()))
    [unmoved] = check_stability(subject_of("rank"), Stability())
    assert unmoved.measured == "does not apply: no input is a number that could change a little"
