"""The promises of a template: the documentation's keep them, and what breaks one is noticed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal

import msgspec
import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    DataError,
    Feature,
    Files,
    FitContext,
    Forecast,
    ForecastData,
    Hyperparameters,
    ModelError,
    RankData,
    Ranking,
    RankQuery,
    ScoreData,
    Scores,
    fit_each,
    json_bytes,
    read_json,
)
from loopcast.testing import check_template

from ..distributions import forget_fakes
from ..examples import install_examples

RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The code of docs/tasks.md."""
    site = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch, forget_fakes():
        patch.syspath_prepend(str(site))
        install_examples(site)
        yield importlib.import_module("fake_loopcast_example")


@pytest.fixture(scope="module")
def rows(page: ModuleType) -> ScoreData:
    """Two hundred applications, with a category that a scorer sees."""
    found: ScoreData = page.applications(200, seed=1)
    home = pd.Series(["rent", "own"] * 100, found.features.index, dtype="category")
    features = {**found.schema.features, "home": Feature(kind="category")}
    schema = msgspec.structs.replace(found.schema, features=features)
    return replace(found, features=found.features.assign(home=home), schema=schema)


def sales(page: ModuleType, seed: int) -> RankData:
    random = np.random.default_rng(seed)
    pairs = zip(random.integers(0, 30, 300), random.integers(0, 12, 300), strict=True)
    found: RankData = page.shop(*[(f"c{who}", f"p{what}") for who, what in pairs])
    return found


def test_the_templates_of_the_documentation_keep_them(page: ModuleType) -> None:
    panel = page.panel(rows=24 * 35)
    found = check_template(page.forecasting, {"": panel, "zenith": page.panel(24 * 9, level=500.0)})
    assert found["zenith"].mean[:2].tolist() == [511.5, 488.5]
    assert found[""].failures == {"silent": "no actual in 28 days"}
    applications = {"a": page.applications(300, seed=1), "b": page.applications(200, seed=2)}
    assert list(check_template(page.scoring, applications)) == ["a", "b"]
    assert list(check_template(page.ranking, {"": sales(page, 1), "t2": page.shop()})) == [""]


@dataclass(frozen=True, eq=False)
class Rate:
    """Says the rate of the event to everyone, or whatever a test wants."""

    rate: float
    says: Callable[[Rate, pd.DataFrame], Any]

    def predict(self, rows: pd.DataFrame) -> Scores:
        return Scores(probability=self.says(self, rows))

    def save(self) -> Files:
        return {"rate.json": json_bytes(self.rate)}


def honest(model: Rate, rows: pd.DataFrame) -> Any:
    return np.full(len(rows), model.rate)


class NoParameters(Hyperparameters, frozen=True):
    pass


class Rates:
    """A template of such models."""

    name = "example.rate"
    task: Literal["score"] = "score"
    summary = "the rate of the event"
    hyperparameters = NoParameters

    def __init__(self, says: Callable[[Rate, pd.DataFrame], Any] = honest) -> None:
        self.says = says

    def fit_one(self, data: ScoreData, context: FitContext) -> Any:
        return Rate(float(np.nanmean(data.target)), self.says)

    def fit(
        self, family: Mapping[str, ScoreData], hyperparameters: Any, context: FitContext
    ) -> Any:
        return fit_each(family, lambda data: self.fit_one(data, context))

    def load(self, files: Files) -> Rate:
        return Rate(read_json(files["rate.json"]), self.says)


def broken(template: Any, *families: Any) -> str:
    """Return what is said of a template that breaks a promise."""
    with pytest.raises(AssertionError) as raised:
        check_template(template, dict(zip(("", "n"), families, strict=False)))
    return str(raised.value)


def test_one_that_keeps_them_all_passes(rows: ScoreData) -> None:
    assert check_template(Rates(), {"": rows})[""].rate == np.nanmean(rows.target)


def drawn(model: Rate, rows: pd.DataFrame) -> Any:
    return RANDOM.random(len(rows))


def changing(model: Rate, rows: pd.DataFrame) -> Any:
    rows["income"] += 1.0
    return honest(model, rows)


def centred(model: Rate, rows: pd.DataFrame) -> Any:
    income = rows["income"].to_numpy()
    return 1.0 / (1.0 + np.exp((income.mean() - income) / 1000.0))


def by_place(model: Rate, rows: pd.DataFrame) -> Any:
    return np.linspace(0.0, 1.0, len(rows))


def known_homes(model: Rate, rows: pd.DataFrame) -> Any:
    return rows["home"].map({"rent": 0.2, "own": 0.1}).to_numpy(np.float64)


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (lambda m, rows: honest(m, rows)[1:], "has shape (199,); expected (200,)"),
        (lambda m, rows: honest(m, rows)[:, None], "has shape (200, 1); expected (200,)"),
        (lambda m, rows: honest(m, rows).tolist(), "has shape list; expected (200,)"),
        (lambda m, rows: honest(m, rows) + 1.0, "200 of 200 probabilities are not from 0 to 1"),
        (lambda m, rows: honest(m, rows) * np.nan, "200 of 200 probabilities are not from 0 to 1"),
        (drawn, "asked again, it answers otherwise: predict may draw and keep nothing"),
        (changing, "predict changes its inputs"),
        (centred, "the first row alone is answered otherwise than among others"),
        (by_place, "asked in reverse order, it answers otherwise"),
        (known_homes, "of categories that training never saw: 200 of 200 probabilities are not"),
    ],
)
def test_what_is_wrong_with_an_answer_is_told(rows: ScoreData, says: Any, told: str) -> None:
    fresh = replace(rows, features=rows.features.copy())
    assert told in broken(Rates(says), fresh)


def test_a_refusal_of_unseen_categories_is_an_answer(rows: ScoreData) -> None:
    def refusing(model: Rate, asked: pd.DataFrame) -> Any:
        if not asked["home"].isin(["rent", "own"]).all():
            raise DataError("a home of another kind")
        return honest(model, asked)

    assert list(check_template(Rates(refusing), {"": rows})) == [""]


def test_what_predict_raises_is_shown_with_its_place(rows: ScoreData) -> None:
    def failing(model: Rate, asked: pd.DataFrame) -> Any:
        raise KeyError("age")

    with pytest.raises(
        AssertionError, match="segment '': predict raised KeyError: 'age'"
    ) as raised:
        check_template(Rates(failing), {"": rows})
    assert isinstance(raised.value.__cause__, KeyError)


class Raising(Rates):
    def fit(self, family: Any, hyperparameters: Any, context: Any) -> Any:
        for segment, data in family.items():
            yield segment, Rate(1.0 / len(data.target), honest)
            raise RuntimeError("out of luck")


class Silent(Rates):
    def fit(self, family: Any, hyperparameters: Any, context: Any) -> Any:
        return iter([("", Rate(0.5, honest))])


class Nothing(Rates):
    def fit(self, family: Any, hyperparameters: Any, context: Any) -> Any:
        return iter([(segment, None) for segment in family])


class Refusing(Rates):
    def fit_one(self, data: ScoreData, context: FitContext) -> Any:
        raise ModelError("not today")


class Drawing(Rates):
    def fit_one(self, data: ScoreData, context: FitContext) -> Any:
        return Rate(float(RANDOM.random()), honest)


class InOrder(Rates):
    """Draws from one generator for all segments, so that each depends on those before it."""

    def fit(self, family: Any, hyperparameters: Any, context: FitContext) -> Any:
        random = np.random.default_rng(context.seed)
        return fit_each(family, lambda data: Rate(float(random.random()), honest))


class Forgetting(Rates):
    def load(self, files: Files) -> Rate:
        return Rate(0.5, honest)


class Pickling(Rates):
    def fit_one(self, data: ScoreData, context: FitContext) -> Any:
        import pickle

        model = Rate(0.5, honest)
        object.__setattr__(model, "save", lambda: {"rate.pkl": pickle.dumps(0.5)})
        return model


class Continuing(Rates):
    def fit_after(self, models: Any, family: Any, hyperparameters: Any, context: Any) -> Any:
        return iter([(segment, models[segment]) for segment in family])


class Refitting(Rates):
    def refit(self, models: Any, family: Any, hyperparameters: Any, context: Any) -> Any:
        return iter([("mars", models[segment]) for segment in family])


@pytest.mark.parametrize(
    ("template", "told"),
    [
        (Raising, "fit raised RuntimeError: out of luck; it stops every segment: yield the error"),
        (Silent, "fit yields outcomes of the segments ['']; expected ['', 'n']"),
        (Nothing, "fit yields a NoneType for segment ''; expected a Scorer or an error"),
        (Refusing, "fit refuses every segment, the first since: not today"),
        (Drawing, "segment '': fitted once more with the same seed, after other segments"),
        (InOrder, "it saves another rate.json; all that is random has to come from context.seed"),
        (Forgetting, "the model that load returns answers otherwise: save has to keep all"),
        (Pickling, "save returns a pickle in 'rate.pkl', and pickles can run code"),
        (Continuing, "fit_after, of no models, raised KeyError: ''"),
        (Refitting, "refit yields outcomes of the segments ['mars', 'mars']; expected ['', 'n']"),
    ],
)
def test_what_is_wrong_with_a_fit_is_told(rows: ScoreData, template: Any, told: str) -> None:
    assert told in broken(template(), rows, rows)


def lists(items: list[int], scores: list[float]) -> Callable[[RankQuery], Ranking]:
    def predict(query: RankQuery) -> Ranking:
        shape = (len(query.entities), query.length)
        return Ranking(
            items=np.broadcast_to(np.array(items, np.int32), shape),
            scores=np.broadcast_to(np.array(scores, np.float32), shape),
        )

    return predict


@pytest.mark.parametrize(
    ("predict", "told"),
    [
        (lists([0, 1], [0.5, 0.4]), "an item is listed that is not allowed, or excluded"),
        (lists([-1, -1], [0.5, 0.4]), "a place without an item has a score"),
        (lists([11, 11], [0.5, 0.4]), "an item is twice in a list"),
        (lists([10, 11], [0.4, 0.5]), "scores rise along a list"),
    ],
)
def test_what_is_wrong_with_lists_is_told(page: ModuleType, predict: Any, told: str) -> None:
    data, template = sales(page, seed=2), type(page.ranking)
    data = replace(data, schema=msgspec.structs.replace(data.schema, repeat=True))

    class Listing(template):  # type: ignore[misc,valid-type]
        def fit(self, family: Any, hyperparameters: Any, context: Any) -> Any:
            for segment, model in super().fit(family, hyperparameters, context):
                object.__setattr__(model, "predict", predict)
                yield segment, model

    assert f"segment '': {told}" in broken(Listing(), data)


def test_a_series_without_forecasts_is_a_failure_or_a_fault(page: ModuleType) -> None:
    class Forgetful(type(page.forecasting)):  # type: ignore[misc]
        def fit(
            self, family: Mapping[str, ForecastData], hyperparameters: Any, context: Any
        ) -> Any:
            for segment, model in super().fit(family, hyperparameters, context):
                yield segment, replace(model, failures={})

    told = broken(Forgetful(), page.panel(24 * 35))
    assert "series 'silent' has forecasts that are no numbers, and is not in failures" in told


def test_a_forecast_is_asked_for_the_last_horizon(page: ModuleType) -> None:
    class Short(page.MeanModel):  # type: ignore[misc,name-defined]
        def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
            assert known.times[-1] + pd.Timedelta("1h") == horizon[0]
            return Forecast(mean=super().predict(known, horizon[1:]).mean)

    class Shortening(type(page.forecasting)):  # type: ignore[misc]
        def fit(self, family: Any, hyperparameters: Any, context: Any) -> Any:
            for segment, model in super().fit(family, hyperparameters, context):
                yield segment, Short(model.mean, model.failures)

    told = broken(Shortening(), page.panel(24 * 35))
    assert "the answer has shape (23, 3); expected (24, 3)" in told
