"""The page of stability: how far scores and characteristics have moved since the training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from loopcast.web import formats
from loopcast.web.charts import Dot, DotPlot
from loopcast.web.page import Figure, Finding, KeyFigure, Table, cells, render_page

if TYPE_CHECKING:
    from loopcast.api import LogicalModel
    from loopcast.monitor.population import Stability, StabilityLimits, Verdict

MOST_DOTS = 25
MOST_ROWS = 500
"""Indices that are drawn, and those that a table lists; the command lists all."""

ROLES: Mapping[Verdict, str] = {
    "stable": "model",
    "shifting": "other-2",
    "shifted": "other-1",
    "too few rows": "reference",
}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Indices of a logical model, as somebody looked at them.

    Attributes
    ----------
    first, last
        Days in UTC.
    found
        The largest of each segment first.
    """

    model: LogicalModel
    first: date
    last: date
    limits: StabilityLimits
    found: Sequence[Stability]

    @property
    def whole(self) -> list[Stability]:
        """Those of whole segments."""
        return [one for one in self.found if not one.subset]

    @property
    def parts(self) -> list[Stability]:
        """Those of subpopulations."""
        return [one for one in self.found if one.subset]


def render(compared: Compared) -> str:
    """Return the page as one HTML file that needs no other file and no network."""
    return render_page(
        "stability.html.j2",
        title=f"Stability of {compared.model.title}",
        model=compared.model,
        limits=compared.limits,
        days=f"{compared.first} to {compared.last}",
        key_figures=_key_figures(compared),
        findings=_findings(compared),
        figure=_indices(compared),
        whole=_table("Of whole segments, the largest index first", compared.whole),
        subsets=_table("By subpopulation, the largest index first", compared.parts)
        if compared.parts
        else None,
        left_out=max(len(compared.whole) - MOST_ROWS, 0) + max(len(compared.parts) - MOST_ROWS, 0),
    )


def _key_figures(compared: Compared) -> list[KeyFigure]:
    days = formats.days((compared.last - compared.first).days + 1)
    segments = {one.segment for one in compared.found}
    counts = Counter(one.verdict for one in compared.found)
    rows = {(one.segment, one.version): one.rows for one in compared.whole}
    indices = f"of {len(compared.found)} indices"
    return [
        KeyFigure(label="rows", value=f"{sum(rows.values()):,}", detail=f"in {days}"),
        KeyFigure(label="segments", value=str(len(segments))),
        KeyFigure(
            label="shifted",
            value=str(counts["shifted"]),
            detail=indices,
        ),
        KeyFigure(label="shifting", value=str(counts["shifting"])),
    ]


def _findings(compared: Compared) -> list[Finding]:
    found = []
    for verdict, sign in (("shifted", "bad"), ("shifting", "open")):
        names = [_place(one) for one in compared.whole if one.verdict == verdict]
        if names:
            more = f", and {len(names) - 8} more" if len(names) > 8 else ""
            text = f"{verdict.capitalize()} since the training: {', '.join(names[:8])}{more}."
            found.append(Finding(verdict=sign, text=text))
    small = sum(one.verdict == "too few rows" for one in compared.found)
    if small:
        counted = "1 index is" if small == 1 else f"{small} indices are"
        text = f"{counted} beyond a limit, but of so few rows that chance explains it."
        found.append(Finding(verdict="open", text=text))
    return found or [Finding(verdict="good", text="Nothing has moved beyond the limits.")]


def _place(one: Stability) -> str:
    return f"{one.name} of {one.segment}" if one.segment else one.name


def _indices(compared: Compared) -> Figure:
    shown = sorted(compared.whole, key=lambda one: -one.psi)[:MOST_DOTS]
    of = f"the {MOST_DOTS} largest of " if len(compared.whole) > MOST_DOTS else ""
    limits = compared.limits
    return Figure(
        id="indices",
        title="Population stability index",
        text=f"Of {of}scores and characteristics: below {limits.shifting:g} stable, from "
        f"{limits.shifted:g} on shifted, where it is no chance.",
        chart=DotPlot(rows=tuple((_place(one), (_dot(one),)) for one in shown)),
    )


def _dot(one: Stability) -> Dot:
    return Dot(
        role=ROLES[one.verdict], label=one.verdict, text=formats.number(one.psi, 3), value=one.psi
    )


def _table(caption: str, found: Sequence[Stability]) -> Table:
    shown = found[:MOST_ROWS]
    segmented = any(one.segment for one in found)
    parted = any(one.subset for one in found)
    head = ("segment",) if segmented else ()
    return Table(
        caption=caption,
        columns=(
            "name", *head, *(("subpopulation",) if parted else ()), "of", "verdict", "rows",
            "PSI", "KS", "Wasserstein",
        ),
        rows=tuple(
            cells(
                one.name,
                *((one.segment,) if segmented else ()),
                *((one.subset,) if parted else ()),
                one.of,
                one.verdict,
                f"{one.rows:,}",
                formats.number(one.psi, 3),
                formats.number(one.ks, 3),
                formats.number(one.wasserstein, 3),
            )
            for one in shown
        ),
        emphasis=tuple(at for at, one in enumerate(shown) if one.verdict == "shifted"),
    )  # fmt: skip
