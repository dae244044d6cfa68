"""Tables of the fleet in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from loopcast.cli import tables

if TYPE_CHECKING:
    from rich.console import Console

    from loopcast.fleet.overview import DeviceView, RolloutView, RunView


def print_rollouts(console: Console, rollouts: Iterable[RolloutView]) -> None:
    """Print a line for each rollout."""
    columns = ("name", "of", "package", "state", "stage", "devices", "well", "failed", "waiting",
               "error", "last step")  # fmt: skip
    rows = (rollout_cells(each) for each in rollouts)
    tables.print_rows(console, "Rollouts", columns, rows)


def rollout_cells(each: RolloutView) -> list[str]:
    """Return what a line says of a rollout."""
    reached = sum(stage.reached for stage in each.stages)
    told = sum(stage.devices for stage in each.stages if stage.reached)
    total = sum(stage.devices for stage in each.stages)
    ratio = "" if each.ratio is None else f"{each.ratio:.3f}"
    return [
        each.plan.name,
        each.place,
        f"{each.plan.sequence}",
        each.phase,
        f"{reached} of {len(each.stages)}",
        f"{told:,} of {total:,}",
        f"{each.healthy:,}",
        f"{each.failed:,}",
        f"{each.waiting:,}",
        ratio,
        each.steps[-1].reason if each.steps else "",
    ]


def print_steps(console: Console, each: RolloutView) -> None:
    """Print what was done with a rollout."""
    rows = ([tables.minute(s.at), s.act, s.by, s.reason] for s in each.steps)
    tables.print_rows(console, "Steps", ("when", "what", "by", "why"), rows)


def print_devices(devices: Sequence[DeviceView]) -> None:
    """Print a line for each device and package."""
    columns = ("device", "labels", "online", "seen", "runs", "as", "state", "predictions", "error",
               "before")  # fmt: skip
    rows = (_device_cells(d, run) for d in devices for run in d.runs or (None,))
    tables.print_rows(tables.terminal(), "Devices", columns, rows)


def _device_cells(device: DeviceView, run: RunView | None) -> list[str]:
    state = {True: "yes", False: "no", None: ""}[device.online]
    cells = [
        device.name,
        " ".join(f"{key}={value}" for key, value in device.labels.items()),
        "revoked" if device.revoked else state,
        tables.minute(device.seen),
    ]
    return cells + (_run_cells(run) if run else [""] * 6)


def _run_cells(run: RunView) -> list[str]:
    return [
        f"{run.place} {run.sequence or '?'}",
        run.role,
        f"{run.stage}: {run.reason}" if run.reason else run.stage,
        f"{run.predictions:,}",
        _number(run.error),
        _number(run.before),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
