"""How packages do: predictions, latency, and errors once outcomes are known."""

from __future__ import annotations

from collections import OrderedDict
from typing import Optional

import msgspec
import numpy as np

from loopcast_edge.wire import Errors, Paired

REMEMBERED = 4096
LATENCY_BINS = 32


class Latency:
    """Counts of latencies in bins that grow by a half octave, from 16 µs to a second."""

    def __init__(self) -> None:
        self._counts = np.zeros(LATENCY_BINS, np.int64)

    def add(self, microseconds: int) -> None:
        """Count one prediction."""
        place = int(2 * np.log2(max(microseconds, 16) / 16))
        self._counts[min(place, LATENCY_BINS - 1)] += 1

    def slowest(self, share: float = 0.95) -> int:
        """Return microseconds that so many predictions did not exceed; 0 before the first."""
        total = self._counts.sum()
        if not total:
            return 0
        place = int(np.searchsorted(np.cumsum(self._counts), share * total))
        return int(16 * 2 ** ((place + 1) / 2))


class Tally:
    """What a package did since it was activated."""

    def __init__(self) -> None:
        self.predictions = 0
        self.fallbacks = 0
        self.errors = Errors()
        self.latency = Latency()

    def answered(self, own: bool, latency_us: int) -> None:
        """Count an answer, by the model itself or not."""
        self.predictions += 1
        self.fallbacks += not own
        self.latency.add(latency_us)


class Outcomes:
    """Joins what packages said of a key with what came true; the oldest keys are forgotten."""

    def __init__(self) -> None:
        self._said: OrderedDict[str, dict[str, float]] = OrderedDict()
        self.paired: dict[tuple[str, str], Paired] = {}
        """Of two packages, by their digests: errors on the same predictions."""

    def said(self, digest: str, key: str, value: float) -> None:
        """Remember what a package said."""
        self._said.setdefault(key, {})[digest] = value
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)

    def came_true(self, key: str, outcome: float, tallies: dict[str, Tally]) -> dict[str, float]:
        """Count the errors of all that was said of a key, once; return them by package."""
        said = {d: v - outcome for d, v in self._said.pop(key, {}).items() if d in tallies}
        for digest, error in said.items():
            tallies[digest].errors = plus(tallies[digest].errors, error)
        for mine, error in said.items():
            for other, its in said.items():
                if mine != other:
                    before = self.paired.get((mine, other)) or Paired(
                        other=other, mine=Errors(), others=Errors()
                    )
                    self.paired[mine, other] = _paired(before, error, its)
        return said

    def forget(self, digests: set[str]) -> None:
        """Forget pairs of packages that are in no slot any more."""
        self.paired = {pair: both for pair, both in self.paired.items() if set(pair) <= digests}


def plus(errors: Errors, error: float) -> Errors:
    """Return errors with one more."""
    return Errors(
        n=errors.n + 1,
        total=errors.total + error,
        absolute=errors.absolute + abs(error),
        squares=errors.squares + error * error,
    )


def _paired(before: Paired, mine: float, others: float) -> Paired:
    difference = abs(mine) - abs(others)
    return msgspec.structs.replace(
        before,
        mine=plus(before.mine, mine),
        others=plus(before.others, others),
        difference=before.difference + difference,
        difference_squares=before.difference_squares + difference * difference,
    )


def mean_absolute(errors: Errors) -> Optional[float]:
    """Return the mean absolute error, ``None`` where there is no outcome."""
    return errors.absolute / errors.n if errors.n else None
