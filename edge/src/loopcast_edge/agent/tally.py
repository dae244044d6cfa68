"""How packages do: predictions, latency, and errors once outcomes are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

import msgspec
import numpy as np

from loopcast_edge.wire import Errors, Paired

LATENCY_BINS = 32


class Latency:
    """Counts of latencies in bins that grow by a half octave, from 16 µs to a second."""

    def __init__(self) -> None:
        self._counts = np.zeros(LATENCY_BINS, np.int64)

    @classmethod
    def of(cls, content: bytes) -> Latency:
        """Return what :meth:`content` was made of."""
        found = cls()
        found._counts += np.frombuffer(content, "<i8")
        return found

    @property
    def content(self) -> bytes:
        """All that is known, for the disk."""
        return self._counts.astype("<i8").tobytes()

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

    def erred(self, error: float) -> None:
        """Count an error, prediction minus outcome."""
        self.errors = plus(self.errors, error)


class Pairs:
    """Errors of two packages on the same predictions."""

    def __init__(self) -> None:
        self.paired: dict[tuple[str, str], Paired] = {}
        """By the digests of the two."""

    def add(self, errors: Mapping[str, float]) -> None:
        """Count the errors that packages made on the same prediction."""
        for mine, error in errors.items():
            for other, its in errors.items():
                if mine != other:
                    before = self.paired.get((mine, other)) or Paired(
                        other=other, mine=Errors(), others=Errors()
                    )
                    self.paired[mine, other] = _paired(before, error, its)

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
