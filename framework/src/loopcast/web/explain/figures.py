"""Figures of explanations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from loopcast.web import formats
from loopcast.web.charts import Axis, Band, Dot, DotPlot, Line, LineChart, compact
from loopcast.web.explain.words import parts_of, title_of
from loopcast.web.page import Figure

if TYPE_CHECKING:
    from loopcast.api import Feature
    from loopcast.deploy.explained import Explained, ExplainedRow
    from loopcast.develop.explain.dependence import Dependence
    from loopcast.develop.explain.importance import Importance

CONFIDENCE = 0.95
_GROUND = 0.18  # of the height of a plot, which the density of the data takes at most


def importance(
    losses: Sequence[Importance], features: Mapping[str, Feature], metric: str
) -> Figure:
    """Return how much worse the version is judged without each feature."""
    places = formats.decimals([one.loss.value for one in losses], significant=3)
    rows = []
    for one in losses:
        low, high = one.loss.interval(CONFIDENCE) or (None, None)
        dot = Dot(
            role="model",
            label="loss",
            text=formats.number(one.loss.value, places),
            value=one.loss.value,
            low=low,
            high=high,
        )
        rows.append((title_of(one.feature, features), (dot,)))
    return Figure(
        id="importance",
        title=f"How much worse {metric} is without what a feature knows",
        text="Each feature is shuffled among the judged rows, which the model had not seen. With "
        "95 % intervals. Features that say the same stand in for each other.",
        chart=DotPlot(rows=tuple(rows)),
    )


def dependences(found: Sequence[Dependence]) -> Iterator[Figure]:
    """Yield the curve of each feature with the spread of the rows' own, and where the data is."""
    for place, one in enumerate(found):
        yield Figure(
            id=f"dependence-{place}",
            title=one.title[:1].upper() + one.title[1:],
            alternative=f"Probability as {one.title} moves, all others as they are",
            chart=_levels(one) if one.labels else _curve(one),
            legend=place == 0,
        )


def _quantile(one: Dependence, share: float) -> list[float | None]:
    return compact((100.0 * np.quantile(one.curves, share, axis=0)).tolist())


def _curve(one: Dependence) -> LineChart:
    outer = (_quantile(one, 0.1), _quantile(one, 0.9))
    bottom = 100.0 * float(np.quantile(one.curves, 0.1, axis=0).min())
    top = 100.0 * float(np.quantile(one.curves, 0.9, axis=0).max())
    ground = max(bottom - _GROUND * (top - bottom), 0.0)
    density = ground + _GROUND * (top - bottom) * one.share
    return LineChart(
        x=Axis(values=compact(one.x.tolist()), title=one.title, unit=one.unit),
        title="Probability",
        unit="%",
        lines=(Line(label="mean", role="model", values=compact((100.0 * one.mean).tolist())),),
        bands=(
            Band(label="8 of 10 rows", role="model", low=outer[0], high=outer[1]),
            Band(
                label="5 of 10 rows",
                role="model",
                low=_quantile(one, 0.25),
                high=_quantile(one, 0.75),
            ),
            Band(
                label="where the data is",
                role="other-1",
                low=[ground] * len(one.x),
                high=compact(density.tolist()),
            ),
        ),
        height=220,
    )


def _levels(one: Dependence) -> DotPlot:
    low, high = np.quantile(one.curves, [0.1, 0.9], axis=0)
    return DotPlot(
        rows=tuple(
            (
                f"{label} ({formats.percent(float(one.share[place]), 0)})",
                (
                    Dot(
                        role="model",
                        label="mean",
                        text=formats.percent(float(one.mean[place])),
                        value=float(one.mean[place]),
                        low=float(low[place]),
                        high=float(high[place]),
                    ),
                ),
            )
            for place, label in enumerate(one.labels)
        )
    )


def moves(whole: Explained) -> Figure | None:
    """Return how far small changes of each number alone move a probability."""
    probed = whole.probed
    if not probed.slack:
        return None
    rows = [
        (_slack_text(whole, name), (_move("this alone", move),))
        for name, move in sorted(probed.alone.items(), key=lambda item: -item[1].max())
    ]
    rows.insert(0, ("all together", (_move("all together", probed.move),)))
    return Figure(
        id="moves",
        title="How far changes that nobody would mind move a probability",
        text="In percentage points: half of the rows by at most the dot, 19 of 20 within the line.",
        chart=DotPlot(rows=tuple(rows), unit="points"),
        legend=False,
    )


def _slack_text(whole: Explained, name: str) -> str:
    feature = whole.schema.features[name]
    return f"{feature.title or name}, ± {whole.probed.slack[name]:.4g} {feature.unit}".strip()


def _move(label: str, move: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Dot:
    middle, high = (100.0 * float(np.quantile(move, share)) for share in (0.5, 0.95))
    text = formats.number(middle, 1)
    return Dot(role="model", label=label, text=text, value=middle, low=0.0, high=high)


def contributions(one: ExplainedRow, features: Mapping[str, Feature], number: int) -> Figure:
    """Return what each part adds to the log-odds of one row."""
    parts = [part for part in parts_of(one, features) if part.added]
    return Figure(
        id=f"row-{number}",
        title=f"What each input of {one.row.index[0]} adds to the log-odds",
        text=f"To {formats.number(one.contributions.base, 2)} of an average row; right of the "
        "line it makes the event more probable.",
        chart=DotPlot(
            rows=tuple(
                (
                    f"{part.title}: {part.value}" if part.value else part.title,
                    (
                        Dot(
                            role="model",
                            label="adds",
                            text=formats.number(part.added, 2),
                            value=part.added,
                        ),
                    ),
                )
                for part in parts
            )
        ),
    )
