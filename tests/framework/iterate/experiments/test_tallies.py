"""Tallies on disk, and those of some bandits."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from loopcast.iterate.experiments.tallies import Tallies, Tally

DAY = date(2026, 3, 2)
TALLY = Tally(
    source="abc",
    bandits=("shop/t0/night", "shop/t1/night"),
    until=np.array(["2026-03-03", "2026-03-02T12"], "datetime64[us]"),
    outcomes=np.array([[3, 4], [0, 7]]),
    successes=np.array([[1.5, 0.25], [0.0, 2.0]]),
    failures=np.array([[1.0, 3.0], [0.0, 4.5]]),
)


def test_a_tally_is_read_as_it_was_put(tmp_path: Path) -> None:
    tallies = Tallies(str(tmp_path))
    assert tallies.read("shop", DAY) is None
    tallies.put("shop", {DAY: TALLY})
    found = tallies.read("shop", DAY)
    assert found is not None
    assert (found.source, found.bandits) == (TALLY.source, TALLY.bandits)
    for name in ("until", "outcomes", "successes", "failures"):
        assert np.array_equal(getattr(found, name), getattr(TALLY, name))
        assert getattr(found, name).dtype == getattr(TALLY, name).dtype


def test_bandits_are_found_by_name_and_others_have_nothing() -> None:
    found = TALLY.of(["shop/t1/night", "shop/t2/night"], 3)
    assert np.array_equal(found.outcomes, [[0, 7, 0], [0, 0, 0]])
    assert np.array_equal(found.failures, [[0.0, 4.5, 0.0], [0.0, 0.0, 0.0]])
    assert found.until[0] == np.datetime64("2026-03-02T12")
    assert np.isnat(found.until[1])
