"""Devices, packages, rollouts and batches in the catalog, on both backends and in processes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from loopcast.api import (
    ConflictError,
    Device,
    IntegrityError,
    NotFoundError,
    Package,
    Rollout,
    RolloutAct,
    RolloutStep,
    StoreError,
)
from loopcast.store import database
from loopcast.store.catalog import Catalog
from loopcast.store.devices import DeviceState, Enrolled, Invitation
from loopcast.store.packages import Pair
from loopcast.store.rollouts import Course, Turn
from loopcast.store.uplinks import Uplink

from .builders import NOON, digest, registration, version

LATER = datetime.now(UTC) + timedelta(days=30)
NAMES = ("meter-0", "meter-1", "meter-2")


def device(name: str, **labels: str) -> Device:
    return Device(name=name, enrolled=NOON, labels=labels)


def package(sequence: int) -> Package:
    return Package(
        logical_model="demand", segment="", version=version(1).id, sequence=sequence,
        manifest=digest(f"manifest {sequence}"), envelope=digest(f"envelope {sequence}"),
        model=digest(f"model {sequence}"), size=3600, created=NOON, expires=LATER,
    )  # fmt: skip


def plan(name: str = "march", sequence: int = 1) -> Rollout:
    return Rollout(
        name=name, logical_model="demand", segment="", sequence=sequence, cohorts=(0.5, 1.0)
    )


def step(act: RolloutAct, hours: int = 0) -> RolloutStep:
    at = NOON + timedelta(hours=hours)
    return RolloutStep(act=act, at=at, by="ann", reason="r", evidence={"ratio": 0.5})


def begin(catalog: Catalog, plan: Rollout, names: tuple[str, ...] = NAMES) -> Course:
    def all_at_once(course: Course) -> Mapping[str, Pair]:
        return {
            n: Pair(champion=plan.sequence, shadow=m.previous) for n, m in course.members.items()
        }

    return catalog.begin_rollout(
        plan, step("begin"), lambda _: dict.fromkeys(names, 0), all_at_once
    )


@pytest.fixture
def ready(catalog: Catalog) -> Catalog:
    """A catalog with three devices and two packages."""
    catalog.register([registration(version(1))])
    catalog.enrol([device(name) for name in NAMES], by="ann")
    for _ in range(2):
        catalog.add_package("demand", "", package, by="ann")
    return catalog


class TestEnrolment:
    def invitation(self, **fields: Any) -> Invitation:
        common: dict[str, Any] = {
            "digest": digest("token"), "device": "meter-9", "labels": {"region": "north"},
            "expires": NOON + timedelta(hours=1),
        }  # fmt: skip
        return Invitation(**common | fields)

    def admit(self, item: Invitation) -> Device:
        return Device(name=item.device, enrolled=NOON, labels=dict(item.labels))

    def test_a_token_is_good_once(self, catalog: Catalog) -> None:
        catalog.invite(self.invitation(), by="ann")
        catalog.redeem(digest("token"), self.admit, at=NOON)
        assert catalog.devices()["meter-9"].device.labels == {"region": "north"}
        with pytest.raises(StoreError, match="used before"):
            catalog.redeem(digest("token"), self.admit, at=NOON)

    def test_a_token_expires_and_cannot_be_guessed(self, catalog: Catalog) -> None:
        catalog.invite(self.invitation(), by="ann")
        for digits, hours in (("token", 1), ("other", 0)):
            with pytest.raises(StoreError, match="unknown, was used before or has expired"):
                catalog.redeem(digest(digits), self.admit, at=NOON + timedelta(hours=hours))

    def test_a_device_that_cannot_be_admitted_leaves_the_token_good(self, catalog: Catalog) -> None:
        def refuse(_: Invitation) -> Device:
            raise StoreError("no certificate")

        catalog.invite(self.invitation(), by="ann")
        with pytest.raises(StoreError, match="no certificate"):
            catalog.redeem(digest("token"), refuse, at=NOON)
        assert catalog.redeem(digest("token"), self.admit, at=NOON).name == "meter-9"

    def test_names_are_unique(self, ready: Catalog) -> None:
        with pytest.raises(ConflictError, match="meter-1 is enrolled"):
            ready.enrol([device("meter-7"), device("meter-1")], by="ann")
        assert "meter-7" not in ready.devices()
        with pytest.raises(StoreError, match="enrolled already"):
            ready.invite(self.invitation(device="meter-1"), by="ann")

    def test_labels_come_and_go(self, ready: Catalog) -> None:
        ready.put_labels(["meter-1"], {"region": "north", "ring": "early"}, by="ann")
        ready.put_labels(["meter-1"], {"ring": ""}, by="ann")
        assert ready.devices()["meter-1"].device.labels == {"region": "north"}
        with pytest.raises(NotFoundError, match="meter-8 is not enrolled"):
            ready.put_labels(["meter-8"], {"a": "b"}, by="ann")

    def test_what_a_report_leaves_out_stays(self, ready: Catalog) -> None:
        first = DeviceState(seen=NOON, online=True, since=NOON)
        later = DeviceState(seen=NOON + timedelta(hours=1), report=b"report")
        assert ready.see({"meter-1": first, "stranger": first}) == ("meter-1",)
        ready.see({"meter-1": later})
        assert ready.devices()["meter-1"].state == replace(first, seen=later.seen, report=b"report")


class TestPackages:
    def test_are_numbered_for_each_place(self, ready: Catalog) -> None:
        assert [p.sequence for p in ready.packages("demand")] == [1, 2]
        assert ready.packages("demand", "north") == ()

    def test_no_number_is_given_twice_or_lost(self, catalog_url: str, ready: Catalog) -> None:
        def broken(_: int) -> Package:
            raise StoreError("cannot be made")

        with pytest.raises(StoreError, match="cannot be made"):
            ready.add_package("demand", "", broken, by="ann")
        with Catalog(catalog_url) as other, ThreadPoolExecutor(4) as pool:
            jobs = [
                pool.submit(c.add_package, "demand", "", package, by="ann")
                for c in (ready, other) * 4
            ]
            assert sorted(job.result().sequence for job in jobs) == list(range(3, 11))

    def test_what_is_told_is_numbered_and_published_once(self, ready: Catalog) -> None:
        begin(ready, plan())
        told = ready.unpublished()
        assert {name: each.sequence for name, each in told.items()} == dict.fromkeys(NAMES, 1)
        assert told["meter-0"].packages == ((package(1), "champion"),)
        ready.note_published({"meter-0": 1, "meter-1": 7})
        assert set(ready.unpublished()) == {"meter-1", "meter-2"}
        ready.revoke(["meter-1"], by="ann", reason="stolen")
        assert set(ready.unpublished()) == {"meter-2"}


class TestRollouts:
    def test_devices_keep_what_they_had_as_a_shadow(self, ready: Catalog) -> None:
        begin(ready, plan("first", 1))
        ready.roll("first", lambda _, __: Turn(step=step("complete"), assign={}))
        begun = begin(ready, plan("second", 2), NAMES[:2])
        assert begun.members["meter-0"].previous == 1
        assert ready.told()["meter-0"].packages == (
            (package(1), "shadow"), (package(2), "champion"))  # fmt: skip
        assert ready.told()["meter-2"].packages == ((package(1), "champion"),)

    def test_its_course_is_kept(self, ready: Catalog) -> None:
        begin(ready, plan())
        turn = Turn(step=step("look", 3), assign={})
        ready.roll("march", lambda _, __: turn)
        found = ready.rollout("march")
        assert (found.plan, found.steps) == (plan(), (step("begin"), step("look", 3)))
        assert ready.rollouts(under_way=True) == (found,)
        ready.roll("march", lambda _, __: Turn(step=step("abort", 4), assign={}))
        assert ready.rollouts(under_way=True) == ()
        assert [c.plan.name for c in ready.rollouts()] == ["march"]

    def test_one_at_a_time_on_a_device(self, ready: Catalog) -> None:
        begin(ready, plan("one", 1), NAMES[:1])
        begin(ready, plan("two", 1), NAMES[1:])
        with pytest.raises(ConflictError, match="rollout one of demand is under way"):
            begin(ready, plan("three", 2), NAMES[:1])
        with pytest.raises(StoreError, match="rollout one already"):
            begin(ready, plan("one", 2), NAMES[:1])
        assert len(ready.rollouts()) == 2

    def test_what_is_not_there_is_named(self, ready: Catalog) -> None:
        with pytest.raises(NotFoundError, match="no package 9"):
            begin(ready, plan("nine", 9))
        with pytest.raises(NotFoundError, match="no rollout 'june'; there are: none"):
            ready.rollout("june")

    def test_two_centres_take_a_step_once(self, catalog_url: str, ready: Catalog) -> None:
        begin(ready, plan())

        def once(course: Course, _: Mapping[str, Enrolled]) -> Turn | None:
            return Turn(step=step("look"), assign={}) if len(course.steps) == 1 else None

        with Catalog(catalog_url) as other, ThreadPoolExecutor(4) as pool:
            turns = [pool.submit(c.roll, "march", once) for c in (ready, other) * 4]
            assert sum(turn.result() is not None for turn in turns) == 1
        assert len(ready.rollout("march").steps) == 2

    def test_a_refusal_changes_nothing(self, ready: Catalog) -> None:
        begin(ready, plan())
        wrong = Turn(step=step("advance"), assign={"stranger": Pair(champion=1)})
        with pytest.raises(NotFoundError, match="stranger"):
            ready.roll("march", lambda _, __: wrong)
        assert len(ready.rollout("march").steps) == 1

    def test_the_audit_log_tells_of_it_and_notices_a_change(
        self, ready: Catalog, catalog_url: str
    ) -> None:
        begin(ready, plan())
        ready.put_labels(NAMES, {"region": "north"}, by="ann")
        assert {entry.act for entry in ready.audit_log()} >= {
            "enrol", "package", "plan", "roll", "label"}  # fmt: skip
        ready.verify_audit()
        engine = database.open_engine(catalog_url, create=False)
        with database.writing(engine) as connection:
            connection.execute(text("UPDATE rollout_steps SET reason = 'all was well'"))
        engine.dispose()
        with pytest.raises(IntegrityError, match="rollout steps of audit entry"):
            ready.verify_audit()


class TestUplinks:
    def uplink(self, number: int, name: str = "meter-0") -> Uplink:
        return Uplink(
            device=name, batch=f"a/{number}", kind="events", at=NOON, payload=b"%d" % number
        )

    def test_a_batch_is_kept_once(self, ready: Catalog) -> None:
        kept = ready.put_uplinks([self.uplink(1), self.uplink(1), self.uplink(2)])
        assert [each.batch for each in kept] == ["a/2", "a/1"]
        again = ready.put_uplinks([self.uplink(1), self.uplink(3), self.uplink(1, "stranger")])
        assert {each.batch for each in again} == {"a/1", "a/3"}
        intake = ready.next_intake(10)
        assert intake is not None
        assert [each.payload for each in intake.uplinks] == [b"1", b"2", b"3"]

    def test_an_intake_stays_as_it_is_until_it_is_finished(self, ready: Catalog) -> None:
        ready.put_uplinks([self.uplink(number) for number in range(5)])
        first = ready.next_intake(3)
        assert first is not None
        ready.put_uplinks([self.uplink(9)])
        assert ready.next_intake(10) == first
        ready.finish_intake(first, first.uplinks[:1])
        second = ready.next_intake(10)
        assert second is not None
        assert [each.payload for each in second.uplinks] == [b"3", b"4", b"9"]
        ready.finish_intake(second)
        assert ready.next_intake(10) is None
        assert ready.waiting_uplinks() == 0
        ready.put_uplinks([self.uplink(0), self.uplink(1)])
        assert ready.waiting_uplinks() == 0
        assert [each.payload for each in ready.kept_uplinks("refused")] == [b"0"]

    def test_sums_stay_when_the_rest_of_their_batch_is_stored(self, ready: Catalog) -> None:
        ready.put_uplinks([self.uplink(number) for number in range(3)])
        intake = ready.next_intake(10)
        assert intake is not None
        left = replace(intake.uplinks[1], payload=b"sums")
        ready.finish_intake(intake, intake.uplinks[:1], [left])
        ready.finish_intake(intake, intake.uplinks[:1], [left])  # as another centre may, too
        assert ready.kept_uplinks("condensed") == (replace(left, kind="condensed"),)
        assert [each.payload for each in ready.kept_uplinks("refused")] == [b"0"]
        assert ready.waiting_uplinks() == 0
        ready.put_uplinks([self.uplink(1)])
        assert ready.next_intake(10) is None

    def test_what_has_no_ordinary_store_stays(self, ready: Catalog) -> None:
        sketch = replace(self.uplink(1), kind="sketch")
        ready.put_uplinks([sketch])
        assert ready.next_intake(10) is None
        assert ready.kept_uplinks("sketch") == (sketch,)
