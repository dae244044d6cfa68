"""What the policy asks for and cannot be watched is said with its reason."""

from __future__ import annotations

import msgspec

from loopcast.api import BusinessKpi, Monitoring, PolicyRow, RankSchema
from loopcast.develop.rank import metrics as rank_metrics
from loopcast.develop.score import metrics as score_metrics
from loopcast.monitor.plan import plan_of, usual_plan
from loopcast.monitor.unwatched import unwatched

from .versions import MODEL

BRIER = next(m for m in score_metrics.loopcast_metrics() if m.name == "brier")
ALL = usual_plan()


def test_a_family_of_scores() -> None:
    found = unwatched(ALL, MODEL, BRIER, family=True)
    assert set(found) == {"kpis", "coverage", "separation"}
    assert found["coverage"] == "only forecasts have intervals"
    watched = msgspec.structs.replace(MODEL, watch={"losses": BusinessKpi(of="outcome")})
    assert "kpis" not in unwatched(ALL, watched, BRIER, family=True)


def test_one_segment_of_rankings_whose_metric_needs_all_items() -> None:
    schema = RankSchema(entity="client", item="item", time="time", length=3)
    model = msgspec.structs.replace(MODEL, schema=schema)
    whole = next(m for m in rank_metrics.loopcast_metrics() if m.rows is None)
    found = unwatched(ALL, model, whole, family=False)
    assert set(found) == {"performance", "kpis", "coverage", "calibration", "switches"}
    assert found["performance"].startswith(f"{whole.name} needs every item")
    unknown = unwatched(ALL, model, None, family=False)
    assert unknown["performance"] == "no plugin that is installed measures brier"


def test_a_sum_of_which_a_series_is_silent() -> None:
    found = unwatched(ALL, MODEL, BRIER, family=False, only_parts=True)
    assert found["performance"].startswith("the KPI is about a sum")
    unknown = unwatched(ALL, MODEL, None, family=False, only_parts=True)
    assert unknown["performance"] == "no plugin that is installed measures brier"


def test_what_the_policy_does_not_ask_for_is_not_said() -> None:
    row = PolicyRow(
        monitoring={
            "volume": Monitoring(measure="chance", threshold=0.01, tell="operator"),
            "fairness": Monitoring(measure="four_fifths", threshold=0.8, tell="risk_officer"),
        }
    )
    found = unwatched(plan_of(row), MODEL, None, family=True)
    assert set(found) == {"fairness"}
    assert "gate of each release" in found["fairness"]
