"""The KPI of a contest, as it can be seen again in the world."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest

from loopcast.api import DecisionSettings, Judged, ScoreOutcome
from loopcast.develop.score import metrics
from loopcast.monitor.kpi import registered

from .versions import MODEL

ROWS = 4_000
[AUC] = [metric for metric in metrics.loopcast_metrics() if metric.name == "auc"]


def contest() -> tuple[Judged, ScoreOutcome]:
    random = np.random.default_rng(0)
    said = random.random(ROWS)
    happened = (random.random(ROWS) < said).astype(np.float64)
    own = ScoreOutcome(actual=happened, probability=said, weight=np.ones(ROWS))
    judged = Judged(
        keys=(pd.Categorical(np.arange(ROWS)),), block=np.arange(ROWS),
        overall=np.arange(ROWS) % 5 > 0, attributes={}, outcomes={"own": own},
    )  # fmt: skip
    return judged, own


def auc_of(outcome: ScoreOutcome, rows: np.ndarray) -> float:
    """Pair by pair, as the area is defined."""
    said, happened = outcome.probability[rows], outcome.actual[rows] == 1.0
    above = said[happened][:, None] - said[~happened][None, :]
    return float(np.mean(np.sign(above) / 2.0 + 0.5))


@pytest.mark.parametrize(
    ("decision", "lowest", "highest"),
    [
        (DecisionSettings(), 0.0, 1.0),
        (DecisionSettings(cutoff=0.3), 0.0, 0.3),
        (DecisionSettings(cutoff=0.3, favourable="high"), 0.3, 1.0),
        (DecisionSettings(cutoff=0.3, accept_at_random=0.02), 0.0, 1.0),
    ],
)
def test_it_is_of_rows_whose_outcome_the_world_will_show(
    decision: DecisionSettings, lowest: float, highest: float
) -> None:
    """Of those who are refused for good it shows none; by a lot, some stand for all."""
    judged, own = contest()
    model = msgspec.structs.replace(MODEL, decision=decision)
    seen = judged.overall & (own.probability >= lowest) & (own.probability < highest)
    assert registered(judged, model, AUC).value == pytest.approx(auc_of(own, seen))
