"""The page of fairness as one self-contained file, and its parts, which the dossier shows too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loopcast.web import formats
from loopcast.web.fairness import figures, tables
from loopcast.web.page import Figure, Finding, Table, render_page

if TYPE_CHECKING:
    from loopcast.deploy.fairness import FairnessReport
    from loopcast.deploy.loaded import LoadedVersion


@dataclass(frozen=True, kw_only=True)
class FairnessParts:
    """What a page shows of fairness.

    Attributes
    ----------
    about
        Which decisions are measured.
    groups
        By attribute, or pair of them: its name, a table, and its figures.
    """

    about: str
    findings: Sequence[Finding]
    groups: Sequence[tuple[str, Table, Sequence[Figure]]]
    trade_offs: Sequence[Figure]
    alternatives: Table | None
    beside: Table | None
    kpi: Table | None


def parts(report: FairnessReport, kpi: str) -> FairnessParts:
    """Return the tables, figures and findings of a report.

    Parameters
    ----------
    kpi
        What the KPI is called.
    """
    return FairnessParts(
        about=_about(report),
        findings=_findings(report),
        groups=[
            (
                found.attribute,
                tables.ratios(found),
                [
                    *figures.by_group(number, found),
                    *figures.reliability(number, found.attribute, report),
                ],
            )
            for number, found in enumerate(report.decisions)
        ],
        trade_offs=list(figures.trade_offs(report)),
        alternatives=tables.alternatives(report),
        beside=tables.beside(report),
        kpi=tables.kpi(report, kpi),
    )


def _about(report: FairnessReport) -> str:
    side = "below" if report.decision.favourable == "low" else "from"
    return (
        f"Decisions on the judged rows at a cut-off of {formats.percent(report.decision.cutoff)}: "
        f"scores {side} it are in favour of the person. Those deserve one whose outcome bears it "
        "out."
    )


def _findings(report: FairnessReport) -> list[Finding]:
    found = []
    for one in report.decisions:
        worst = min(
            (group for group in one.groups if np.isfinite(group.ratio.value)),
            key=lambda group: group.ratio.value,
            default=None,
        )
        if worst is None:
            text = f"By {one.attribute}, fewer than two groups have enough rows to be compared."
            found.append(Finding(verdict="open", text=text))
            continue
        verdict = tables.verdict(worst.ratio)
        ratio = formats.number(worst.ratio.value, 2)
        ends = formats.interval(worst.ratio.low, worst.ratio.high, places=2)
        text = (
            f"By {one.attribute}, four fifths are {verdict}: {worst.group} is decided in favour "
            f"{ratio} times as often as {one.best} ({ends})."
        )
        sign = {"kept": "good", "missed": "bad"}.get(verdict, "open")
        found.append(Finding(verdict=sign, text=text))
    return found


def render(loaded: LoadedVersion, report: FairnessReport, kpi: str) -> str:
    """Return fairness as one HTML file that needs no other file and no network."""
    model = loaded.logical_model
    return render_page(
        "fairness.html.j2",
        title=f"Fairness: {model.title}",
        version=loaded.version,
        logical_model=model,
        shown=parts(report, kpi),
    )
