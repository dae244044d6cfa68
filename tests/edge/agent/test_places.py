"""What becomes of packages: desired, refused, on trial, returned from, and beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loopcast_edge.wire import (
    EventBatch,
    Order,
    Presence,
    Profile,
    Reported,
    SecretKey,
    Trial,
    encode,
    topics,
)

from .. import models
from ..centre import Centre, Package, desired, now_ms
from .device import ONE, START, Device


def test_from_desired_to_running(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    assert device.state_of(package).stage == "trial"
    [line] = device.measure(0, 20.0, 41.0)
    assert line["outputs"]["mean"] == pytest.approx(40.001)
    assert line["action"] == "served"
    assert device.measure(0, 20.0) == [], "an interval is answered once"
    device.measure(1, 21.0, 42.5)
    device.run(1)
    state = device.state_of(package)
    assert (state.stage, state.predictions, state.fallbacks, state.errors.n) == ("running", 2, 0, 2)
    assert state.errors.absolute == pytest.approx(0.999 + 0.499)
    reported = device.sent("reported", Reported)[-1]
    assert (reported.sequence, reported.root) == (1, 1)
    assert reported.packages[0].stage == "running"
    assert device.sent("presence", Presence)[-1].online
    assert device.broker.subscribed.count(topics.manifest(package.digest)) == 0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"expires": START - 1000, "created": START - 2000}, "expired"),
        ({"runtimes": {"litert": "99.0.0"}}, "needs litert 99"),
        ({"runtimes": {"tpu": "1.0"}}, "it runs on tpu"),
        ({"segment": "north"}, "segment 'north'"),
        ({"key": SecretKey(bytes([9] * 32))}, "genuine"),
        ({"profile": Profile(zone="Mars/Olympus", values=ONE)}, "Mars/Olympus"),
        ({"expected": 7.0}, "golden vectors 0"),
        ({"model": models.linear([[1.0, 1.0]], [0.0])}, "reads 2"),
        ({"model": b"no model" * 100}, "no model"),
    ],
)
def test_what_must_not_run_is_refused_with_its_reason(
    device: Device, centre: Centre, fields: dict[str, Any], said: str
) -> None:
    good = centre.package()
    device.publish(good)
    device.want(1, good)
    bad = centre.package(2, **fields)
    device.publish(bad)
    placed = centre.package(3)
    wanted = desired(2, bad).replace(b"north", b"") if "segment" in fields else None
    if wanted is not None:
        as_here = Package(placed.manifest, bad.envelope, bad.model)
        wanted = desired(2, as_here)
    device.broker.send(device.topic("desired"), wanted or desired(2, bad))
    device.run(2)
    state = device.state_of(bad)
    assert state.stage == "refused"
    assert said in state.reason
    assert device.state_of(good).stage in ("trial", "running")
    assert device.measure(0, 20.0)[0]["outputs"]["mean"] == pytest.approx(40.001)


def test_an_older_package_needs_a_signed_order(device: Device, centre: Centre) -> None:
    old, new = centre.package(1), centre.package(2)
    device.publish(old, new)
    device.want(1, new)
    device.want(2, old)
    assert device.state_of(old).stage == "refused"
    assert "2 was accepted before" in device.state_of(old).reason
    device.power_cut()
    device.want(3, old, rollbacks=(centre.rollback(new, below=2),))
    assert device.state_of(old).stage == "refused", "the order names another"
    device.want(4, old, rollbacks=(centre.rollback(old, below=1),))
    assert device.state_of(old).stage == "refused", "the order is from before"
    device.want(5, old, rollbacks=(centre.rollback(old, below=2),))
    assert device.state_of(old).stage == "running", "it was the good one"
    device.want(6, None)
    device.want(7, old)
    assert device.state_of(old).stage == "refused", "the order held as long as it was there"


def test_a_withdrawn_package_and_an_older_desired_state(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.broker.send(topics.KEYS, centre.keys(2, withdrawn=(package.digest,)))
    device.want(5, package)
    assert "withdrawn" in device.state_of(package).reason
    device.broker.send(topics.KEYS, centre.keys(1))
    device.run()
    device.want(4, centre.package(2))
    assert len(device.agent.report().packages) == 1
    assert device.agent.report().sequence == 5


def test_stale_news_are_waited_for(tmp_path: Path, centre: Centre) -> None:
    device = Device(tmp_path, centre)
    device.broker.retained[topics.KEYS] = centre.keys(1, expires_in_ms=START + 5000 - now_ms())
    device.power_cut()
    package = centre.package()
    device.publish(package)
    device.seconds = 10.0
    device.want(1, package)
    assert device.state_of(package).stage == "fetching"
    device.broker.send(topics.KEYS, centre.keys(2))
    device.run(3)
    assert device.state_of(package).stage == "trial"


def test_a_bad_model_gives_way_by_its_realised_error(device: Device, centre: Centre) -> None:
    good = centre.package(1)
    device.publish(good)
    device.want(1, good)
    for number in range(4):
        device.measure(number, 20.0, 40.0)
    device.run(2)
    trial = Trial(seconds=3600, predictions=3, outcomes=3, error_ratio=1.2)
    bad = centre.package(2, models.linear([[2.5]], [0.0]), expected=2.5, trial=trial)
    device.publish(bad)
    device.want(2, bad)
    for number in range(4, 7):
        device.measure(number, 20.0, 40.0)
        device.run(2)
    state = device.state_of(bad)
    assert state.stage == "returned"
    assert "on the same 3 predictions" in state.reason
    assert device.state_of(good).stage == "running"
    assert device.measure(9, 20.0)[0]["version"] == good.manifest.version
    device.power_cut()
    assert device.state_of(bad).stage == "returned", "it is not tried again"


def test_a_trial_needs_its_time_and_outcomes(device: Device, centre: Centre) -> None:
    trial = Trial(seconds=100, predictions=2, outcomes=2, error_limit=5.0)
    package = centre.package(trial=trial)
    device.publish(package)
    device.want(1, package)
    device.measure(0, 20.0, 40.0)
    device.run(120)
    assert device.state_of(package).stage == "trial"
    device.measure(1, 20.0, 40.0)
    device.run(1)
    assert device.state_of(package).stage == "running"


def test_a_first_package_stays_on_trial_until_enough_is_answered(
    device: Device, centre: Centre
) -> None:
    """There is none to go back to, and the sensor of the first interval is what failed."""
    package = centre.package(trial=Trial(seconds=0, predictions=2, fallback_share=0.25))
    device.publish(package)
    device.want(1, package)
    device.measure(0, None, 40.0)
    for number in range(1, 4):
        device.measure(number, 20.0)
        device.run(2)
        state = device.state_of(package)
        assert (state.stage, state.fallbacks) == ("trial" if number < 3 else "running", 1)
        device.power_cut()


def test_a_later_package_gives_way_where_it_does_not_answer(device: Device, centre: Centre) -> None:
    good, new = centre.package(1), centre.package(2, trial=Trial(seconds=0, predictions=2))
    device.publish(good, new)
    device.want(1, good)
    for number in range(3):
        device.measure(number, 20.0)
    device.run(2)
    device.want(2, new)
    for number in (3, 4):
        device.measure(number, None, 40.0)
    device.measure(5, 20.0)
    device.run(2)
    assert device.state_of(new).stage == "returned"
    assert device.state_of(new).reason == "it did not answer 67% of 3 times"
    assert device.measure(6, 20.0)[0]["version"] == good.manifest.version


def test_a_model_that_crashes_the_process_is_returned_from(device: Device, centre: Centre) -> None:
    good, bad = centre.package(1), centre.package(2)
    device.publish(good, bad)
    device.want(1, good)
    for number in range(3):
        device.measure(number, 20.0)
    device.run(2)
    device.want(2, bad)
    assert device.state_of(bad).stage == "trial"
    for _ in range(3):
        device.outbox.close()
        device.start(crashed=True)
    assert device.state_of(bad).stage == "returned"
    assert "died 3 times" in device.state_of(bad).reason
    assert device.measure(9, 20.0)[0]["version"] == good.manifest.version


def test_a_shadow_is_silent_and_paired(device: Device, centre: Centre) -> None:
    champion = centre.package(1)
    shadow = centre.package(2, models.linear([[2.1]], [0.0]), expected=2.1)
    device.publish(champion, shadow)
    device.want(1, champion, shadow)
    lines = [line for number in range(6) for line in device.measure(number, 20.0, 40.0)]
    assert {line["version"] for line in lines} == {champion.manifest.version}
    paired = device.state_of(shadow).paired
    assert paired is not None
    assert (paired.other, paired.mine.n, paired.others.n) == (champion.digest, 6, 6)
    assert paired.difference == pytest.approx(6 * (2.0 - 0.001), rel=1e-4)
    device.run(40)
    [batch] = device.sent("up/events", EventBatch)
    actions = {(batch.sources[each.source].role, each.action) for each in batch.events}
    assert actions == {("champion", "served"), ("shadow", "withheld")}


def test_the_champion_before_goes_on_as_a_shadow(device: Device, centre: Centre) -> None:
    old, new = centre.package(1), centre.package(2, trial=Trial(predictions=100))
    device.publish(old, new)
    device.want(1, old)
    device.measure(0, 20.0)
    device.measure(1, 20.0)
    device.want(2, new, old)
    assert device.state_of(old).stage == "running"
    for number in range(2, 7):
        device.measure(number, 20.0, 40.0)
    for package, other in ((old, new), (new, old)):
        paired = device.state_of(package).paired
        assert paired is not None
        assert (paired.other, paired.mine.n) == (other.digest, 5)
    device.run(40)
    [batch] = device.sent("up/events", EventBatch)
    assert len(batch.events) == 2 + 5 * 2


def test_a_damaged_model_on_the_disk_gives_way_and_is_fetched_again(
    device: Device, centre: Centre
) -> None:
    good, new = centre.package(1), centre.package(2)
    device.publish(good, new)
    for sequence, package in ((1, good), (2, new)):
        device.want(sequence, package)
        for number in range(2):
            device.measure(10 * sequence + number, 20.0)
        device.run(2)
    path = device.folder / "state" / "places" / "demand@" / new.digest / "model.tflite"
    path.write_bytes(path.read_bytes()[:-8] + b"\xff" * 8)
    device.power_cut()
    device.run(2)
    assert device.state_of(new).stage == "trial"
    assert path.read_bytes() == new.model


def test_orders(device: Device, centre: Centre) -> None:
    bad = centre.package(expected=9.0)
    device.publish(bad)
    device.want(1, bad)
    assert device.state_of(bad).stage == "refused"
    device.broker.asked.clear()
    device.broker.send(device.topic("order"), encode(Order(do="retry")))
    device.run(1)
    assert device.state_of(bad).stage == "refused"
    before = len(device.sent("reported", Reported))
    device.broker.send(device.topic("order"), encode(Order(do="report")))
    device.run()
    assert len(device.sent("reported", Reported)) == before + 1
