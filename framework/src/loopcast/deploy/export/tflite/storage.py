"""How weights are stored: as they are, in half precision, or as bytes with scales.

What is computed is always float32: an explicit DEQUANTIZE stands before the operators that use the
weights, which runtimes carry out once. Operators on integers are never written: old runtimes
misread some of their versions silently, and a cube of eight bits is wrong by a tenth of its range.

A weight of eight bits is a byte times the scale of its row, which is an output, and where there are
many outputs times a factor of its column, so that small terms are as exact as large ones.
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
    """

    rows: NDArray[np.float32]
    columns: NDArray[np.int8]

    @property
    def steps(self) -> Floats:
        """The size of one, shape (outputs, columns)."""
        return np.outer(self.rows.astype(np.float64), self.columns.astype(np.float64))


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
    """

    weights: int
    scales: int | None = None
    factors: int | None = None


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
        scales = self._scales(weights)
        of_rows = model.add("GATHER", model.constant(scales.rows[:, None]), chosen, Axis=0)
        stored = model.constant(rounded(weights, scales), ONE)
        rows = model.add("GATHER", stored, chosen, version=GATHER_INT8, dtype=np.int8, Axis=0)
        return Stored(
            model.add("CAST", rows, version=CAST_INT8), of_rows, self._factors(model, scales)
        )

    def _factors(self, model: FlatModel, scales: Scales) -> int | None:
        if (scales.columns == 1).all():
            return None
        # XNNPACK takes weights alone from DEQUANTIZE: what else is multiplied by it is damaged.
        return model.add("CAST", model.constant(scales.columns), version=CAST_INT8)

    def _restored(self, model: FlatModel, stored: int, version: int) -> int:
        """Return the place of stored numbers as float32, which all who use them share."""
        if stored not in self.restored:
            self.restored[stored] = model.add("DEQUANTIZE", stored, version=version)
        return self.restored[stored]

    def _scales(self, weights: Floats) -> Scales:
        place = len(self.scales)
        known = self.frozen[place] if place < len(self.frozen) else None
        self.scales.append(_fitting(weights, known))
        return self.scales[-1]


def _fitting(weights: Floats, known: Scales | None) -> Scales:
    """Return scales of a matrix, those that are known for each row that fits them."""
    if known is not None and known.steps.shape == weights.shape:
        columns = known.columns
    else:
        columns, known = _columns(weights), None
    largest = np.abs(weights / columns).max(axis=1)
    rows = np.where(largest > 0.0, largest, 1.0) / FILLED
    if known is not None:
        rows = np.where(largest <= (LARGEST + 0.5) * known.rows, known.rows, rows)
    return Scales(rows.astype(np.float32), columns)


def _columns(weights: Floats) -> NDArray[np.int8]:
    if len(weights) < MANY:
        return np.ones(weights.shape[1], np.int8)
    largest = np.abs(weights).max(axis=0)
    shares = np.ceil(LARGEST * largest / (largest.max() or 1.0))
    return np.asarray(np.maximum(shares, 1.0), np.int8)


def rounded(weights: Floats, scales: Scales) -> NDArray[np.int8]:
    """Return weights in multiples of their scale, from -127 to 127."""
    return np.clip(np.rint(weights / scales.steps), -LARGEST, LARGEST).astype(np.int8)
