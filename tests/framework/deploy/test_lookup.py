"""Lookup: who answers, what callers hear when it is off, and which entities the canary meets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import NotFoundError, SwitchError
from loopcast.deploy.lookup import Serving, look_up, look_up_all
from loopcast.store.home import Home

from .versions import MODEL, add, make_home

CHAMPION, CANARY = "a" * 16, "0123456789abcdef"
INSIDE = [0, 15, 26, 38, 46, 55]
PEOPLE = [f"customer {number}" for number in range(20_000)]


def serving(share: float, canary: str | None = CANARY) -> Serving:
    return Serving(
        logical_model="demand", segment="", champion=CHAMPION, canary=canary, share=share
    )


class TestCanary:
    @pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
    def test_it_meets_its_share(self, share: float) -> None:
        inside = serving(share).in_canary(PEOPLE).sum()
        spread = np.sqrt(len(PEOPLE) * share * (1 - share))
        assert abs(inside - len(PEOPLE) * share) < 4 * spread

    def test_places_are_uniform(self) -> None:
        below = [serving(share).in_canary(PEOPLE).mean() for share in np.linspace(0.05, 0.95, 19)]
        distance = np.abs(below - np.linspace(0.05, 0.95, 19)).max()
        assert distance < 1.63 / np.sqrt(len(PEOPLE))  # Kolmogorov-Smirnov at one per cent

    @given(
        st.lists(st.text(), min_size=1, max_size=20),
        st.floats(0.01, 0.99),
        st.floats(0.01, 0.99),
    )
    def test_a_larger_share_keeps_those_that_are_in(
        self, entities: list[str], one: float, two: float
    ) -> None:
        small, large = sorted((one, two))
        inside, later = (serving(share).in_canary(entities) for share in (small, large))
        assert (later | ~inside).all()

    @given(st.lists(st.text(), min_size=1, max_size=20))
    def test_an_entity_alone_or_among_others(self, entities: list[str]) -> None:
        together = serving(0.5).versions(entities)
        assert [serving(0.5).version(entity) for entity in entities] == together.tolist()

    def test_the_next_canary_meets_others(self) -> None:
        one = serving(0.1).in_canary(PEOPLE)
        two = serving(0.1, "f" * 16).in_canary(PEOPLE)
        assert abs((one & two).sum() - 200) < 60

    def test_the_hash_stays_what_it_is(self) -> None:
        # If another pandas hashed otherwise, entities would change sides in the middle of a trial.
        inside = serving(0.1).in_canary([f"c{number}" for number in range(60)])
        assert np.flatnonzero(inside).tolist() == INSIDE

    def test_without_one_the_champion_answers_all(self) -> None:
        alone = serving(0.0, None)
        assert set(alone.versions(PEOPLE[:10])) == {CHAMPION}
        assert alone.version("ann") == CHAMPION
        assert not alone.in_canary(PEOPLE[:10]).any()

    def test_without_an_entity_the_champion_answers(self) -> None:
        assert serving(0.99).version() == CHAMPION


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


def test_frozen_still_answers(home: Home) -> None:
    version = add(home, 1)
    home.catalog.release(MODEL.name, "", version, stage="champion", by="a", reason="r")
    home.catalog.set_switch(MODEL.name, [""], "freeze", by="bob", reason="audit")
    assert look_up(home.catalog, MODEL.name).version() == version


def test_a_family_in_four_statements(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert len([text for text in asked if text.startswith("SELECT")]) == 4
    assert found.keys() == set(segments)
    assert [name for name in segments if found[name].switch == "off"] == segments[:3]
    assert {name for name in segments if found[name].champion is None} == set(segments[40:])
