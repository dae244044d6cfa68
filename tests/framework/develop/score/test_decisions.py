"""What decisions earn: configured by the logical model, measured on judged rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import (
    DecisionSettings,
    Feature,
    InvalidRecordError,
    Kpi,
    LogicalModel,
    Profits,
    ScoreOutcome,
    ScoreSchema,
    SetSettings,
)
from loopcast.develop.score.decisions import loopcast_metrics

LOAN = Profits(granted_event=-900.0, granted_other=100.0, unit="€")


FEATURES = {
    "home": Feature(kind="category"),
    "amount": Feature(kind="numeric", minimum=0.0),
    "debt": Feature(kind="numeric", minimum=0.0, missing=True),
    "past": Feature(kind="numeric", minimum=0.0, used=False),
    "balance": Feature(kind="numeric"),
}


def model(amount: str | None = None, **decision: Any) -> LogicalModel:
    return LogicalModel(
        name="credit",
        title="Credit",
        owner="risk",
        kpi=Kpi(metric="auc", direction="higher"),
        schema=ScoreSchema(key="id", target="bad", event=1, features=FEATURES, amount=amount),
        decision=DecisionSettings(**decision),
    )


def metrics(**decision: Any) -> dict[str, Any]:
    bound = [m.bind(model(**decision)) for m in loopcast_metrics() if m.bind]
    return {m.name: m for m in bound if m is not None}


OUTCOME = ScoreOutcome(
    actual=np.array([0.0, 1.0, 0.0, 1.0]),
    probability=np.array([0.05, 0.08, 0.2, 0.6]),
    weight=np.array([1.0, 1.0, 2.0, 1.0]),
    sets=np.array([2, 2, 3, 1], np.int8),
)


def test_nothing_is_measured_that_is_not_configured() -> None:
    assert metrics() == {}
    assert metrics(cutoff=0.3).keys() == {"granted", "events_granted"}
    assert metrics(sets=SetSettings()).keys() == {"set_coverage", "set_decided"}
    assert metrics(profits=LOAN).keys() == {"profit", "granted", "events_granted"}


def test_profit_follows_from_the_matrix_at_the_cutoff() -> None:
    found = metrics(profits=LOAN)
    assert LOAN.cutoff == pytest.approx(0.1)
    assert found["profit"].title == "profit a case, €"
    assert found["profit"].rows(OUTCOME).tolist() == [100.0, -900.0, 0.0, 0.0]
    assert found["granted"].rows(OUTCOME).tolist() == [1.0, 1.0, 0.0, 0.0]
    assert found["events_granted"].whole(OUTCOME) == 0.5
    wide = metrics(profits=LOAN, cutoff=0.3)
    assert wide["profit"].rows(OUTCOME).tolist() == [100.0, -900.0, 100.0, 0.0]
    assert wide["events_granted"].whole(OUTCOME) == 0.25  # by weight
    assert np.isnan(metrics(cutoff=0.0)["events_granted"].whole(OUTCOME))


STAKES = replace(OUTCOME, amount=np.array([10.0, 1.0, 4.0, 2.0]))


def test_amounts_multiply_what_is_earned_and_move_no_cutoff() -> None:
    found = metrics(amount="amount", profits=LOAN)
    assert found["profit"].rows(STAKES).tolist() == [1000.0, -900.0, 0.0, 0.0]
    assert found["granted"].rows(STAKES).tolist() == [1.0, 1.0, 0.0, 0.0]
    assert np.isnan(found["profit"].rows(OUTCOME)).all()  # nothing says what was at stake


def test_shares_are_told_of_amounts_where_they_are_known() -> None:
    named = {"granted_amount", "events_granted_amount", "set_decided_amount"}
    assert not named & metrics(profits=LOAN, sets=SetSettings()).keys()
    found = metrics(amount="amount", profits=LOAN, sets=SetSettings())
    assert found["granted_amount"].whole(STAKES) == pytest.approx(11.0 / 21.0)  # weights 1, 1, 2, 1
    assert found["events_granted_amount"].whole(STAKES) == pytest.approx(1.0 / 11.0)
    assert found["set_decided_amount"].whole(STAKES) == pytest.approx(13.0 / 21.0)
    assert all(np.isnan(found[name].whole(OUTCOME)) for name in named)
    nothing = replace(STAKES, amount=np.zeros(4))
    assert all(np.isnan(found[name].whole(nothing)) for name in named)


@pytest.mark.parametrize("name", ["home", "debt", "past", "balance", "nobody"])
def test_an_amount_is_a_number_that_each_case_has(name: str) -> None:
    with pytest.raises(InvalidRecordError, match=f"amount '{name}' is no feature by which cases"):
        model(amount=name)


def test_coverage_is_whether_the_set_holds_what_happened() -> None:
    found = metrics(sets=SetSettings())
    assert found["set_coverage"].rows(OUTCOME).tolist() == [1.0, 0.0, 1.0, 1.0]
    assert found["set_decided"].rows(OUTCOME).tolist() == [1.0, 1.0, 0.0, 1.0]
    without = replace(OUTCOME, sets=None)
    assert np.isnan(found["set_coverage"].rows(without)).all()
    assert np.isnan(found["set_decided"].rows(without)).all()


@given(st.floats(-1e4, -1.0), st.floats(1.0, 1e4), st.floats(-1.0, 0.99), st.floats(0.0, 1.0))
def test_at_the_even_cutoff_both_decisions_are_expected_to_earn_alike(
    granted_event: float, granted_other: float, refused: float, p: float
) -> None:
    profits = Profits(
        granted_event=granted_event, granted_other=granted_other, refused_event=refused,
        refused_other=refused,
    )  # fmt: skip
    granted = p * granted_event + (1.0 - p) * granted_other
    assert 0.0 <= profits.cutoff <= 1.0
    if abs(p - profits.cutoff) > 1e-9:
        assert (p < profits.cutoff) == (granted > refused)


def test_a_matrix_that_needs_no_score_is_refused() -> None:
    with pytest.raises(InvalidRecordError, match="one decision earns more whatever happens"):
        Profits(granted_event=5.0, granted_other=100.0)
    with pytest.raises(InvalidRecordError, match="the other scores should be granted"):
        DecisionSettings(profits=LOAN, favourable="high")
    offer = Profits(granted_event=40.0, granted_other=-2.0)  # to contact somebody who then buys
    assert offer.favourable == "high"
    assert offer.cutoff == pytest.approx(2.0 / 42.0)


def test_a_decision_is_for_scores_and_groups_are_those_the_score_sees() -> None:
    with pytest.raises(InvalidRecordError, match=r"decision\.sets\.by 'sex' is no category that"):
        model(sets=SetSettings(by="sex"))
    assert model(sets=SetSettings(by="home")).decision.sets is not None
