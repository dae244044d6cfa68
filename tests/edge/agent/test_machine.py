"""The machine, driven through every course of events, with crashes between any two effects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from loopcast_edge.agent.machine import (
    MOST_CRASHES,
    Accept,
    Broken,
    Effect,
    Ended,
    Fetch,
    Fetched,
    Happening,
    Judged,
    Load,
    Passed,
    Place,
    Prove,
    Proved,
    Refused,
    Retry,
    Save,
    Started,
    State,
    Wanted,
    stage,
    step,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64


def after(*happened: Happening, place: Place | None = None) -> tuple[State, list[Effect]]:
    """The state after some happenings, and the effects of the last."""
    state = State(place or Place())
    effects: tuple[Effect, ...] = ()
    for each in happened:
        state, effects = step(state, each)
    return state, list(effects)


def test_a_package_goes_through_all_stages() -> None:
    state, effects = step(State(), Wanted(A))
    assert effects == (Fetch(A),)
    assert stage(state, A) == "fetching"
    state, effects = step(state, Fetched(A))
    assert effects == (Prove(A),)
    assert stage(state, A) == "verifying"
    state, effects = step(state, Proved(A))
    place = Place(active=A, on_trial=True)
    assert effects == (Accept(A), Save(place), Load(place)), "the sequence is noted first"
    assert stage(state, A) == "trial"
    state, effects = step(state, Judged(A, good=True))
    assert effects == (Save(Place(active=A)),)
    assert stage(state, A) == "running"


def test_one_on_trial_that_fails_gives_way_to_the_one_before() -> None:
    trial = Place(active=B, previous=A, on_trial=True)
    state, effects = after(Wanted(B), Judged(B, good=False, reason="too wrong"), place=trial)
    place = Place(active=A, ended=(Ended(B, "returned", "too wrong"),))
    assert effects == [Save(place), Load(place)]
    assert stage(state, B) == "returned"
    assert step(state, Wanted(B, anew=True))[1] == (), "it is not tried again unasked"
    assert step(state, Retry())[1][-1] == Fetch(B)


def test_a_newer_package_on_trial_leaves_the_last_good_one_where_it_is() -> None:
    trial = Place(active=B, previous=A, on_trial=True)
    state, _ = after(Wanted(C), Fetched(C), Proved(C), place=trial)
    assert (state.place.active, state.place.previous) == (C, A)


@pytest.mark.parametrize(
    "place", [Place(active=B, previous=A, on_trial=True), Place(active=B, previous=A)]
)
def test_what_the_fleet_was_taken_back_from_is_nothing_to_return_to(place: Place) -> None:
    state, _ = after(Wanted(A), Fetched(A, back=True), Proved(A), place=place)
    assert state.place == Place(active=A)
    for _ in range(2 * MOST_CRASHES):
        state, _ = after(Started(crashed=True), place=state.place)
    assert state.place.active == A


def test_refused_is_tried_again_when_the_centre_says_something_new() -> None:
    state, _ = after(Wanted(A), Refused(A, "expired"))
    assert stage(state, A) == "refused"
    assert step(state, Wanted(A))[1] == ()
    assert step(state, Wanted(A, anew=True))[1] == (Save(Place()), Fetch(A))


def test_news_of_a_package_that_is_wanted_no_more_are_ignored() -> None:
    state, _ = after(Wanted(A), Wanted(B))
    assert step(state, Fetched(A)) == (state, ())
    assert step(state, Refused(A, "late")) == (state, ())


def test_a_shadow_comes_after_the_champion_and_without_a_trial() -> None:
    state, effects = after(Wanted(A, B))
    assert effects == [Fetch(A)]
    state, effects = after(Wanted(A, B), Fetched(A), Proved(A))
    assert effects[-1] == Fetch(B)
    state, effects = after(Wanted(A, B), Fetched(A), Proved(A), Fetched(B), Proved(B))
    assert (state.place.active, state.place.shadow, state.place.on_trial) == (A, B, True)
    assert stage(state, B) == "running"
    assert step(state, Wanted(A))[0].place.shadow is None


def test_a_shadow_that_becomes_champion_leaves_its_slot() -> None:
    state, _ = after(Wanted(B), Fetched(B), Proved(B), place=Place(active=A, shadow=B))
    assert state.place == Place(active=B, previous=A, on_trial=True)


def test_crashes_in_a_row_are_returned_from_and_health_forgives_them() -> None:
    place = Place(active=B, previous=A, on_trial=True)
    for _ in range(MOST_CRASHES - 1):
        state, _ = after(Started(crashed=True), place=place)
        place = state.place
        assert place.active == B
    assert after(Started(crashed=True), place=place)[0].place.active == A
    healthy, _ = after(Started(crashed=False), Passed(300.0), Passed(301.0), place=place)
    assert healthy.place.crashes == 0
    state, _ = after(Started(crashed=True), place=healthy.place)
    assert state.place.active == B


def test_a_committed_package_without_one_before_is_kept_though_it_crashes() -> None:
    place = Place(active=A)
    for _ in range(3 * MOST_CRASHES):
        place = after(Started(crashed=True), place=place)[0].place
    assert place.active == A


def test_the_time_of_a_trial_outlives_the_process() -> None:
    state, effects = after(Passed(400.0), Passed(400.0), place=Place(active=A, on_trial=True))
    assert effects == [Save(state.place)]
    assert state.place.healthy_s == 800.0


def test_a_damaged_package_leaves_its_slot_and_is_fetched_again() -> None:
    place = Place(active=B, previous=A, shadow=C)
    state, effects = after(Wanted(B, C), Broken(B), place=place)
    assert state.place == Place(active=A, shadow=C)
    assert effects[-1] == Fetch(B)
    state, effects = after(Wanted(B, C), Broken(A), Broken(C), place=place)
    assert state.place == Place(active=B)
    assert effects[-1] == Fetch(C)
    trial = Place(active=B, previous=A, on_trial=True)
    state, _ = after(Wanted(B), Broken(B), place=trial)
    assert stage(state, B) == "returned", "it was whole a moment ago, so that it is the model"


@pytest.mark.parametrize("happened", [Judged(A, good=True), Judged(A, good=False), Passed(9.0)])
def test_nothing_changes_where_nothing_is_on_trial(happened: Happening) -> None:
    assert after(happened, place=Place(active=A))[1] == []
    assert after(happened)[1] == []


class Device(RuleBasedStateMachine):
    """A device with a disk that keeps what was saved, and power that may go at any time.

    What is true of each package is drawn once: whether its signatures hold, whether it answers its
    golden vectors, and its sequence. The device finds it out by fetching and proving.
    """

    def __init__(self) -> None:
        super().__init__()
        self.disk = Place()
        self.accepted = 0
        self.proved: set[str] = set()
        self.judged_good: set[str] = set()
        self.ordered: set[str] = set()
        self.state = State()
        self.pending: list[Fetch | Prove] = []
        self.loaded: Place | None = None
        self.feed(Started(crashed=False), cut=99)

    @staticmethod
    def sequence(manifest: str) -> int:
        return int(manifest[0], 16)

    def feed(self, happened: Happening, cut: int) -> None:
        """Take a step; the power goes before effect number ``cut``."""
        before = self.state.place.active
        self.state, effects = step(self.state, happened)
        if before is not None and self.state.place.active is None:
            returned = stage(self.state, before) == "returned"
            unwanted = self.state.heard and self.state.champion is None
            broken = isinstance(happened, Broken)
            assert returned or unwanted or broken, (
                "what runs goes on until the centre says otherwise"
            )
        for number, effect in enumerate(effects):
            if number == cut:
                self.power_cut()
                return
            self.do(effect)

    def do(self, effect: Effect) -> None:
        if isinstance(effect, Accept):
            self.accepted = max(self.accepted, self.sequence(effect.manifest))
        elif isinstance(effect, Save):
            self.disk = effect.place
        elif isinstance(effect, Load):
            self.loaded = effect.place
        else:
            self.pending = [effect]

    def power_cut(self) -> None:
        self.state, self.pending, self.loaded = State(self.disk), [], None
        self.feed(Started(crashed=False), cut=99)

    @rule(
        champion=st.sampled_from([None, *(digit * 64 for digit in "123456")]),
        shadow=st.sampled_from([None, *(digit * 64 for digit in "123456")]),
        anew=st.booleans(),
        cut=st.integers(0, 4),
    )
    def wants(self, champion: str | None, shadow: str | None, anew: bool, cut: int) -> None:
        self.feed(Wanted(champion, shadow, anew), cut)

    @rule(manifest=st.sampled_from([digit * 64 for digit in "123456"]))
    def orders(self, manifest: str) -> None:
        self.ordered.add(manifest)

    @precondition(lambda self: self.pending)
    @rule(holds=st.booleans(), cut=st.integers(0, 4))
    def finds_out(self, holds: bool, cut: int) -> None:
        [asked] = self.pending
        self.pending = []
        manifest = asked.manifest
        if isinstance(asked, Fetch):
            back = self.sequence(manifest) < self.accepted
            old = back and manifest not in self.ordered
            came = Refused(manifest, "older") if old or not holds else Fetched(manifest, back)
            self.feed(came, cut)
        elif holds:
            self.proved.add(manifest)
            self.feed(Proved(manifest), cut)
        else:
            self.feed(Refused(manifest, "golden vectors"), cut)

    @rule(
        manifest=st.sampled_from([digit * 64 for digit in "123456"]),
        what=st.sampled_from([Fetched, Proved]),
    )
    def hears_again_of_what_it_did_not_ask(self, manifest: str, what: type) -> None:
        if not any(each.manifest == manifest for each in self.pending):
            before = self.state.place
            if what is Fetched or self.state.candidate is None:
                self.feed(what(manifest), 99)
            assert self.state.place == before

    @precondition(lambda self: self.state.place.on_trial)
    @rule(good=st.booleans(), cut=st.integers(0, 4))
    def trial_ends(self, good: bool, cut: int) -> None:
        manifest = self.state.place.active
        assert manifest is not None
        if good:
            self.judged_good.add(manifest)
        self.feed(Judged(manifest, good, "" if good else "wrong"), cut)

    @rule(seconds=st.sampled_from([1.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.feed(Passed(seconds), 99)

    @rule()
    def may_retry(self) -> None:
        self.feed(Retry(), 99)

    @rule(which=st.sampled_from(["active", "previous", "shadow"]))
    def rots(self, which: str) -> None:
        manifest = getattr(self.state.place, which)
        if manifest is not None:
            self.feed(Broken(manifest), 99)

    @rule()
    def crashes(self) -> None:
        self.state, self.pending = State(self.disk), []
        self.feed(Started(crashed=True), cut=99)

    @rule()
    def loses_power(self) -> None:
        self.power_cut()

    def slots(self) -> Iterator[str]:
        for place in (self.disk, self.state.place, self.loaded or Place()):
            yield from filter(None, (place.active, place.previous, place.shadow))

    @invariant()
    def nothing_runs_that_was_not_proved(self) -> None:
        assert set(self.slots()) <= self.proved

    @invariant()
    def what_is_active_is_accepted_or_ordered_or_was_good(self) -> None:
        active = self.disk.active
        if active is not None and self.disk.on_trial:
            assert self.sequence(active) == self.accepted or active in self.ordered

    @invariant()
    def what_is_fallen_back_on_was_good(self) -> None:
        good = self.judged_good | self.ordered
        assert self.disk.previous is None or self.disk.previous in good
        assert self.disk.active is None or self.disk.on_trial or self.disk.active in good

    @invariant()
    def what_is_fallen_back_on_is_older(self) -> None:
        if self.disk.active is not None and self.disk.previous is not None:
            assert self.sequence(self.disk.previous) < self.sequence(self.disk.active)

    @invariant()
    def memory_and_disk_agree(self) -> None:
        kept = self.state.place
        assert (kept.active, kept.previous) == (self.disk.active, self.disk.previous)


TestDevice = Device.TestCase
TestDevice.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
