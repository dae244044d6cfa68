"""What the policy wants watched and nothing is looked for by, and why: silence is no good news."""

from __future__ import annotations

from collections.abc import Iterator

from loopcast.api import LogicalModel, MetricDefinition
from loopcast.monitor.kpi import measurable
from loopcast.monitor.plan import Plan, kind_of

_NO_SUM = "the KPI is about a sum, whose outcome is known where that of each of its series is"
_OF_ONE = "it is looked for where one segment is named"


def unwatched(
    plan: Plan,
    model: LogicalModel,
    kpi: MetricDefinition | None,
    *,
    family: bool,
    only_parts: bool = False,
) -> dict[str, str]:
    """Return the rows that cannot be watched, with the reason of each.

    Parameters
    ----------
    kpi
        The metric of the KPI; ``None`` where nobody offers it.
    family
        Whether a family is looked at as a whole.
    only_parts
        Whether outcomes of a forecast are known, and none of its top.
    """
    cannot = dict(_of_model(model, kpi)) | dict(_of_look(family))
    if only_parts:
        cannot.setdefault("performance", _NO_SUM)
    wanted = {name: why for name, why in cannot.items() if kind_of(name) in plan.rules}
    return {**plan.elsewhere, **wanted}


def _of_model(model: LogicalModel, kpi: MetricDefinition | None) -> Iterator[tuple[str, str]]:
    if kpi is None:
        yield "performance", f"no plugin that is installed measures {model.kpi.metric}"
    elif not measurable([kpi], model):
        yield "performance", f"{kpi.name} needs every item there is, which events do not name"
    if not model.watch:
        yield "kpis", "the logical model names none under watch"
    if model.task != "forecast":
        yield "coverage", "only forecasts have intervals"
    if model.task != "score":
        yield "calibration", "only scores say how likely an event is"


def _of_look(family: bool) -> Iterator[tuple[str, str]]:
    if family:
        yield "separation", _OF_ONE
    else:
        yield "switches", "it is looked for in a family as a whole"
