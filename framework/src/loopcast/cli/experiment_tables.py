"""Results of experiments in the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from loopcast.cli import tables
from loopcast.iterate.experiments.results import VALIDITY

if TYPE_CHECKING:
    from loopcast.iterate.experiments.results import Contrast, Result

_CONTRAST = ("version", "metric", "difference", "low", "high", "p", "verdict")


def print_result(found: Result) -> None:
    """Print arms, differences, guardrails, and what they are worth."""
    console, item = tables.terminal(), found.experiment
    click.echo(f"{item.name} of {item.place}: {found.sentence}")
    arms = (
        [arm.version, f"{arm.count:,}", *map(tables.number, (arm.value, arm.low, arm.high))]
        for arm in found.arms
    )
    titles = ("version", "count", item.metric, "low", "high")
    tables.print_rows(console, "Arms", titles, arms, numbers_from=1)
    tables.print_rows(console, "Against the champion", _CONTRAST, _rows(found.contrasts))
    tables.print_rows(console, "Guardrails", _CONTRAST, _rows(found.guardrails))
    click.echo(f"\n{VALIDITY[found.validity]}")
    for said in (*found.doubts, *found.notes):
        click.echo(said)


def _rows(contrasts: Iterable[Contrast]) -> Iterable[list[str]]:
    for found in contrasts:
        numbers = (tables.number(value, "+") for value in (found.difference, found.low, found.high))
        p_value = "–" if found.p_value is None else f"{found.p_value:.2g}"
        yield [found.version, found.metric, *numbers, p_value, found.verdict]
