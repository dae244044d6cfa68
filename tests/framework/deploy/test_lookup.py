"""Lookup: who answers, what callers hear when it is off, and which entities the canary meets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from loopcast.api import (
    BanditSettings,
    BanditState,
    Experiment,
    NotFoundError,
    SwitchError,
    SwitchSetting,
)
from loopcast.deploy.lookup import Serving, look_up, look_up_all
from loopcast.store.home import Home
from loopcast.store.trials import Trial

from ..store.builders import NOON
from .versions import MODEL, add, make_home

Mask = NDArray[np.bool_]

CHAMPION, CANARY = "a" * 16, "0123456789abcdef"
PEOPLE = [f"customer {number}" for number in range(20_000)]


def serving(share: float, canary: str | None = CANARY) -> Serving:
    return Serving(
        logical_model="demand", segment="", champion=CHAMPION, canary=canary, share=share
    )


def met(share: float, entities: Sequence[str] = PEOPLE, canary: str = CANARY) -> Mask:
    """Which entities the canary answers for."""
    return np.asarray(serving(share, canary).versions(entities) == canary)


class TestCanary:
    @pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
    def test_it_meets_its_share(self, share: float) -> None:
        spread = np.sqrt(len(PEOPLE) * share * (1 - share))
        assert abs(met(share).sum() - len(PEOPLE) * share) < 4 * spread

    @given(
        st.lists(st.text(), min_size=1, max_size=20),
        st.floats(0.01, 0.99),
        st.floats(0.01, 0.99),
    )
    def test_a_larger_share_keeps_those_that_are_in(
        self, entities: list[str], one: float, two: float
    ) -> None:
        small, large = sorted((one, two))
        assert (met(large, entities) | ~met(small, entities)).all()

    @given(st.lists(st.text(), min_size=1, max_size=20))
    def test_an_entity_alone_or_among_others(self, entities: list[str]) -> None:
        together = serving(0.5).versions(entities)
        assert [serving(0.5).version(entity) for entity in entities] == together.tolist()

    def test_the_next_canary_meets_others(self) -> None:
        one, two = met(0.1), met(0.1, canary="f" * 16)
        assert abs((one & two).sum() - 200) < 60

    def test_without_one_the_champion_answers_all(self) -> None:
        alone = serving(0.0, None)
        assert set(alone.versions(PEOPLE[:10])) == {CHAMPION}
        assert alone.version("ann") == CHAMPION

    def test_without_an_entity_the_champion_answers(self) -> None:
        assert serving(0.99).version() == CHAMPION

    def test_shares_are_the_probabilities_of_who_answers(self) -> None:
        assert {(p.version, p.role, p.share) for p in serving(0.25).parts} == {
            (CANARY, "canary", 0.25), (CHAMPION, "champion", 0.75),
        }  # fmt: skip


ARMS = (CHAMPION, "b" * 16, "c" * 16)


def tried(kind: str, shares: tuple[float, ...] | None = None, **fields: Any) -> Serving:
    """A segment in which an experiment runs."""
    bandit = BanditSettings() if kind == "bandit" else None
    experiment = Experiment(
        name="spring", logical_model="demand", segment="", kind=kind, arms=ARMS,  # type: ignore[arg-type]
        metric="outcome", declared=NOON, by="ann", minimum_effect=0.01,
        sample_size=None if bandit else 100, bandit=bandit,
    )  # fmt: skip
    state = None
    if shares:
        state = BanditState(
            updated=NOON,
            updates=4,
            until=NOON,
            successes=(0.0,) * 3,
            failures=(0.0,) * 3,
            shares=shares,
        )
    common: dict[str, Any] = {"logical_model": "demand", "segment": "", "champion": CHAMPION}
    return Serving(**common | {"trial": Trial(experiment=experiment, bandit=state)} | fields)


class TestExperiments:
    def test_arms_of_an_ab_test_answer_for_equal_parts(self) -> None:
        found = tried("ab")
        versions = found.versions(PEOPLE)
        counts = [int((versions == arm).sum()) for arm in ARMS]
        assert stats.chisquare(counts).pvalue > 0.01
        assert [(p.role, p.share) for p in found.parts] == [
            ("champion", 1 / 3), ("challenger", 1 / 3), ("challenger", 1 / 3),
        ]  # fmt: skip
        assert [found.version(name) for name in PEOPLE[:50]] == versions[:50].tolist()
        assert found.version() == CHAMPION
        assert found.shadows == ()

    def test_arms_of_a_bandit_answer_by_their_shares(self) -> None:
        versions = tried("bandit", (0.7, 0.25, 0.05)).versions(PEOPLE)
        counts = [int((versions == arm).sum()) for arm in ARMS]
        expected = [0.7 * len(PEOPLE), 0.25 * len(PEOPLE), 0.05 * len(PEOPLE)]
        assert stats.chisquare(counts, expected).pvalue > 0.01

    def test_a_bandit_draws_anew_with_each_update(self) -> None:
        before, after = tried("bandit").versions(PEOPLE), tried("bandit", (1 / 3,) * 3)
        assert abs((before == after.versions(PEOPLE)).mean() - 1 / 3) < 0.02

    def test_shadows_answer_for_no_one(self) -> None:
        found = tried("shadow")
        assert set(found.versions(PEOPLE[:100])) == {CHAMPION}
        assert found.candidates == (CHAMPION,)
        assert found.shadows == ARMS[1:]
        assert found.alone(ARMS[1]).versions(["ann"]).tolist() == [ARMS[1]]

    def test_a_shadow_moves_no_one_between_canary_and_champion(self) -> None:
        beside = tried("shadow", canary=CANARY, share=0.3)
        np.testing.assert_array_equal(beside.versions(PEOPLE), serving(0.3).versions(PEOPLE))

    @pytest.mark.parametrize("kind", ["ab", "bandit", "shadow"])
    def test_what_is_frozen_is_not_tried(self, kind: str) -> None:
        setting = SwitchSetting(
            logical_model="demand", segment="", switch="freeze", by="b", reason="r", since=NOON
        )
        frozen = tried(kind, setting=setting)
        assert set(frozen.versions(PEOPLE[:100])) == {CHAMPION}
        assert (frozen.candidates, frozen.shadows) == ((CHAMPION,), ())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


def test_champion_canary_and_share(home: Home) -> None:
    one, two = add(home, 1), add(home, 2)
    release = home.catalog.release
    release(MODEL.name, "", one, stage="champion", by="a", reason="r")
    release(MODEL.name, "", two, stage="canary", by="a", reason="r", share=0.25)
    found = look_up(home.catalog, MODEL.name)
    assert (found.champion, found.canary, found.share, found.switch) == (one, two, 0.25, "on")


def test_nothing_is_released(home: Home) -> None:
    with pytest.raises(NotFoundError, match="demand has no champion; release a version first"):
        look_up(home.catalog, MODEL.name).version()


def test_off_says_who_and_what_to_do_instead(home: Home) -> None:
    home.catalog.release(MODEL.name, "", add(home, 1), stage="champion", by="a", reason="r")
    home.catalog.set_switch(MODEL.name, [""], "off", by="bob", reason="meter fault")
    found = look_up(home.catalog, MODEL.name)
    message = r"demand is switched off since .* by bob \(meter fault\).*; fallback: ask a person"
    for ask in (found.version, lambda: found.version("ann"), lambda: found.versions(["ann"])):
        with pytest.raises(SwitchError, match=message):
            ask()
    silent = replace(found, fallback="")
    with pytest.raises(SwitchError, match=r"logical_model\.fallback, which says .* is empty"):
        silent.version()


def test_frozen_still_answers(home: Home) -> None:
    version = add(home, 1)
    home.catalog.release(MODEL.name, "", version, stage="champion", by="a", reason="r")
    home.catalog.set_switch(MODEL.name, [""], "freeze", by="bob", reason="audit")
    assert look_up(home.catalog, MODEL.name).version() == version


def test_a_family_in_five_statements(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import event

    segments = [f"s{number}" for number in range(50)]
    ids = {segment: add(home, 1, segment) for segment in segments}
    for segment in segments[:40]:
        home.catalog.release(MODEL.name, segment, ids[segment], stage="champion", by="a",
                             reason="r")  # fmt: skip
    home.catalog.set_switch(MODEL.name, segments[:3], "off", by="b", reason="r")
    asked: list[str] = []
    event.listen(
        home.catalog._engine,
        "before_cursor_execute",
        lambda _c, _u, statement, *_: asked.append(statement),
    )
    found = look_up_all(home.catalog, MODEL.name)
    assert len([text for text in asked if text.startswith("SELECT")]) == 5
    assert found.keys() == set(segments)
    assert [name for name in segments if found[name].switch == "off"] == segments[:3]
    assert {name for name in segments if found[name].champion is None} == set(segments[40:])
