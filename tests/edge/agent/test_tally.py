"""What packages did goes on over a restart: as many predictions, and the same errors."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.agent.tally import Tallies
from loopcast_edge.wire import PackageState, Trial

from .. import models
from ..centre import Centre
from .device import Device

PLACE = "demand@"
A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.mark.parametrize(("slope", "stage"), [(2.01, "running"), (2.5, "returned")])
def test_a_trial_goes_on_over_power_cuts(
    device: Device, centre: Centre, slope: float, stage: str
) -> None:
    """It needs six outcomes, and the device comes to three at a time."""
    good = centre.package(1)
    trial = Trial(seconds=0, predictions=6, outcomes=6, error_ratio=10.0, error_limit=5.0)
    new = centre.package(2, models.linear([[slope]], [0.0]), expected=slope, trial=trial)
    device.publish(good, new)
    device.want(1, good)
    for number in range(4):
        device.measure(number, 20.0, 41.0)
    device.want(2, new)
    for number in range(4, 10):
        assert device.state_of(new).stage == "trial"
        device.measure(number, 20.0, 41.0)
        if number == 6:
            device.power_cut()
    assert device.state_of(new).stage == stage


def told(device: Device) -> list[PackageState]:
    """What is reported of packages, but for since when."""
    return [structs.replace(each, since=0) for each in device.agent.report().packages]


def test_champion_and_shadow_report_after_a_power_cut_what_they_did_before(
    device: Device, centre: Centre
) -> None:
    champion = centre.package(1, trial=Trial(predictions=100))
    shadow = centre.package(2, models.linear([[2.1]], [0.0]), expected=2.1)
    device.publish(champion, shadow)
    device.want(1, champion, shadow)
    for number in range(5):
        device.measure(number, None if number == 3 else 20.0, 41.0)
    before = told(device)
    assert [(each.predictions, each.fallbacks) for each in before] == [(5, 1), (5, 1)]
    assert all(each.paired and each.errors.n for each in before)
    device.power_cut()
    assert told(device) == before


def test_predictions_that_were_not_kept_are_not_counted(tmp_path: Path) -> None:
    """A note belongs to the transaction of the events that it counts."""
    outbox = Outbox(tmp_path / "outbox.sqlite")
    tallies = Tallies(outbox.notes, PLACE)
    tallies.use(A, [A])
    with outbox.together():
        tallies.answered(A, True, 10)
        tallies.note()
    with suppress(RuntimeError), outbox.together():
        tallies.answered(A, True, 10)
        tallies.note()
        raise RuntimeError
    again = Tallies(outbox.notes, PLACE)
    again.use(A, [A])
    assert again.of[A].predictions == 1
    outbox.close()


def test_who_becomes_the_champion_begins_anew_though_the_power_goes_at_that_moment() -> None:
    """A shadow, or the package before, has been counted already."""
    outbox = Outbox(None)
    tallies = Tallies(outbox.notes, PLACE)
    tallies.use(A, [A, B])
    for digest in (A, B):
        tallies.answered(digest, True, 10)
    tallies.erred({A: 1.0, B: 2.0})
    tallies.note()
    switched = Tallies(outbox.notes, PLACE)
    switched.use(B, [B, A])
    assert (switched.of[B].predictions, switched.of[A].predictions) == (0, 1)
    gone = Tallies(outbox.notes, PLACE)
    gone.use(A, [A, C])
    assert gone.of[A].predictions == 1
    assert gone.paired == {}


def test_a_place_counts_for_itself() -> None:
    outbox = Outbox(None)
    north, south = Tallies(outbox.notes, "demand@north"), Tallies(outbox.notes, "demand@north2")
    for tallies in (north, south):
        tallies.use(A, [A])
    north.answered(A, False, 10)
    north.note()
    assert A not in Tallies(outbox.notes, "demand@north2").of
    assert Tallies(outbox.notes, "demand@north").of[A].fallbacks == 1


Acts = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([A, B]), st.booleans(), st.integers(0, 10**6)),
        st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
        st.none(),
    )
)


@given(Acts)
@settings(max_examples=50)
def test_any_number_of_restarts_changes_nothing(acts: list[object]) -> None:
    """``None`` is a restart in one of the two courses."""
    outbox, other = Outbox(None), Outbox(None)
    through, once = Tallies(outbox.notes, PLACE), Tallies(other.notes, PLACE)
    for tallies in (through, once):
        tallies.use(A, [A, B])
    for act in acts:
        if act is None:
            through = Tallies(outbox.notes, PLACE)
            through.use(A, [A, B])
            continue
        assert isinstance(act, tuple)
        for tallies in (through, once):
            if len(act) == 3:
                tallies.answered(*act)
            else:
                tallies.erred(dict(zip((A, B), act, strict=True)))
            tallies.note()
    assert through.paired == once.paired
    assert [t.counted for t in through.of.values()] == [t.counted for t in once.of.values()]
