"""Which events count."""

from __future__ import annotations

from datetime import UTC, datetime

from loopcast.monitor.counted import used
from loopcast.store.events import event_table


def test_a_challengers_answers_were_used_where_entities_were_divided() -> None:
    told = [
        ("champion", 1.0), ("champion", 0.5), ("challenger", 0.5), ("challenger", 1.0),
        ("canary", 0.1), ("shadow", 1.0), ("candidate", 1.0),
    ]  # fmt: skip
    events = event_table(
        key=[f"{role} {share}" for role, share in told],
        time=datetime(2026, 1, 5, tzinfo=UTC),
        logical_model="credit",
        segment="",
        version=["a" * 16] * len(told),
        role=[role for role, _ in told],
        propensity=[share for _, share in told],
        outputs={"probability": [0.5] * len(told)},
    )
    kept = ["champion 1.0", "champion 0.5", "challenger 0.5", "canary 0.1"]
    assert used(events)["key"].to_pylist() == kept
