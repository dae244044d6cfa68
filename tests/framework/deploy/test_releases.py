"""Releases: refused for what is missing or damaged, swapped in one step, rolled back at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopcast.api import (
    ConflictError,
    GateError,
    Goal,
    IntegrityError,
    NotFoundError,
    PolicyRow,
    StoreError,
    SwitchError,
    VersionId,
)
from loopcast.deploy.releases import newest_in_stage, release, roll_back, segments_of
from loopcast.store.catalog import Return
from loopcast.store.home import Home

from .versions import FREE, MODEL, STRICT, add, damage, make_home, policy, signed, validated


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home")


def move(home: Home, version: VersionId, *goals: Goal, row: PolicyRow = FREE) -> None:
    for goal in goals:
        standings = home.catalog.standings([version]).values()
        share = 0.1 if goal == "canary" else None
        release(home, standings, goal, policy(row), by="ann", reason="better", share=share)


def crown(home: Home, version: VersionId) -> None:
    """Take a candidate all the way."""
    first = home.catalog.standings([version])[version].champion is None
    move(home, version, "staging", *(() if first else ("challenger",)), "champion")


class TestRelease:
    def test_all_the_way(self, home: Home) -> None:
        version = add(home, 1)
        home.catalog.put_validations([validated(version)])
        home.catalog.sign([signed(version, "owner", "ann"), signed(version, "validator", "bob")])
        move(home, version, "staging", "canary", "champion", row=STRICT)
        champion = home.catalog.champion(MODEL.name)
        assert champion is not None
        assert champion.id == version
        assert [entry.stage for entry in home.catalog.history(MODEL.name)] == [
            "staging", "canary", "champion"
        ]  # fmt: skip

    def test_refused_with_everything_that_is_missing_and_nothing_changes(self, home: Home) -> None:
        version = add(home, 1)
        before = home.catalog.audit_head()
        with pytest.raises(GateError) as caught:
            move(home, version, "champion", row=STRICT)
        assert len(str(caught.value).splitlines()) == 5
        assert home.catalog.history(MODEL.name) == ()
        acts = [entry.act for entry in home.catalog.audit_log()][: -before[0]]
        assert acts == ["policy"]

    def test_a_damaged_bundle_is_not_released(self, home: Home) -> None:
        version = add(home, 1)
        damage(home, version)
        with pytest.raises(IntegrityError, match=f"version {version} is not intact: artifact"):
            move(home, version, "staging")
        assert home.catalog.stage(version) == "candidate"

    def test_a_retired_version_is_signed_anew(self, home: Home) -> None:
        old, new = add(home, 1), add(home, 2)
        home.catalog.put_validations([validated(old)])
        home.catalog.sign([signed(old, "owner", "ann"), signed(old, "validator", "bob")])
        move(home, old, "staging", "champion", row=STRICT)
        crown(home, new)
        move(home, old, "staging", "challenger", row=STRICT)
        with pytest.raises(GateError, match="no sign-off by the role owner"):
            move(home, old, "champion", row=STRICT)
        assert len(home.catalog.sign_offs(old)) == 2

    def test_one_canary_at_a_time_whose_share_may_grow(self, home: Home) -> None:
        one, two = add(home, 1), add(home, 2)
        move(home, one, "staging", "canary")
        move(home, two, "staging")
        with pytest.raises(StoreError, match="has a canary already"):
            move(home, two, "canary")
        standings = home.catalog.standings([one]).values()
        release(home, standings, "canary", policy(FREE), by="ann", reason="fine", share=0.5)
        assert home.catalog.standings([one])[one].share == 0.5
        assert [entry.share for entry in home.catalog.history(MODEL.name, version=one)] == [
            None, 0.1, 0.5
        ]  # fmt: skip

    def test_a_family_at_once_or_not_at_all(self, home: Home) -> None:
        ids = [add(home, 1, segment) for segment in ("north-1", "north-2", "south-1")]
        for goal in ("staging", "champion"):
            standings = home.catalog.standings(ids).values()
            release(home, standings, goal, policy(FREE), by="ann", reason="r")
        assert home.catalog.champions(MODEL.name).keys() == {"north-1", "north-2", "south-1"}
        home.catalog.set_switch(MODEL.name, ["south-1"], "freeze", by="bob", reason="holiday")
        more = [add(home, 2, segment) for segment in ("north-1", "south-1")]
        with pytest.raises(SwitchError, match=r"demand/south-1 is frozen .* by bob \(holiday\)"):
            release(home, home.catalog.standings(more).values(), "staging", policy(FREE), by="ann",
                    reason="r")  # fmt: skip
        assert home.catalog.stage(more[0]) == "candidate"


class TestRollback:
    def test_to_the_last_good_champion(self, home: Home) -> None:
        versions = [add(home, number) for number in range(4)]
        for version in versions:
            crown(home, version)
        (first,) = roll_back(home, MODEL.name, [""], by="bob", reason="wrong in the morning")
        assert (first.went, first.came, first.skipped) == (versions[3], versions[2], ())
        # Those that were rolled back from are not returned to.
        (second,) = roll_back(home, MODEL.name, [""], by="bob", reason="still wrong")
        assert (second.went, second.came) == (versions[2], versions[1])
        entries = home.catalog.history(MODEL.name)[-2:]
        assert [(e.stage, e.rollback, e.by) for e in entries] == [
            ("retired", True, "bob"), ("champion", True, "bob")
        ]  # fmt: skip
        assert entries[0].reason == f"rolled back to {versions[1]}: still wrong"
        home.catalog.verify_audit()

    def test_one_that_is_released_again_is_good_again(self, home: Home) -> None:
        a, b, c = (add(home, number) for number in range(3))
        for version in (a, b):
            crown(home, version)
        roll_back(home, MODEL.name, [""], by="bob", reason="b was wrong")
        crown(home, b)  # looked at again, and released on purpose
        crown(home, c)
        (done,) = roll_back(home, MODEL.name, [""], by="bob", reason="c is wrong")
        assert done.came == b

    def test_there_may_be_none(self, home: Home) -> None:
        with pytest.raises(NotFoundError, match="demand has no champion to roll back from"):
            roll_back(home, MODEL.name, [""], by="bob", reason="r")
        crown(home, add(home, 1))
        message = "has no good champion before .* to return to. Release another version, or"
        with pytest.raises(NotFoundError, match=message):
            roll_back(home, MODEL.name, [""], by="bob", reason="r")
        assert home.catalog.champion(MODEL.name) is not None

    def test_a_damaged_one_is_skipped(self, home: Home) -> None:
        a, b, c = (add(home, number) for number in range(3))
        for version in (a, b, c):
            crown(home, version)
        damage(home, b)
        (done,) = roll_back(home, MODEL.name, [""], by="bob", reason="r")
        assert (done.came, done.skipped) == (a, (b,))
        damage(home, a)
        with pytest.raises(NotFoundError, match="has no good champion before"):
            roll_back(home, MODEL.name, [""], by="bob", reason="r")

    def test_frozen_stays(self, home: Home) -> None:
        for number in range(2):
            crown(home, add(home, number))
        home.catalog.set_switch(MODEL.name, [""], "freeze", by="ann", reason="audit")
        with pytest.raises(SwitchError, match="'loopcast switch demand on' lets versions move"):
            roll_back(home, MODEL.name, [""], by="bob", reason="r")

    def test_two_at_once_go_back_one_step_only(self, home: Home) -> None:
        a, b, c = (add(home, number) for number in range(3))
        for version in (a, b, c):
            crown(home, version)
        step = Return(logical_model=MODEL.name, segment="", champion=c, version=b)
        home.catalog.roll_back([step], by="ann", reason="r")
        with pytest.raises(ConflictError, match=f"has {b} champion by now, not {c}"):
            home.catalog.roll_back([step], by="bob", reason="r")
        champion = home.catalog.champion(MODEL.name)
        assert champion is not None
        assert champion.id == b

    def test_a_family_at_once_or_not_at_all(self, home: Home) -> None:
        segments = ["n", "s"]
        first = [add(home, 1, segment) for segment in segments]
        second = [add(home, 2, segment) for segment in segments]
        for version in (*first, *second):
            crown(home, version)
        done = roll_back(home, MODEL.name, segments, by="bob", reason="r")
        assert [item.came for item in done] == first
        with pytest.raises(NotFoundError, match="demand/n has no good champion"):
            roll_back(home, MODEL.name, segments, by="bob", reason="r")


class TestSelection:
    def test_of_a_logical_model_without_a_family(self, home: Home) -> None:
        assert segments_of(home.catalog, MODEL.name) == ("",)

    def test_of_a_family(self, home: Home) -> None:
        for segment in ("north-1", "north-2", "south-1"):
            add(home, 1, segment)
        catalog = home.catalog
        assert segments_of(catalog, MODEL.name, "north-*") == ("north-1", "north-2")
        assert len(segments_of(catalog, MODEL.name, all_segments=True)) == 3
        with pytest.raises(StoreError, match=r"is a family of 3 segments \('north-1', 'north-2', "):
            segments_of(catalog, MODEL.name)
        with pytest.raises(NotFoundError, match="no segment of demand matches 'west-"):
            segments_of(catalog, MODEL.name, "west-*")

    def test_the_newest_in_a_stage(self, home: Home) -> None:
        ids = {number: add(home, number, "n") for number in (1, 2, 3)}
        assert newest_in_stage(home.catalog, MODEL.name, ["n"], "candidate") == [ids[3]]
        move(home, ids[1], "staging")
        assert newest_in_stage(home.catalog, MODEL.name, ["n"], "staging") == [ids[1]]
        with pytest.raises(NotFoundError, match="no version in the stage staging for 1 of 2"):
            newest_in_stage(home.catalog, MODEL.name, ["n", "s"], "staging")
        alone = "no version in the stage staging; name a VERSION, or another stage by --in"
        with pytest.raises(NotFoundError, match=alone):
            newest_in_stage(home.catalog, MODEL.name, [""], "staging")
