"""Tables whose rows come in runs that share most columns: small, until they are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Folded:
    """A table in which each run of rows has the same values in most columns.

    Its columns are the first one that is shared, those of rows, and the others that are shared.

    Attributes
    ----------
    shared : mapping of str to Array, shape (runs,)
        What is the same for all rows of a run.
    own : mapping of str to Array, shape (rows,)
        What each row has for itself, those of one run after those of another.
    counts : ndarray, shape (runs,)
        Rows of each run, at least one.
    known
        Columns in which no value is missing.
    """

    shared: Mapping[str, pa.Array]
    own: Mapping[str, pa.Array]
    counts: NDArray[np.intp]
    known: Collection[str] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.counts.sum())

    def whole(self) -> pa.Table:
        """Return all rows."""
        run = pa.array(np.repeat(np.arange(len(self.counts), dtype=np.int32), self.counts))
        first, *others = ((name, column.take(run)) for name, column in self.shared.items())
        columns = dict((first, *self.own.items(), *others))
        fields = [pa.field(n, c.type, n not in self.known) for n, c in columns.items()]
        return pa.table(list(columns.values()), schema=pa.schema(fields))

    def some(self, runs: pa.BooleanArray) -> Folded:
        """Return some of the runs, by an array of shape (runs,)."""
        chosen = runs.to_numpy(zero_copy_only=False)
        rows = pa.array(np.repeat(chosen, self.counts))
        return Folded(
            shared={name: column.filter(runs) for name, column in self.shared.items()},
            own={name: column.filter(rows) for name, column in self.own.items()},
            counts=self.counts[chosen],
            known=self.known,
        )
