"""The context of a fit where there is no run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from loopcast.api import FitContext

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Here:
    """The simplest engine: everything in this process, one after the other."""

    def map(
        self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]
    ) -> Iterator[ResultT]:
        """Apply the function to each item when its result is asked for."""
        return map(function, items)


def fit_context(seed: int = 0) -> FitContext:
    """Return what a template may use while it fits, in this process alone.

    Examples
    --------
    >>> context = fit_context(seed=7)
    >>> context.seed, list(context.engine.map(abs, [-1, 2]))
    (7, [1, 2])
    """
    return FitContext(seed=seed, engine=Here())
