"""Engines: where independent pieces of work run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class LocalEngine:
    """Runs work on local cores.

    Attributes
    ----------
    workers
        Number of processes; with one, work runs in this process.
    """

    workers: int = 1

    def map(
        self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]
    ) -> Iterator[ResultT]:
        """Apply ``function`` to each item and yield results in order."""
        if self.workers == 1:
            yield from map(function, items)
            return
        from joblib import Parallel, delayed

        pool = Parallel(n_jobs=self.workers, return_as="generator", batch_size=1)
        yield from pool(delayed(function)(item) for item in items)
