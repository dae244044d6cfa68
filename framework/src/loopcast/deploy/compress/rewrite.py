"""Graphs with some of their blocks replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from loopcast.api import graph as g

Of = Callable[[g.Block], g.Block]
"""What a block that others are made from has become."""

Change = Callable[[g.Block, Of], g.Block | None]
"""Returns another block, or nothing for one that stays."""

Replace = Callable[[g.Additive], g.Additive]


def rewritten(graph: g.Graph, change: Replace) -> g.Graph:
    """Return a graph with each of its sums of terms changed; blocks that were shared still are."""
    return replaced(
        graph, lambda block, _: change(block) if isinstance(block, g.Additive) else None
    )


def replaced(graph: g.Graph, change: Change) -> g.Graph:
    """Return a graph with some blocks changed; those that were shared still are."""
    done: dict[g.Block, g.Block] = {}

    def of(block: g.Block) -> g.Block:
        if block not in done:
            changed = change(block, of)
            done[block] = _rebuilt(block, of) if changed is None else changed
        return done[block]

    following = None if graph.next_state is None else of(graph.next_state)
    return replace(graph, output=of(graph.output), next_state=following)


def _rebuilt(block: g.Block, of: Of) -> g.Block:
    new: dict[str, Any] = {}
    for name, value in _inner(block):
        new[name] = tuple(map(of, value)) if isinstance(value, tuple) else of(value)
    changed = any(getattr(block, name) != value for name, value in new.items())
    return replace(block, **new) if changed else block


def _inner(block: g.Block) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a block that hold blocks."""
    for field in fields(block):
        value = getattr(block, field.name)
        first = value[0] if isinstance(value, tuple) and value else value
        if isinstance(first, g.Block):
            yield field.name, value


def sums_of(graph: g.Graph) -> list[g.Additive]:
    """Return the sums of terms of a graph, each once."""
    found: dict[g.Additive, None] = {}

    def note(block: g.Additive) -> g.Additive:
        found[block] = None
        return block

    rewritten(graph, note)
    return list(found)
