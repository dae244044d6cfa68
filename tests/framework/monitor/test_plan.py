"""What the policy wants watched: thresholds, how often, and who is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loopcast.api import Alert, ConfigurationError, Monitoring, PolicyRow
from loopcast.cli import plugin_manager
from loopcast.config import compose_policy
from loopcast.monitor.alerts import AlertBook
from loopcast.monitor.diary import Diary, bring_in, due
from loopcast.monitor.plan import plan_of, usual_plan

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(**rows: Monitoring) -> PolicyRow:
    return PolicyRow(monitoring=rows)


def alert(kind: str = "volume", segment: str = "") -> Alert:
    return Alert(
        logical_model="demand", segment=segment, kind=kind, subject="", severity="warning",
        cause="few", remedy="look", raised=NOON, seen=NOON,
    )  # fmt: skip


class TestPlan:
    def test_a_row_says_from_where_on_and_who_is_told(self) -> None:
        plan = plan_of(
            row(
                inputs=Monitoring(measure="psi", threshold=0.1, tell="risk_officer"),
                volume=Monitoring(measure="chance", threshold=0.01, tell="operator"),
            )
        )
        assert plan.limits.inputs == {"missing": 0.05, "outside": 0.02, "psi": 0.1}
        assert plan.limits.outputs == usual_plan().limits.outputs, "shown, and no alert"
        assert plan.threshold("volume") == 0.01
        told = plan.addressed([alert(), alert("input_drift"), alert("latency")])
        assert [(a.kind, a.tell) for a in told] == [
            ("volume", "operator"),
            ("input_drift", "risk_officer"),
        ]

    def test_what_is_watched_elsewhere_is_said(self) -> None:
        fairness = Monitoring(measure="four_fifths", threshold=0.8, tell="risk_officer")
        assert "gate of each release" in plan_of(row(fairness=fairness)).elsewhere["fairness"]

    def test_what_cannot_be_watched_is_refused(self) -> None:
        wanted = Monitoring(measure="psi", threshold=0.1, tell="operator")
        with pytest.raises(ConfigurationError, match="weather is nothing that can be"):
            plan_of(row(weather=wanted))
        with pytest.raises(
            ConfigurationError, match=r"volume\.measure 'psi' is no measure of it; use chance"
        ):
            plan_of(row(volume=wanted))

    def test_the_policy_that_is_shipped_can_be_watched(self) -> None:
        policy = compose_policy(plugins=plugin_manager())
        kinds = {name: set(plan_of(found).rules) for name, found in policy.classes.items()}
        assert kinds["low"] == {"performance", "volume", "bad_day", "resources", "switches"}
        assert kinds["medium"] == kinds["high"] == set(usual_plan().rules)


class TestDiary:
    plan = plan_of(
        row(
            volume=Monitoring(measure="chance", threshold=0.01, tell="operator"),
            performance=Monitoring(measure="kpi", threshold=0.1, tell="owner", every_days=7),
        )
    )

    def bring(self, folder: Path, day: int, *found: Alert) -> list[tuple[str, str]]:
        alerts: dict[str, Any] = {"north": [], "south": []}
        for each in found:
            alerts[each.segment].append(each)
        book = AlertBook(str(folder))
        due_now = bring_in(
            alerts, book=book, diary=Diary(str(folder)), plan=self.plan, logical_model="demand",
            day=date(2026, 1, 1) + timedelta(days=day),
        )  # fmt: skip
        return sorted((a.kind, a.segment) for a in due_now)

    def test_a_rule_of_every_week_waits_a_week(self, tmp_path: Path) -> None:
        assert self.bring(tmp_path, 0) == []
        assert self.bring(tmp_path, 1, alert("performance", "north")) == []
        assert self.bring(tmp_path, 1, alert("volume", "north")) == [("volume", "north")]
        assert self.bring(tmp_path, 7, alert("performance", "north")) == [("performance", "north")]
        assert self.bring(tmp_path, 9) == [("performance", "north")], "it was not looked for again"
        assert self.bring(tmp_path, 14) == []

    def test_a_segment_that_was_never_looked_at_is_due(self) -> None:
        looked = {"performance": {"north": date(2026, 1, 1)}}
        found = due(self.plan, ["north", "south"], looked, date(2026, 1, 2))
        assert found == {"volume": {"north", "south"}, "performance": {"south"}}
