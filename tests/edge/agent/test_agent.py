"""What comes to the agent, and what goes home."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loopcast_edge.wire import (
    EventBatch,
    Order,
    Receipt,
    TruthBatch,
    encode,
    topics,
)

from ..centre import Centre, desired
from .device import START, Device


def test_events_and_outcomes_go_home_until_a_receipt_names_them(
    device: Device, centre: Centre
) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    for number in range(5):
        device.measure(number, 20.0, 40.0)
    device.run(40)
    [events] = device.sent("up/events", EventBatch)
    [truth] = device.sent("up/truth", TruthBatch)
    assert [each.key for each in events.events] == [each.key for each in truth.outcomes]
    assert events.sources[0].inputs == ("temperature", "load")
    assert events.events[0].action == "served"
    device.run(90)
    assert len(device.sent("up/events", EventBatch)) == 2, "it is sent again"
    receipt = Receipt(outbox=events.outbox, stored=(events.sequence, truth.sequence))
    device.broker.send(device.topic("receipt"), encode(receipt))
    device.run(200)
    assert len(device.sent("up/events", EventBatch)) == 2
    assert device.outbox.pending == 0


def test_nothing_that_comes_stops_the_agent(device: Device, centre: Centre) -> None:
    random = np.random.default_rng(3)
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    names = [topics.KEYS, *(device.topic(name) for name in ("desired", "order", "receipt"))]
    valid = [centre.keys(), desired(9, package), encode(Order(do="report"))]
    for name in [*names, "loopcast/1/else", topics.manifest("ab" * 32)]:
        for payload in [b"", b"\xc1", random.bytes(300), bytes(400_000), *valid]:
            device.agent.received(name, payload[: len(payload) // 2])
            device.agent.received(name, payload + b"\0")
    device.run(2)
    assert device.state_of(package).stage == "trial"


@pytest.mark.parametrize(
    "line",
    [
        {"key": "k" * 300, "temperature": 20.0},
        {"key": 5.0, "temperature": 20.0},
        {"key": ("a",), "outcome": 1.0},
        {"key": "a", "outcome": float("nan")},
        {"key": "a" * 300, "outcome": 1.0},
        {"key": "a", "outcome": "x" * 5000},
        {"temperature": "warm"},
        {"temperature": float("inf"), "load": float("nan")},
        {"temperature": ("a", "b")},
        {},
    ],
)
def test_no_line_stops_the_agent(device: Device, centre: Centre, line: dict[str, Any]) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    good = {"key": "good", "temperature": 20.0}
    answers = device.agent.measured([line, {**line, "time": START}, good])
    assert [each["key"] for each in answers if each["action"] == "served"] == ["good"]
    device.run(40)
    assert "good" in [each.key for each in device.sent("up/events", EventBatch)[0].events]


def test_an_absurd_outcome_is_none(device: Device, centre: Centre) -> None:
    """Its square would be no number, and no report could be written any more."""
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    device.agent.measured([{"key": "a", "temperature": 20.0}, {"key": "a", "outcome": 1e200}])
    assert device.measure(0, 20.0, -1e200)[0]["action"] == "served"
    device.measure(1, 20.0, 41.0)
    device.power_cut()
    assert device.state_of(package).errors.n == 1


def test_without_a_connection_the_agent_goes_on(device: Device, centre: Centre) -> None:
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    device.agent.disconnected()
    device.broker.published.clear()
    for number in range(60):
        device.measure(number, 20.0, 40.0)
        device.run()
    assert not device.broker.published
    device.power_cut()
    device.run(100)
    sent = {each.sequence: len(each.events) for each in device.sent("up/events", EventBatch)}
    assert sum(sent.values()) == 60


def test_a_log_for_looking_closely_tells_answers_batches_and_receipts(
    device: Device, centre: Centre, caplog: pytest.LogCaptureFixture
) -> None:
    """And not of what answers were made."""
    package = centre.package()
    device.publish(package)
    device.want(1, package)
    with caplog.at_level("INFO"):
        device.measure(0, 20.0)
    assert not caplog.records
    with caplog.at_level("DEBUG"):
        [line] = device.measure(1, 21.5)
        device.measure(2, 99.0)
        device.measure(3, 20.0)
        device.run(40)
        [events] = device.sent("up/events", EventBatch)
        receipt = Receipt(outbox=events.outbox, stored=(events.sequence,))
        device.agent.received(device.topic("receipt"), encode(receipt))
    said = [each.getMessage() for each in caplog.records]
    assert f"demand@: {line['key']!r} is served by the champion {line['version']}" in said[0]
    assert any(": temperature: missing or out of bounds" in each for each in said)
    assert any(each.startswith("batch 1 goes to up/events: ") for each in said)
    assert "the centre has stored batches 1" in said
    assert not any("21.5" in each for each in said)
