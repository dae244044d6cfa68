from __future__ import annotations

import csv
import io
import math

import numpy as np
import pandas as pd
import pytest

from loopcast.api import IntegrityError, InvalidRecordError, ScoreData
from loopcast_credit.additive.card import Card, Effect, read_card
from loopcast_credit.additive.scorer import AdditiveScorer
from loopcast_credit.additive.table import card_csv, card_lines, card_markdown
from loopcast_credit.bins.bins import CategoryBins, NumericBins
from loopcast_credit.templates.scorecard import Scorecard

from ..samples import additive

AGE = Effect(
    bins=NumericBins(name="age", cuts=(30.0,)),
    values=(0.5, -0.25, 0.0),
    rows=(100.0, 200.0, 0.0),
    events=(40.0, 20.0, 0.0),
)
HOME = Effect(
    bins=CategoryBins(name="home", groups=(("own|rent",),)),
    values=(0.1, 0.0, -0.1),
    rows=(150.0, 0.0, 150.0),
    events=(30.0, 0.0, 30.0),
)
CARD = Card(event="bad", intercept=-1.0, effects=(AGE, HOME))


def test_points_of_the_lines_add_up_to_the_score() -> None:
    lines = {(line.characteristic, line.bin): line.points for line in card_lines(CARD)}
    row = pd.DataFrame({"age": [25.0], "home": pd.Series(["villa"], dtype="category")})
    points = AdditiveScorer(CARD).predict(row).points
    assert points is not None
    assert math.isclose(lines["age", "< 30"] + lines["home", "other"], points[0], rel_tol=1e-12)


def test_weight_of_evidence_and_information_value() -> None:
    young, old, missing = list(card_lines(CARD))[:3]
    assert young.woe == pytest.approx(math.log((40 / 60) / (60 / 240)))
    assert young.information == pytest.approx((40 / 60 - 60 / 240) * young.woe)
    assert young.share == pytest.approx(1 / 3)
    assert old.rate == pytest.approx(0.1)
    assert math.isnan(missing.woe)


def test_the_table_of_a_real_card_says_what_the_card_does(credit: ScoreData) -> None:
    card = additive(Scorecard(), credit).card
    rows = list(csv.DictReader(io.StringIO(card_csv(card))))
    assert len(rows) == sum(effect.bins.size for effect in card.effects)
    assert [float(row["log_odds"]) for row in rows] == [v for e in card.effects for v in e.values]
    text = card_markdown(card)
    assert all(f"## {name} (information value" in text for name in card.features)


def test_names_do_not_break_the_table() -> None:
    assert "own\\|rent" in card_markdown(CARD)


def test_what_is_no_card_is_refused() -> None:
    with pytest.raises(IntegrityError, match="not a scorecard"):
        read_card(b'{"event": 1}')
    with pytest.raises(InvalidRecordError, match="age: 1 values for 3 bins"):
        Effect(bins=NumericBins(name="age", cuts=(30.0,)), values=(0.5,))


def test_a_slope_counts_inside_its_interval_only() -> None:
    bins = NumericBins(name="x", cuts=(0.0, 10.0))
    effect = Effect(bins=bins, values=(0.0, 0.0, 5.0, 1.0), slopes=(0.0, 0.5, 0.0))
    x = pd.Series([-3.0, 4.0, 99.0, np.nan])
    assert effect.of(x).tolist() == [0.0, 2.0, 5.0, 1.0]
