"""Scores of items by a file, in LiteRT, are those of the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loopcast.api import ModelError, RankQuery, Template
from loopcast.deploy.export.tflite.runtimes import sessions
from loopcast.deploy.export.tflite.write import write_tflite
from loopcast.testing import fit_context
from loopcast_recommender.history.model import HistoryModel
from loopcast_recommender.templates.als import Als
from loopcast_recommender.templates.ease import Ease
from loopcast_recommender.templates.item_knn import ItemKnn

from ..samples import noise, tastes


def fitted(template: Template[Any, Any], data: Any, **options: Any) -> HistoryModel:
    context = fit_context()
    [(_, model)] = template.fit({"": data}, template.hyperparameters(**options), context)
    assert isinstance(model, HistoryModel)
    return model


def all_scores(model: HistoryModel, query: RankQuery) -> Any:
    """The score of each item, laid out by item."""
    found = model.predict(query)
    scores = np.empty(found.scores.shape)
    np.put_along_axis(scores, found.items.astype(np.intp), found.scores.astype(np.float64), axis=1)
    return scores


def query_of(items: int, entities: int) -> RankQuery:
    asked = np.array([*range(entities), -1], np.int32)
    return RankQuery(entities=asked, length=items, allowed=np.ones(items, bool))


@pytest.mark.parametrize(
    ("template", "options"),
    [
        (Ease(), {"ridges": (30.0,)}),
        (ItemKnn(), {}),
        (Als(), {"factors": (8,), "penalties": (3.0,)}),
    ],
    ids=["ease", "knn", "als"],
)
@pytest.mark.parametrize("entities", [120, 30])
def test_scores_are_those_of_the_model(template: Any, options: Any, entities: int) -> None:
    """With fewer entities than items, EASE goes by entities; the last one asked has no history."""
    data = tastes(1, entities=entities, rows=25 * entities)
    model = fitted(template, data, half_lives=(None,), **options)
    query = query_of(len(data.items), entities)
    portable = model.to_graph(tuple(data.items))
    assert portable.recipe.columns == portable.graph.features
    [session] = sessions(write_tflite(portable.graph).content)
    found, _ = session.run(model.device_call(query).features.astype(np.float32))
    expected = all_scores(model, query)
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-6 * np.abs(expected).max())


def test_where_popularity_was_not_worse_it_ranks_for_everyone() -> None:
    data = noise(5)
    model = fitted(Ease(), data, half_lives=(None,))
    assert model.scorer is None
    [session] = sessions(write_tflite(model.to_graph(tuple(data.items)).graph).content)
    query = query_of(len(data.items), 20)
    found, _ = session.run(model.device_call(query).features.astype(np.float32))
    np.testing.assert_allclose(found, np.tile(model.share, (21, 1)), rtol=1e-6)


def test_what_depends_on_the_order_of_choices_is_refused() -> None:
    model = fitted(Ease(), tastes(1), half_lives=(4.0,), ridges=(30.0,))
    assert model.tuning.half_life == 4.0
    with pytest.raises(ModelError, match="lose half their weight in 4 later ones"):
        model.to_graph([])
