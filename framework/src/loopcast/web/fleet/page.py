"""The page of a fleet: its devices, their errors, and its rollouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from loopcast.web import formats
from loopcast.web.charts import Dot, DotPlot
from loopcast.web.page import Figure, Finding, KeyFigure, Table, cells, render_page

if TYPE_CHECKING:
    from datetime import datetime

    from loopcast.fleet.days import FleetDay
    from loopcast.fleet.overview import DeviceView, FleetView, RolloutView, RunView

DEVICES = 500
"""Devices that the page lists one by one."""

DAYS = 100
"""Days and versions that the page lists."""

SHOWN = 40
"""Devices whose errors are drawn."""

_VERDICTS = {"complete": "good", "stopped": "bad", "aborted": "bad"}


def render(fleet: FleetView, moment: datetime) -> str:
    """Return how a fleet stands as one HTML file that needs no network."""
    return render_page(
        "fleet.html.j2",
        title="Fleet",
        moment=f"{moment:%Y-%m-%d %H:%M}Z",
        key_figures=_key_figures(fleet),
        findings=[_finding(each) for each in fleet.rollouts],
        figures=_figures(fleet.devices),
        rollouts=_rollouts(fleet.rollouts),
        steps=[_steps(each) for each in fleet.rollouts],
        days=_days(fleet.days),
        devices=_devices(fleet.devices),
        left_out=max(len(fleet.devices) - DEVICES, 0),
    )


def _key_figures(fleet: FleetView) -> list[KeyFigure]:
    online = Counter(device.online for device in fleet.devices)
    running = sum(any(run.stage == "running" for run in d.runs) for d in fleet.devices)
    pending = sum(device.pending for device in fleet.devices)
    return [
        KeyFigure(label="devices", value=f"{len(fleet.devices):,}"),
        KeyFigure(label="online", value=f"{online[True]:,}"),
        KeyFigure(label="running a package", value=f"{running:,}"),
        KeyFigure(label="rollouts", value=f"{len(fleet.rollouts):,}"),
        KeyFigure(label="batches on the way", value=f"{pending:,}"),
    ]


def _finding(each: RolloutView) -> Finding:
    last = each.steps[-1].reason if each.steps else ""
    what = f"{each.plan.name}, package {each.plan.sequence} of {each.place}"
    verdict = _VERDICTS.get(each.phase, "open")
    return Finding(verdict=verdict, text=f"{what}, is {each.phase}: {last}.")


def _figures(devices: Sequence[DeviceView]) -> list[Figure]:
    """Return the errors of each place, device by device; those that went up most come first."""
    places = sorted({run.place for device in devices for run in device.runs})
    return [figure for place in places for figure in _errors(place, devices)]


def _errors(place: str, devices: Sequence[DeviceView]) -> list[Figure]:
    runs = [
        (device.name, run)
        for device in devices
        for run in device.runs
        if run.place == place and run.role == "champion" and run.error is not None
    ]
    runs.sort(key=lambda pair: -_change(pair[1]))
    if not runs:
        return []
    left_out = f" The {SHOWN} of {len(runs):,} that went up most." if len(runs) > SHOWN else ""
    return [
        Figure(
            id=f"errors-{place.replace('/', '-').replace('.', '-')}",
            title=f"Mean absolute error of {place}",
            text="By the outcomes that each device has seen itself, of the package that it runs "
            f"and, on the same outcomes, of the one before.{left_out}",
            chart=DotPlot(rows=tuple((name, _dots(run)) for name, run in runs[:SHOWN])),
        )
    ]


def _change(run: RunView) -> float:
    return run.error / run.before if run.error is not None and run.before else 0.0


def _dots(run: RunView) -> tuple[Dot, ...]:
    pairs = (("reference", "before", run.before), ("model", "package", run.error))
    return tuple(
        Dot(role=role, label=label, text=formats.number(value), value=value)
        for role, label, value in pairs
        if value is not None
    )


def _rollouts(rollouts: Sequence[RolloutView]) -> Table:
    rows = tuple(
        cells(
            each.plan.name,
            each.place,
            f"{each.plan.sequence}",
            each.phase,
            f"{sum(s.reached for s in each.stages)} of {len(each.stages)}",
            f"{sum(s.devices for s in each.stages if s.reached):,} of "
            f"{sum(s.devices for s in each.stages):,}",
            f"{each.healthy:,}",
            f"{each.failed:,}",
            f"{each.waiting:,}",
            _more(each.ratio),
        )
        for each in rollouts
    )
    columns = ("rollout", "of", "package", "state", "stages", "devices", "well", "failed",
               "waiting", "error")  # fmt: skip
    return Table(caption="Rollouts", columns=columns, rows=rows)


def _more(ratio: float | None) -> str:
    """Return by how much errors are larger, with its sign."""
    if ratio is None:
        return formats.MISSING
    text = formats.percent(ratio - 1.0)
    return f"+{text}" if ratio > 1.0 else text


def _steps(each: RolloutView) -> Table:
    rows = tuple(
        cells(f"{step.at:%Y-%m-%d %H:%M:%S}", step.act, step.by, step.reason) for step in each.steps
    )
    caption = f"Steps of {each.plan.name}"
    return Table(caption=caption, columns=("when", "what", "by", "why"), rows=rows, prose=True)


def _days(days: Sequence[FleetDay]) -> Table:
    rows = tuple(
        cells(
            f"{each.day}",
            each.place,
            each.version[:6],
            each.role,
            f"{each.devices:,}",
            f"{each.predictions:,}",
            f"{each.outcomes:,}",
            formats.number(each.error),
            formats.number(each.bias),
            formats.quantity(each.slowest_ms, "ms", 1),
        )
        for each in days[:DAYS]
    )
    columns = ("day", "of", "version", "as", "devices", "predictions", "outcomes", "error", "bias",
               "95 % within")  # fmt: skip
    return Table(caption="Days", columns=columns, rows=rows)


def _devices(devices: Sequence[DeviceView]) -> Table:
    rows = tuple(
        cells(*_device_cells(device), *_run_cells(run))
        for device in devices[:DEVICES]
        for run in _champions(device)
    )
    columns = ("device", "is", "seen", "runs", "state", "error", "before")
    return Table(caption="Devices", columns=columns, rows=rows)


def _champions(device: DeviceView) -> Sequence[RunView | None]:
    """Return what a device runs, of each logical model; one ``None`` where it runs nothing."""
    return [run for run in device.runs if run.role == "champion"] or [None]


def _device_cells(device: DeviceView) -> list[str]:
    state = {True: "online", False: "offline", None: formats.MISSING}[device.online]
    seen = f"{device.seen:%Y-%m-%d %H:%M}" if device.seen else formats.MISSING
    return [device.name, "revoked" if device.revoked else state, seen]


def _run_cells(run: RunView | None) -> list[str]:
    if run is None:
        return [formats.MISSING] * 4
    stage = f"{run.stage}: {run.reason}" if run.reason else run.stage
    return [
        f"{run.place} {run.sequence or '?'}",
        stage,
        formats.number(run.error),
        formats.number(run.before),
    ]
