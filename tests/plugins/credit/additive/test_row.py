from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from loopcast.api import ScoreData, Template
from loopcast_credit.additive.row import row_scorer
from loopcast_credit.bins.options import Characteristic
from loopcast_credit.templates.boosted_scorecard import BoostedScorecard
from loopcast_credit.templates.logistic import Logistic
from loopcast_credit.templates.scorecard import Scorecard

from ..samples import additive

SPECIAL = {"characteristics": {"Debt": Characteristic(specials=(0.0,))}}


@pytest.mark.parametrize(
    ("template", "options"), [(Scorecard(), SPECIAL), (Logistic(), {}), (BoostedScorecard(), {})]
)
@pytest.mark.parametrize("nothing", [None, np.nan])
def test_a_row_alone_scores_as_among_others(
    template: Template[Any, Any], options: dict[str, Any], nothing: Any, credit: ScoreData
) -> None:
    model = additive(template, credit, **options)
    score = row_scorer(model.card)
    features = credit.features.iloc[:400]
    plain = features.astype(object).where(features.notna(), nothing)
    rows: list[dict[str, Any]] = [dict(row) for _, row in plain.iterrows()]
    rows += [dict.fromkeys(features.columns, nothing)]
    expected = model.predict(features).probability
    found = np.array([score(row) for row in rows])
    np.testing.assert_allclose(found[:-1], expected, rtol=0.0, atol=1e-15)
    assert 0.0 < found[-1] < 1.0
    unseen = dict(rows[0]) | {"Home": "castle", "Debt": -1e300}
    assert 0.0 < score(unseen) < 1.0
