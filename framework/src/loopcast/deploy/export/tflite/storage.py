"""How weights are stored: as they are, in half precision, or as bytes with scales.

What is computed is always float32: an explicit DEQUANTIZE stands before the operators that use the
weights, which runtimes carry out once. Operators on integers are never written: old runtimes
misread some of their versions silently, and a cube of eight bits is wrong by a tenth of its range.

A weight of eight bits is a byte times the scale of its row, which is an output, and where there are
many outputs times a factor of its column, so that small terms are as exact as large ones. Rows
that are chosen among many, such as those of half-hours, are much alike: what is in the middle of
each column is stored once, and bytes say how far each row is from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np

from loopcast.deploy.export.tflite.flat import FlatModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Precision = Literal["float32", "float16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
LARGEST, FILLED = 127, 124
"""Largest byte, and up to which scales fill it: the next version's weights may be larger."""

MANY = 8
"""Outputs from which on factors of columns are worth their bytes."""

EVENED = 1 / 1.35
"""Power of a column's range that its factor is. At 1, small columns are as exact as large ones;
errors add up over all of them, and less changes in an update, where steps differ less."""

FROM_INT8, FROM_FLOAT16 = 2, 3
"""Versions of DEQUANTIZE."""

GATHER_INT8, CAST_INT8 = 2, 3
"""Versions of these operators."""

ONE = np.ones(1, np.float32)
"""Scale of bytes in a file. Those of the rows multiply what comes of them: in the file, each would
bring a zero of eight bytes with it."""


class Scales(NamedTuple):
    """What bytes of a matrix are multiples of: of the product of row and column.

    Attributes
    ----------
    rows : ndarray, shape (outputs,), float32
    columns : ndarray, shape (columns,), int8
        From 1 to 127; all 1 where there are few outputs.
    middles : ndarray, shape (columns,), int8
        What all rows have in common and bytes leave out, as multiples of the columns' factors and
        of ``middle``; all 0 where nothing is.
    middle : float32
    """

    rows: NDArray[np.float32]
    columns: NDArray[np.int8]
    middles: NDArray[np.int8]
    middle: np.float32

    @property
    def steps(self) -> Floats:
        """The size of one, shape (outputs, columns)."""
        return np.outer(self.rows.astype(np.float64), self.columns.astype(np.float64))

    @property
    def common(self) -> Floats:
        """What bytes leave out of each column, shape (columns,)."""
        return self.columns.astype(np.float64) * self.middles * float(self.middle)


class Stored(NamedTuple):
    """Places of a matrix in a file.

    Attributes
    ----------
    weights
        As float32.
    scales
        By which products with the weights are still to be multiplied; ``None`` for none.
    factors
        By which columns are to be multiplied before; ``None`` for none.
    common
        What is to be added to all rows of the weights, once they are multiplied by their scales,
        shape (1, columns); ``None`` for nothing.
    """

    weights: int
    scales: int | None = None
    factors: int | None = None
    common: int | None = None


@dataclass(eq=False)
class Storage:
    """Stores weights.

    Attributes
    ----------
    precision
        Of the weights.
    frozen
        Scales of the weights of another file, in the order in which they were stored: kept where
        the weights still fit, so that few bytes differ between the two files.
    scales
        Scales so far.
    restored
        Places of float32 by those of what is stored.
    """

    precision: Precision = "float32"
    frozen: tuple[Scales, ...] = ()
    scales: list[Scales] = field(default_factory=list)
    restored: dict[int, int] = field(default_factory=dict)

    def dense(self, model: FlatModel, weights: Floats) -> Stored:
        """Store a matrix, shape (outputs, columns)."""
        if self.precision == "float32":
            return Stored(model.constant(weights.astype(np.float32)))
        if self.precision == "float16":
            half = model.constant(weights.astype(np.float16))
            return Stored(self._restored(model, half, FROM_FLOAT16))
        scales = self._scales(weights)
        stored = model.constant(rounded(weights, scales), ONE)
        return Stored(
            self._restored(model, stored, FROM_INT8),
            model.constant(scales.rows),
            self._factors(model, scales),
        )

    def table(self, model: FlatModel, weights: Floats, chosen: int) -> Stored:
        """Store a matrix of which each row of the features chooses a row.

        Parameters
        ----------
        chosen
            Place of the numbers of the rows, int32, shape (rows,).

        Returns
        -------
        Stored
            Of the chosen rows and their scales, shape (rows, 1).
        """
        if self.precision != "int8":
            return Stored(model.add("GATHER", self.dense(model, weights).weights, chosen, Axis=0))
        scales = self._scales(weights, around_middles=True)
        of_rows = model.add("GATHER", model.constant(scales.rows[:, None]), chosen, Axis=0)
        stored = model.constant(rounded(weights, scales))
        rows = model.add("GATHER", stored, chosen, version=GATHER_INT8, dtype=np.int8, Axis=0)
        return Stored(
            model.add("CAST", rows, version=CAST_INT8),
            of_rows,
            self._factors(model, scales),
            self._common(model, scales),
        )

    def _factors(self, model: FlatModel, scales: Scales) -> int | None:
        if (scales.columns == 1).all():
            return None
        # XNNPACK takes weights alone from DEQUANTIZE: what else is multiplied by it is damaged.
        return model.add("CAST", model.constant(scales.columns), version=CAST_INT8)

    def _common(self, model: FlatModel, scales: Scales) -> int | None:
        if not scales.middles.any():
            return None
        stored = model.constant(scales.middles[None], scales.middle.reshape(1))
        return self._restored(model, stored, FROM_INT8)

    def _restored(self, model: FlatModel, stored: int, version: int) -> int:
        """Return the place of stored numbers as float32, which all who use them share."""
        if stored not in self.restored:
            self.restored[stored] = model.add("DEQUANTIZE", stored, version=version)
        return self.restored[stored]

    def _scales(self, weights: Floats, *, around_middles: bool = False) -> Scales:
        place = len(self.scales)
        known = self.frozen[place] if place < len(self.frozen) else None
        if known is not None and known.steps.shape == weights.shape:
            self.scales.append(_kept(weights, known))
        elif around_middles and len(weights) >= MANY:
            self.scales.append(_around_middles(weights))
        else:
            self.scales.append(_around_zero(weights))
        return self.scales[-1]


def _kept(weights: Floats, known: Scales) -> Scales:
    """Return scales that are known, with new ones of the rows that they no longer fit."""
    largest = _largest(weights, known)
    rows = np.where(largest <= (LARGEST + 0.5) * known.rows, known.rows, _filling(largest))
    return known._replace(rows=rows.astype(np.float32))


def _around_zero(weights: Floats) -> Scales:
    few = len(weights) < MANY
    columns = np.ones(weights.shape[1], np.int8) if few else _factors(np.abs(weights).max(axis=0))
    return _filled(weights, columns, np.zeros(len(columns)), 1.0)


def _around_middles(weights: Floats) -> Scales:
    low, high = weights.min(axis=0), weights.max(axis=0)
    columns = _factors((high - low) ** EVENED)
    middles = (low + high) / 2.0 / columns
    middle = np.abs(middles).max() / LARGEST or 1.0
    return _filled(weights, columns, np.rint(middles / middle), middle)


def _factors(sizes: Floats) -> NDArray[np.int8]:
    shares = np.ceil(LARGEST * sizes / (sizes.max() or 1.0))
    return np.asarray(np.maximum(shares, 1.0), np.int8)


def _filled(weights: Floats, columns: NDArray[np.int8], middles: Floats, middle: float) -> Scales:
    """Return scales of rows that fill bytes, for these of columns."""
    ones = np.ones(len(weights), np.float32)
    scales = Scales(ones, columns, middles.astype(np.int8), np.float32(middle))
    return scales._replace(rows=_filling(_largest(weights, scales)).astype(np.float32))


def _largest(weights: Floats, scales: Scales) -> Floats:
    """Return what is largest in each row of what bytes stand for, columns' factors taken off."""
    return np.asarray(np.abs((weights - scales.common) / scales.columns).max(axis=1))


def _filling(largest: Floats) -> Floats:
    return np.where(largest > 0.0, largest, 1.0) / FILLED


def rounded(weights: Floats, scales: Scales) -> NDArray[np.int8]:
    """Return what is not common to all rows in multiples of its scale, from -127 to 127."""
    multiples = np.rint((weights - scales.common) / scales.steps)
    return np.clip(multiples, -LARGEST, LARGEST).astype(np.int8)
