"""Moves between stages: one champion, no gap, and a history that can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loopcast.api import InvalidRecordError, NotFoundError, Stage, StoreError, VersionId
from loopcast.store.catalog import Catalog, Move, Standing

from .builders import NOON, logical_model, registration, registrations, version


def hours(count: float) -> datetime:
    return NOON + timedelta(hours=count)


def move(number: int, stage: Stage, segment: str = "") -> Move:
    return Move(
        logical_model="demand",
        segment=segment,
        version=version(number, segment=segment).id,
        stage=stage,
        by="ann",
        reason="better",
    )


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    catalog.register(registrations(3))
    return catalog


class TestChampion:
    def test_none_before_the_first_release(self, filled: Catalog) -> None:
        assert filled.champion("demand") is None

    def test_a_new_one_retires_the_old_one(self, filled: Catalog) -> None:
        filled.release_all([move(0, "champion")], at=hours(1))
        filled.release_all([move(1, "champion")], at=hours(2))
        assert filled.champion("demand") == version(1)
        assert filled.stage(version(0).id) == "retired"
        old, retired, new = filled.history("demand")
        assert (old.version, old.stage, old.since, old.until) == (
            version(0).id, "champion", hours(1), hours(2)
        )  # fmt: skip
        assert (retired.version, retired.stage, retired.until) == (version(0).id, "retired", None)
        assert retired.reason == f"replaced by {version(1).id}"
        assert (new.version, new.since, new.by, new.reason) == (
            version(1).id, hours(2), "ann", "better"
        )  # fmt: skip

    def test_at_a_moment_of_the_past(self, filled: Catalog) -> None:
        for number in range(3):
            filled.release_all([move(number, "champion")], at=hours(number + 1))
        assert not filled.champions("demand", at=hours(0.99))
        for number in range(3):
            for moment in (hours(number + 1), hours(number + 1.99)):
                assert filled.champions("demand", at=moment) == {"": version(number)}

    def test_released_again_is_no_new_entry(self, filled: Catalog) -> None:
        filled.release_all([move(0, "champion")], at=hours(1))
        filled.release_all([move(0, "champion")], at=hours(2))
        assert len(filled.history("demand")) == 1

    def test_swap_in_one_step(self, filled: Catalog) -> None:
        filled.release_all([move(0, "champion")], at=hours(1))
        filled.release_all([move(0, "challenger"), move(1, "champion")], at=hours(2))
        assert filled.champion("demand") == version(1)
        assert filled.stage(version(0).id) == "challenger"

    def test_rollback(self, filled: Catalog) -> None:
        for number, hour in ((0, 1), (1, 2), (0, 3)):
            filled.release_all([move(number, "champion")], at=hours(hour))
        assert filled.champion("demand") == version(0)
        assert [entry.stage for entry in filled.history("demand", version=version(0).id)] == [
            "champion", "retired", "champion"
        ]  # fmt: skip

    def test_many_segments_at_once(self, catalog: Catalog) -> None:
        segments = [f"meter-{number}" for number in range(300)]
        for number in (0, 1):
            catalog.register(
                [registration(version(number, segment=segment)) for segment in segments]
            )
            moves = [move(number, "champion", segment) for segment in segments]
            catalog.release_all(moves, at=hours(number))
        expected = {segment: version(1, segment=segment) for segment in segments}
        assert catalog.champions("demand") == expected
        assert catalog.champions("demand", segments[:2]).keys() == set(segments[:2])
        before = catalog.champions("demand", at=hours(0.5))
        assert before == {segment: version(0, segment=segment) for segment in segments}


class TestRefused:
    def test_a_gap(self, filled: Catalog) -> None:
        filled.release_all([move(0, "champion")], at=hours(1))
        with pytest.raises(StoreError, match="would be left without one; release its successor"):
            filled.release_all([move(0, "retired")], at=hours(2))
        assert filled.champion("demand") == version(0)

    def test_one_bad_move_stops_all(self, filled: Catalog) -> None:
        with pytest.raises(NotFoundError, match="is not in the catalog"):
            filled.release_all([move(0, "champion"), move(99, "staging")])
        assert filled.history("demand") == ()

    def test_another_segment(self, filled: Catalog) -> None:
        with pytest.raises(InvalidRecordError, match="is one of demand '', not of demand 'north'"):
            filled.release("demand", "north", version(0).id, stage="champion", by="a", reason="")

    def test_another_logical_model(self, filled: Catalog) -> None:
        filled.put_logical_model(logical_model("credit"))
        with pytest.raises(InvalidRecordError, match="is one of demand '', not of credit ''"):
            filled.release("credit", "", version(0).id, stage="champion", by="a", reason="")

    def test_two_champions_at_once(self, filled: Catalog) -> None:
        with pytest.raises(InvalidRecordError, match="2 versions would become champion of demand"):
            filled.release_all([move(0, "champion"), move(1, "champion")])

    def test_one_version_twice(self, filled: Catalog) -> None:
        with pytest.raises(InvalidRecordError, match="is moved twice at once"):
            filled.release_all([move(0, "staging"), move(0, "champion")])

    def test_nobody(self) -> None:
        with pytest.raises(InvalidRecordError, match="name who releases the version"):
            Move(
                logical_model="demand",
                segment="",
                version=version(0).id,
                stage="champion",
                by=" ",
                reason="",
            )

    def test_a_moment_without_a_zone(self, filled: Catalog) -> None:
        filled.release_all([move(0, "champion")], at=hours(1))
        with pytest.raises(StoreError, match="has no time zone"):
            filled.release_all([move(1, "champion")], at=datetime(2026, 1, 1))


UNIQUE = count()  # an example that is tried again is another segment
STAGES = st.sampled_from(["staging", "challenger", "champion", "champion"])


class TestAnySequence:
    """Whatever is released, with clocks that go back at times, the promises hold."""

    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=st.lists(st.tuples(st.integers(0, 2), STAGES, st.integers(-2, 5)), max_size=12))
    def test_promises(self, filled: Catalog, steps: list[tuple[int, Stage, int]]) -> None:
        segment = f"segment-{next(UNIQUE)}"
        filled.register([registration(version(number, segment=segment)) for number in range(3)])
        clock, champion = 0, None
        for number, stage, advance in steps:
            clock += advance
            if number == champion and stage != "champion":
                continue  # refused, as another test shows
            filled.release_all([move(number, stage, segment)], at=hours(clock))
            champion = number if stage == "champion" else champion
            expected = None if champion is None else version(champion, segment=segment)
            assert filled.champion("demand", segment) == expected
        reign = [entry for entry in filled.history("demand", segment) if entry.stage == "champion"]
        assert all(former.until == latter.since for former, latter in pairwise(reign))
        for entry in reign:
            if entry.until is None or entry.until > entry.since:
                found = filled.champions("demand", [segment], at=entry.since)
                assert found[segment].id == entry.version


class TestAdvance:
    """Moves round by round, in one transaction, by what is known of the moves before."""

    def test_rounds_are_entries_of_their_own(self, filled: Catalog) -> None:
        filled.release_all([move(0, "champion")], at=hours(1))
        before = filled.audit_head()[0]
        rounds: list[list[Move]] = [[move(1, "staging"), move(2, "staging")], [move(1, "champion")]]

        def plan(standings: Mapping[VersionId, Standing]) -> list[Move]:
            assert standings.keys() == {version(number).id for number in range(3)}
            return rounds.pop(0) if rounds else []

        found = filled.advance([version(n).id for n in range(3)], plan, at=hours(2))
        assert found == filled.standings(list(found))
        stages = [found[version(number).id].stage for number in range(3)]
        assert stages == ["retired", "champion", "staging"]
        assert filled.audit_head()[0] == before + 2
        assert filled.verify_audit() == filled.audit_head()

    def test_one_bad_round_undoes_all(self, filled: Catalog) -> None:
        rounds = [[move(0, "staging")], [move(99, "staging")]]
        before = filled.audit_head()
        with pytest.raises(NotFoundError, match="is not in the catalog"):
            filled.advance([version(0).id], lambda _: rounds.pop(0))
        assert filled.stage(version(0).id) == "candidate"
        assert filled.audit_head() == before

    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=st.lists(st.tuples(st.integers(0, 2), STAGES), max_size=8))
    def test_what_plans_see_is_what_the_catalog_says(
        self, filled: Catalog, steps: list[tuple[int, Stage]]
    ) -> None:
        segment = f"advanced-{next(UNIQUE)}"
        filled.register([registration(version(number, segment=segment)) for number in range(3)])
        names = [version(number, segment=segment).id for number in range(3)]
        left = iter(steps)

        def plan(standings: Mapping[VersionId, Standing]) -> list[Move]:
            for number, stage in left:
                if standings[names[number]].stage != "champion":  # which would leave a gap
                    return [move(number, stage, segment)]
            return []

        assert filled.advance(names, plan) == filled.standings(names)
