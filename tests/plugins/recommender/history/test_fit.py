from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loopcast.api import DataError, RankData, last_places
from loopcast_recommender.ease.hyperparameters import EaseParameters
from loopcast_recommender.ease.method import EASE, Ridge
from loopcast_recommender.history.fit import fit_tuned, popular, refit
from loopcast_recommender.history.inner import clearly_better, hold_out
from loopcast_recommender.history.model import (
    HistoryModel,
    Tuning,
    load_model,
    make_model,
    scores,
)
from loopcast_recommender.interactions import choices
from loopcast_recommender.popularity import fit_popularity

from ..samples import fashions, noise, query, rank_data, tastes

DEFAULT = EaseParameters()
ALWAYS = EaseParameters(search_every=1)
UNKNOWN = Tuning(option=Ridge(7.0), half_life=None)
"""What nobody could choose today."""


def fitted(
    data: RankData,
    p: EaseParameters = DEFAULT,
    champion: HistoryModel | None = None,
    tried: np.datetime64 | None = None,
) -> HistoryModel:
    options = [Ridge(ridge) for ridge in p.ridges]
    return fit_tuned(data, EASE, options, p, seed=0, champion=champion, tried=tried)


def with_ridge(data: RankData, ridge: float) -> HistoryModel:
    tuning = Tuning(option=Ridge(ridge), half_life=None)
    return make_model(choices(data), tuning, EASE)


def quality(data: RankData, model: HistoryModel) -> NDArray[np.float64]:
    """Return the nDCG on what is held out of data, with the options of a model."""
    inner = hold_out(data, DEFAULT.inner, DEFAULT.count, seed=0)
    assert inner is not None
    part = make_model(inner.training, model.tuning, EASE)
    histories = inner.histories(model.tuning.half_life)
    return inner.quality(histories, lambda rows: scores(rows, part.scorer, part.share))


def test_entities_of_a_taste_get_items_of_their_taste() -> None:
    data = tastes(seed=1, rows=1_200)
    model = fitted(data)
    assert model.tuning.option is not None
    found = model.predict(query(data, excluded=model.choices))
    taste = np.array([int(name[1:]) % 4 for name in data.entities])
    shown = np.array([int(name[1:]) % 4 for name in data.items])[found.items[:-1]]
    assert (shown == taste[:, None]).mean() > 0.9


def test_what_was_chosen_lately_counts_more_where_fashions_change() -> None:
    assert fitted(fashions(seed=1)).tuning.half_life is not None
    steady = EaseParameters(inner="random")
    assert fitted(tastes(seed=1), steady).tuning.half_life in (None, 30.0)


def test_where_nothing_beats_popularity_popularity_is_what_is_served() -> None:
    data = noise(seed=1)
    model = fitted(data)
    assert model.tuning.option is None
    asked = query(data)
    assert np.array_equal(model.predict(asked).items, fit_popularity(data).predict(asked).items)


@pytest.mark.parametrize("make", [tastes, fashions, noise])
def test_a_model_is_rebuilt_from_its_files(make: Any) -> None:
    data: RankData = make(seed=2)
    model = fitted(data)
    again = load_model(model.save(), EASE)
    asked = query(data)
    assert np.array_equal(model.predict(asked).scores, again.predict(asked).scores)


def test_a_history_of_today_replaces_that_of_the_training() -> None:
    data = tastes(seed=1)
    model = fitted(data)
    shape = (len(data.entities), len(data.items))
    same = query(data, entities=np.arange(shape[0], dtype=np.int32))
    known = query(
        data, entities=np.full(shape[0], -1), history=last_places(data.entity, data.item, shape)
    )
    assert np.array_equal(model.predict(same).items, model.predict(known).items)


def test_who_was_never_seen_gets_what_is_popular() -> None:
    data = tastes(seed=1)
    found = fitted(data).predict(query(data))
    popular = fit_popularity(data).predict(query(data))
    assert found.items[-1].tolist() == popular.items[-1].tolist()


def test_small_segments_are_fitted_or_refused_in_words() -> None:
    with pytest.raises(DataError, match="no interactions to learn from"):
        fitted(rank_data(np.array([]), np.array([])))
    single = rank_data(np.arange(5), np.zeros(5))
    model = fitted(single)
    assert model.tuning.option == Ridge(100.0)
    assert model.predict(query(single)).items[:, 0].tolist() == [0] * 6


def test_there_must_be_something_to_choose_from() -> None:
    with pytest.raises(ValueError, match="ridges needs at least one value"):
        EaseParameters(ridges=())


def test_a_model_is_fitted_to_more_data_with_what_was_chosen_before() -> None:
    part, whole = tastes(seed=1, rows=1_000), tastes(seed=1, rows=2_000)
    model = fitted(part)
    again = refit(model, whole, EASE)
    assert again.tuning == model.tuning
    assert again.choices.shape == (len(whole.entities), len(whole.items))


def test_a_champion_is_left_for_what_is_clearly_better_and_for_nothing_else() -> None:
    data = tastes(seed=1, rows=1_200)
    own, lead = fitted(data).tuning, []
    for ridge in DEFAULT.ridges:
        champion = with_ridge(data, ridge)
        found = fitted(data, ALWAYS, champion)
        lead.append(clearly_better(quality(data, found), quality(data, champion)))
        assert (found.tuning == champion.tuning) == (not lead[-1])
        assert found.save() == with_options(data, found.tuning).save()
    assert sum(lead) in range(1, len(lead) - 1)  # some stay that would not be chosen anew
    assert fitted(data, ALWAYS, with_options(data, own)).tuning == own


def test_half_lives_are_climbed_from_that_of_the_champion() -> None:
    data = fashions(seed=1)
    best = fitted(data).tuning
    for half_life in DEFAULT.half_lives:
        champion = with_options(data, replace(best, half_life=half_life))
        found = fitted(data, ALWAYS, champion).tuning
        lists = [quality(data, with_options(data, tuning)) for tuning in (best, found)]
        assert not clearly_better(*lists)


def test_beside_a_champion_no_half_life_is_tried_behind_a_worse_one() -> None:
    data = fashions(seed=1)
    best = fitted(data).tuning
    p = EaseParameters(search_every=1, half_lives=(1e-2, 1e6, best.half_life))
    assert fitted(data, p).tuning.half_life == best.half_life
    short = with_options(data, replace(best, half_life=1e-2))
    assert clearly_better(*(quality(data, model) for model in (fitted(data, p), short)))
    assert fitted(data, p, short).tuning.half_life == 1e-2


def test_one_training_in_three_that_follows_a_champion_looks_for_other_options() -> None:
    champion = with_ridge(fashions(seed=1), 1000.0)
    nights = [fashions(seed=1, rows=rows) for rows in range(6_000, 6_090)]
    looked = [fitted(data, champion=champion).tuning != champion.tuning for data in nights]
    assert 20 <= sum(looked) <= 40
    again = [fitted(data, champion=champion).tuning != champion.tuning for data in nights]
    assert again == looked
    assert all(fitted(data, ALWAYS, champion).tuning != champion.tuning for data in nights[:9])


def test_each_training_looks_that_has_a_tenth_more_to_learn() -> None:
    champion = with_ridge(fashions(seed=1, rows=2_000), 1000.0)
    nights = [fashions(seed=1, rows=rows) for rows in range(2_600, 2_609)]
    assert all(fitted(data, champion=champion).tuning != champion.tuning for data in nights)


def test_what_was_learned_from_at_the_last_try_is_no_more_to_learn() -> None:
    champion = with_ridge(fashions(seed=1, rows=2_000), 1000.0)
    nights = [fashions(seed=1, rows=rows) for rows in range(2_600, 2_690)]

    def looked(known: float) -> int:
        """Count trainings that look, of which the last one knew a share of the data."""
        tried = [data.time[int(known * len(data.time)) - 1] for data in nights]
        pairs = zip(nights, tried, strict=True)
        found = [fitted(data, champion=champion, tried=at).tuning for data, at in pairs]
        return sum(tuning != champion.tuning for tuning in found)

    assert looked(0.8) == len(nights)
    assert 20 <= looked(0.99) <= 40


def with_options(data: RankData, tuning: Tuning) -> HistoryModel:
    """Fit as one that has nothing else to choose from."""
    p = EaseParameters(ridges=(tuning.option.ridge,), half_lives=(tuning.half_life,))
    return fitted(data, p)


@pytest.mark.parametrize("champion", [popular, lambda model: replace(model, tuning=UNKNOWN)])
def test_where_a_champion_says_nothing_the_search_begins_anew(champion: Any) -> None:
    data = tastes(seed=1)
    model = fitted(data)
    found = fitted(data, champion=champion(model))
    assert found.tuning == model.tuning
    assert found.save() == model.save()


def test_where_nothing_can_be_held_out_the_options_of_the_champion_stay() -> None:
    single = rank_data(np.arange(5), np.zeros(5))
    assert fitted(single, champion=with_ridge(single, 30.0)).tuning.option == Ridge(30.0)
