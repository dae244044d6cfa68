"""A scorer is finished with what rows tell that its like had not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import (
    DataError,
    DecisionSettings,
    Feature,
    IntegrityError,
    ModelError,
    ScoreData,
    Scores,
    ScoreSchema,
    SetSettings,
)
from loopcast.api.score import BOTH, EVENT, OTHER
from loopcast.develop.calibration.maps import BetaMap
from loopcast.develop.score.finished import (
    CALIBRATION_FILE,
    FinishedScorer,
    finished,
    finished_files,
)
from loopcast.develop.score.finishing import finish
from loopcast.develop.score.unseen import out_of_fold
from loopcast.settings import CalibrationSettings

SCHEMA = ScoreSchema(
    key="id",
    target="bad",
    event=1,
    features={
        "x": Feature(kind="numeric"),
        "home": Feature(kind="category"),
        "sex": Feature(kind="category", used=False, protected=True),
    },
)


@dataclass
class Confident:
    """Twice the log-odds that are true, and the share of one group is wrong."""

    factor: float = 2.0
    seen: frozenset[str] = frozenset()

    def predict(self, rows: pd.DataFrame) -> Scores:
        assert not self.seen & set(rows.index), "asked for rows that it was fitted on"
        odds = self.factor * rows["x"].to_numpy()
        return Scores(probability=1.0 / (1.0 + np.exp(-odds)), points=-odds)

    def save(self) -> dict[str, bytes]:
        return {"model.json": b"2"}


def rows(count: int, seed: int = 0, unknown: float = 0.0) -> ScoreData:
    random = np.random.default_rng(seed)
    x, home = random.normal(-1.0, 1.0, count), random.choice(["own", "rent", "tent"], count)
    home[:20] = "tent"
    home[20:] = np.where(home[20:] == "tent", "own", home[20:])
    risk = 1.0 / (1.0 + np.exp(-x - 1.5 * (home == "rent")))
    target = (random.random(count) < risk).astype(np.float64)
    target[random.random(count) < unknown] = np.nan
    key = pd.Index([f"r{row}" for row in range(count)])
    return ScoreData(
        features=pd.DataFrame({"x": x, "home": pd.Categorical(home)}, index=key),
        target=target,
        weight=np.ones(count),
        schema=SCHEMA,
    )


def fit(parts: Mapping[str, ScoreData]) -> dict[str, Any]:
    """Remember the rows of known outcome, which the model must not be asked for."""
    known = {s: frozenset(d.features.index[~np.isnan(d.target)]) for s, d in parts.items()}
    return {s: Confident(seen=known[s]) for s in parts}


def finish_with(
    family: Mapping[str, ScoreData],
    fit: Any = fit,
    sets: SetSettings | None = None,
    **settings: Any,
) -> dict[str, Any]:
    course: Any = SimpleNamespace(
        logical_model=SimpleNamespace(decision=DecisionSettings(sets=sets)),
        calibration=CalibrationSettings(**settings),
        candidate=SimpleNamespace(template=SimpleNamespace(name="demo.confident")),
        seed=0,
    )
    return finish(course, {s: Confident() for s in family}, family, fit)


def test_each_row_is_scored_by_a_model_that_had_not_seen_it() -> None:
    data = rows(300, unknown=0.2)
    found = out_of_fold({"": data}, fit, 5, 0, "demo.confident")[""]
    assert not isinstance(found, Exception)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(data.target))


def test_rows_of_unknown_outcome_are_left_to_every_fit() -> None:
    data, sizes = rows(300, unknown=0.2), []

    def counting(parts: Mapping[str, ScoreData]) -> dict[str, Any]:
        sizes.append(int(np.isnan(parts[""].target).sum()))
        return fit(parts)

    out_of_fold({"": data}, counting, 5, 0, "demo.confident")
    assert sizes == [int(np.isnan(data.target).sum())] * 5


def test_what_is_too_certain_is_mended_and_points_stay() -> None:
    data, new = rows(6000), rows(6000, seed=1)
    scorer = finish_with({"": data}, method="platt")[""]
    before, after = Confident().predict(new.features), scorer.predict(new.features)
    assert scorer.calibration.whole.a == pytest.approx(
        0.45, abs=0.05
    )  # less than half: home is left out
    np.testing.assert_array_equal(after.points, before.points)
    np.testing.assert_array_equal(np.argsort(after.probability), np.argsort(before.probability))
    assert after.probability.mean() == pytest.approx(new.target.mean(), abs=0.02)


def test_a_group_has_its_own_calibration_and_a_small_one_that_of_all() -> None:
    data = rows(9000)
    calibration = finish_with({"": data}, method="beta", by="home")[""].calibration
    assert calibration.groups.keys() == {"own", "rent"}
    new = rows(9000, seed=1)
    p = calibration.apply(Confident().predict(new.features).probability, new.features)
    for home in ("own", "rent"):
        inside = (new.features["home"] == home).to_numpy()
        assert p[inside].mean() == pytest.approx(new.target[inside].mean(), abs=0.02)
    unseen = new.features.iloc[:3].assign(home=pd.Categorical(["tent", "boat", None]))
    one = calibration.apply(np.full(3, 0.2), unseen)
    assert one[0] == one[1] == one[2]


def test_a_segment_of_few_outcomes_keeps_what_its_template_says() -> None:
    found = finish_with({"large": rows(600), "small": rows(40)}, method="beta", minimum=30)
    assert isinstance(found["large"], FinishedScorer)
    assert found["small"] == Confident()


def test_sets_are_drawn_from_calibrated_probabilities_and_of_few_rows_rule_nothing_out() -> None:
    family, new = {"large": rows(6000), "small": rows(40)}, rows(6000, seed=1)
    found = finish_with(family, sets=SetSettings(confidence=0.8), method="platt")
    codes = found["large"].predict(new.features).sets
    holds = (codes & np.where(new.target == 1.0, EVENT, OTHER)) > 0
    for outcome in (0.0, 1.0):
        assert holds[new.target == outcome].mean() == pytest.approx(0.8, abs=0.03)
    assert set(found["small"].predict(new.features).sets) == {BOTH}
    plain = finish_with(family, sets=SetSettings(confidence=0.8), method="none")
    assert plain["large"].calibration is None
    again = plain["large"].predict(new.features).sets
    assert np.mean(codes == again) > 0.995  # a map that rises changes no ranks


def test_an_error_is_that_of_its_segment() -> None:
    def failing(parts: Mapping[str, ScoreData]) -> dict[str, Any]:
        return fit(parts) | {"bad": DataError("no rows like these"), "worse": _Wrong()}

    family = {name: rows(600) for name in ("good", "bad", "worse")}
    found = finish_with(family, failing, method="platt")
    assert isinstance(found["good"], FinishedScorer)
    assert str(found["bad"]) == "no rows like these"
    assert isinstance(found["worse"], ModelError)


class _Wrong(Confident):
    def predict(self, rows: pd.DataFrame) -> Scores:
        return Scores(probability=np.full(len(rows), 1.5))


def test_a_finished_scorer_is_read_back_from_its_files() -> None:
    new = rows(100, seed=1)
    for method in ("platt", "isotonic", "beta"):
        asked = SetSettings(confidence=0.8, by="home")
        scorer = finish_with({"": rows(3000)}, sets=asked, method=method, by="home")[""]
        again = finished(Confident(), finished_files(scorer))
        np.testing.assert_array_equal(
            again.predict(new.features).sets, scorer.predict(new.features).sets
        )
        np.testing.assert_array_equal(
            again.predict(new.features).probability, scorer.predict(new.features).probability
        )
    assert finished_files(Confident()) == {}
    assert finished(Confident(), {}) == Confident()
    for damaged in (b"{", b'{"method": "platt"}', finished_files(scorer)[CALIBRATION_FILE][:-9]):
        with pytest.raises(IntegrityError, match=r"calibration\.json of the bundle"):
            finished(Confident(), {CALIBRATION_FILE: damaged})


def test_without_a_method_nothing_is_fitted_again() -> None:
    def never(parts: Mapping[str, ScoreData]) -> Iterator[Any]:
        raise AssertionError("fitted again")

    assert finish_with({"": rows(300)}, never, method="none") == {"": Confident()}


def test_only_categories_that_the_score_sees_group_rows() -> None:
    assert SCHEMA.groupings == ("home",)


def test_a_map_of_all_is_stored_as_plain_numbers() -> None:
    scorer = finish_with({"": rows(3000)}, method="beta")[""]
    assert isinstance(scorer.calibration.whole, BetaMap)
    assert b'"beta"' in finished_files(scorer)[CALIBRATION_FILE]
