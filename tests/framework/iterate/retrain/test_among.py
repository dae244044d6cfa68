"""What travels with a batch of segments is theirs alone."""

from __future__ import annotations

from typing import Any

import pandas as pd

from loopcast.iterate.batch import Again
from loopcast.iterate.retrain.champion import Champions
from loopcast.iterate.retrain.treatment import Treatment


def test_a_batch_carries_its_own_segments_alone() -> None:
    names = [f"t{number}" for number in range(100)]
    anything: Any = object()
    again = Again(
        whole=anything,
        treatment=Treatment(remedy="reweight", recent={name: pd.DataFrame() for name in names}),
        champions=Champions(versions=dict.fromkeys(names, anything), templates={"a": anything}),
    )
    own = again.among({"t3", "t5", "new"})
    assert set(own.champions.versions) == set(own.treatment.recent) == {"t3", "t5"}
    assert own.champions.templates == again.champions.templates
    assert (own.whole, own.treatment.remedy) == (again.whole, "reweight")
