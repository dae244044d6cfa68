"""Rows from all over the domain of a graph, on which a smaller file is compared with the full one.

A bundle's scenario is one stretch of time or some rows of training; what was made smaller has to
be right on the rest of the domain too. A feature that multiplies terms is as likely as not a flag:
the scenario of a Tuesday knows no Monday, so that zero and one belong to its domain, seen or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loopcast.api import graph as g

if TYPE_CHECKING:
    from loopcast.deploy.export.tflite.runtimes import Session
    from loopcast.deploy.export.tflite.vectors import Vectors

ROWS = 512
SEED = 0
MISSING = 0.05  # share of missing values where a feature may be missing


def domain_rows(sums: Sequence[g.Additive], features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Draw features evenly from what a graph's bases span, shape (rows, n).

    Parameters
    ----------
    sums
        Of the graph.
    features
        Of the scenario: a feature that no basis spans is drawn from its values, and one that
        multiplies terms from these, zero and one.
    """
    random = np.random.default_rng(SEED)
    rows = features[random.integers(0, len(features), ROWS)].copy()
    for place in range(features.shape[1]):
        known = rows[~np.isnan(rows[:, place]), place]
        if len(known):
            rows[:, place] = random.choice(known, ROWS)
    for block in sums:
        bases = dict.fromkeys(basis for term in block.terms for basis in term.bases)
        for basis in sorted(bases, key=lambda one: not isinstance(one, g.Line)):
            if isinstance(basis, g.Line):
                rows[:, basis.feature] = _multiplier(rows[:, basis.feature], random)
            for drawn in _drawn(basis, random):
                rows[:, basis.feature] = drawn
        if block.choice is not None:
            rows[:, block.choice] = random.integers(0, len(block.intercept), ROWS)
    return rows


def _multiplier(values: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Return values, half of which have become zeros and ones."""
    flags = random.integers(0, 2, ROWS)
    return np.where(random.random(ROWS) < 0.5, flags, values).astype(np.float32)


def _drawn(basis: g.Basis, random: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    if isinstance(basis, g.Spline):
        yield random.uniform(basis.lower, basis.upper, ROWS)
    elif isinstance(basis, g.Levels):
        yield np.asarray(basis.first + random.integers(0, basis.size, ROWS), np.float64)
    elif isinstance(basis, g.Intervals):
        ends = basis.cuts or (0.0,)
        spread = (ends[-1] - ends[0]) / 10 or 1.0
        values = random.uniform(ends[0] - spread, ends[-1] + spread, ROWS)
        yield np.where(random.random(ROWS) < MISSING, np.nan, values)


def answers_to(
    session: Session, vectors: Vectors, rows: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return what a file answers to rows; one by one where it has a memory, which is empty.

    Parameters
    ----------
    vectors
        Of the file, for its state.

    Returns
    -------
    ndarray, shape (rows, outputs)
    """
    if vectors.state is None:
        return session.run(rows)[0].astype(np.float64)
    empty = np.zeros_like(vectors.state)
    each = [session.run(rows[at : at + 1], empty)[0] for at in range(len(rows))]
    return np.vstack(each).astype(np.float64)


def largest_of(rows: NDArray[np.float32]) -> dict[int, float]:
    """Return the largest magnitude of each feature, by its place: 1 or more, as of a flag."""
    largest = np.nan_to_num(np.abs(rows)).max(axis=0)
    return dict(enumerate(np.maximum(largest, 1.0).astype(np.float64).tolist()))
