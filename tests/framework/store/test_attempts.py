"""Trainings that made no version, on both backends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from loopcast.api import Attempt, InvalidRecordError
from loopcast.store.catalog import Catalog

from .builders import NOON, digest


def attempt(segment: str = "", *, model: str = "demand", days: int = 0) -> Attempt:
    return Attempt(
        logical_model=model,
        segment=segment,
        at=NOON + timedelta(days=days),
        recipe=digest(f"recipe {days}"),
        dataset=digest("data"),
        protocol="rolling origin, 28 origins",
        champion="0123456789abcdef",
        kpi=3.5,
        champion_kpi=3.4,
        reason="mape 3.5 against 3.4 of champion 0123456789abcdef: undecided",
    )


def test_everything_comes_back(catalog: Catalog) -> None:
    first = replace(attempt("north"), champion=None, kpi=None, champion_kpi=None)
    catalog.put_attempts([first, attempt("south"), attempt("north", model="credit")])
    assert catalog.attempts("demand") == {"north": first, "south": attempt("south")}
    assert catalog.attempts("credit") == {"north": attempt("north", model="credit")}
    assert catalog.attempts("unheard") == {}


def test_a_new_one_takes_the_place_of_the_last_one_of_its_segment(catalog: Catalog) -> None:
    catalog.put_attempts([attempt("north"), attempt("south")])
    catalog.put_attempts([attempt("north", days=1)])
    catalog.put_attempts([])
    assert catalog.attempts("demand") == {
        "north": attempt("north", days=1), "south": attempt("south")
    }  # fmt: skip


def test_thousands_of_segments_are_put_at_once(catalog: Catalog) -> None:
    names = [f"s{number:05}" for number in range(3_000)]
    for days in (0, 1):
        catalog.put_attempts([attempt(name, days=days) for name in names])
    assert catalog.attempts("demand") == {name: attempt(name, days=1) for name in names}


def test_no_entry_of_the_audit_log_tells_of_them(catalog: Catalog) -> None:
    before = catalog.verify_audit()
    catalog.put_attempts([attempt()])
    assert catalog.verify_audit() == before


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidRecordError, match="has no time zone"):
        replace(attempt(), at=NOON.replace(tzinfo=None))
