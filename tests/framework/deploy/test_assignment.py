"""Assignment: the same arm for an entity, one by one or all at once, here and on a device."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from loopcast.deploy.assignment import arm, arms, place, places

PAGE = Path(__file__).resolve().parents[3] / "docs" / "experiments.md"
VECTORS = re.findall(
    r"^\| `(.*)` \| `(.*)` \| ([\d.]+) \| (\d) \| (\d) \|$", PAGE.read_text(), re.M
)
PEOPLE = [f"customer {number}" for number in range(20_000)]
HALVES, UNEVEN = (0.5, 0.5), (0.1, 0.2, 0.7)


@pytest.mark.parametrize(("entity", "salt", "where", "half", "uneven"), VECTORS)
def test_the_documented_vectors(entity: str, salt: str, where: str, half: str, uneven: str) -> None:
    # Entities would change sides in the middle of an experiment if they did not hold any more.
    assert place(entity, salt) == float(where)
    assert (arm(entity, salt, HALVES), arm(entity, salt, UNEVEN)) == (int(half), int(uneven))


def test_there_are_vectors() -> None:
    assert len(VECTORS) >= 4
    assert {int(vector[4]) for vector in VECTORS} == {0, 1, 2}


@given(
    st.lists(st.text(), max_size=20),
    st.text(max_size=200),
    st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any),
)
def test_one_by_one_or_all_at_once(entities: list[str], salt: str, parts: list[int]) -> None:
    shares = [part / sum(parts) for part in parts]
    assert [place(entity, salt) for entity in entities] == places(entities, salt).tolist()
    assert [arm(entity, salt, shares) for entity in entities] == arms(
        entities, salt, shares
    ).tolist()


def test_places_are_uniform_and_independent_between_salts() -> None:
    one, two = places(PEOPLE, "credit//spring"), places(PEOPLE, "credit//summer")
    assert stats.kstest(one, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(one, two)[0, 1]) < 3.0 / np.sqrt(len(PEOPLE))


@pytest.mark.parametrize("shares", [HALVES, UNEVEN, (0.25,) * 4, (1.0,), (0.0, 1.0)])
def test_arms_get_their_shares(shares: tuple[float, ...]) -> None:
    counts = np.bincount(arms(PEOPLE, "credit//spring", shares), minlength=len(shares))
    wanted = np.array(shares) * len(PEOPLE)
    spread = np.sqrt(wanted * (1.0 - np.array(shares)))
    assert (np.abs(counts - wanted) <= 3.0 * spread).all()
