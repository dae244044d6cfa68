from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loopcast.api import DecisionSettings, Feature, Kpi, LogicalModel, Profits, ScoreSchema
from loopcast.serve.decision import (
    AT_RANDOM,
    GRANTED,
    REFUSED,
    about_decisions,
    decide,
    decision_line,
    expected_cost,
    labelling,
    total_decisions,
)

MONEY = Profits(granted_event=-1000.0, granted_other=100.0, unit="€")


def model(name: str = "credit", **decision: Any) -> LogicalModel:
    schema = ScoreSchema(
        key="id", target="outcome", event="bad", features={"x": Feature(kind="numeric")}
    )
    return LogicalModel(
        name=name,
        title="Credit",
        owner="risk",
        kpi=Kpi(metric="auc", direction="higher"),
        schema=schema,
        decision=DecisionSettings(**decision),
    )


def scores(rows: int, seed: int = 0) -> pd.Series[float]:
    keys = pd.Index([f"a{row}" for row in range(rows)], name="id", dtype="str")
    return pd.Series(np.random.default_rng(seed).random(rows), keys)


def values(probability: pd.Series[float]) -> NDArray[np.float64]:
    return np.asarray(probability, np.float64)


def test_without_a_cut_off_nothing_is_decided() -> None:
    decided = decide(scores(5), model())
    assert list(decided.columns) == []
    assert labelling(decided).tolist() == [1.0] * 5
    assert about_decisions(decided, values(scores(5)), model().decision) == {}
    assert decision_line(total_decisions([{}]), "") == ""


@given(
    share=st.sampled_from([0.0, 0.02, 0.3]),
    cutoff=st.sampled_from([0.1, 0.5, 0.9]),
    favourable=st.sampled_from(["low", "high"]),
    seed=st.integers(0, 5),
)
@settings(max_examples=40, deadline=None)
def test_a_lot_lets_in_whom_the_cut_off_refuses_and_nobody_else(
    share: float, cutoff: float, favourable: str, seed: int
) -> None:
    probability = scores(2000, seed)
    probability.iloc[:10] = np.nan
    rules = model(cutoff=cutoff, accept_at_random=share, favourable=favourable)
    decided = decide(probability, rules)
    good = (probability < cutoff) if favourable == "low" else (probability >= cutoff)
    good &= probability.notna()
    assert (decided["decision"] == GRANTED).equals(good)
    assert decided["decision"].iloc[:10].isna().all()
    others = decided[probability.notna() & ~good]
    assert set(others["decision"]) <= {REFUSED, AT_RANDOM}
    assert (others["chance"] == share).all()
    drawn = (others["decision"] == AT_RANDOM).mean()
    assert abs(drawn - share) <= 4.5 * np.sqrt(share * (1 - share) / len(others))


def test_the_lot_is_the_same_for_everybody_who_asks_and_for_nobody_who_guesses() -> None:
    probability = scores(4000)
    rules = model(cutoff=0.4, accept_at_random=0.2, lot="tell nobody")
    decided = decide(probability, rules)["decision"]
    mixed = probability.sample(frac=1.0, random_state=3)
    pd.testing.assert_series_equal(decide(mixed, rules)["decision"].loc[decided.index], decided)
    assert decide(probability.iloc[:7], rules)["decision"].equals(decided.iloc[:7])
    refused = probability >= 0.4
    for other in (
        model(cutoff=0.4, accept_at_random=0.2, lot="another"),
        model("debit", cutoff=0.4, accept_at_random=0.2, lot="tell nobody"),
    ):
        drawn = decide(probability, other)["decision"][refused] == AT_RANDOM
        both = (drawn & (decided[refused] == AT_RANDOM)).mean()
        assert both == pytest.approx(0.04, abs=0.015)
    more = decide(probability, model(cutoff=0.4, accept_at_random=0.3, lot="tell nobody"))
    assert set(decided.index[decided == AT_RANDOM]) < set(more.index[more["decision"] == AT_RANDOM])


def test_outcomes_are_weighted_back_to_all_who_applied() -> None:
    """What the granted show, by the inverse of the chance, is what happens to everybody."""
    probability = scores(60_000)
    event = np.random.default_rng(7).random(len(probability)) < probability
    rules = model(cutoff=0.5, accept_at_random=0.1)
    chance = labelling(decide(probability, rules))
    seen = chance > 0.0
    assert np.average(event[seen], weights=1.0 / chance[seen]) == pytest.approx(
        event.mean(), abs=0.012
    )
    assert event[seen].mean() < event.mean() - 0.1


def test_what_the_lot_is_expected_to_cost() -> None:
    rules = model(profits=MONEY, accept_at_random=0.05)
    assert rules.decision.threshold == pytest.approx(100 / 1100)
    drawn = np.array([0.5, 0.2])
    assert expected_cost(drawn, rules.decision) == pytest.approx(450.0 + 120.0)
    assert expected_cost(np.array([MONEY.cutoff]), rules.decision) == pytest.approx(0.0, abs=1e-9)
    probability = scores(3000)
    decided = decide(probability, rules)
    about = about_decisions(decided, values(probability), rules.decision)
    lot = about["random_acceptance"]
    chosen = probability[decided["decision"] == AT_RANDOM]
    assert lot == {
        "granted": len(chosen),
        "expected_events": pytest.approx(chosen.sum()),
        "expected_cost": pytest.approx((1000 * chosen - 100 * (1 - chosen)).sum()),
    }
    stake = np.linspace(1.0, 3.0, len(probability))
    staked = about_decisions(decided, values(probability), rules.decision, stake)
    cost = stake[decided["decision"] == AT_RANDOM] @ (1000 * chosen - 100 * (1 - chosen))
    assert staked["random_acceptance"]["expected_cost"] == pytest.approx(cost)
    both = total_decisions([about, about, {}])
    assert both["random_acceptance"]["granted"] == 2 * lot["granted"]
    assert sum(both["decisions"].values()) == 6000
    line = decision_line(both, "€")
    assert f"the lot is expected to bring {2 * chosen.sum():,.1f} events and a cost of" in line
    assert line.endswith(" €")
    without = msgspec.structs.replace(rules.decision, profits=None, cutoff=0.1)
    assert expected_cost(drawn, without) is None


def test_a_lot_needs_a_cut_off() -> None:
    with pytest.raises(ValueError, match="accept_at_random is a share of what a cut-off refuses"):
        DecisionSettings(accept_at_random=0.02)
    for wrong in (1.0, -0.1):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"cutoff": 0.5, "accept_at_random": wrong}, DecisionSettings)
