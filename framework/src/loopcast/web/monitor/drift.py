"""Figures of drift: how far inputs and outputs are from the training, by window and subset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from loopcast.monitor.reference import OUTPUT
from loopcast.web import formats
from loopcast.web.charts import Dot, DotPlot, Line, LineChart, compact, level_role, time_axis
from loopcast.web.page import Figure, Table, cells

if TYPE_CHECKING:
    from loopcast.api import Drift
    from loopcast.monitor.drifted import Drifted

Marks: TypeAlias = tuple[tuple[float, str], ...]

MOST_LINES = 7
MOST_ROWS = 25
_MEASURES = {
    "ks": "The largest difference of distributions (Kolmogorov–Smirnov) of a number.",
    "jensen_shannon": "The Jensen–Shannon distance of a category.",
    "psi": "The population stability index.",
    "wasserstein": "The Wasserstein distance in standard deviations.",
    "mean_shift": "The shift of the mean in standard deviations.",
    "characteristic": "How far the move of an input shifts the mean output.",
}


def _measures(records: Sequence[Drift]) -> str:
    return " ".join(_MEASURES[name] for name in dict.fromkeys(d.measure for d in records))


def drift(found: Drifted) -> Figure | None:
    """Return how far each input and output is beyond its threshold."""
    main = [d for d in found.records if not d.subset and d.measure not in ("missing", "outside")]
    if not main:
        return None
    rows = tuple(
        (f"{d.of} {d.subject}", (_dot(d),))
        for d in sorted(main, key=lambda d: -d.value)[:MOST_ROWS]
    )
    return Figure(
        id="drift",
        title="Distance from the training",
        text=f"{_measures(main)} It counts from {main[0].threshold:g} on, where it is no chance. "
        f"{found.season}",
        chart=DotPlot(rows=rows),
    )


def _dot(d: Drift) -> Dot:
    return Dot(
        role="other-1" if d.exceeded else "model",
        label="drifted" if d.exceeded else "as in training",
        text=f"{d.value:.3f}, p {d.p_value:.2g}",
        value=d.value,
    )


def over_time(found: Drifted, marks: Marks) -> Figure | None:
    """Return the distance of the inputs that moved furthest, window by window."""
    measured = found.measured
    if len(found.windows) < 2:
        return None
    strongest = found.window_ks.max(axis=0).argsort()[::-1][:MOST_LINES]
    lines = tuple(
        Line(
            label=measured.names[place].replace(OUTPUT, "output "),
            role=level_role(number),
            values=compact(found.window_ks[:, place].tolist()),
        )
        for number, place in enumerate(strongest)
    )
    return Figure(
        id="drift-over-time",
        title="Distance from the training over time",
        chart=LineChart(
            x=time_axis(found.windows),
            title="distance",
            unit="",
            lines=lines,
            marks=marks,
            zero=True,
        ),
    )


def numbers(found: Drifted) -> Table:
    """Return every measure of every input and output."""
    m = found.measured
    columns = (m.ks, m.ks_high, m.wasserstein, m.mean_shift, m.psi, m.jensen_shannon,
               m.characteristic, m.missing, m.outside)  # fmt: skip
    rows = tuple(
        cells(
            name.replace(OUTPUT, "output "),
            *(formats.number(float(values[0, place]), 3) for values in columns),
        )
        for place, name in enumerate(m.names)
    )
    titles = ("KS, least", "KS, greatest", "Wasserstein, sd", "shift of mean, sd", "PSI",
              "Jensen–Shannon", "moves output by", "more missing", "more strange")  # fmt: skip
    return Table(caption="All measures", columns=("name", *titles), rows=rows)


def subsets(found: Drifted) -> Figure | None:
    """Return the inputs that moved furthest in each subpopulation; ``None`` without any."""
    main = [d for d in found.records if d.subset and d.measure not in ("missing", "outside")]
    strongest: dict[str, Drift] = {}
    for d in sorted(main, key=lambda d: (not d.exceeded, -d.value)):
        strongest.setdefault(d.subset, d)
    if not strongest:
        return None
    rows = tuple(
        (f"{name.replace('=', ' ')}: {d.subject}", (_dot(d),))
        for name, d in list(strongest.items())[:MOST_ROWS]
    )
    return Figure(
        id="drift-by-subset",
        title="Distance from the training by subpopulation",
        text="The input that has moved furthest, each compared with the same subpopulation of "
        "the training.",
        chart=DotPlot(rows=rows),
    )


def separation(found: Drifted) -> Figure | None:
    """Return by which inputs a classifier tells recent rows; ``None`` where it was not asked."""
    told = found.separation
    if told is None:
        return None
    rows = tuple(
        (
            name,
            (Dot(role="model", label="AUC lost", text=f"{fall:.3f}", value=max(fall, 0.0)),),
        )
        for name, fall in told.gives_away[:MOST_ROWS]
    )
    return Figure(
        id="separation",
        title="What gives recent rows away",
        text=f"A classifier tells {told.rows:,} recent rows from as many of the training with an "
        f"AUC of {told.auc:.2f} (0.5 is a guess). How much it loses when an input is shuffled:",
        chart=DotPlot(rows=rows),
    )
