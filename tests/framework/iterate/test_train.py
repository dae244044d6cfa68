from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import numpy as np
import pandas as pd
import pytest

from loopcast import config
from loopcast.api import (
    Applicability,
    ConfigurationError,
    DataError,
    Feature,
    Files,
    FitContext,
    Forecast,
    ForecastData,
    Forecaster,
    ForecastSchema,
    IntegrityError,
    LoopcastError,
    ScoreSchema,
    fit_each,
    hookimpl,
)
from loopcast.cli import plugin_manager
from loopcast.deploy.forecast_bundle import unpack
from loopcast.develop import metrics
from loopcast.develop.course import Contender
from loopcast.develop.engine import LocalEngine
from loopcast.develop.forecast.course import ForecastCourse, Plan
from loopcast.develop.forecast.dataset import KnownForecast
from loopcast.develop.forecast.horizon import latest_origin
from loopcast.develop.forecast.prepare import dataset_record
from loopcast.iterate.course import course_of
from loopcast.iterate.releasing import Rules
from loopcast.iterate.train import TrainedVersion, find_version, train_version
from loopcast.plugins import PluginManager
from loopcast.serve.batch import QUANTILE_COLUMNS, forecast
from loopcast.settings import RunSettings, ScoreTable
from loopcast.store import readers
from loopcast.store.home import Home, open_home
from loopcast.validate import gates
from loopcast.validate.performance import Variation

from ..develop.conftest import make_course, make_panel
from ..develop.contenders import Days, LastWeek, LastWeekModel


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


BEATEN = Contender(label="beaten", template=LastWeek(), hyperparameters=Days(days=4))
PLAN = Plan(origins=35, calibration=10, every=1, refit_every=35)


@pytest.fixture
def course(schema: ForecastSchema) -> ForecastCourse:
    """Enough origins to tell good from bad for sure."""
    return make_course(schema, LastWeek(), plan=PLAN, baselines=(BEATEN,))


@pytest.fixture
def panel(schema: ForecastSchema) -> ForecastData:
    return make_panel(schema, days=80)


@hookimpl
def loopcast_templates() -> list[LastWeek]:
    return [LastWeek()]


@cache
def rules() -> Rules:
    builtin = (metrics, gates, sys.modules[__name__])
    plugins = PluginManager.load(builtin=(readers, *builtin))
    return Rules(policy=config.compose_policy("default", plugins=plugins), plugins=plugins)


def known(data: ForecastData) -> KnownForecast:
    dataset = dataset_record("demo", data, "memory")
    return KnownForecast(data=data, training=data, dataset=dataset, origin=latest_origin(data))


def trained(course: ForecastCourse, panel: ForecastData, home: Home) -> TrainedVersion:
    training = panel.until(panel.times[-1] + pd.Timedelta("30min"), panel.times[-1])
    return train_version(course, known(training), home, LocalEngine(), rules())


def test_a_version_is_found_by_its_recipe(
    course: ForecastCourse, panel: ForecastData, home: Home, schema: ForecastSchema
) -> None:
    dataset = dataset_record("demo", panel, "memory")
    assert find_version(course, dataset, home) is None
    first = train_version(course, known(panel), home, LocalEngine(), rules())
    assert (first.stage, first.fresh) == ("champion", True)
    again = find_version(course, dataset, home)
    assert again is not None
    assert (again.version.id, again.stage, again.fresh) == (first.version.id, "champion", False)
    assert again.bundle.files == first.bundle.files
    reseeded = make_course(schema, LastWeek(), seed=6)
    assert find_version(reseeded, dataset, home) is None
    changed = make_panel(schema, days=79)
    assert find_version(course, dataset_record("demo", changed, "memory"), home) is None


def test_training_again_gives_the_same_version(
    course: ForecastCourse, panel: ForecastData, home: Home
) -> None:
    first = train_version(course, known(panel), home, LocalEngine(), rules())
    second = train_version(course, known(panel), home, LocalEngine(), rules())
    assert second.version.id == first.version.id
    assert (first.repeated, second.repeated) == (False, True)
    assert home.catalog.count() == 1
    assert second.stage == "champion"


def test_data_that_fails_a_check_trains_nothing_and_leaves_nothing_behind(
    course: ForecastCourse, panel: ForecastData, home: Home
) -> None:
    leak = replace(
        panel,
        covariates={
            **panel.covariates,
            "bill": panel.target.set_axis(["city", "desert", "x"], axis="columns")[
                ["city", "desert"]
            ],
        },
    )
    with pytest.raises(DataError, match="leakage of bill at city is"):
        train_version(course, known(leak), home, LocalEngine(), rules())
    assert home.catalog.newest("demo") == {}
    first = train_version(course, known(panel), home, LocalEngine(), rules())
    assert {"checks.json", "profile.json"} <= set(first.bundle.files)
    kilowatts = replace(panel, target=panel.target * 1000.0)
    with pytest.raises(DataError, match="shift_psi of outcome is"):
        train_version(course, known(kilowatts), home, LocalEngine(), rules())
    assert home.catalog.count() == 1


def contender_of(course: ForecastCourse, days: int) -> ForecastCourse:
    candidate = replace(course.candidate, hyperparameters=Days(days=days))
    return replace(course, candidate=candidate, baselines=())


def test_only_a_better_version_replaces_the_champion(
    course: ForecastCourse, panel: ForecastData, home: Home
) -> None:
    worse = train_version(contender_of(course, 3), known(panel), home, LocalEngine(), rules())
    assert worse.stage == "champion"  # the first one
    better = train_version(contender_of(course, 7), known(panel), home, LocalEngine(), rules())
    assert better.stage == "champion"
    assert home.catalog.stage(worse.version.id) == "retired"
    late = train_version(contender_of(course, 14), known(panel), home, LocalEngine(), rules())
    assert late.stage == "challenger"
    champion = home.catalog.champion("demo")
    assert champion is not None
    assert champion.id == better.version.id
    reasons = [entry.reason for entry in home.catalog.history("demo")]
    assert reasons[0] == "first version to pass its gates"
    assert any(f"of champion {worse.version.id}" in reason for reason in reasons)


def test_a_worse_version_stays_a_candidate_and_says_why(
    course: ForecastCourse, panel: ForecastData, home: Home
) -> None:
    train_version(contender_of(course, 7), known(panel), home, LocalEngine(), rules())
    worse = train_version(contender_of(course, 4), known(panel), home, LocalEngine(), rules())
    assert worse.stage == "candidate"
    assert "gate champion: expected mape not worse than champion" in worse.reason


def test_who_is_moved_by_another_process_meanwhile_is_where_it_should_be(
    course: ForecastCourse, panel: ForecastData, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs that trained the same version both release it; the other one is first."""
    advance = home.catalog.advance

    def after_another(versions: Any, plan: Any, **options: Any) -> Any:
        advance(versions, plan, **options)
        return advance(versions, plan, **options)

    monkeypatch.setattr(home.catalog, "advance", after_another)
    found = trained(course, panel, home)
    assert found.stage == "champion"
    stages = [release.stage for release in home.catalog.history(course.logical_model.name, "")]
    assert stages == ["staging", "champion"]


def test_who_finds_another_champion_than_it_was_judged_beside_does_not_follow_it(
    course: ForecastCourse, panel: ForecastData, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained_with(days: int) -> TrainedVersion:
        chosen = contender_of(course, days)
        return train_version(chosen, known(panel), home, LocalEngine(), rules())

    def crown(version: str) -> None:
        home.catalog.release("demo", "", version, stage="champion", by="ann", reason="so be it")

    first, other = trained_with(3).version.id, trained_with(14).version.id
    crown(first)
    advance = home.catalog.advance

    def after_another(versions: Any, plan: Any, **options: Any) -> Any:
        crown(other)
        return advance(versions, plan, **options)

    monkeypatch.setattr(home.catalog, "advance", after_another)
    found = trained_with(7)  # which is better than the first
    assert found.stage == "challenger"
    assert found.reason.startswith(f"champion {other} was released since")
    champion = home.catalog.champion("demo")
    assert champion is not None
    assert champion.id == other
    monkeypatch.undo()
    assert f"of champion {other}" in trained_with(7).reason  # judged beside it now


def test_a_policy_of_proposals_leaves_a_version_in_staging(
    course: ForecastCourse, panel: ForecastData, home: Home
) -> None:
    policy = rules().policy
    row = msgspec.structs.replace(policy.classes["low"], release="proposal")
    classes = {**policy.classes, "low": row}
    proposing = replace(rules(), policy=msgspec.structs.replace(policy, classes=classes))
    found = train_version(course, known(panel), home, LocalEngine(), proposing)
    assert found.stage == "staging"
    assert f"'loopcast release {found.version.id} --by NAME --reason TEXT'" in found.reason
    assert home.catalog.champion("demo") is None


def test_a_wide_variation_asks_a_person(
    course: ForecastCourse, panel: ForecastData, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_version(contender_of(course, 3), known(panel), home, LocalEngine(), rules())
    monkeypatch.setattr("loopcast.iterate.verdict.LIMITS", Variation(median=1e-6))
    better = train_version(contender_of(course, 7), known(panel), home, LocalEngine(), rules())
    assert better.stage == "challenger"
    assert "a person has to decide, since median of the distance" in better.reason


def test_a_version_that_fails_a_gate_stays_a_candidate(
    schema: ForecastSchema, panel: ForecastData, home: Home
) -> None:
    course = make_course(schema, LastWeek(), plan=PLAN, baselines=(BEATEN,))
    swapped = replace(
        course,
        candidate=replace(course.baselines[0], label="candidate"),
        baselines=(replace(course.candidate, label="week"),),
    )
    values = trained(swapped, panel, home)
    gates = home.catalog.gates(values.version.id)
    expected = "champion" if all(gate.passed for gate in gates) else "candidate"
    assert values.stage == expected
    other = trained(course, panel, home)
    assert {values.stage, other.stage} == {"champion", "candidate"}


def test_the_bundle_has_all_that_the_design_asks_for(
    course: ForecastCourse, panel: ForecastData, home: Home
) -> None:
    found = trained(course, panel, home)
    manifest, files = found.bundle.manifest, found.bundle.files
    assert manifest.template == "demo.last_week"
    assert manifest.hyperparameters == {"days": 7}
    assert manifest.datasets[0].rows == panel.target.size
    assert {"loopcast", "python", "pandas"} <= set(manifest.environment)
    assert {
        "documentation.md", "errors.npz", "evaluation.json",
        "intervals/1D.npz", "judged.npz", "model/30min/model.json", "preparation.json",
        "scenarios/30min.npz", "schema.json",
    } <= set(files)  # fmt: skip
    text = files["documentation.md"].decode()
    assert "# Demo" in text
    assert "| candidate |" in text
    assert "passed" in text or "failed" in text


def no_fallback(name: str) -> NoReturn:
    raise AssertionError(f"no version here has a fallback, but {name} was asked for")


def test_a_served_forecast_is_coherent_and_ordered(
    course: ForecastCourse, panel: ForecastData, home: Home
) -> None:
    found = trained(course, panel, home)
    served = unpack(found.bundle.files, course.candidate.template, no_fallback)
    origin = panel.times[-1] + pd.Timedelta("30min")
    batch = forecast(served, panel, origin, course.reconciler, Applicability())
    table = batch.table
    assert batch.coherence_error < 1e-12
    assert len(table) == (48 + 24 + 1) * 5
    assert str(table["time"].dt.tz) == "Australia/Melbourne"
    quantiles = table[list(QUANTILE_COLUMNS)].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()
    totals = table.groupby(["step", "series"])["total"].sum().unstack()
    np.testing.assert_allclose(totals.loc["30min"], totals.loc["1D"])
    np.testing.assert_allclose(totals.loc["1h"], totals.loc["1D"])
    np.testing.assert_allclose(totals["coast"], totals["north"] + totals["south"])
    day = table[table["step"] == "1D"].set_index("series")
    np.testing.assert_allclose(day["total"], day["mean"] * 24)


def test_series_are_forecast_by_name_and_others_refused(
    course: ForecastCourse, panel: ForecastData, home: Home
) -> None:
    found = trained(course, panel, home)
    served = unpack(found.bundle.files, course.candidate.template, no_fallback)
    origin = panel.times[-1] + pd.Timedelta("30min")
    turned = replace(panel, target=panel.target[list(reversed(panel.series))])
    pd.testing.assert_frame_equal(
        forecast(served, turned, origin, course.reconciler, Applicability()).table,
        forecast(served, panel, origin, course.reconciler, Applicability()).table,
    )
    fewer = replace(panel, target=panel.target[list(panel.series[1:])])
    with pytest.raises(DataError, match=f"1 missing, the first {panel.series[0]}"):
        forecast(served, fewer, origin, course.reconciler, Applicability())


def test_a_bundle_of_another_layout_is_refused_in_words(
    course: ForecastCourse, panel: ForecastData, home: Home
) -> None:
    files = dict(trained(course, panel, home).bundle.files)
    files["preparation.json"] = b'{"bottom": 7}'
    with pytest.raises(IntegrityError, match="another layout than this release of loopcast reads"):
        unpack(files, LastWeek(), lambda name: LastWeek())


def settings_of(*overrides: str) -> tuple[RunSettings, PluginManager]:
    plugins = plugin_manager()
    return config.compose(overrides, plugins=plugins), plugins


def test_settings_name_a_course() -> None:
    course = course_of(*settings_of("reconciliation=forecasting.mint_variance", "seed=3"))
    assert [c.label for c in course.contenders] == ["gam_arima", "naive_day", "naive_week"]
    assert isinstance(course, ForecastCourse)
    assert course.reconciler.name == "forecasting.mint_variance"
    assert (course.seed, course.origin.package) == (3, "loopcast-forecasting")


def test_a_baseline_needs_a_label_of_its_own() -> None:
    naive = "+baselines.gam_arima={name: forecasting.seasonal_naive}"
    with pytest.raises(
        ConfigurationError, match=r"baselines\.gam_arima has the label of the templ"
    ):
        course_of(*settings_of(naive))


def test_another_task_than_forecast_is_refused() -> None:
    settings, plugins = settings_of()
    schema = ScoreSchema(
        key="id", target="bad", event=1, features={"income": Feature(kind="numeric")}
    )
    model = msgspec.structs.replace(settings.logical_model, schema=schema)
    data = msgspec.structs.replace(settings.data, table=ScoreTable())
    with pytest.raises(ConfigurationError, match="victoria_demand has the task score, and templ"):
        course_of(msgspec.structs.replace(settings, logical_model=model, data=data), plugins)


class Forgetful(LastWeek):
    """Template whose saved state is not the fitted one."""

    def load(self, files: object) -> LastWeekModel:
        return LastWeekModel(days=2)


def test_a_model_that_does_not_load_as_it_was_is_not_registered(
    schema: ForecastSchema, panel: ForecastData, home: Home
) -> None:
    with pytest.raises(IntegrityError, match="differs from the fitted one by up to"):
        trained(make_course(schema, Forgetful()), panel, home)
    assert home.catalog.count() == 0


@dataclass(frozen=True)
class Counting(LastWeekModel):
    """Model that answers otherwise each time, as one does that draws."""

    asked: list[int] = field(default_factory=list)

    def predict(self, known: ForecastData, horizon: pd.DatetimeIndex) -> Forecast:
        self.asked.append(len(horizon))
        return Forecast(mean=super().predict(known, horizon).mean + len(self.asked))


class Unsteady(LastWeek):
    """Template of such models, which count together how often they are asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def fit(
        self, family: Mapping[str, ForecastData], hyperparameters: Days, context: FitContext
    ) -> Iterator[tuple[str, Forecaster | LoopcastError]]:
        return fit_each(family, lambda data: self.load({}))

    def load(self, files: Files) -> Counting:
        return Counting(days=7, asked=self.asked)


def test_a_model_that_answers_otherwise_each_time_is_told_from_one_that_is_not_saved(
    schema: ForecastSchema, panel: ForecastData, home: Home
) -> None:
    with pytest.raises(IntegrityError, match="asked twice, the fitted model answers otherwise"):
        trained(make_course(schema, Unsteady()), panel, home)
    assert home.catalog.count() == 0


def test_the_recipe_depends_on_all_that_decides_the_result(
    course: ForecastCourse, panel: ForecastData, schema: ForecastSchema
) -> None:
    dataset = dataset_record("demo", panel, "memory")
    recipe = course.recipe(dataset)
    assert make_course(schema, LastWeek(), plan=PLAN, baselines=(BEATEN,)).recipe(dataset) == recipe
    plan = Plan(origins=13, calibration=10, every=1, refit_every=8)
    for changed in (
        make_course(schema, LastWeek(), seed=99),
        make_course(schema, LastWeek(), plan=plan),
        make_course(schema, LastWeek(), baselines=()),
        contender_of(course, 8),
    ):
        assert changed.recipe(dataset) != recipe
