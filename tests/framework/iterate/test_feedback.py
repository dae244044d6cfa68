"""Feedback: what is refused, what counts, what bandits learn of it, and what lists have earned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loopcast.api import DataError, Feature, Kpi, LogicalModel, RankSchema, ScoreSchema
from loopcast.iterate.feedback import (
    came_of_lists,
    deliver_feedback,
    heard_of,
    learn_outcomes,
    worth,
)
from loopcast.serve.list_file import MADE
from loopcast.store.events import event_table
from loopcast.store.home import Home, open_home
from loopcast.store.truth import join

NIGHT = datetime(2026, 1, 1, 2, 30, 0, 250, tzinfo=UTC)
DAY = timedelta(days=1)
SCHEMA = RankSchema(entity="customer", item="product", time="sold", length=3)
MODEL = LogicalModel(
    name="shop", title="Shop", owner="owner", kpi=Kpi(metric="ndcg"), schema=SCHEMA
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


def log(
    home: Home, who: Any, made: datetime = NIGHT, role: Any = "champion", share: Any = 1.0
) -> None:
    home.events.append(
        event_table(
            key=who, time=made, logical_model="shop", segment="acme", version="a" * 16, role=role,
            propensity=share, outputs={"score": np.ones(len(who))},
        )
    )  # fmt: skip


def row(
    who: str, kind: str, after: timedelta, made: datetime = NIGHT, **other: Any
) -> dict[str, Any]:
    found = {
        "id": f"{made.strftime(MADE)}/acme/{who}", "item": "p1", "kind": kind,
        "time": (made + after).isoformat(),
    }  # fmt: skip
    return found | other


def deliver(home: Home, *rows: dict[str, Any]) -> None:
    deliver_feedback(pd.DataFrame(rows), MODEL, home)


def known(home: Home) -> list[float | None]:
    """The outcome of each event, in the order of time."""
    events = home.events.read("shop").sort_by([("time", "ascending"), ("key", "ascending")])
    found: list[float | None] = join(events, home.truth.latest("shop"))["value"].to_pylist()
    return found


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"id": "7"},
            r"id of the feedback: '7' is no id of a recommendation \(row 2; 1 such rows\)",
        ),
        ({"kind": "loved"}, "kind of the feedback: 'loved' is none of shown, clicked, bought"),
        ({"item": None}, "is no item"),
        ({"time": "soon"}, "time of the feedback: 'soon' is no moment after its list was made"),
        ({"time": "2025-12-31T00:00:00Z"}, "is no moment after its list was made"),
        ({"kind": "bought", "value": None}, "is no revenue of a purchase"),
        ({"kind": "bought", "value": -3.0}, "value of the feedback: -3.0 is no revenue"),
        ({"kind": "bought", "value": float("inf")}, "is no revenue of a purchase"),
    ],
)
def test_a_wrong_row_refuses_the_whole_delivery(home: Home, change: Any, message: str) -> None:
    right = row("ann", "clicked", HOUR, value=None)
    with pytest.raises(DataError, match=message):
        deliver(home, right, right | change)
    assert home.feedback.read("shop").num_rows == 0


def test_columns_and_task_are_checked(home: Home) -> None:
    frame = pd.DataFrame([row("ann", "shown", HOUR)])
    score = ScoreSchema(
        key="id", target="bad", event="1", features={"age": Feature(kind="numeric")}
    )
    credit = LogicalModel(name="credit", title="C", owner="o", kpi=Kpi(metric="auc"), schema=score)
    with pytest.raises(DataError, match="credit is no ranking"):
        deliver_feedback(frame, credit, home)
    with pytest.raises(DataError, match="has no column 'kind'; it has id, item, time"):
        deliver_feedback(frame.drop(columns="kind"), MODEL, home)


def test_a_million_clicks_are_one_customer_who_clicked(home: Home) -> None:
    log(home, ["ann", "bob"])
    clicks = [row("ann", "clicked", timedelta(seconds=n)) for n in range(1, 3_000)]
    deliver(home, *clicks, row("bob", "shown", HOUR))
    deliver(home, *clicks)
    found = came_of_lists(home.feedback.read("shop"), 14)
    assert found["clicked"].tolist() == [True, False]
    learn_outcomes(MODEL, home, "clicked", 14)
    assert known(home) == [1.0, 0.0]


def test_purchases_add_up_once_each_until_their_time_is_over(home: Home) -> None:
    log(home, ["ann"])
    first = row("ann", "bought", HOUR, value=3.0)
    deliver(home, first)
    assert learn_outcomes(MODEL, home, "revenue", 14).new == 1
    late = row("ann", "bought", 15 * DAY, value=100.0)
    deliver(home, first, row("ann", "bought", 2 * HOUR, value=4.0), late)
    assert learn_outcomes(MODEL, home, "revenue", 14).corrected == 1
    assert known(home) == [7.0]
    assert learn_outcomes(MODEL, home, "revenue", 14).repeated == 1


def test_what_is_bought_after_the_next_night_belongs_to_the_list_of_its_id(home: Home) -> None:
    log(home, ["ann"])
    log(home, ["ann"], NIGHT + DAY)
    deliver(home, row("ann", "bought", 3 * DAY, value=5.0))
    learn_outcomes(MODEL, home, "revenue", 14)
    [observed] = home.truth.history("shop")["observed"].to_pylist()
    assert observed == NIGHT + DAY - timedelta(microseconds=1)
    found = worth(MODEL, home, NIGHT + 20 * DAY)
    assert (found.lists, found.heard, found.served.value) == (2, 1, 2.5)


def test_a_list_that_was_logged_again_counts_once(home: Home) -> None:
    log(home, ["ann", "bob"])
    log(home, ["ann"])
    deliver(home, row("ann", "bought", HOUR, value=6.0))
    found = worth(MODEL, home, NIGHT + 20 * DAY)
    assert (found.lists, found.heard, found.served.value) == (2, 1, 3.0)


def test_feedback_on_what_was_never_logged_teaches_nothing(home: Home) -> None:
    log(home, ["ann"])
    clicks = [row(who, "clicked", HOUR) for who in ("ann", "stranger", "stranger")]
    other = row("ann", "clicked", HOUR, NIGHT + DAY)
    rows = deliver_feedback(pd.DataFrame([*clicks, other]), MODEL, home)
    heard = heard_of(rows, MODEL, home)
    assert (heard.lists, heard.unlogged) == (3, 2)
    assert heard.examples == (clicks[1]["id"], other["id"])
    deliver(home, row("stranger", "clicked", HOUR))
    assert learn_outcomes(MODEL, home, "clicked", 14).rows == 1


def test_personal_keys_are_hashed_as_those_of_events(tmp_path: Path) -> None:
    home, private = open_home(tmp_path / "home"), RankSchema(
        entity="customer", item="product", time="sold", length=3, private_key=True
    )  # fmt: skip
    model = LogicalModel(name="shop", title="S", owner="o", kpi=Kpi(metric="ndcg"), schema=private)
    events = event_table(
        key=["ann"], time=NIGHT, logical_model="shop", segment="acme", version="a" * 16,
        role="champion", outputs={"score": [1.0]},
    )  # fmt: skip
    home.record(events, model)
    deliver_feedback(pd.DataFrame([row("ann", "clicked", HOUR)]), model, home)
    assert "ann" not in home.feedback.read("shop")["key"].to_pylist()
    assert learn_outcomes(model, home, "clicked", 14).new == 1


def simulated(home: Home, seed: int, people: int = 400) -> None:
    """Nights in which a challenger, who serves one in four, earns 2 a list instead of 1."""
    rng = np.random.default_rng(seed)
    who = [f"c{n}" for n in range(people)]
    challenger = rng.random(people) < 0.25
    role, share = np.where(challenger, "challenger", "champion"), np.where(challenger, 0.25, 0.75)
    log(home, who, NIGHT, role, share)
    buys = rng.random(people) < np.where(challenger, 0.4, 0.2)
    deliver(home, *(row(c, "bought", HOUR, value=5.0) for c in np.array(who)[buys]))


def test_revenue_and_uplift_are_estimated_with_their_error(tmp_path: Path) -> None:
    now, inside, values = NIGHT + 14 * DAY, 0, []
    for seed in range(60):
        home = open_home(tmp_path / f"home {seed}")
        simulated(home, seed)
        found = worth(MODEL, home, now)
        assert found.uplift.low is not None
        assert found.uplift.high is not None
        inside += found.uplift.low <= 0.25 <= found.uplift.high
        values.append((found.served.value, found.champion.value, found.uplift.value))
    served, champion, uplift = np.mean(values, axis=0)
    assert served == pytest.approx(1.25, abs=0.06)
    assert champion == pytest.approx(1.0, abs=0.06)
    assert uplift == pytest.approx(served - champion)
    assert inside >= 52  # of 60, at 95 %


def test_lists_wait_until_their_time_is_over(home: Home) -> None:
    simulated(home, 0)
    found = worth(MODEL, home, NIGHT + 13 * DAY)
    assert (found.lists, found.young) == (0, 400)
    assert found.uplift.low is None
