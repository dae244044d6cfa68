"""``loopcast fairness``: whom a version serves how well."""

from __future__ import annotations

from dataclasses import fields
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loopcast.cli.selection import cutoff_option, json_option
from loopcast.cli.stores import store_options

if TYPE_CHECKING:
    from rich.console import Console

    from loopcast.deploy.fairness import FairnessReport
    from loopcast.develop.fairness.intervals import Interval
    from loopcast.store.home import Home


@click.command()
@store_options
@cutoff_option
@click.argument("version")
@click.option(
    "--by", "attributes", multiple=True, metavar="ATTRIBUTE", help="Instead of the protected ones."
)
@click.option(
    "--fewest",
    type=click.IntRange(2),
    default=30,
    show_default=True,
    help="Rows of a group from which on it is compared.",
)
@click.option(
    "--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to this file."
)
@json_option
def fairness(
    *,
    place: Home,
    cutoff: float | None,
    version: str,
    attributes: tuple[str, ...],
    fewest: int,
    page: Path | None,
    as_json: bool,
) -> None:
    """Measure how a VERSION treats groups, on the rows that it was judged on.

    Of a score: selection rates and their ratio (the four-fifths rule), equal opportunity,
    predictive parity and calibration, by each protected attribute and where two of them meet,
    with 95 % intervals; what each cut-off costs, and what a cut-off by group would change. Those
    are alternatives to weigh: nothing is released. Of other tasks, the KPI by group.
    """
    from loopcast.cli import plugin_manager
    from loopcast.cli.tables import print_json, terminal
    from loopcast.deploy.fairness import fairness_report
    from loopcast.deploy.loaded import load_version
    from loopcast.develop.decision import decision_for
    from loopcast.develop.fairness.measures import Plan

    plugins = plugin_manager()
    with place.catalog as catalog:
        loaded = load_version(place, plugins, catalog.version(version))
        report = fairness_report(
            place,
            loaded,
            plugins,
            decision_for(loaded.logical_model, cutoff),
            attributes=attributes,
            plan=Plan(fewest=fewest),
        )
    if page is not None:
        from loopcast.store.files import write_atomically
        from loopcast.web.fairness.page import render

        write_atomically(
            page, render(loaded, report, plugins.kpi_title(loaded.logical_model)).encode()
        )
    if as_json:
        print_json(_plain(report))
    else:
        _show(terminal(), report, loaded.logical_model.kpi.metric)


def _show(console: Console, report: FairnessReport, kpi: str) -> None:
    _show_decisions(console, report)
    _show_kpi(console, report, kpi)
    _show_versions(console, report)
    _show_alternatives(console, report)


def _show_decisions(console: Console, report: FairnessReport) -> None:
    from loopcast.cli.tables import print_rows

    for found in report.decisions:
        print_rows(
            console,
            f"decisions by {found.attribute}, cut-off {report.decision.cutoff:g}"
            + ("" if found.best else ": fewer than two groups are large enough"),
            ["group", "rows", "granted", "ratio to the most granted", "opportunity", "parity",
             "events − probability"],
            (
                [
                    one.group,
                    f"{one.rows:,}" + ("" if one.enough else ", too few to tell"),
                    _share(one.granted),
                    "the most" if one.group == found.best else _plain_interval(one.ratio),
                    _share(one.opportunity),
                    _share(one.parity),
                    _share(one.calibration, sign="+"),
                ]
                for one in found.groups
            ),
        )  # fmt: skip


def _show_kpi(console: Console, report: FairnessReport, kpi: str) -> None:
    from loopcast.cli.tables import number, print_rows

    print_rows(
        console,
        f"{kpi} by group",
        ["attribute", "group", "rows", kpi, "of all others", "95% interval of the difference"],
        (
            [
                one.attribute,
                one.group,
                f"{one.rows:,}",
                number(one.found.first),
                number(one.found.second),
                " to ".join(f"{end:+.3g}" for end in one.found.difference.interval(0.95) or ()),
            ]
            for one in report.kpi
        ),
        numbers_from=2,
    )


def _show_versions(console: Console, report: FairnessReport) -> None:
    from loopcast.cli.tables import number, print_rows

    print_rows(
        console,
        "versions that were judged on the same rows",
        ["version", "what it is", "smallest ratio", "correct", "profit a case"],
        (
            [
                one.version,
                one.label,
                ", ".join(f"{f.attribute} {_plain_interval(f.worst_ratio)}" for f in one.decisions),
                f"{one.correct:.1%}",
                number(None if isnan(one.profit) else one.profit),
            ]
            for one in report.beside
        ),
    )


def _show_alternatives(console: Console, report: FairnessReport) -> None:
    from loopcast.cli.tables import print_rows

    for attribute, alternatives in report.alternatives.items():
        print_rows(
            console,
            f"alternatives by {attribute}, which nobody has chosen",
            ["rule", "cut-offs", "smallest ratio", "correct", "before", "changes"],
            (
                [
                    one.label,
                    ", ".join(f"{group} {value:.3g}" for group, value in one.cutoffs.items()),
                    _plain_interval(one.fairness.worst_ratio),
                    f"{one.correct:.1%}",
                    f"{one.correct_before:.1%}",
                    f"{one.changed:.1%}",
                ]
                for one in alternatives
            ),
        )


def _plain(report: FairnessReport) -> dict[str, Any]:
    return {
        "cutoff": report.decision.cutoff,
        "favourable": report.decision.favourable,
        "correct": report.correct,
        "decisions": report.decisions,
        "kpi": report.kpi,
        "beside": report.beside,
        "alternatives": report.alternatives,
        "sweeps": {
            name: {field.name: getattr(found, field.name).tolist() for field in fields(found)}
            for name, found in report.sweeps.items()
        },
    }


def _share(found: Interval, sign: str = "") -> str:
    if isnan(found.value):
        return "–"
    ends = "" if isnan(found.low) else f" ({found.low:{sign}.1%} to {found.high:{sign}.1%})"
    return f"{found.value:{sign}.1%}{ends}"


def _plain_interval(found: Interval) -> str:
    return "–" if isnan(found.value) else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
