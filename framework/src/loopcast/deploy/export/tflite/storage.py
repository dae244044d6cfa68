"""How weights are stored: as they are, in half precision, or as bytes with scales.

What is computed is always float32: an explicit DEQUANTIZE stands before the operators that use the
weights, which runtimes carry out once. Operators on integers are never written: old runtimes
misread some of their versions silently, and a cube of eight bits is wrong by a tenth of its range.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from loopcast.deploy.export.tflite.flat import FlatModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

Precision = Literal["float32", "float16", "int8"]
LARGEST = 127
FROM_INT8, FROM_FLOAT16, GATHER_INT8 = 2, 3, 2
"""Versions of DEQUANTIZE, and of GATHER."""

ONE = np.ones(1, np.float32)
"""Scale of bytes in a file. Those of the rows multiply what comes of them: in the file, each would
bring a zero of eight bytes with it."""


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
    frozen: tuple[NDArray[np.float32], ...] = ()
    scales: list[NDArray[np.float32]] = field(default_factory=list)
    restored: dict[int, int] = field(default_factory=dict)

    def dense(self, model: FlatModel, weights: NDArray[np.float64]) -> tuple[int, int | None]:
        """Store a matrix, shape (outputs, columns).

        Returns
        -------
        tuple
            Places of its float32, and of the scales by which its products are still to be
            multiplied, shape (outputs,), if there are any.
        """
        if self.precision == "float32":
            return model.constant(weights.astype(np.float32)), None
        if self.precision == "float16":
            half = model.constant(weights.astype(np.float16))
            return self._restored(model, half, FROM_FLOAT16), None
        scales = self._scales(weights)
        return self._bytes(model, rounded(weights, scales)), model.constant(scales)

    def table(
        self, model: FlatModel, weights: NDArray[np.float64], chosen: int
    ) -> tuple[int, int | None]:
        """Store a matrix of which each row of the features chooses a row.

        Parameters
        ----------
        chosen
            Place of the numbers of the rows, int32, shape (rows,).

        Returns
        -------
        tuple
            Places of the rows as float32, and of the scales by which their products are still to
            be multiplied, shape (rows, 1), if there are any.
        """
        if self.precision != "int8":
            return model.add("GATHER", self.dense(model, weights)[0], chosen, Axis=0), None
        scales = self._scales(weights)
        of_rows = model.add("GATHER", model.constant(scales[:, None]), chosen, Axis=0)
        stored = model.constant(rounded(weights, scales), ONE)
        rows = model.add("GATHER", stored, chosen, version=GATHER_INT8, dtype=np.int8, Axis=0)
        return model.add("CAST", rows), of_rows

    def _bytes(self, model: FlatModel, values: NDArray[np.int8]) -> int:
        return self._restored(model, model.constant(values, ONE), FROM_INT8)

    def _restored(self, model: FlatModel, stored: int, version: int) -> int:
        """Return the place of stored numbers as float32, which all who use them share."""
        if stored not in self.restored:
            self.restored[stored] = model.add("DEQUANTIZE", stored, version=version)
        return self.restored[stored]

    def _scales(self, weights: NDArray[np.float64]) -> NDArray[np.float32]:
        largest = np.abs(weights).max(axis=1)
        scales = np.where(largest > 0.0, largest, 1.0) / LARGEST
        place = len(self.scales)
        if place < len(self.frozen) and len(self.frozen[place]) == len(scales):
            known = self.frozen[place]
            scales = np.where(largest <= (LARGEST + 0.5) * known, known, scales)
        self.scales.append(scales.astype(np.float32))
        return self.scales[-1]


def rounded(weights: NDArray[np.float64], scales: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return weights in multiples of the scale of their row, from -127 to 127."""
    steps = np.rint(weights / scales[:, None].astype(np.float64))
    return np.clip(steps, -LARGEST, LARGEST).astype(np.int8)
