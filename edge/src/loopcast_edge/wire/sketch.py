"""The sketch of a day: how often each input, output and error fell into each bin, with moments.

Bins are those of the version's reference, so that the centre adds what a device has counted to what
it has counted itself. Counts of one day are small integers, most of them 0, and are sent in
Golomb–Rice code. Of each column, most significant bits first:

- 5 bits: k;
- the k low bits of each count;
- of each count, the rest in unary: so many ones as count >> k, and a zero.

After the last column, zeros fill the last byte.
Source: R. F. Rice, Some Practical Universal Noiseless Coding Techniques, JPL Publication 79-22
(1979).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Union

from loopcast_edge.wire.codec import WireError
from loopcast_edge.wire.manifest import DriftReference, ReferenceColumn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]
    Bits = NDArray[np.uint8]

Value = Union[float, str, None]

_K_BITS = 5
SUM, SQUARES, LOWEST, HIGHEST = range(4)


class DaySketch:
    """Counts and moments of rows.

    Parameters
    ----------
    reference
        Whose bins these are.
    counts : sequence of ndarray, int64
        Of each column, in the order of ``reference.counted``: one for each of its bins.
    moments : ndarray, shape (numbers, 4), float64
        Of each number: sums of x − c and of (x − c)² about the centre of its bins, lowest and
        highest value.

    Examples
    --------
    >>> from loopcast_edge.wire import DriftReference, ReferenceColumn
    >>> column = ReferenceColumn(name="load", edges=(0.0, 5.0, 9.0), centre=5.0)
    >>> sketch = empty_sketch(DriftReference(digest="0" * 16, columns=(column,)))
    >>> sketch.add({"load": [1.0, 2.0, None, 99.0]})
    >>> sketch.counts[0].tolist(), sketch.moments[0].tolist()
    ([0, 2, 0, 1, 1], [87.0, 8861.0, 1.0, 99.0])
    >>> len(sketch.packed_counts), len(sketch.packed_moments)
    (2, 16)
    """

    def __init__(
        self, reference: DriftReference, counts: Sequence[Counts], moments: Floats
    ) -> None:
        self.reference, self.counts, self.moments = reference, counts, moments

    def add(self, rows: Mapping[str, Sequence[Value]]) -> None:
        """Count rows.

        Parameters
        ----------
        rows
            Values of each column by its name, those of the errors under the name of their own
            column; ``None`` or NaN where missing. A column that is not there is not counted.
        """
        number = 0
        for counts, column in zip(self.counts, self.reference.counted):
            if column.name in rows:
                self._add(counts, column, rows[column.name], number)
            number += column.kind == "number"

    def _add(
        self, counts: Counts, column: ReferenceColumn, values: Sequence[Value], number: int
    ) -> None:
        import numpy as np

        if column.kind == "category":
            places = np.array([_place(column.known, value) for value in values], np.intp)
        else:
            numbers = np.array([_number(value) for value in values], np.float64)
            known = np.isfinite(numbers)
            below = np.searchsorted(np.array(column.edges), numbers, side="left")
            places = np.where(known, below, column.bins - 1)
            _add_moments(self.moments[number], numbers[known], column.centre)
        counts += np.bincount(places, minlength=column.bins)

    def __add__(self, other: DaySketch) -> DaySketch:
        """Return the sketch of both's rows.

        Raises
        ------
        WireError
            When they count in different bins.
        """
        import numpy as np

        if other.reference.digest != self.reference.digest:
            raise WireError(
                f"bins {self.reference.digest} and {other.reference.digest} do not add up"
            )
        both = self.moments + other.moments
        both[:, LOWEST] = np.minimum(self.moments[:, LOWEST], other.moments[:, LOWEST])
        both[:, HIGHEST] = np.maximum(self.moments[:, HIGHEST], other.moments[:, HIGHEST])
        counts = [one + two for one, two in zip(self.counts, other.counts)]
        return DaySketch(self.reference, counts, both)

    @property
    def packed_counts(self) -> bytes:
        """Counts, as they are sent."""
        import numpy as np

        bits = [part for counts in self.counts for part in _coded(counts)]
        return np.packbits(np.concatenate(bits)).tobytes() if bits else b""

    @property
    def packed_moments(self) -> bytes:
        """Moments, as they are sent: rounded to float32."""
        import numpy as np

        with np.errstate(over="ignore"):  # what is beyond float32 is infinite
            return self.moments.astype("<f4").tobytes()


def empty_sketch(reference: DriftReference) -> DaySketch:
    """Return the sketch of no rows."""
    import numpy as np

    numbers = sum(column.kind == "number" for column in reference.counted)
    return DaySketch(
        reference,
        [np.zeros(column.bins, np.int64) for column in reference.counted],
        np.tile([0.0, 0.0, np.inf, -np.inf], (numbers, 1)),
    )


def unpack_sketch(reference: DriftReference, counts: bytes, moments: bytes) -> DaySketch:
    """Return a sketch as it was sent.

    Raises
    ------
    WireError
        When the bytes are not those of a sketch in these bins.
    """
    import numpy as np

    found = _decoded(counts, [column.bins for column in reference.counted])
    expected = empty_sketch(reference).moments
    if len(moments) != 4 * expected.size:
        raise WireError(f"sketch: {len(moments)} bytes of moments; expected {4 * expected.size}")
    numbers = np.frombuffer(moments, "<f4").astype(np.float64).reshape(expected.shape)
    if np.isnan(numbers).any():
        raise WireError("sketch: a moment is no number")
    return DaySketch(reference, found, numbers)


def _place(known: Sequence[str], value: Value) -> int:
    if value is None:
        return len(known) + 1
    text = str(value)
    return known.index(text) if text in known else len(known)


def _number(value: Value) -> float:
    return value if isinstance(value, (int, float)) else float("nan")


def _add_moments(moments: Floats, values: Floats, centre: float) -> None:
    import numpy as np

    with np.errstate(over="ignore"):  # an absurd value makes the deviation infinite
        centred = values - centre
        moments[SUM] += centred.sum()
        moments[SQUARES] += centred @ centred
    moments[LOWEST] = values.min(initial=moments[LOWEST])
    moments[HIGHEST] = values.max(initial=moments[HIGHEST])


def _coded(counts: Counts) -> Iterator[Bits]:
    """Yield the bits of a column: k, the low bits, and the rest in unary."""
    import numpy as np

    k = _parameter(counts)
    yield _bits(np.array([k]), _K_BITS).ravel()
    yield _bits(counts, k).ravel()
    ends = np.cumsum((counts >> k) + 1) - 1
    unary = np.ones(ends[-1] + 1, np.uint8)
    unary[ends] = 0
    yield unary


def _parameter(counts: Counts) -> int:
    """Return the k with which a column takes the fewest bits."""
    sizes = [len(counts) * k + int((counts >> k).sum()) for k in range(1 << _K_BITS)]
    return sizes.index(min(sizes))


def _bits(numbers: Counts, width: int) -> Bits:
    """Return the low bits of numbers, shape (n, width), the most significant first."""
    import numpy as np

    return ((numbers[:, None] >> np.arange(width)[::-1]) & 1).astype(np.uint8)


def _decoded(content: bytes, widths: Sequence[int]) -> list[Counts]:
    import numpy as np

    bits = np.unpackbits(np.frombuffer(content, np.uint8))
    zeros = np.flatnonzero(bits == 0)
    found, at = [], 0
    for width in widths:
        column, at = _column(bits, zeros, at, width)
        found.append(column)
    if len(bits) - at >= 8 or bits[at:].any():
        raise WireError("sketch: more counts than there are bins")
    return found


def _column(bits: Bits, zeros: NDArray[np.intp], at: int, width: int) -> tuple[Counts, int]:
    """Return the counts of a column that begins at a bit, and where the next one begins."""
    import numpy as np

    k = int(_integers(bits[None, at : at + _K_BITS])[0])
    low = at + _K_BITS
    unary = low + width * k
    first = np.searchsorted(zeros, unary)
    ends = zeros[first : first + width]
    if unary > len(bits) or len(ends) < width:
        raise WireError("sketch: fewer counts than there are bins")
    high = np.diff(ends, prepend=unary - 1) - 1
    rest = _integers(bits[low:unary].reshape(width, k))
    return (high << k) + rest, int(ends[-1]) + 1


def _integers(bits: Bits) -> Counts:
    """Return the numbers that rows of bits stand for."""
    import numpy as np

    return bits.astype(np.int64) @ (1 << np.arange(bits.shape[1], dtype=np.int64)[::-1])
