"""Where a template that tunes itself is not better than popularity, popularity is served."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from loopcast.api import (
    Dataset,
    Files,
    FitContext,
    IntegrityError,
    Kpi,
    LogicalModel,
    PluginOrigin,
    RankData,
    Ranking,
    RankOutcome,
    RankQuery,
    RiskAnswers,
)
from loopcast.deploy.rank_bundle import pack, read_scenario
from loopcast.develop.contest import Contested, Trained, Trial, contest_family, fit_family
from loopcast.develop.course import Contender, Course
from loopcast.develop.engine import LocalEngine
from loopcast.develop.holdout import Holdout
from loopcast.develop.known import Known
from loopcast.develop.rank.metrics import loopcast_metrics
from loopcast.develop.rank.prepare import fingerprint
from loopcast.develop.rank.trial import answer, lay_out, split_interactions
from loopcast_recommender.ease.hyperparameters import EaseParameters
from loopcast_recommender.history.model import HistoryModel
from loopcast_recommender.popularity import fit_popularity
from loopcast_recommender.templates.ease import Ease
from loopcast_recommender.templates.popularity import Popularity

from ..samples import SCHEMA, noise, query, rank_data, tastes

TRIAL = Trial(split=split_interactions, answer=answer, lay_out=lay_out)
CONTEXT = FitContext(seed=1, engine=LocalEngine())


def contender(label: str, template: Any) -> Contender:
    return Contender(label=label, template=template, hyperparameters=template.hyperparameters())


COURSE = Course(
    logical_model=LogicalModel(
        name="shops",
        title="Suggestions",
        purpose="What each customer may like next.",
        owner="shops",
        risk=RiskAnswers(
            audience="internal",
            impact="minor",
            lifetime="weeks",
            reversibility="reversible",
            personal_data="none",
        ),
        kpi=Kpi(metric="ndcg", direction="higher"),
        schema=SCHEMA,
    ),
    candidate=contender("candidate", Ease()),
    baselines=(contender("popularity", Popularity()),),
    origin=PluginOrigin(plugin="recommender", package="loopcast-recommender", package_version="0"),
    metrics=loopcast_metrics(),
    plan=Holdout(method="time", share=0.25, count=1),
    seed=1,
)


def trained(data: RankData) -> Trained:
    record = Dataset(name="sales", fingerprint=fingerprint(data), origin="test", rows=1)
    known = Known(data=data, training=data, dataset=record)
    [(_, contest)] = contest_family(COURSE, {"": known}, TRIAL, CONTEXT, lambda _: None)
    assert isinstance(contest, Contested)
    [(_, found)] = fit_family(COURSE, {"": contest}, TRIAL, CONTEXT, lambda _: None)
    assert isinstance(found, Trained)
    return found


def tastes_that_pass(seed: int) -> RankData:
    """Tastes for three quarters of the time, then everyone wants what is popular alike."""
    before, after = tastes(seed, rows=3_000), np.random.default_rng(seed)
    who, what = after.integers(0, 120, 1_000), after.integers(0, 60, 1_000)
    popular = np.bincount(before.item).argsort()[::-1][:8]
    what = popular[what % 8]
    return rank_data(np.append(before.entity, who), np.append(before.item, what))


@pytest.mark.parametrize(("make", "foreseen"), [(noise, True), (tastes_that_pass, False)])
def test_what_is_not_better_than_popularity_is_served_popularity(make: Any, foreseen: bool) -> None:
    data = make(seed=1)
    part = split_interactions(data, COURSE.plan, COURSE.seed).training
    [(_, model)] = Ease().fit({"": part}, EaseParameters(), CONTEXT)
    assert isinstance(model, HistoryModel)
    assert (model.tuning.option is None) == foreseen  # by the inner validation
    assert (Ease().give_way(model) is model) == foreseen
    found = trained(data)
    own, popularity = (evaluation.value("ndcg") for evaluation in found.contest.evaluations)
    assert own == popularity
    [gate] = found.contest.gates
    assert (gate.gate, gate.passed) == ("beats_popularity", True)
    assert gate.expectation == "ndcg as popularity has it"
    first, second = found.contest.judged.outcomes.values()
    assert isinstance(first, RankOutcome)
    assert isinstance(second, RankOutcome)
    assert np.array_equal(first.ranking.items, second.ranking.items)
    asked = query(data)
    assert np.array_equal(
        found.model.predict(asked).items, fit_popularity(data).predict(asked).items
    )


def test_what_is_better_stays_as_it_is() -> None:
    found = trained(tastes(seed=1))
    own, popularity = (evaluation.value("ndcg") for evaluation in found.contest.evaluations)
    assert own is not None
    assert popularity is not None
    assert own > 1.2 * popularity
    assert found.contest.gates[0].expectation.startswith("ndcg higher than popularity's")
    assert [len(evaluation.metrics) for evaluation in found.contest.evaluations] == [1, 1]
    assert [evaluation.value("ndcg") for evaluation in found.evaluations] == [own, popularity]
    assert all(evaluation.value("novelty", "entity=known") for evaluation in found.evaluations)
    assert found.model.tuning.option is not None


def test_the_test_scenario_in_memory_is_that_of_the_bundle() -> None:
    data = tastes(seed=1)
    packed = pack(trained(data), COURSE.candidate, data)
    query, answer = read_scenario(packed.files)
    asked, again = packed.scenario.inputs, packed.scenario.again
    assert isinstance(asked, RankQuery)
    assert isinstance(again, Ranking)
    assert asked.excluded is not None
    assert query.excluded is not None
    assert np.array_equal(asked.entities, query.entities)
    assert np.array_equal(asked.allowed, query.allowed)
    assert asked.length == query.length
    assert np.array_equal(asked.excluded.toarray(), query.excluded.toarray())
    for found in (again, packed.scenario.answer, packed.model.predict(query)):
        assert isinstance(found, Ranking)
        assert np.array_equal(found.items, answer.items)
        assert np.array_equal(found.scores, answer.scores, equal_nan=True)


def test_a_model_that_its_files_do_not_give_back_is_not_packed() -> None:
    class Forgetful(Ease):
        def load(self, files: Files) -> HistoryModel:
            model = super().load(files)
            assert isinstance(model, HistoryModel)
            return replace(model, scorer=None)

    data = tastes(seed=1)
    with pytest.raises(IntegrityError, match="ranks otherwise than the fitted one in"):
        pack(trained(data), contender("candidate", Forgetful()), data)
