"""The front of size and error, and the file that is the smallest within a budget.

Candidates differ in how weights are stored, in how far curves may move for fewer knots, in how
much the terms that are left out may add, and in the rank of large products of weights. Each is
written, run and compared: with the model on the test scenario, and with the full graph all over its
domain; the larger difference counts.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import DeviceBudget, ModelError
from loopcast.api import graph as g
from loopcast.deploy.compress.domain import answers_to, domain_rows, largest_of
from loopcast.deploy.compress.knots import with_fewer_knots
from loopcast.deploy.compress.pruning import Ranges, without_least
from loopcast.deploy.compress.ranks import of_lower_rank
from loopcast.deploy.compress.rewrite import rewritten, sums_of
from loopcast.deploy.export.tflite.runtimes import Session, sessions
from loopcast.deploy.export.tflite.storage import PRECISIONS, Precision
from loopcast.deploy.export.tflite.vectors import Vectors, difference
from loopcast.deploy.export.tflite.write import Written, write_tflite

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOVED = (0.0, 0.1, 0.3, 1.0)
"""How far a curve may move for fewer knots, in multiples of the allowed error."""

PRUNED = (0.0, 0.3, 1.0)
"""What terms that are left out may add together, in multiples of the allowed error."""

CALLS, ROUNDS = 200, 3
"""Of a row that is timed, and how often; the fastest round counts."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How a file is made smaller.

    Attributes
    ----------
    precision
        How weights are stored.
    moved
        How far a curve may move for fewer knots, in the unit of the sum.
    pruned
        What terms that are left out may add, in the unit of the sum.
    rank
        Of large products of weights; ``None`` where they are as they were.
    """

    precision: Precision = "float32"
    moved: float = 0.0
    pruned: float = 0.0
    rank: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """A file, and what it is worth.

    Attributes
    ----------
    error
        Largest difference of an answer, as a share of the largest.
    microseconds
        CPU time of a call with one row.
    runtime
        In which it was run, the first that is installed.
    """

    choice: Choice
    content: bytes
    error: float
    microseconds: float
    runtime: str

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    def within(self, budget: DeviceBudget) -> bool:
        """Tell whether it keeps to a budget."""
        return (
            self.error <= budget.error
            and (budget.bytes is None or self.size <= budget.bytes)
            and (budget.microseconds is None or self.microseconds <= budget.microseconds)
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Search:
    """What was found.

    Attributes
    ----------
    candidates
        All files, the smallest first.
    chosen
        The smallest within the budget.
    """

    budget: DeviceBudget
    candidates: tuple[Candidate, ...]
    chosen: Candidate

    @property
    def front(self) -> tuple[Candidate, ...]:
        """Candidates that no smaller one is as good as, the smallest first."""
        best, found = float("inf"), []
        for one in self.candidates:
            if one.error < best:
                best = one.error
                found.append(one)
        return tuple(found)


def search(
    graph: g.Graph, vectors: Vectors, budget: DeviceBudget, like: g.Graph | None = None
) -> Search:
    """Write and judge all candidates, and choose the smallest within a budget.

    Parameters
    ----------
    vectors
        What the model answers on its test scenario.
    like
        Graph of a version that devices have: its file's scales are kept where weights fit them,
        so that few bytes differ.

    Raises
    ------
    ModelError
        Where no candidate keeps to the budget; the message says which comes nearest.
    """
    rows = domain_rows(sums_of(graph), vectors.features)
    judge = _Judge(vectors, rows, answers_to(_session(write_tflite(graph).content), vectors, rows))
    largest = largest_of(rows)
    found = [
        judge.candidate(choice, written_as(choice, graph, largest, like))
        for choice in _choices(budget, graph)
    ]
    found += [
        judge.candidate(Choice(precision=each, rank=rank), write_tflite(lower, each))
        for rank, lower in of_lower_rank(graph).items()
        for each in PRECISIONS
    ]
    ordered = tuple(sorted(found, key=lambda one: (one.size, one.error)))
    chosen = next((one for one in ordered if one.within(budget)), None)
    if chosen is None:
        raise ModelError(_too_tight(ordered, budget))
    return Search(budget=budget, candidates=ordered, chosen=chosen)


def _choices(budget: DeviceBudget, graph: g.Graph) -> Iterator[Choice]:
    """Yield the choices that make a difference to a graph."""
    splines = bool(sums_of(graph))
    allowed = (MOVED, PRUNED) if splines else ((0.0,), (0.0,))
    for precision, moved, pruned in itertools.product(PRECISIONS, *allowed):
        yield Choice(precision=precision, moved=moved * budget.error, pruned=pruned * budget.error)


def written_as(
    choice: Choice, graph: g.Graph, largest: Ranges, like: g.Graph | None = None
) -> Written:
    """Write a graph as chosen; `like` is as in `search`."""
    frozen = () if like is None else written_as(choice, like, largest).scales

    def smaller(block: g.Additive) -> g.Additive:
        kept = without_least(block, choice.pruned, largest)
        return with_fewer_knots(kept, choice.moved)

    return write_tflite(rewritten(graph, smaller), choice.precision, frozen)


def _session(content: bytes) -> Session:
    return next(sessions(content))


@dataclass(frozen=True, eq=False)
class _Judge:
    """What candidates are compared with."""

    vectors: Vectors
    rows: NDArray[np.float32]
    full: NDArray[np.float64]

    def candidate(self, choice: Choice, written: Written) -> Candidate:
        session, vectors = _session(written.content), self.vectors
        scenario, _ = session.run(vectors.features, vectors.state)
        elsewhere = answers_to(session, vectors, self.rows).astype(np.float32)
        pairs = ((scenario, vectors.expected), (elsewhere, self.full))
        error = max(difference(a[:, vectors.codes :], b[:, vectors.codes :]) for a, b in pairs)
        return Candidate(
            choice=choice,
            content=written.content,
            error=error,
            microseconds=_microseconds(session, vectors),
            runtime=session.runtime,
        )


def _microseconds(session: Session, vectors: Vectors) -> float:
    session.run(vectors.features[:1], vectors.state)
    rounds = []
    for _ in range(ROUNDS):
        before = time.thread_time()
        for _ in range(CALLS):
            session.interpreter.invoke()
        rounds.append((time.thread_time() - before) / CALLS)
    return 1e6 * min(rounds)


def _too_tight(candidates: Sequence[Candidate], budget: DeviceBudget) -> str:
    small, exact = candidates[0], min(candidates, key=lambda one: one.error)
    fast = min(one.microseconds for one in candidates)
    return (
        f"no file keeps to {budget.words}: the smallest has {small.size:,} bytes and an error of "
        f"{small.error:.2g}, the most exact {exact.size:,} bytes and {exact.error:.2g}, and the "
        f"fastest takes {fast:.1f} µs; allow more in logical_model.device"
    )
