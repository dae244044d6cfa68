"""A version as a .tflite file, ours or another converter's, taken where it agrees."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from loopcast.api import IntegrityError, ModelError, Portable, Scores
from loopcast.api import graph as g
from loopcast.api import recipe as r
from loopcast.api.formats import json_bytes
from loopcast.deploy.export.export import export
from loopcast.deploy.export.forms import Names
from loopcast.deploy.export.tflite import runtimes
from loopcast.deploy.export.tflite.score import score_features
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast.deploy.frames import frame_bytes
from loopcast.deploy.score_bundle import SCENARIO_FILE, input_bounds

from ....distributions import forget_fakes
from ....examples import install_examples

ROWS = pd.DataFrame(
    {"income": [1.0, 2.0, np.nan], "home": pd.Series(["rent", None, "own"], dtype="category")}
)
NAMES = Names(table="applicants", key="id")
RECIPE = r.Recipe(
    step_seconds=1,
    measurements=(r.Measurement(name="income"), r.Measurement(name="home", kind="category")),
    steps=(
        r.Number(name="income", of="income", missing=0.0),
        r.Category(name="home", of="home", known=("own",)),
    ),
    features=("income", "home"),
)


@dataclass
class Opaque:
    """A scorer without a graph."""

    def predict(self, rows: pd.DataFrame) -> Scores:
        x = np.clip(np.nan_to_num(rows["income"].to_numpy(np.float64)), -2.0, 2.0)
        own = (rows["home"] == "own").to_numpy(np.float64)
        return Scores(probability=expit(x + own))


@dataclass
class Model(Opaque):
    """The same with a graph, which may be wrong."""

    wrong: float = 0.0

    def to_graph(self) -> Portable:
        graph = g.Graph(features=("income", "home"), output=self.output(), outputs=("probability",))
        return Portable(graph=graph, recipe=RECIPE)

    def output(self) -> g.Block:
        home = g.Term("home", (g.Levels(1, 3),), np.array([[1.0], [0.0], [0.0]]))
        income = g.Clipped(g.Columns(g.Features(), (0,)), -2.0, 2.0)
        return g.Logistic(g.Sum((income, g.Additive((home,), np.array([self.wrong])))))


@dataclass
class Loaded:
    """What an export needs of a loaded version."""

    model: Any
    task: str = "score"
    version: Any = field(
        default_factory=lambda: SimpleNamespace(id="0123456789abcdef", template="example.model")
    )

    @property
    def logical_model(self) -> Any:
        return SimpleNamespace(name="credit", task=self.task)

    @property
    def bundle(self) -> Any:
        schema = json_bytes({"schema": {}, "bounds": input_bounds(ROWS)})
        scenario = frame_bytes(ROWS, {"expected": np.ones(3)})
        return SimpleNamespace(files={SCENARIO_FILE: scenario, "schema.json": schema})

    @property
    def bounds(self) -> Any:
        return input_bounds(ROWS)


def exported(model: Any, ready: bytes | None = None, tolerance: float | None = None) -> Any:
    loaded: Any = Loaded(model)
    return export(loaded, "tflite", NAMES, tolerance, ready=ready)


def test_a_file_that_agrees_is_returned_with_what_it_was_compared_by() -> None:
    done = exported(Model())
    assert done.rows > len(ROWS)
    assert done.worst["LiteRT"] < 1e-6
    assert done.content[4:8] == b"TFL3"


def test_the_scorer_of_the_documentation_runs_on_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    with forget_fakes():
        install_examples(tmp_path)
        page = importlib.import_module("fake_loopcast_example")
    one = np.ones(1)
    model = page.PortableLogistic(("income",), 1.5 * one, 0.5 * one, np.array([-1.0, 2.0]))
    assert exported(model).worst["LiteRT"] < 1e-6


def test_a_file_that_differs_is_refused_with_the_difference() -> None:
    with pytest.raises(IntegrityError, match=r"tflite, run by LiteRT, differs .* by up to 0\.000"):
        exported(Model(wrong=1e-3))
    assert exported(Model(wrong=1e-3), tolerance=1e-2).worst["LiteRT"] > 1e-4


def test_a_ready_file_is_taken_by_the_same_comparison() -> None:
    """That of another converter, of a template without a graph: features as the schema has them."""
    home = g.Term("home", (g.Levels(1, 4),), np.array([[1.0], [0.0], [0.0], [0.0]]))
    income = g.Term("income", (g.Intervals(0, (), slopes=True),), np.array([[0.0], [0.0], [1.0]]))
    known = g.Additive((income,), np.zeros(1))
    output = g.Logistic(g.Sum((g.Clipped(known, -2.0, 2.0), g.Additive((home,), np.zeros(1)))))
    graph = g.Graph(features=("income", "home"), output=output, outputs=("probability",))
    ready = write_tflite(graph).content
    assert exported(Opaque(), ready).content == ready
    with pytest.raises(ModelError, match="give a file that another converter has made, from incom"):
        exported(Opaque())
    with pytest.raises(IntegrityError, match=r"inputs of .3,. columns, and .* makes .2,"):
        exported(Opaque(), write_tflite(_of_three()).content)
    with pytest.raises(ModelError, match="LiteRT refuses the file"):
        exported(Opaque(), b"no model at all")


def _of_three() -> g.Graph:
    return g.Graph(features=("a", "b", "c"), output=g.Features(), outputs=("a", "b", "c"))


def test_other_tasks_and_a_machine_without_a_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: Any = Loaded(Model(), "cluster")
    with pytest.raises(ModelError, match="credit is of the task cluster"):
        export(loaded, "tflite", NAMES)
    monkeypatch.setattr(runtimes, "RUNTIMES", {"none": "no_such_runtime.interpreter"})
    with pytest.raises(Exception, match=r"LiteRT, which is not installed.*loopcast\[edge\]"):
        exported(Model())


def test_rows_become_features_as_the_recipe_says() -> None:
    rows = ROWS.assign(home=pd.Series(["own", "tent", None], dtype="category"))
    found = score_features(RECIPE, rows)
    assert found.tolist() == [[1.0, 0.0], [2.0, 1.0], [0.0, 2.0]]
    steps = (*RECIPE.steps, r.Calendar(name="hour", of="hour"))
    strange = r.Recipe(
        step_seconds=1, measurements=RECIPE.measurements, steps=steps, features=("hour",)
    )
    with pytest.raises(ModelError, match="step hour of the recipe of a score"):
        score_features(strange, rows)
