"""The page of a fleet: what it says of devices, errors and rollouts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from loopcast.api import Rollout, RolloutStep
from loopcast.fleet.days import FleetDay
from loopcast.fleet.overview import DeviceView, FleetView, RolloutView, RunView, StageView
from loopcast.web.fleet.page import SHOWN, render

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLAN = Rollout(
    name="spring", logical_model="demand", segment="", sequence=2, cohorts=(0.15, 0.5, 1.0)
)
STOP = RolloutStep(
    act="stop", at=NOON, by="loopcast fleet", reason="errors are 1.3 of the champion's"
)


def run(**fields: Any) -> RunView:
    plain: dict[str, Any] = {
        "place": "demand", "sequence": 1, "role": "champion", "stage": "running", "reason": "",
        "predictions": 480, "fallbacks": 0, "error": 120.0, "before": 115.0,
    }  # fmt: skip
    return RunView(**plain | fields)


def device(number: int, *runs: RunView, **fields: Any) -> DeviceView:
    plain: dict[str, Any] = {
        "name": f"meter-{number}", "labels": {}, "online": True, "seen": NOON, "revoked": False,
        "told": True, "pending": 3, "runs": runs,
    }  # fmt: skip
    return DeviceView(**plain | fields)


def rollout(phase: Any = "stopped", plan: Rollout = PLAN) -> RolloutView:
    return RolloutView(
        plan=plan, version="a" * 16, phase=phase, healthy=3, failed=0, waiting=0, ratio=1.3,
        stages=(StageView(devices=3, reached=True), StageView(devices=17, reached=False)),
        steps=(STOP,),
    )  # fmt: skip


def test_says_what_happened() -> None:
    devices = (
        device(0, run(error=130.0, before=100.0), run(role="shadow")),
        device(1, run(stage="refused", reason="golden vectors differ", error=None, before=None)),
        device(2, online=False),
    )
    day = FleetDay(
        day=NOON.date(), place="demand", version="a" * 16, role="champion", devices=2,
        predictions=96, outcomes=40, error=118.5, bias=-3.25, slowest_ms=0.2,
    )  # fmt: skip
    page = render(FleetView(devices=devices, rollouts=(rollout(),), days=(day,)), NOON)
    assert "118.5" in page
    assert "spring, package 2 of demand, is stopped: errors are 1.3 of the champion&#39;s." in page
    assert "refused: golden vectors differ" in page
    assert "+30.0\N{NO-BREAK SPACE}%" in page
    assert "<dt>online</dt><dd>2</dd>" in page
    assert "3 of 20" in page


def test_an_empty_fleet_is_a_page() -> None:
    page = render(FleetView(devices=(), rollouts=()), NOON)
    assert "<dt>devices</dt><dd>0</dd>" in page
    assert 'id="errors"' not in page


def test_a_large_fleet_shows_those_that_went_up_most() -> None:
    devices = tuple(device(n, run(error=100.0 + n, before=100.0)) for n in range(600))
    page = render(FleetView(devices=devices, rollouts=()), NOON)
    assert f"The {SHOWN} of 600 that went up most." in page
    assert "And 100 more" in page
    figure = page[page.index('id="errors-demand"') : page.index('id="rollouts"')]
    assert "meter-599" in figure
    assert "meter-500" not in figure


def test_text_is_escaped() -> None:
    wild = replace(PLAN, select={"a": "<script>"})
    named = device(0, run(stage="refused", reason="<script>alert(1)</script>"))
    page = render(FleetView(devices=(named,), rollouts=(rollout(plan=wild),)), NOON)
    assert "<script>alert" not in page
