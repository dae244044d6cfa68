"""Months as the sum of their daily sketches, whatever groups each day has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loopcast.api import Segment
from loopcast.monitor.bins import MISSING, WIDTH, Floats
from loopcast.monitor.daily import SUMS, Day, Group, Part
from loopcast.monitor.reference import FEWEST_BLOCKS
from loopcast.monitor.resemblance import resemblance
from loopcast.monitor.sketch import HIGHEST, LOWEST, Sketch


@dataclass(frozen=True, eq=False, kw_only=True)
class Total:
    """Groups with equally many inputs, over some days.

    Attributes
    ----------
    sketch
        The sum of the days.
    places, squared_places : ndarray, shape (groups, inputs)
        Sum over days of the rows' places, and of its square over the day's weight.
    active : ndarray, shape (groups, inputs), int64
        Days with rows.
    rows : ndarray, shape (groups, days), int64
        Events of each day.
    latency : ndarray, shape (groups, days)
        95 % of a day's answers took no longer, in milliseconds; NaN where there are none.
    """

    groups: tuple[Group, ...]
    sketch: Sketch
    places: Floats
    squared_places: Floats
    active: NDArray[np.int64]
    rows: NDArray[np.int64]
    latency: Floats

    def take(self, groups: Sequence[int]) -> Total:
        """Return some groups, in the given order."""
        rows = np.asarray(groups, dtype=np.intp)
        return Total(
            groups=tuple(self.groups[i] for i in groups),
            sketch=self.sketch.take(rows),
            places=self.places[rows],
            squared_places=self.squared_places[rows],
            active=self.active[rows],
            rows=self.rows[rows],
            latency=self.latency[rows],
        )

    def without(self, day: Total) -> Total:
        """Return what the other days show of how much rows of a day resemble each other.

        Parameters
        ----------
        day
            The same groups on one of the days. It stays in ``rows``, which say what season it is,
            and in the moments.
        """
        return replace(
            self,
            sketch=replace(
                self.sketch,
                counts=self.sketch.counts - day.sketch.counts,
                squares=self.sketch.squares - day.sketch.squares,
            ),
            places=self.places - day.places,
            squared_places=self.squared_places - day.squared_places,
            active=self.active - day.active,
        )

    def design(self, places: Floats) -> Floats:
        """Return the design effect that the days show, 1 where they are too few to show one.

        Parameters
        ----------
        places : ndarray, shape (groups, inputs, 62)
            Of the bins of each group in the order of its reference.

        Returns
        -------
        ndarray, shape (groups, inputs)
        """
        known = self.sketch.counts[:, :, :MISSING]
        squares = np.einsum("gib,gib->gi", known, places**2)
        found = resemblance(
            self.sketch.total, self.places, self.squared_places, squares, self.active
        )
        return np.where(self.active < FEWEST_BLOCKS, 1.0, found)


def totals(days: Iterable[tuple[date, Day]], first: date, last: date) -> tuple[Total, ...]:
    """Add up days; groups with another number of inputs are in another total.

    Parameters
    ----------
    days
        Within ``first`` and ``last``, which say what the days of a total are.
    """
    length = (last - first).days + 1
    sums: dict[tuple[int, int], _Sum] = {}
    for day, counted in days:
        for part in counted.parts:
            shape = part.sketch.squares.shape[1], part.sketch.moments.shape[1]
            if shape not in sums:
                sums[shape] = _Sum(shape, length)
            sums[shape].add(part, (day - first).days)
    return tuple(found.total() for found in sums.values())


def daily_use(
    segments: Sequence[Segment], total: Sequence[Total], days: int
) -> tuple[NDArray[np.int64], Floats]:
    """Return the events of each segment and day, and its latency: the highest of its versions'.

    Returns
    -------
    counts, latency : ndarray, shape (segments, days)
        Latency is NaN where there are no events.
    """
    place = {name: number for number, name in enumerate(segments)}
    counts = np.zeros((len(segments), days), dtype=np.int64)
    latency = np.full(counts.shape, np.nan)
    for each in total:
        whole = [number for number, group in enumerate(each.groups) if not group.subset]
        rows = [place[each.groups[number].segment] for number in whole]
        np.add.at(counts, rows, each.rows[whole])
        np.fmax.at(latency, rows, each.latency[whole])
    return counts, latency


def known_by_sums(total: Sequence[Total]) -> int:
    """Return how many predictions are known by sums only: in the volume, and in no bin."""
    return sum(
        int(rows.sum())
        for each in total
        for group, rows in zip(each.groups, each.rows, strict=True)
        if group.bins == SUMS
    )


class _Sum:
    """Adds days in place: a year of a thousand segments has a third of a billion counts."""

    def __init__(self, shape: tuple[int, int], days: int) -> None:
        self._groups: tuple[Group, ...] = ()
        self._arrays = _empty(0, *shape, days)
        self._shape, self._days = shape, days

    def add(self, part: Part, day: int) -> None:
        to: Any = self._places(part.groups)
        sums, found = self._arrays, part.sketch
        sums["counts"][to] += found.counts
        sums["squares"][to] += found.squares
        low = np.minimum(sums["moments"][to][..., LOWEST], found.moments[..., LOWEST])
        high = np.maximum(sums["moments"][to][..., HIGHEST], found.moments[..., HIGHEST])
        sums["moments"][to] += found.moments
        sums["moments"][to, :, LOWEST], sums["moments"][to, :, HIGHEST] = low, high
        weight = found.counts[:, :, :MISSING].sum(axis=2, dtype=np.float64)
        sums["places"][to] += part.places
        sums["squared_places"][to] += np.divide(
            part.places**2, weight, out=np.zeros_like(weight), where=weight > 0
        )
        sums["active"][to] += weight > 0
        sums["rows"][to, day] = part.rows
        sums["latency"][to, day] = part.latency

    def total(self) -> Total:
        sums = self._arrays
        sketch = Sketch(**{name: sums.pop(name) for name in ("counts", "squares", "moments")})
        return Total(groups=self._groups, sketch=sketch, **sums)

    def _places(self, wanted: Sequence[Group]) -> Any:
        """Return where groups are, after making room for new ones."""
        if self._groups == wanted:
            return slice(None)
        place = {group: number for number, group in enumerate(self._groups)}
        strange = tuple(group for group in wanted if group not in place)
        if strange:
            more = _empty(len(strange), *self._shape, self._days)
            self._arrays = {
                name: np.concatenate([values, more[name]]) for name, values in self._arrays.items()
            }
            self._groups = (*self._groups, *strange)
            place = {group: number for number, group in enumerate(self._groups)}
        return np.array([place[group] for group in wanted], dtype=np.intp)


def _empty(groups: int, inputs: int, numbers: int, days: int) -> dict[str, Any]:
    moments = np.zeros((groups, numbers, 4))
    moments[..., LOWEST], moments[..., HIGHEST] = np.inf, -np.inf
    return {
        "counts": np.zeros((groups, inputs, WIDTH)),
        "squares": np.zeros((groups, inputs)),
        "moments": moments,
        "places": np.zeros((groups, inputs)),
        "squared_places": np.zeros((groups, inputs)),
        "active": np.zeros((groups, inputs), dtype=np.int64),
        "rows": np.zeros((groups, days), dtype=np.int64),
        "latency": np.full((groups, days), np.nan),
    }
