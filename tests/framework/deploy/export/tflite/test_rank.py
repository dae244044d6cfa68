"""A ranking as a .tflite file: lists of what was not chosen, compared where none is close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loopcast.api import (
    DeviceBudget,
    DeviceCall,
    Files,
    IntegrityError,
    ModelError,
    Portable,
    Ranking,
    RankQuery,
    RankSchema,
)
from loopcast.api import graph as g
from loopcast.api import recipe as r
from loopcast.api.formats import npz_bytes
from loopcast.deploy.compress.search import search
from loopcast.deploy.export.tflite.export import checked_file, exportable
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast.deploy.export.tflite.write import write_tflite

ITEMS = ("tea", "pot", "cup", "tin")
CHOSEN = np.array([[1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1], [0, 1, 0, 0]], np.float64)
WEIGHTS = np.random.default_rng(2).normal(0, 1, (4, 4))


@dataclass
class Model:
    """Scores by what was chosen."""

    weights: NDArray[np.float64]

    def predict(self, query: RankQuery) -> Ranking:
        scores = CHOSEN[query.entities] @ self.weights
        if query.excluded is not None:
            scores[query.excluded.nonzero()] = -np.inf
        items = np.argsort(-scores, axis=1, kind="stable")[:, : query.length]
        best = np.take_along_axis(scores, items, axis=1)
        return Ranking(
            items=np.where(np.isinf(best), -1, items).astype(np.int32),
            scores=np.where(np.isinf(best), np.nan, best).astype(np.float32),
        )

    def save(self) -> Files:
        return {}

    def to_graph(self, items: Sequence[str]) -> Portable:
        recipe = r.Recipe(
            step_seconds=1,
            measurements=(r.Measurement(name="chosen", kind="items"),),
            steps=(r.Chosen(name="chosen", of="chosen", known=tuple(items)),),
            features=("chosen",),
        )
        scores = g.Linear(g.Features(), self.weights.T, np.zeros(4))
        graph = g.Graph(features=recipe.columns, output=scores, outputs=tuple(items))
        return Portable(graph=graph, recipe=recipe)

    def device_call(self, query: RankQuery) -> DeviceCall:
        return DeviceCall(features=CHOSEN[query.entities])


def loaded(model: Any, *, repeat: bool = False) -> Any:
    rows, columns = CHOSEN.nonzero()
    nothing = np.zeros((4, 2), np.int32)
    arrays: dict[str, Any] = {"entities": np.arange(4, dtype=np.int32), "items": nothing}
    arrays |= {"scores": nothing.astype(np.float32)}
    if not repeat:
        arrays |= {"excluded_row": rows, "excluded_item": columns}
    names = {"entities": np.array(["a", "b", "c", "d"]), "items": np.array(ITEMS)}
    files = {"scenarios/query.npz": npz_bytes(arrays), "names.npz": npz_bytes(names)}
    return SimpleNamespace(
        model=model,
        version=SimpleNamespace(id="0123456789abcdef", template="example.model"),
        logical_model=SimpleNamespace(name="shop", task="rank"),
        bundle=SimpleNamespace(files=files),
        schema=RankSchema(entity="who", item="what", time="when", length=2, repeat=repeat),
    )


@pytest.mark.parametrize("repeat", [False, True])
def test_lists_are_those_of_the_model(repeat: bool) -> None:
    content, rows, worst = checked_file(loaded(Model(WEIGHTS), repeat=repeat), None, 1e-6)
    assert rows == 4
    assert worst["LiteRT"] < 1e-6
    [session] = sessions(content)
    found, _ = session.run(CHOSEN.astype(np.float32))
    assert found.shape == (4, 4)
    if not repeat:
        assert found[1].tolist() == [3.0, -1.0, pytest.approx(WEIGHTS[:3, 3].sum()), 0.0]
        assert found[2].tolist() == [-1.0, -1.0, 0.0, 0.0]


def test_lists_in_doubt_are_left_out() -> None:
    """Two items have the same score, whatever was chosen: who may have either is not asked."""
    equal = WEIGHTS.copy()
    equal[:, 1] = equal[:, 2]
    assert len(exportable(loaded(Model(equal))).vectors.features) == 3
    with pytest.raises(ModelError, match="no list of its test scenario has scores that are apart"):
        exportable(loaded(Model(np.ones((4, 4))), repeat=True))


def test_a_smaller_file_is_judged_by_its_scores() -> None:
    """Rounding exchanges items whose scores are near, which a list hardly minds."""
    weights = np.random.default_rng(3).normal(0, 1, (4, 4))
    weights[:, 1] = weights[:, 2] + 2e-3
    found = exportable(loaded(Model(weights), repeat=True))
    assert found.graph is not None
    assert found.vectors.codes == 2
    done = search(found.graph, found.vectors, DeviceBudget(error=0.05))
    kept = {one.choice.precision for one in done.candidates if one.error <= 0.05}
    assert kept == {"float16", "int8", "float32"}
    wrong = g.Sum((found.graph.output, g.Constant((1.0, 0.0, 0.0, 0.0))))
    other = write_tflite(replace(found.graph, output=wrong)).content
    assert checked_file(loaded(Model(weights), repeat=True), other, 0.05)[2]["LiteRT"] < 1e-6
    with pytest.raises(IntegrityError, match="differs from the model"):
        checked_file(loaded(Model(weights), repeat=True), other, 1e-5)


def test_what_has_no_graph_or_series_says_so() -> None:
    with pytest.raises(ModelError, match=r"example\.model has no export to tflite"):
        exportable(loaded(object()))
    with pytest.raises(ModelError, match="of the task rank, which has no series 'a'"):
        exportable(loaded(Model(WEIGHTS)), "a")


@pytest.mark.parametrize("what", ["to_graph", "predict", "device_call"])
def test_what_a_template_raises_names_it(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(Model, what, lambda *_: int("knots"))
    with pytest.raises(ModelError, match=rf"example\.model: {what} raised ValueError: .*knots"):
        exportable(loaded(Model(WEIGHTS)))


def test_a_recipe_has_to_know_the_items_of_its_lists() -> None:
    class Backwards(Model):
        def to_graph(self, items: Sequence[str]) -> Portable:
            return super().to_graph(items[::-1])

    assert exportable(loaded(Model(WEIGHTS))).items == "chosen"
    with pytest.raises(ModelError, match="no step of its recipe knows all items in their order"):
        exportable(loaded(Backwards(WEIGHTS)))
