"""Fitted models as graphs of a few typed blocks, for devices that run a .tflite file.

A plugin says what its model computes, and nothing about files: the core writes the graph with the
operators that every TFLite runtime has built in, stores its weights as small as is asked, and
compares what it wrote with the model before anyone gets it.

Blocks give matrices of float32 with a row for each row of the features, where nothing else is
said. They are told apart by identity: a block that two others are made from is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Spline:
    """Cubic B-splines of a feature on uniform knots.

    Beyond the edge knots they continue as straight lines; a periodic spline closes on itself.
    Source: P. H. C. Eilers and B. D. Marx, Flexible smoothing with B-splines and penalties,
    Statistical Science 11 (1996), section 2.

    Attributes
    ----------
    feature
        Column of the features.
    lower, upper
        Edge knots.
    size
        Number of B-splines, 4 or more: with as many knot intervals where periodic, otherwise three
        fewer.
    """

    feature: int
    lower: float
    upper: float
    size: int
    periodic: bool = False


@dataclass(frozen=True)
class Line:
    """A feature as it is; in a term with others, it multiplies them."""

    feature: int

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return 1


@dataclass(frozen=True)
class Levels:
    """A category that is given by its code; one that is none of these counts nothing.

    Attributes
    ----------
    size
        How many codes there are.
    first
        The lowest; the others follow in steps of one.
    """

    feature: int
    size: int
    first: float = 0.0


@dataclass(frozen=True)
class Intervals:
    """Intervals of a number, special values, and *missing*.

    Coefficients are those of the intervals in ascending order, of the special values, of missing
    ones (NaN), and, with ``slopes``, what a unit of the number adds inside each interval.

    Attributes
    ----------
    cuts
        Ascending bounds; a value on a bound belongs to the interval above it.
    specials
        Values that belong to no interval.
    """

    feature: int
    cuts: tuple[float, ...]
    specials: tuple[float, ...] = ()
    slopes: bool = False

    @property
    def body(self) -> int:
        """Number of intervals."""
        return len(self.cuts) + 1

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.body * (2 if self.slopes else 1) + len(self.specials) + 1


Basis: TypeAlias = Spline | Line | Levels | Intervals


@dataclass(frozen=True, eq=False)
class Term:
    """What one or more features add together.

    Attributes
    ----------
    label
        For people.
    bases
        Their products are the columns of the term, the last basis varying fastest.
    coef : ndarray, shape (product of the sizes of the bases, outputs)
    """

    label: str
    bases: tuple[Basis, ...]
    coef: Floats


@dataclass(frozen=True, eq=False)
class Features:
    """The features of each row, as the recipe makes them; NaN where one is missing."""


@dataclass(frozen=True, eq=False)
class State:
    """What the last call left behind: one row, zeros in the first call."""


@dataclass(frozen=True, eq=False)
class Additive:
    """A sum of terms, and a constant, for each output.

    Attributes
    ----------
    terms
        Of the features.
    intercept : ndarray, shape (outputs,)
    choice
        A feature that says by its code which of the outputs a row is for; the block has one column
        then. Without it, a row has all outputs.
    """

    terms: tuple[Term, ...]
    intercept: Floats
    choice: int | None = None


@dataclass(frozen=True, eq=False)
class Linear:
    """Weighted sums of columns.

    Attributes
    ----------
    weights : ndarray, shape (outputs, columns of ``of``)
    bias : ndarray, shape (outputs,)
    exact
        Whether the weights stay in float32 however small a file is asked for.
    """

    of: Block
    weights: Floats
    bias: Floats
    exact: bool = False


@dataclass(frozen=True, eq=False)
class Filtered:
    """One row: weighted sums of neighbouring columns of one row, with the same weights everywhere.

    Column j is ``Σ_k weights[k] of[j + k]``, so that there are as many columns less as there are
    weights but one.

    Attributes
    ----------
    weights : ndarray, shape (width,)
        They stay in float32 however small a file is asked for: they are few.
    """

    of: Block
    weights: Floats


@dataclass(frozen=True, eq=False)
class Sum:
    """Sum of blocks, of one column or one row each where the others have more."""

    parts: tuple[Block, ...]


@dataclass(frozen=True, eq=False)
class Product:
    """Product of two blocks, of one column or one row each where the other has more."""

    first: Block
    second: Block


@dataclass(frozen=True, eq=False)
class Quotient:
    """One block by another, of one column or one row each where the other has more."""

    first: Block
    second: Block


@dataclass(frozen=True, eq=False)
class Constant:
    """One row of numbers."""

    values: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Joined:
    """Blocks beside each other."""

    parts: tuple[Block, ...]


@dataclass(frozen=True, eq=False)
class Columns:
    """Some columns of a block, by their places."""

    of: Block
    places: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Logistic:
    """``1 / (1 + exp(-x))``."""

    of: Block


@dataclass(frozen=True, eq=False)
class Exponential:
    """``exp(x)``."""

    of: Block


@dataclass(frozen=True, eq=False)
class Logarithm:
    """``ln(x)``."""

    of: Block


@dataclass(frozen=True, eq=False)
class Clipped:
    """``min(max(x, low), high)``."""

    of: Block
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Missing:
    """1 where a number is NaN, otherwise 0."""

    of: Block


@dataclass(frozen=True, eq=False)
class Filled:
    """Numbers, with zero where one is NaN."""

    of: Block


@dataclass(frozen=True, eq=False)
class Above:
    """1 where a number is above a threshold, otherwise 0."""

    of: Block
    threshold: float


@dataclass(frozen=True, eq=False)
class OneHot:
    """A column for each code from 0 to ``size`` - 1: 1 where the only column of ``of`` has it."""

    of: Block
    size: int


@dataclass(frozen=True, eq=False)
class First:
    """The first row of a block."""

    of: Block


@dataclass(frozen=True, eq=False)
class Stacked:
    """The numbers of a block, row by row, in rows of so many columns."""

    of: Block
    columns: int


@dataclass(frozen=True, eq=False)
class Picked:
    """A row of a table for each row of a code, which has one column: 0 is the table's first."""

    table: Block
    code: Block


@dataclass(frozen=True, eq=False)
class Following:
    """One column: the first row of the features gets the first number of a single row, and so on.

    A runtime refuses more rows than there are numbers.
    """

    of: Block


@dataclass(frozen=True, eq=False)
class Top:
    """The largest columns of each row: their places, largest first, then their values.

    Attributes
    ----------
    count
        How many; the block has twice as many columns.
    """

    of: Block
    count: int


Block: TypeAlias = (
    Features
    | State
    | Additive
    | Linear
    | Filtered
    | Sum
    | Product
    | Quotient
    | Constant
    | Joined
    | Columns
    | Logistic
    | Exponential
    | Logarithm
    | Clipped
    | Missing
    | Filled
    | Above
    | OneHot
    | First
    | Stacked
    | Picked
    | Following
    | Top
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Graph:
    """What a fitted model computes.

    Attributes
    ----------
    features
        Names of the columns of the features.
    output
        What a row answers.
    outputs
        Names of the columns of the output.
    state
        Number of columns of the state; 0 for a model without memory.
    next_state
        What the next call gets as its state, one row.
    """

    features: tuple[str, ...]
    output: Block
    outputs: tuple[str, ...]
    state: int = 0
    next_state: Block | None = None
