"""Daily sketches: days add up, in any order of segments, and a day is counted anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from loopcast.api import IntegrityError
from loopcast.monitor.bins import MISSING, Bins, fit_bins
from loopcast.monitor.daily import DailySketches, Day, Group, Part
from loopcast.monitor.reference import design_of
from loopcast.monitor.resemblance import places
from loopcast.monitor.sketch import Sketch, concatenated, sketch
from loopcast.monitor.totals import totals

START = date(2026, 1, 1)


@pytest.fixture
def bins() -> Bins:
    noise = np.random.default_rng(0)
    return fit_bins({"x": noise.normal(size=1_000), "town": noise.choice(list("ab"), 1_000)})


@pytest.fixture
def store(tmp_path: Path) -> DailySketches:
    return DailySketches(str(tmp_path))


def part_of(bins: Bins, found: Sketch, segments: str, places_of: np.ndarray | None = None) -> Part:
    count = len(segments)
    order = np.zeros((count, 2)) if places_of is None else places_of
    return Part(
        groups=tuple(Group(segment=s, version="0" * 16, bins=bins.digest) for s in segments),
        sketch=found,
        places=order,
        rows=np.full(count, 90 // count),
        latency=np.full(count, 20.0),
    )


def day_of(bins: Bins, number: int, segments: str) -> tuple[Day, dict[str, np.ndarray]]:
    noise = np.random.default_rng(number)
    rows = {"x": noise.normal(size=90), "town": noise.choice(list("abc"), 90)}
    group = np.arange(90) % len(segments)
    found = sketch(rows, bins, group=group, groups=len(segments))
    return Day(parts=(part_of(bins, found, segments),), fingerprint=f"f{number}"), rows


def test_months_are_the_sum_of_their_days(store: DailySketches, bins: Bins) -> None:
    kept = []
    for number, segments in enumerate(("nsw", "nsw", "swv", "n")):
        day, rows = day_of(bins, number, segments)
        store.put("demand", START + timedelta(days=number), day)
        kept.append(rows)
    last = START + timedelta(days=3)
    [total] = totals(store.read("demand", START, last), START, last)
    assert [group.segment for group in total.groups] == list("nswv")
    whole = sketch({name: np.concatenate([r[name] for r in kept]) for name in kept[0]}, bins)
    assert (total.sketch.pooled().counts == whole.counts).all()
    assert np.allclose(total.sketch.pooled().moments, whole.moments)
    assert total.rows.tolist() == [[30, 30, 0, 90], [30, 30, 30, 0], [30, 30, 30, 0], [0, 0, 30, 0]]
    assert np.isnan(total.latency).tolist() == (total.rows == 0).tolist()
    [alone] = totals(store.read("demand", last, last), last, last)
    assert alone.sketch.counts.sum() == 180


def test_a_day_is_counted_anew(store: DailySketches, bins: Bins) -> None:
    for number in (1, 2):
        store.put("demand", START, day_of(bins, number, "n")[0])
    [(_, day)] = store.read("demand", START, START)
    assert (day.parts[0].sketch.counts == day_of(bins, 2, "n")[0].parts[0].sketch.counts).all()
    assert store.fingerprints("demand") == {START: "f2"}


def test_weights_are_kept_exactly(store: DailySketches, bins: Bins) -> None:
    rows = {"x": np.array([0.1, 0.2]), "town": ["a", "b"]}
    plain = sketch(rows, bins)
    found = replace(plain, counts=plain.counts / 3, squares=plain.squares / 9)
    store.put("demand", START, Day(parts=(part_of(bins, found, "n"),)))
    [(_, day)] = store.read("demand", START, START)
    assert (day.parts[0].sketch.counts == found.counts).all()
    assert (day.parts[0].sketch.squares == found.squares).all()


def test_parts_of_other_inputs_are_kept_apart(store: DailySketches, bins: Bins) -> None:
    noise = np.random.default_rng(0)
    other = fit_bins({"y": noise.normal(size=500)})
    one = day_of(bins, 1, "ab")[0].parts[0]
    alone = part_of(other, sketch({"y": noise.normal(size=7)}, other), "c", np.zeros((1, 1)))
    none = Part(
        groups=(Group(segment="d", version="1" * 16, bins=""),),
        sketch=Sketch(
            counts=np.zeros((1, 0, 63)), squares=np.zeros((1, 0)), moments=np.zeros((1, 0, 4))
        ),
        places=np.zeros((1, 0)),
        rows=np.array([5]),
        latency=np.array([np.nan]),
    )
    store.put("demand", START, Day(parts=(one, alone, none), repeated={"a": 3}))
    [(_, day)] = store.read("demand", START, START)
    assert [part.sketch.counts.shape for part in day.parts] == [(2, 2, 63), (1, 1, 63), (1, 0, 63)]
    assert day.repeated == {"a": 3}
    assert day.of("a").repeated == {"a": 3}
    assert day.of("c").repeated == {}
    found = totals([(START, day)], START, START)
    assert [total.groups[0].segment for total in found] == ["a", "c", "d"]


def test_days_show_how_much_their_rows_resemble_each_other(bins: Bins) -> None:
    """From sums that days add up to, the design effect is the one of all days at hand."""
    noise = np.random.default_rng(0)
    reference = sketch({"x": noise.normal(size=500), "town": noise.choice(list("ab"), 500)}, bins)
    order = places(reference.counts)
    parts, days = [], []
    for number in range(12):
        level = noise.normal()
        rows = {"x": level + 0.3 * noise.normal(size=48), "town": noise.choice(list("ab"), 48)}
        found = sketch(rows, bins)
        sums = np.einsum("gib,gib->gi", found.counts[:, :, :MISSING], order)
        day = START + timedelta(days=number)
        days.append((day, Day(parts=(part_of(bins, found, "n", sums),))))
        parts.append(found)
    [total] = totals(days, START, START + timedelta(days=11))
    expected = design_of(bins, reference, concatenated(parts))
    assert total.design(order)[0] == pytest.approx(expected)
    assert expected[0] > 10.0
    assert expected[1] < 3.0


def test_nothing_is_counted(store: DailySketches) -> None:
    assert totals(store.read("demand", START, START), START, START) == ()


def test_a_damaged_day_is_named_and_would_be_counted_again(
    store: DailySketches, bins: Bins, tmp_path: Path
) -> None:
    store.put("demand", START, day_of(bins, 1, "n")[0])
    [file] = tmp_path.rglob("*.arrow")
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(IntegrityError, match=r"2026-01-01.arrow.*count the day again"):
        list(store.read("demand", START, START))
    assert store.fingerprints("demand") == {START: ""}
