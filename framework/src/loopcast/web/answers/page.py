"""The page of what a batch run answered: one HTML file that needs no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loopcast.serve.ruled import EFFECTS
from loopcast.serve.treatment import WORDS
from loopcast.web import formats
from loopcast.web.charts import Axis, Dot, DotPlot, Line, LineChart, compact, sparkline
from loopcast.web.page import Cell, Figure, Finding, KeyFigure, Table, cells, render_page

if TYPE_CHECKING:
    from datetime import datetime

    from loopcast.api import LogicalModel, Task
    from loopcast.serve.overview import Overview

BINS = 60
SHOWN = 30
"""Segments that are drawn, and items and reasons that are listed."""

LISTED = 500
"""Segments that the table lists; the files have all."""

VALUES: Mapping[Task, str] = {
    "forecast": "width of the 90 % interval, relative to the forecast",
    "score": "probability",
    "rank": "score of the first place",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class AnswersReport:
    """What the page tells.

    Attributes
    ----------
    source
        Where the rows came from.
    reasons
        Why a segment was not answered, by segment.
    seconds
        Of each stage of the run.
    rules
        How often each rule did what to lists.
    """

    logical_model: LogicalModel
    overview: Overview
    source: str
    moment: datetime
    reasons: Mapping[str, str]
    seconds: Mapping[str, float]
    rules: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def render(report: AnswersReport) -> str:
    """Return the report as one HTML file that needs no other file and no network."""
    return render_page(
        "answers.html.j2",
        title=f"{report.logical_model.title}: {_NOUNS[report.logical_model.task]}",
        report=report,
        moment=f"{report.moment:%Y-%m-%d %H:%M}Z",
        key_figures=_key_figures(report),
        findings=_findings(report),
        distribution=_distribution(report),
        by_segment=_segment_plot(report),
        reasons=_reasons(report.overview),
        versions=_versions(report.overview),
        items=_items(report),
        rules=_rules(report.rules),
        segments=_segments(report),
        left_out=max(report.overview.counts["segment"].nunique() - LISTED, 0),
        untold=_untold(report.reasons),
    )


_NOUNS: Mapping[Task, str] = {"forecast": "forecasts", "score": "scores", "rank": "lists"}


def _key_figures(report: AnswersReport) -> list[KeyFigure]:
    counts = report.overview.counts
    rows, actions = int(counts["rows"].sum()), counts.groupby("action")["rows"].sum()
    beyond = rows - int(actions.get("served", 0))
    answered = counts["segment"].nunique()
    took = ", ".join(f"{name} {value:.1f} s" for name, value in report.seconds.items())
    return [
        KeyFigure(label="rows", value=f"{rows:,}"),
        KeyFigure(
            label="segments answered",
            value=f"{answered:,}",
            detail=f"of {answered + len(report.reasons):,}",
        ),
        KeyFigure(
            label="unlike the training",
            value=formats.percent(beyond / rows if rows else None, 2),
            detail=", ".join(
                f"{actions[name]:,} {words}"
                for name, words in WORDS.items()
                if name in actions and name != "served"
            ),
        ),
        KeyFigure(label="versions", value=f"{counts['version'].nunique():,}"),
        KeyFigure(label="took", value=f"{sum(report.seconds.values()):.1f} s", detail=took),
    ]


def _findings(report: AnswersReport) -> list[Finding]:
    counts, found = report.overview.counts, []
    withheld = int(counts.loc[counts["action"].isin(["refused", "person"]), "rows"].sum())
    if report.reasons:
        total = counts["segment"].nunique() + len(report.reasons)
        text = f"Not answered: {len(report.reasons):,} of {total:,} segments; why is below."
        found.append(Finding(verdict="bad", text=text))
    if withheld:
        found.append(Finding(verdict="open", text=f"{withheld:,} rows have no answer by rule."))
    return found or [Finding(verdict="good", text="Every row was answered.")]


def _distribution(report: AnswersReport) -> Figure | None:
    """Draw how the numbers of rows are distributed, those beyond the domain beside the others."""
    values, own = report.overview.values.astype(np.float64), report.overview.own
    if not len(values):
        return None
    low, high = (0.0, 1.0) if report.logical_model.task == "score" else _middle(values)
    edges = np.linspace(low, high, BINS + 1)
    lines = [
        Line(label=label, role=role, values=compact(_shares(values[rows], edges)))
        for label, role, rows in (
            ("like the training", "model", own),
            ("unlike it", "other-1", ~own),
        )
        if rows.any()
    ]
    name = VALUES[report.logical_model.task]
    return Figure(
        id="distribution",
        title=f"Distribution of the {name}",
        text="Share of the rows in each of sixty bins, in percent of their kind.",
        chart=LineChart(
            x=Axis(values=compact((edges[:-1] + edges[1:]) / 2.0), title=name),
            title="share of rows",
            unit="%",
            lines=tuple(lines),
            zero=True,
        ),
    )


def _middle(values: Any) -> tuple[float, float]:
    """Return bounds that a few far values do not stretch."""
    low, high = np.quantile(values, [0.001, 0.999])
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(high) + 0.5)


def _shares(values: Any, edges: Any) -> Any:
    return 100.0 * np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)


def _segment_plot(report: AnswersReport) -> Figure | None:
    """Draw the middle 90 % of the numbers of the largest segments."""
    rows = report.overview.counts.groupby("segment")["rows"].sum()
    spread = report.overview.segments
    largest = [name for name in rows.sort_values(ascending=False).index if name in spread.index]
    if len(largest) < 2:
        return None
    shown = spread.loc[largest[:SHOWN], ["low", "middle", "high"]]
    drawn = list(zip(map(str, shown.index), *shown.to_numpy().T, strict=True))
    places = formats.decimals([value for _, *own in drawn for value in own], significant=3)
    return Figure(
        id="by-segment",
        title="By segment",
        text=f"Median and middle 90 % of the {VALUES[report.logical_model.task]}"
        + (f"; the {SHOWN} largest segments." if len(largest) > SHOWN else "."),
        chart=DotPlot(
            rows=tuple(
                (
                    name,
                    (
                        Dot(
                            role="model",
                            label="median",
                            text=formats.number(middle, places),
                            value=float(middle),
                            low=float(low),
                            high=float(high),
                        ),
                    ),
                )
                for name, low, middle, high in drawn
            )
        ),
    )


def _reasons(found: Overview) -> Table | None:
    if not found.reasons:
        return None
    kinds = Counter[str]()
    for reason, count in found.reasons.items():
        # Bounds differ between segments; a row counts for each of its reasons.
        kinds.update({part.partition(" (")[0]: count for part in reason.split("; ")})
    rows = tuple(cells(name, f"{count:,}") for name, count in kinds.most_common(SHOWN))
    return Table(caption="Why rows are unlike the training", columns=("reason", "rows"), rows=rows)


def _by_action(counts: pd.DataFrame, of: str) -> pd.DataFrame:
    """Return rows by action, one line for each segment or version, the largest first."""
    wide = counts.pivot_table(index=of, columns="action", values="rows", aggfunc="sum")
    wide = wide.reindex(columns=[name for name in WORDS if name in wide]).fillna(0).astype(int)
    return wide.loc[wide.sum(axis=1).sort_values(ascending=False, kind="stable").index]


def _versions(found: Overview) -> Table:
    wide = _by_action(found.counts, "version")
    segments = found.counts.groupby("version")["segment"].nunique()
    rows = tuple(
        cells(str(name), f"{segments[name]:,}", *(f"{count:,}" for count in own))
        for name, own in zip(wide.index[:LISTED], wide.to_numpy(), strict=False)
    )
    columns = ("version", "segments", *(WORDS[name] for name in wide.columns))
    return Table(caption="Rows by version", columns=columns, rows=rows)


def _items(report: AnswersReport) -> Table | None:
    items = report.overview.items
    if not items:
        return None
    lists = int(report.overview.counts["rows"].sum())
    rows = tuple(
        cells(name, f"{count:,}", formats.percent(count / lists))
        for name, count in islice(items.items(), SHOWN)
    )
    caption = f"The {len(rows)} most recommended of {len(items):,} items"
    return Table(caption=caption, columns=("item", "lists", "share of the lists"), rows=rows)


def _rules(rules: Mapping[str, Mapping[str, int]]) -> Table | None:
    if not rules:
        return None
    effects = [name for name in EFFECTS if any(name in own for own in rules.values())]
    rows = tuple(
        cells(rule, *(f"{own.get(effect, 0):,}" for effect in effects))
        for rule, own in rules.items()
    )
    return Table(caption="Places that rules changed", columns=("rule", *effects), rows=rows)


def _segments(report: AnswersReport) -> Table | None:
    found = report.overview
    wide = _by_action(found.counts, "segment")
    if len(wide) < 2 and not found.courses:
        return None
    beyond = wide.drop(columns="served", errors="ignore").sum(axis=1) / wide.sum(axis=1)
    order = beyond.sort_values(ascending=False, kind="stable").index[:LISTED]
    medians = found.segments["middle"].reindex(order)
    places = formats.decimals(medians.dropna(), significant=3)
    rows = tuple(
        (
            Cell(text=str(name) or "all"),
            *([Cell(text="", spark=sparkline(found.courses[str(name)]))] if found.courses else []),
            *cells(*(f"{count:,}" for count in own)),
            Cell(text=formats.number(None if np.isnan(median) else median, places)),
        )
        for name, own, median in zip(order, wide.loc[order].to_numpy(), medians, strict=True)
    )
    drawn = ("largest series",) if found.courses else ()
    last = f"median {VALUES[report.logical_model.task]}"
    columns = ("segment", *drawn, *(WORDS[name] for name in wide.columns), last)
    return Table(
        caption="Rows by segment, the most unlike the training first", columns=columns, rows=rows
    )


def _untold(reasons: Mapping[str, str]) -> Table | None:
    if not reasons:
        return None
    rows = tuple(cells(name, reason) for name, reason in list(reasons.items())[:LISTED])
    return Table(
        caption="Segments without an answer", columns=("segment", "why"), rows=rows, prose=True
    )
