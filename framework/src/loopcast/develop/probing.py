"""Adversarial probing: how far a score can be moved by changes of inputs that nobody would mind.

Each number may move by its *slack*, a part of the schema, within its bounds. The search moves one
number after the other to where the score is highest, or lowest, until none helps any more. For an
additive score that is the extreme on the values that are tried; for others, the extreme is at least
as far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import ScoreSchema
    from loopcast.develop.explain.dependence import Predict

Floats = NDArray[np.float64]

SHARE = 0.02
"""Slack of a number that declares none, relative to its range (5th to 95th percentile)."""

STEPS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Parts of its slack by which a number is moved."""

_SWEEPS = 4


@dataclass(frozen=True, eq=False, kw_only=True)
class Probed:
    """How far the probability of rows can be moved.

    Attributes
    ----------
    slack
        How far each number was moved at most, in its unit.
    probability, lowest, highest : ndarray, shape (rows,)
        As it is, and the extremes that were found with all numbers moved.
    alone : mapping of str to ndarray, shape (rows,)
        The largest move of the probability by one number alone.
    """

    slack: Mapping[str, float]
    probability: Floats
    lowest: Floats
    highest: Floats
    alone: Mapping[str, Floats]

    @property
    def move(self) -> Floats:
        """The largest move of each row's probability in either direction, shape (rows,)."""
        return np.maximum(self.probability - self.lowest, self.highest - self.probability)


def probe(
    predict: Predict, rows: pd.DataFrame, schema: ScoreSchema, share: float = SHARE
) -> Probed:
    """Search for the lowest and the highest probability of each row within its slack.

    Parameters
    ----------
    rows : DataFrame, shape (rows, features)
        Used features.
    share
        Slack of numbers that declare none, relative to their range.
    """
    slack = slack_of(rows, schema, share)
    search = _Search(predict, rows, schema, slack)
    plain = predict(rows)
    return Probed(
        slack=slack,
        probability=plain,
        lowest=search.extreme(plain, -1.0),
        highest=search.extreme(plain, 1.0),
        alone={n: np.abs(search.tried(rows, n)[1] - plain).max(axis=0) for n in slack},
    )


def slack_of(rows: pd.DataFrame, schema: ScoreSchema, share: float) -> dict[str, float]:
    """Return how far each number may move; one that may not, or does not vary, is left out.

    A number that is whole in every row moves by whole steps, and not at all by less than one.
    """
    found = {}
    for name in map(str, rows.columns):
        feature, known = schema.features[name], rows[name].dropna()
        if feature.kind != "numeric" or known.nunique() < 2:
            continue
        low, high = np.quantile(known.to_numpy(np.float64), [0.05, 0.95])
        slack = share * float(high - low) if feature.slack is None else feature.slack
        found[name] = float(np.floor(slack)) if _whole(known) else slack
    return {name: slack for name, slack in found.items() if slack > 0.0}


def _whole(values: pd.Series[float]) -> bool:
    return bool((values == np.floor(values)).all())


@dataclass(frozen=True, eq=False)
class _Search:
    """Rows whose numbers are moved within their slack."""

    predict: Predict
    rows: pd.DataFrame
    schema: ScoreSchema
    slack: Mapping[str, float]

    def extreme(self, plain: Floats, sign: float) -> Floats:
        """Return the highest probability of each row, or the lowest where ``sign`` is negative."""
        moved, best, row = self.rows, plain, np.arange(len(self.rows))
        for _ in range(_SWEEPS):
            before = best
            for name in self.slack:
                values, found = self.tried(moved, name)
                place = np.argmax(sign * found, axis=0)
                better = sign * found[place, row] > sign * best
                best = np.where(better, found[place, row], best)
                moved = moved.assign(**{name: np.where(better, values[place, row], moved[name])})
            if np.array_equal(before, best):
                break
        return best

    def tried(self, moved: pd.DataFrame, name: str) -> tuple[Floats, Floats]:
        """Move one number from where it was, all others as in ``moved``.

        Returns
        -------
        values, probability : ndarray, shape (steps, rows)
        """
        own, feature = self.rows[name], self.schema.features[name]
        values = own.to_numpy(np.float64) + self.slack[name] * np.array(STEPS)[:, None]
        if _whole(own.dropna()):
            values = np.round(values)
        values = np.clip(
            values,
            -np.inf if feature.minimum is None else feature.minimum,
            np.inf if feature.maximum is None else feature.maximum,
        )
        many = moved.iloc[np.tile(np.arange(len(moved)), len(STEPS))]
        found = self.predict(many.assign(**{name: values.ravel()}))
        return values, found.reshape(values.shape)
