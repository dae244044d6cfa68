from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from loopcast.api import (
    Files,
    Ranking,
    RankOutcome,
    RankQuery,
    RankSchema,
)
from loopcast.deploy.rank_bundle import Names
from loopcast.develop.engine import LocalEngine
from loopcast.develop.holdout import Holdout, Split
from loopcast.develop.rank.metrics import loopcast_metrics
from loopcast.develop.rank.prepare import prepare_rank
from loopcast.develop.rank.trial import answer, lay_out, split_interactions
from loopcast.iterate.rank import STEPS
from loopcast.iterate.tasks import Champion, Contest
from loopcast.settings import RankTable

from ..examples import sales

SCHEMA = RankSchema(entity="customer", item="product", time="sold", length=3)
[PRECISION] = [metric for metric in loopcast_metrics() if metric.name == "precision"]


class First:
    """Ranks the first items that it may, and remembers what it was asked."""

    asked: RankQuery

    def predict(self, query: RankQuery) -> Ranking:
        self.asked = query
        free = np.tile(query.allowed, (len(query.entities), 1))
        if query.excluded is not None:
            free &= query.excluded.toarray() == 0
        items = np.argsort(~free, axis=1, kind="stable")[:, : query.length].astype(np.int32)
        items[~np.take_along_axis(free, items, axis=1)] = -1
        return Ranking(items=items, scores=np.where(items >= 0, -items, np.nan).astype(np.float32))

    def save(self) -> Files:
        return {}


def judged_beside(split: Split[Any], entities: list[str], items: list[str]) -> tuple[First, Any]:
    """Judge a champion that knows some names in an order of its own."""
    model = First()
    own = lay_out(split, {"own": answer(First(), split, "acme.first")})
    contest = Contest(judged=own, evaluations=(), gates=(), own=SimpleNamespace(split=split))
    text = pa.large_string()
    names = Names(entities=pa.array(entities, text), items=pa.array(items, text))
    champion = Champion(name="champion", template="acme.first", files={}, model=model, names=names)
    course: Any = SimpleNamespace(deciding=PRECISION)
    known: Any = SimpleNamespace(dataset=SimpleNamespace(fingerprint="0" * 64))
    judged, evaluation = STEPS.judge(course, known, champion, contest, LocalEngine())
    assert [(m.name, m.subset) for m in evaluation.metrics] == [("precision", "")]
    assert evaluation.value("precision") is not None
    return model, judged.outcomes["champion"]


def last_first(split: Split[Any], name: str, items: list[str]) -> dict[str, float]:
    """Return the places from the end of what an entity chose of some items, by their names."""
    training = split.training
    own = training.item[training.entities[training.entity] == name]
    chosen = [item for item in training.items[own] if item in items]
    return {item: len(chosen) - place for place, item in enumerate(chosen)}


@pytest.mark.parametrize("known", ["the same", "others, in another order"])
def test_a_champion_is_asked_in_its_own_codes(known: str) -> None:
    table = sales(600, seed=1)
    late = table.tail(60).assign(customer="late")
    data = prepare_rank(pd.concat([table, late]), RankTable(), SCHEMA, "sales.csv").data
    split = split_interactions(data, Holdout(method="time", share=0.25, count=1), seed=0)
    training, choices = split.training, split.judged
    assert (choices.query.entities == -1).any()
    entities, items = training.entities.tolist(), training.items.tolist()
    if known != "the same":
        entities = ["late", *entities[:0:-1], "gone"]
        items = ["gone", *items[:1:-1], "lost", items[0]]
    model, outcome = judged_beside(split, entities, items)
    asked = model.asked
    named = [entities[code] if code >= 0 else None for code in asked.entities]
    assert named == [name if name in entities else None for name in choices.entities]
    assert asked.allowed.tolist() == [item in training.items for item in items]
    for row, name in enumerate(choices.entities):
        history = asked.history.toarray()[row]  # type: ignore[union-attr]
        found = {items[place]: history[place] for place in np.flatnonzero(history)}
        assert found == last_first(split, name, items)
    assert isinstance(outcome, RankOutcome)
    shown = model.predict(asked).items
    expected = [[items[code] if code >= 0 else None for code in own] for own in shown]
    told = [
        [training.items[code] if code >= 0 else None for code in own]
        for own in outcome.ranking.items
    ]
    assert told == expected
