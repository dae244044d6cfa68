"""How packages do: predictions, latency, and errors once outcomes are known.

What is counted is noted beside the events that it counts, at the same moment, so that a trial goes
on over a restart of the agent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional

import msgspec
import numpy as np

from loopcast_edge.agent.remembered import Notes
from loopcast_edge.wire import Errors, Paired

LATENCY_BINS = 32


class _Counted(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a package did, as it is noted."""

    predictions: int
    fallbacks: int
    errors: Errors
    latency: bytes


class _Noted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the packages of a place did while one of them was active."""

    active: Optional[str]
    packages: dict[str, _Counted]
    pairs: dict[str, tuple[Paired, ...]]


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

    def slowest(self) -> int:
        """Return microseconds that 95 % of predictions did not exceed; 0 before the first."""
        total = self._counts.sum()
        if not total:
            return 0
        place = int(np.searchsorted(np.cumsum(self._counts), 0.95 * total))
        return int(16 * 2 ** ((place + 1) / 2))


class Tally:
    """What a package did since it was activated."""

    def __init__(self) -> None:
        self.predictions = 0
        self.fallbacks = 0
        self.errors = Errors()
        self.latency = Latency()

    @classmethod
    def of(cls, counted: _Counted) -> Tally:
        """Return what :attr:`counted` was made of."""
        found = cls()
        found.predictions, found.fallbacks = counted.predictions, counted.fallbacks
        found.errors, found.latency = counted.errors, Latency.of(counted.latency)
        return found

    @property
    def counted(self) -> _Counted:
        """All that is known, for the disk."""
        return _Counted(self.predictions, self.fallbacks, self.errors, self.latency.content)

    def answered(self, own: bool, latency_us: int) -> None:
        """Count an answer, by the model itself or not."""
        self.predictions += 1
        self.fallbacks += not own
        self.latency.add(latency_us)

    def erred(self, error: float) -> None:
        """Count an error, prediction minus outcome."""
        self.errors = plus(self.errors, error)


class Tallies:
    """What the packages of a place did, each by itself and beside the others.

    Parameters
    ----------
    notes
        Where it is kept; what is found there goes on.
    place
        Name of the logical model and segment.

    Attributes
    ----------
    of
        By the digests of the packages in the slots.
    paired
        Errors of two packages on the same predictions, by the digests of the two.
    """

    def __init__(self, notes: Notes, place: str) -> None:
        self._notes, self._name = notes, f"tally/{place}"
        noted = notes.read(self._name, _Noted).get("") or _Noted(None, {}, {})
        self._active, self._changed = noted.active, False
        self.of = {digest: Tally.of(counted) for digest, counted in noted.packages.items()}
        self.paired = {
            (mine, each.other): each for mine, pairs in noted.pairs.items() for each in pairs
        }

    def use(self, active: Optional[str], digests: Iterable[str]) -> None:
        """Count what these packages do; one that becomes the active one begins to be counted anew.

        Pairs with packages that are in no slot any more are forgotten.
        """
        self.of = {digest: self.of.get(digest) or Tally() for digest in digests}
        if active is not None and active != self._active:
            self.of[active] = Tally()
        self._active = active
        self.paired = {pair: both for pair, both in self.paired.items() if set(pair) <= {*self.of}}

    def answered(self, digest: str, own: bool, latency_us: int) -> None:
        """Count an answer of a package, by the model itself or not."""
        self.of[digest].answered(own, latency_us)
        self._changed = True

    def erred(self, errors: Mapping[str, float]) -> None:
        """Count the errors that packages made on the same prediction."""
        for mine, error in errors.items():
            self.of[mine].erred(error)
            for other, its in errors.items():
                if mine != other:
                    before = self.paired.get((mine, other)) or Paired(
                        other=other, mine=Errors(), others=Errors()
                    )
                    self.paired[mine, other] = _paired(before, error, its)
        self._changed = self._changed or bool(errors)

    def note(self) -> None:
        """Note what was counted since the last note; belongs to the transaction that is open."""
        if self._changed:
            self._changed = False
            packages = {digest: tally.counted for digest, tally in self.of.items()}
            pairs: dict[str, tuple[Paired, ...]] = {}
            for (mine, _), both in self.paired.items():
                pairs[mine] = (*pairs.get(mine, ()), both)
            self._notes.write(self._name, _Noted(self._active, packages, pairs))


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
