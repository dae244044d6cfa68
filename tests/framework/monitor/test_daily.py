"""Daily sketches: days add up, in any order of segments, and a day is counted anew."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from loopcast.api import IntegrityError
from loopcast.monitor.bins import Bins, fit_bins
from loopcast.monitor.daily import DailySketches, Day, Group
from loopcast.monitor.sketch import sketch

START = date(2026, 1, 1)


@pytest.fixture
def bins() -> Bins:
    noise = np.random.default_rng(0)
    return fit_bins({"x": noise.normal(size=1_000), "town": noise.choice(list("ab"), 1_000)})


@pytest.fixture
def store(tmp_path: Path) -> DailySketches:
    return DailySketches(str(tmp_path))


def day_of(bins: Bins, number: int, segments: str) -> tuple[Day, dict[str, np.ndarray]]:
    noise = np.random.default_rng(number)
    rows = {"x": noise.normal(size=90), "town": noise.choice(list("abc"), 90)}
    group = np.arange(90) % len(segments)
    groups = tuple(Group(segment=s, version="0" * 16, bins=bins.digest) for s in segments)
    return Day(groups=groups, sketch=sketch(rows, bins, group=group, groups=len(segments))), rows


def test_months_are_the_sum_of_their_days(store: DailySketches, bins: Bins) -> None:
    kept = []
    for number, segments in enumerate(("nsw", "nsw", "swv", "n")):
        day, rows = day_of(bins, number, segments)
        store.put("demand", START + timedelta(days=number), day)
        kept.append(rows)
    total = store.total("demand", START, START + timedelta(days=3))
    assert total is not None
    assert [group.segment for group in total.groups] == list("nswv")
    whole = sketch({name: np.concatenate([r[name] for r in kept]) for name in kept[0]}, bins)
    assert (total.sketch.pooled().counts == whole.counts).all()
    assert np.allclose(total.sketch.pooled().moments, whole.moments)
    alone = store.total("demand", START + timedelta(days=3), START + timedelta(days=9))
    assert alone is not None
    assert alone.sketch.counts.sum() == 180


def test_a_day_is_counted_anew(store: DailySketches, bins: Bins) -> None:
    for number in (1, 2):
        store.put("demand", START, day_of(bins, number, "n")[0])
    total = store.total("demand", START, START)
    assert total is not None
    assert (total.sketch.counts == day_of(bins, 2, "n")[0].sketch.counts).all()
    assert store.days("demand") == (START,)


def test_weights_are_kept_exactly(store: DailySketches, bins: Bins) -> None:
    rows = {"x": np.array([0.1, 0.2]), "town": ["a", "b"]}
    found = sketch(rows, bins, weight=np.array([1 / 3, 2.5]))
    group = Group(segment="", version="0" * 16, bins=bins.digest)
    store.put("demand", START, Day(groups=(group,), sketch=found))
    total = store.total("demand", START, START)
    assert total is not None
    assert (total.sketch.counts == found.counts).all()


def test_nothing_is_counted(store: DailySketches) -> None:
    assert store.total("demand", START, START) is None


def test_a_damaged_day_is_named(store: DailySketches, bins: Bins, tmp_path: Path) -> None:
    store.put("demand", START, day_of(bins, 1, "n")[0])
    [file] = tmp_path.rglob("*.arrow")
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(IntegrityError, match=r"2026-01-01.arrow.*count the day again"):
        store.total("demand", START, START)
