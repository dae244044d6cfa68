"""What a model learned of each input, as figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from loopcast.api import Effect, Surface
from loopcast.web import formats
from loopcast.web.charts import (
    Axis,
    Band,
    Dot,
    DotPlot,
    HeatMap,
    Line,
    LineChart,
    compact,
    level_role,
)
from loopcast.web.page import Figure, Selector

if TYPE_CHECKING:
    from numpy.typing import NDArray


def selector(effects: Sequence[Effect | Surface], order: Sequence[str] = ()) -> Selector:
    """Return the choice among the series that have effects, in reading order."""
    present = {effect.series for effect in effects}
    names = [name for name in order if name in present]
    names += sorted(present - set(names))
    return Selector(
        group="effects", label="Series", names=tuple(names), chosen=names[0] if names else ""
    )


def figures(effects: Sequence[Effect | Surface], choice: Selector, unit: str) -> list[Figure]:
    """Return what a model learned of each input: curves, levels and surfaces.

    Parameters
    ----------
    unit
        Of the effects.
    """
    roles = _by_roles(effects)
    units = {effect.title: effect.unit for effect in effects if isinstance(effect, Effect)}
    found = []
    for position, ((series, title, _), group) in enumerate(_grouped(effects).items()):
        found.append(
            Figure(
                id=f"effect-{position}",
                title=title[:1].upper() + title[1:],
                alternative=f"Effect of {title} on {series or 'the answer'}",
                chart=_effect_chart(group, roles, units, unit),
                legend=len(group) > 1,
                view=choice.view(series),
            )
        )
    return found


def _grouped(
    effects: Iterable[Effect | Surface],
) -> dict[tuple[str, str, str], list[Effect | Surface]]:
    """Curves of one input belong in one figure."""
    groups: dict[tuple[str, str, str], list[Effect | Surface]] = {}
    for effect in effects:
        groups.setdefault((effect.series, effect.title, type(effect).__name__), []).append(effect)
    return groups


def _by_roles(effects: Sequence[Effect | Surface]) -> dict[str, str]:
    levels = dict.fromkeys(
        effect.by for effect in effects if isinstance(effect, Effect) and effect.by
    )
    return {"": "model"} | {level: level_role(i) for i, level in enumerate(levels)}


def _effect_chart(
    group: list[Effect | Surface], roles: dict[str, str], units: dict[str, str], unit: str
) -> LineChart | HeatMap | DotPlot:
    surfaces = [item for item in group if isinstance(item, Surface)]
    if surfaces:
        return _surface_chart(surfaces[0], units, unit)
    curves = [item for item in group if isinstance(item, Effect)]
    if any(curve.labels for curve in curves):
        return _factor_chart(curves, roles, unit)
    return _smooth_chart(curves, roles, unit)


def _smooth_chart(curves: list[Effect], roles: dict[str, str], unit: str) -> LineChart:
    x = np.unique(np.concatenate([curve.x for curve in curves]))

    def on_grid(curve: Effect, values: NDArray[np.float64]) -> list[float | None]:
        return compact(np.interp(x, curve.x, values, left=np.nan, right=np.nan).tolist())

    single = len(curves) == 1
    return LineChart(
        x=_effect_axis(x, curves[0].title, curves[0].unit),
        title="Effect",
        unit=unit,
        lines=tuple(
            Line(label=c.by or "effect", role=roles[c.by], values=on_grid(c, c.value))
            for c in curves
        ),
        bands=tuple(
            Band(
                label="±2 standard errors" if single else "",
                role=roles[c.by],
                low=on_grid(c, c.low),
                high=on_grid(c, c.high),
            )
            for c in curves
        ),
        height=220,
    )


def _effect_axis(x: NDArray[np.float64], title: str, unit: str) -> Axis:
    hours = unit in {"h", "hour", "hours"} and x.size and x.min() >= 0 and x.max() <= 24
    values = compact(x.tolist())
    if hours:
        return Axis(values=values, kind="clock", title=title)
    return Axis(values=values, title=title, unit=unit)


def _factor_chart(curves: list[Effect], roles: dict[str, str], unit: str) -> DotPlot:
    labels = list(dict.fromkeys(label for curve in curves for label in curve.labels))
    return DotPlot(
        rows=tuple((label, tuple(_factor_dots(label, curves, roles, unit))) for label in labels),
        unit=unit,
    )


def _factor_dots(
    label: str, curves: list[Effect], roles: dict[str, str], unit: str
) -> Iterable[Dot]:
    for curve in curves:
        if label in curve.labels:
            i = curve.labels.index(label)
            yield Dot(
                role=roles[curve.by],
                label=curve.by or "effect",
                text=formats.quantity(float(curve.value[i]), unit, _places(curves)),
                value=float(curve.value[i]),
                low=float(curve.low[i]),
                high=float(curve.high[i]),
            )


def _places(curves: list[Effect]) -> int:
    return formats.decimals([float(v) for c in curves for v in c.value], significant=3)


def _surface_chart(surface: Surface, units: dict[str, str], unit: str) -> HeatMap:
    limit = float(np.nanmax(np.abs(surface.value)))
    return HeatMap(
        x=_effect_axis(surface.x, surface.x_title, units.get(surface.x_title, "")),
        y=_effect_axis(surface.y, surface.y_title, units.get(surface.y_title, "")),
        title="Effect",
        unit=unit,
        values=tuple(compact(row.tolist(), 4) for row in surface.value),
        limit=float(f"{limit:.3g}"),
        height=220,
    )
