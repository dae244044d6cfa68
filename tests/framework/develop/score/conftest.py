from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from loopcast.api import Feature, ScoreData, ScoreSchema
from loopcast.develop.score.prepare import prepare_score
from loopcast.settings import ScoreTable

from ...examples import applications

FEATURES = {
    "income": Feature(kind="numeric", unit="€", minimum=-5000.0),
    "debt": Feature(kind="numeric", missing=True),
    "sex": Feature(kind="category", protected=True, used=False),
}


def score_schema(**changes: Any) -> ScoreSchema:
    values: dict[str, Any] = {
        "key": "application",
        "target": "outcome",
        "event": "bad",
        "time": "at",
        "features": FEATURES,
    }
    return ScoreSchema(**(values | changes))


def score_data(table: pd.DataFrame, **changes: Any) -> ScoreData:
    names = ScoreTable(columns={"application": "id"})
    return prepare_score(table, names, score_schema(**changes), "applications.csv")


@pytest.fixture
def table() -> pd.DataFrame:
    return applications(200, seed=1)
