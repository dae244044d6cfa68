"""The page of a compression: the front of size and error, and what was chosen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from loopcast.deploy.export.tflite.storage import PRECISIONS
from loopcast.web.charts import Axis, Line, LineChart, compact
from loopcast.web.page import Figure, Table, cells, render_page

if TYPE_CHECKING:
    from loopcast.deploy.compress.search import Candidate, Search
    from loopcast.deploy.compress.version import Compressed

ROLES = dict(zip(PRECISIONS, ("model", "other-1", "other-2"), strict=True))
MOST_DIGITS = 9.0  # of single precision, and more


def render(done: Compressed) -> str:
    """Return the page as one HTML file that needs no other file and no network."""
    name = done.loaded.logical_model.title
    return render_page(
        "compression.html.j2",
        title=f"{name} for devices",
        done=done,
        chosen=done.search.chosen,
        table=_table(done.search),
        figure=_figure(done.search),
    )


def _table(found: Search) -> Table:
    rows = tuple(
        cells(
            one.choice.precision,
            f"{one.choice.moved:.2g}",
            f"{one.choice.pruned:.2g}",
            "all" if one.choice.rank is None else str(one.choice.rank),
            f"{one.size:,}",
            f"{one.error:.2g}",
            f"{one.microseconds:.1f}",
            "chosen" if one is found.chosen else "",
        )
        for one in found.front
    )
    return Table(
        caption="The front: files that no smaller one is as good as",
        columns=(
            "weights",
            "curves move by",
            "terms left out add",
            "rank",
            "bytes",
            "error",
            "µs a row",
            "",
        ),
        rows=rows,
    )


def _figure(found: Search) -> Figure:
    sizes = sorted({one.size for one in found.candidates})
    lines = tuple(
        Line(label=precision, role=ROLES[precision], values=compact(_best(found, precision, sizes)))
        for precision in PRECISIONS
    )
    marks = [(found.chosen.size / 1000, "chosen")]
    if found.budget.bytes is not None:
        marks.append((found.budget.bytes / 1000, "allowed"))
    return Figure(
        id="front",
        title="Digits that are right, by size",
        text=f"Of the best file up to each size. {digits(found.budget.error):.1f} are asked for.",
        chart=LineChart(
            x=Axis(values=compact([size / 1000 for size in sizes]), title="Size", unit="kB"),
            title="Digits that are right",
            unit="",
            lines=lines,
            marks=tuple(marks),
        ),
    )


def _best(found: Search, precision: str, sizes: Sequence[int]) -> list[float]:
    """Return the digits of the best candidate up to each size; NaN below the smallest."""
    own = [one for one in found.candidates if one.choice.precision == precision]
    return [_of(one for one in own if one.size <= size) for size in sizes]


def _of(candidates: Iterable[Candidate]) -> float:
    errors = [one.error for one in candidates]
    return digits(min(errors)) if errors else math.nan


def digits(error: float) -> float:
    """Return how many decimal digits of the largest answer are right.

    Examples
    --------
    >>> digits(0.001), digits(0.0)
    (3.0, 9.0)
    """
    return min(-math.log10(error), MOST_DIGITS) if error > 0.0 else MOST_DIGITS
