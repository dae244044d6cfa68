"""What a forecast version holds: its files, packed from training and unpacked to serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd

from loopcast.api import (
    Files,
    ForecastData,
    IntegrityError,
    Record,
    Template,
)
from loopcast.api.formats import json_bytes, npz_bytes, read_json, read_npz
from loopcast.deploy.forecast_scenario import scenario_bytes, scenario_data
from loopcast.deploy.limits import Limits, files_below, limits_files, read_limits
from loopcast.deploy.loaded import not_given_back
from loopcast.develop.forecast.beyond import site_domains
from loopcast.develop.forecast.course import ForecastCourse
from loopcast.develop.forecast.covered import Covered, predict_one
from loopcast.develop.forecast.hierarchy import Hierarchy
from loopcast.develop.forecast.horizon import horizon_end
from loopcast.develop.forecast.intervals import Intervals
from loopcast.develop.forecast.train import Preparation, Trained
from loopcast.plugins import calling

if TYPE_CHECKING:
    from numpy.typing import NDArray

FALLBACK_FILE = "fallback.json"


class _PreparationFile(Record, frozen=True):
    """The preparation as it is written to ``preparation.json``.

    Aggregates are pairs, since their order is that of the columns of errors and intervals.
    """

    bottom: tuple[str, ...]
    members: tuple[tuple[str, tuple[str, ...]], ...]
    steps: tuple[str, ...]
    horizon: str
    over_time: str
    weights: dict[str, dict[str, float]]
    nonnegative: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastVersion:
    """A version ready to serve.

    Attributes
    ----------
    preparation
        From a panel to the panels of every level.
    models
        Fitted model by step, with the fallback of the series that it lacks.
    errors : ndarray, shape (origins, slot nodes), float32
        Backtest errors by which nodes are weighed in reconciliation.
    intervals
        Calibrated spread by step.
    limits
        The domain of its covariates, and who forecasts beyond it.
    bounds
        Smallest and largest actual in training by series.
    """

    preparation: Preparation
    models: Mapping[str, Covered]
    errors: NDArray[np.float32]
    intervals: Mapping[str, Intervals]
    limits: Limits
    bounds: Mapping[str, Sequence[float]]


def pack(trained: Trained, course: ForecastCourse, data: ForecastData) -> dict[str, bytes]:
    """Return the files of a version, having seen that they give the same forecasts back.

    Parameters
    ----------
    data
        The training data.

    Raises
    ------
    IntegrityError
        Where the loaded model forecasts something else than the fitted one.
    """
    contest = trained.contest
    preparation = contest.preparation
    hierarchy = preparation.hierarchy
    files = {
        "errors.npz": npz_bytes({"errors": contest.errors}),
        "preparation.json": json_bytes(
            msgspec.to_builtins(
                _PreparationFile(
                    bottom=hierarchy.bottom,
                    members=tuple(hierarchy.members.items()),
                    steps=hierarchy.steps,
                    horizon=hierarchy.horizon,
                    over_time=hierarchy.over_time,
                    weights={name: dict(w) for name, w in preparation.weights.items()},
                    nonnegative=preparation.nonnegative,
                )
            )
        ),
        "schema.json": json_bytes(
            {"schema": msgspec.to_builtins(course.schema), "bounds": input_bounds(data)}
        ),
        "evaluation.json": json_bytes(msgspec.to_builtins(contest.evaluations)),
        **limits_files(
            Limits(domains=site_domains(data), stand_ins=trained.stand_ins), course.stand_in
        ),
    }
    for step, intervals in contest.intervals.items():
        arrays = {"scale": intervals.scale, "quantiles": intervals.quantiles}
        files[f"intervals/{step}.npz"] = npz_bytes(arrays)
    for step, level in preparation.levels(data).items():
        files |= _model_files(step, trained.models[step], course, level)
    if course.fallback is not None:
        files[FALLBACK_FILE] = json_bytes(course.fallback.template.name)
    return files


def _model_files(
    step: str, model: Covered, course: ForecastCourse, level: ForecastData
) -> dict[str, bytes]:
    saved, template = _saved(step, model), course.candidate.template
    fallback = course.fallback.template if course.fallback else None
    loaded = _loaded(step, saved, template, fallback)
    scenario, origin = scenario_data(level)
    _, expected = predict_one(model, scenario, origin)
    _, again = predict_one(loaded, scenario, origin)
    if not np.array_equal(expected, again):
        worst = float(np.max(np.abs(expected - again)))
        steady = np.array_equal(expected, predict_one(model, scenario, origin)[1])
        how = f"differs from the fitted one by up to {worst:g} at step {step}"
        raise not_given_back(template.name, how, steady=steady)
    return saved | {f"scenarios/{step}.npz": scenario_bytes(scenario, origin, expected)}


def _saved(step: str, model: Covered) -> dict[str, bytes]:
    with calling(model.template, "save"):
        files = {f"model/{step}/{name}": content for name, content in model.model.save().items()}
    stand_in = model.stand_in.save() if model.stand_in else {}
    return files | {f"fallback/{step}/{name}": content for name, content in stand_in.items()}


def _loaded(
    step: str, files: Files, template: Template[Any, Any], fallback: Template[Any, Any] | None
) -> Covered:
    stand_in = files_below(f"fallback/{step}/", files)
    with calling(template.name, "load"):
        model = template.load(files_below(f"model/{step}/", files))
    return Covered(
        template=template.name,
        model=model,
        stand_in=fallback.load(stand_in) if fallback and stand_in else None,
    )


def input_bounds(data: ForecastData) -> dict[str, dict[str, list[float]]]:
    """Return the smallest and largest value of each input in training, by column.

    A series without any value has none.
    """
    frames = {"target": data.target, **data.covariates}
    return {
        name: {
            str(column): [float(low), float(high)]
            for column, low, high in zip(frame.columns, frame.min(), frame.max(), strict=True)
            if low <= high
        }
        for name, frame in frames.items()
    }


def unpack(
    files: Files, template: Template[Any, Any], find: Callable[[str], Template[Any, Any]]
) -> ForecastVersion:
    """Rebuild a version from the files of its bundle.

    Parameters
    ----------
    find
        Returns the template of a name, for the version's fallback.

    Raises
    ------
    IntegrityError
        Where the files are laid out as another release of loopcast does it.
    """
    try:
        stored = msgspec.convert(read_json(files["preparation.json"]), _PreparationFile)
    except msgspec.ValidationError as error:
        raise IntegrityError(
            f"preparation.json of the bundle has another layout than this release of loopcast "
            f"reads ({error}); train the version again"
        ) from None
    fallback = find(read_json(files[FALLBACK_FILE])) if FALLBACK_FILE in files else None
    models = {step: _loaded(step, files, template, fallback) for step in stored.steps}
    return ForecastVersion(
        preparation=Preparation(
            hierarchy=Hierarchy(
                bottom=stored.bottom,
                members=dict(stored.members),
                steps=stored.steps,
                horizon=stored.horizon,
                over_time=stored.over_time,
            ),
            weights=stored.weights,
            nonnegative=stored.nonnegative,
        ),
        models=models,
        errors=read_npz(files["errors.npz"])["errors"],
        intervals={
            step: Intervals(**read_npz(files[f"intervals/{step}.npz"])) for step in stored.steps
        },
        limits=read_limits(files, find),
        bounds=read_json(files["schema.json"])["bounds"]["target"],
    )


def known_until(data: ForecastData, origin: pd.Timestamp) -> ForecastData:
    """Return what is known at an origin, with covariates through the horizon."""
    return data.until(origin, horizon_end(origin, data.horizon))
