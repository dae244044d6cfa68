"""The centre at a real broker: rollouts from begin to end, receipts, and what survives a loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest

from loopcast.api import ConfigurationError, Package, StoreError
from loopcast.fleet import intake, rolling
from loopcast.fleet.centre import Centre, sorted_out
from loopcast.fleet.days import fleet_days
from loopcast.fleet.keyring import Keyring, rotate
from loopcast.fleet.link import FLEET, Incoming, Link
from loopcast.fleet.link import Broker as Address
from loopcast.fleet.observing import report_of
from loopcast.fleet.packages import make_package
from loopcast.fleet.rollout import standing
from loopcast.store.home import Home
from loopcast_edge.wire import (
    LATEST,
    EdgeEvent,
    Errors,
    Outcome,
    Presence,
    Reported,
    SketchDay,
    Source,
    Subject,
    TruthBatch,
    encode,
    topics,
)

from ..store.builders import version
from .brokers import Broker, retained
from .conftest import OUTBOX, begin, contents, enrol, events
from .fake import FakeFleet, wait_for


@contextmanager
def centre(place: Home, ring: Keyring, broker: Broker) -> Iterator[Centre]:
    address = Address(url=f"mqtt://127.0.0.1:{broker.port}")
    with Link(address, listen=FLEET) as link:
        yield Centre(place=place, keys=ring.folder, link=link)


@contextmanager
def carried_out(
    place: Home, ring: Keyring, broker: Broker, devices: tuple[str, ...], **behaviour: Any
) -> Iterator[tuple[Centre, FakeFleet]]:
    """Give a centre and the fleet that it serves, once all devices run the first package."""
    with (
        centre(place, ring, broker) as serving,
        FakeFleet(broker.port, devices, ring.pin, **behaviour) as fleet,
    ):
        until(place, "first", "complete", serving)
        yield serving, fleet


def serve(serving: Centre, condition: Callable[[], bool]) -> None:
    """Serve until a condition holds."""
    wait_for(condition, lambda: serving.turn(0.05), 20)


def until(place: Home, name: str, wanted: str, serving: Centre) -> None:
    """Serve until a rollout has come so far."""
    serve(serving, lambda: phase(place, name) == wanted)


def on_the_broker(broker: Broker) -> set[str]:
    """Digests of the manifests and files that a device would find."""
    kept = (retained(broker, f"{topics.ROOT}/{kind}") for kind in ("manifest", "file"))
    return {topic.split("/")[3] for found in kept for topic in found}


def phase(place: Home, name: str) -> str:
    return standing(place.catalog.rollout(name).steps).phase


def accepted(place: Home, name: str) -> int:
    """The number of what a device says that it was last told to run."""
    report = report_of(place.catalog.devices()[name].state)
    return report.sequence if report else 0


def acts(place: Home, name: str) -> list[str]:
    return [step.act for step in place.catalog.rollout(name).steps]


class TestRollouts:
    def test_a_good_package_reaches_everyone(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        with carried_out(place, ring, broker, first, errors={2: 0.97}) as (serving, fleet):
            begin(place, "second", 2)
            until(place, "second", "complete", serving)
            assert fleet.running == dict.fromkeys(first, 2)
        assert acts(place, "second") == ["begin", "advance", "complete"]
        place.catalog.verify_audit()

    def test_a_worse_package_stops_at_the_canary_and_is_taken_back(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        with carried_out(place, ring, broker, first, errors={2: 1.3}) as (serving, fleet):
            begin(place, "second", 2)
            members = place.catalog.rollout("second").members
            reached = [name for name, member in members.items() if member.stage == 0]
            serve(serving, lambda: {fleet.running[name] for name in reached} == {2})
            serve(serving, lambda: fleet.running == dict.fromkeys(first, 1))
        assert acts(place, "second") == ["begin", "stop"]
        last = place.catalog.rollout("second").steps[-1]
        assert "errors are 1.3 of the champion's on 3 devices, worse" in last.reason
        assert last.evidence["ratio"] == pytest.approx(1.3)

    def test_a_refused_package_stops_at_once(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        with carried_out(place, ring, broker, first, refusing={2}) as (serving, fleet):
            begin(place, "second", 2)
            until(place, "second", "stopped", serving)
            assert set(fleet.running.values()) == {1}
        assert "golden vectors differ" in place.catalog.rollout("second").steps[-1].reason

    def test_a_complete_rollout_is_taken_back_by_a_person(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        with carried_out(place, ring, broker, first) as (serving, fleet):
            begin(place, "second", 2)
            until(place, "second", "complete", serving)
            with pytest.raises(StoreError, match="second came after first"):
                rolling.act(place.catalog, "first", "abort", by="ann", reason="wrong on Sunday")
            rolling.act(place.catalog, "second", "abort", by="ann", reason="wrong on Sunday")
            serve(serving, lambda: fleet.running == dict.fromkeys(first, 1))

    def test_plans_that_could_only_end_at_the_deadline_are_refused(
        self, place: Home, package: Callable[[int], Package]
    ) -> None:
        enrol(place, 4)
        package(1)
        with pytest.raises(ConfigurationError, match=r"canary has 2 devices.*takes 3"):
            begin(place, "small", 1)
        with pytest.raises(ConfigurationError, match="4 of 4 devices run no package of demand"):
            begin(place, "early", 1, cohorts=(1.0,))
        with pytest.raises(ConfigurationError, match="first stage has no device"):
            begin(place, "nobody", 1, select={"region": "north"})
        assert place.catalog.rollouts() == ()

    def test_keys_are_rotated_in_the_middle(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        with carried_out(place, ring, broker, first) as (serving, fleet):
            rotate(rotate(ring, "root"), "targets")
            begin(place, "second", 2)
            until(place, "second", "complete", serving)
            assert set(fleet.running.values()) == {2}

    def test_a_revoked_key_is_told_of_at_once(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        with (
            centre(place, ring, broker) as serving,
            FakeFleet(broker.port, first, ring.pin) as fleet,
        ):
            until(place, "first", "complete", serving)
            [revoked] = ring.root.targets.keys
            rotate(ring, "targets")
            serve(serving, lambda: revoked not in fleet.trusted("targets"))
            topic = topics.manifest(place.catalog.packages()[0].manifest)
            serve(serving, lambda: fleet.signers(topic) >= fleet.trusted("targets"))


class TestClearing:
    def test_what_two_newer_packages_supersede_leaves_the_broker_and_comes_back(
        self,
        place: Home,
        ring: Keyring,
        broker: Broker,
        first: tuple[str, ...],
        package: Callable[[int], Package],
    ) -> None:
        package(3)
        one, two, three = place.catalog.packages()
        with carried_out(place, ring, broker, first) as (serving, fleet):
            begin(place, "second", 2)
            until(place, "second", "complete", serving)
            assert on_the_broker(broker) == {one.manifest, two.manifest, one.model, two.model}
            begin(place, "third", 3)
            until(place, "third", "complete", serving)
            there = {two.manifest, three.manifest, two.model, three.model}
            assert on_the_broker(broker) == there
            rolling.act(place.catalog, "third", "abort", by="ann", reason="wrong")
            serve(serving, lambda: fleet.running == dict.fromkeys(first, 2))
            rolling.act(place.catalog, "second", "abort", by="ann", reason="wrong, too")
            serve(serving, lambda: fleet.running == dict.fromkeys(first, 1))
            assert on_the_broker(broker) == {one.manifest, one.model, *there}

    def test_what_a_device_still_runs_and_a_file_of_another_package_stay(
        self,
        place: Home,
        ring: Keyring,
        broker: Broker,
        first: tuple[str, ...],
        package: Callable[[int], Package],
    ) -> None:
        place.catalog.put_labels(first[1:], {"wave": "new"}, by="ann")
        package(3)
        make_package(place, ring, version(2), contents(2), by="ann")
        one, two, three, again = place.catalog.packages()
        assert again.model == two.model
        with centre(place, ring, broker) as serving, FakeFleet(broker.port, first, ring.pin):
            until(place, "first", "complete", serving)
            for number, name in enumerate(("second", "third", "fourth"), 2):
                begin(place, name, number, select={"wave": "new"}, test=None)
                until(place, name, "complete", serving)
            assert on_the_broker(broker) == {
                one.manifest, one.model, three.manifest, three.model, again.manifest, again.model,
            }  # fmt: skip


class TestLoss:
    def test_a_new_broker_is_told_everything(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        with centre(place, ring, broker) as serving:
            with FakeFleet(broker.port, first, ring.pin) as fleet:
                until(place, "first", "complete", serving)
            broker.kill()  # it keeps nothing on its disk
            broker.start()
            serve(serving, lambda: serving.link.connections == 2)
            with FakeFleet(broker.port, first, ring.pin) as fleet:
                serve(serving, lambda: set(fleet.running) == set(first))

    @pytest.mark.slow
    def test_a_broker_that_is_away_is_waited_for(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        with centre(place, ring, broker) as serving:
            with FakeFleet(broker.port, first, ring.pin):
                until(place, "first", "complete", serving)
            broker.kill()
            begin(place, "second", 2)
            later = time.monotonic() + 1.0
            serving.run(until=lambda: time.monotonic() > later)
            assert set(place.catalog.unpublished()) >= {
                name for name, member in place.catalog.rollout("second").members.items()
                if member.stage == 0
            }  # fmt: skip
            broker.start()
            with FakeFleet(broker.port, first, ring.pin) as fleet:
                serving.run(until=lambda: phase(place, "second") == "complete")
                assert set(fleet.running.values()) == {2}

    def test_a_device_ahead_of_a_restored_catalog_is_reached_again(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        ahead, liar = first[:2]
        with carried_out(place, ring, broker, first) as (serving, fleet):
            for name, sequence in ((ahead, 40), (liar, 2**53)):
                said = Reported(agent="fake", runtime="none", at=0, sequence=sequence)
                fleet.send(topics.device(name, "reported"), said)
            serve(serving, lambda: accepted(place, ahead) == 41)
        devices = place.catalog.devices()
        assert [name for name, each in devices.items() if each.published > 2] == [ahead]

    def test_another_centre_goes_on(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        with FakeFleet(broker.port, first, ring.pin) as fleet:
            with centre(place, ring, broker) as one:
                serve(one, lambda: "advance" in acts(place, "first"))
            with centre(place, ring, broker) as two:
                until(place, "first", "complete", two)
            assert fleet.running == dict.fromkeys(first, 1)
        assert acts(place, "first") == ["begin", "advance", "complete"]


class TestUplinks:
    def test_a_batch_is_stored_once_and_acknowledged_each_time(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        name, topic = first[0], topics.device(first[0], "up/events")
        truth = TruthBatch(
            outbox=OUTBOX, sequence=3, subjects=(Subject(logical_model="demand", segment=""),),
            outcomes=(Outcome(subject=0, key="1-0", observed=1_767_268_900_000, value="1"),),
        )  # fmt: skip
        with (
            centre(place, ring, broker) as serving,
            FakeFleet(broker.port, first, ring.pin) as fleet,
        ):
            serving.turn(0.2)
            for sequence in (1, 2, 1, 1):
                fleet.send(topic, events(sequence, 50))
            fleet.send(topics.device(name, "up/truth"), truth)
            serve(serving, lambda: fleet.receipts[name] == {1, 2, 3})
            fleet.receipts.clear()
            fleet.send(topic, events(2, 50))
            serve(serving, lambda: fleet.receipts[name] == {2})
            serving.run(until=lambda: place.catalog.waiting_uplinks() == 0)
        stored = place.events.read("demand")
        assert stored.num_rows == 100
        assert set(stored["source"].to_pylist()) == {f"device/{name}"}
        assert stored["outputs"].to_pylist()[0] == [("probability", 0.5)]
        assert stored["latency_ms"].to_pylist()[0] == 1.5
        assert place.truth.latest("demand")["text"].to_pylist() == ["1"]

    def test_days_of_devices_add_up(self, place: Home, first: tuple[str, ...]) -> None:
        def day(sequence: int, rows: int, errors: Errors) -> SketchDay:
            return SketchDay(
                outbox=OUTBOX, sequence=sequence, logical_model="demand", segment="",
                version=version(1).id, role="champion", day=20_000, bins="0" * 16, rows=rows,
                counts=b"", moments=b"", slowest_us=sequence * 100,
                errors=errors,
            )  # fmt: skip

        sent = [(first[0], day(1, 48, Errors(n=10, total=5.0, absolute=20.0))),
                (first[1], day(2, 40, Errors(n=10, total=-15.0, absolute=40.0)))]  # fmt: skip
        now = datetime.now(UTC)
        messages = [
            Incoming(topic=topics.device(name, "up/sketch"), payload=encode(each))
            for name, each in sent * 2
        ]
        place.catalog.put_uplinks([intake.uplink_of(message, now) for message in messages])
        assert intake.take_in(place) == 0
        [found] = fleet_days(place.catalog)
        assert (found.day, found.devices, found.predictions) == (date(2024, 10, 4), 2, 88)
        assert (found.outcomes, found.error, found.bias) == (20, 3.0, -0.5)
        assert found.slowest_ms == 0.2

    def test_the_latest_that_a_device_may_say_can_be_told(
        self, place: Home, first: tuple[str, ...]
    ) -> None:
        day = SketchDay(
            outbox=OUTBOX, sequence=1, logical_model="demand", segment="", version=version(1).id,
            role="champion", day=LATEST // 86_400_000, bins="0" * 16, rows=1, counts=b"",
            moments=b"",
        )  # fmt: skip
        event = EdgeEvent(source=0, key="a", time=LATEST, inputs=(1.0,), outputs=(0.5,))
        name = first[0]
        messages = [
            Incoming(topic=topics.device(name, "up/sketch"), payload=encode(day)),
            Incoming(
                topic=topics.device(name, "up/events"),
                payload=encode(events(2, 1, events=(event,))),
            ),
            Incoming(
                topic=topics.device(name, "presence"),
                payload=encode(Presence(online=True, since=LATEST)),
            ),
        ]
        heard = sorted_out(messages, datetime.now(UTC))
        place.catalog.see(heard.states, heard.accepted)
        place.catalog.put_uplinks(heard.uplinks)
        intake.take_in(place)
        state = place.catalog.devices()[name].state
        assert state is not None
        assert state.since is not None
        assert state.since.year == 9999
        assert [found.day.year for found in fleet_days(place.catalog)] == [9999]
        assert place.events.read("demand")["time"].to_pylist()[0].year == 9999

    def test_what_cannot_be_stored_stops_nobody(
        self, place: Home, ring: Keyring, broker: Broker, first: tuple[str, ...]
    ) -> None:
        topic = topics.device(first[0], "up/events")
        foreign = Source(logical_model="credit", segment="", version=version(1).id)
        mixed = (
            EdgeEvent(source=0, key="a", time=1, inputs=(1.0,), outputs=(0.5,)),
            EdgeEvent(source=0, key="b", time=1, inputs=("x",), outputs=(0.5,)),
        )
        with (
            centre(place, ring, broker) as serving,
            FakeFleet(broker.port, first, ring.pin) as fleet,
        ):
            serving.turn(0.2)
            fleet.send(topic, events(1, 0, sources=(foreign,)))
            fleet.send(topic, events(2, 0, events=mixed))
            fleet.send(topics.device("stranger", "up/events"), events(3, 5))
            fleet._client.publish(topic, b"\x00garbage", qos=1)
            fleet._client.publish(topics.device(first[1], "reported"), b"garbage", qos=1)
            fleet.send(topic, events(4, 5))
            serve(serving, lambda: fleet.receipts[first[0]] == {1, 2, 4})
            serving.run(until=lambda: place.catalog.waiting_uplinks() == 0)
        assert place.events.read("demand").num_rows == 5
        assert len(place.catalog.kept_uplinks("refused")) == 2
        assert "stranger" not in fleet.receipts
