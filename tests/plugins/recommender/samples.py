"""Interactions that tests of the recommender share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loopcast.api import RankData, RankQuery, RankSchema

SCHEMA = RankSchema(entity="customer", item="product", time="sold", length=5)


def rank_data(
    entity: NDArray[Any], item: NDArray[Any], schema: RankSchema = SCHEMA, **features: Any
) -> RankData:
    """Interactions in the order in which they happened, one a minute."""
    who, entities = pd.factorize(entity, sort=True)
    what, items = pd.factorize(item, sort=True)
    return RankData(
        entities=pd.Index([f"c{name}" for name in entities], dtype="str"),
        items=pd.Index([f"p{name}" for name in items], dtype="str"),
        entity=who.astype(np.int32),
        item=what.astype(np.int32),
        value=np.ones(len(who), np.float32),
        time=np.datetime64("2026-01-01", "us") + np.arange(len(who)) * np.timedelta64(60, "s"),
        schema=schema,
        **features,
    )


def tastes(
    seed: int, *, entities: int = 120, items: int = 60, rows: int = 3_000, groups: int = 4
) -> RankData:
    """Entities of a few tastes, each with items of its own; one choice in five is any item."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, entities, rows)
    own = rng.integers(0, items // groups, rows) * groups + who % groups
    what = np.where(rng.random(rows) < 0.2, rng.integers(0, items, rows), own)
    return rank_data(who, what)


def fashions(seed: int, *, entities: int = 120, items: int = 60, rows: int = 6_000) -> RankData:
    """Entities that go from one group of items to another, each at its own time."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, entities, rows)
    group = (who + np.arange(rows) * 6 // rows + rng.integers(0, 2, entities)[who]) % 6
    return rank_data(who, rng.integers(0, items // 6, rows) * 6 + group)


def noise(seed: int, *, entities: int = 200, items: int = 40, rows: int = 2_000) -> RankData:
    """Entities that choose by popularity and nothing else."""
    rng = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, items + 1)
    return rank_data(
        rng.integers(0, entities, rows), rng.choice(items, rows, p=share / share.sum())
    )


def query(data: RankData, **changes: Any) -> RankQuery:
    """Ask for all entities, and for one that was never seen."""
    values: dict[str, Any] = {
        "entities": np.append(np.arange(len(data.entities)), -1).astype(np.int32),
        "length": data.schema.length,
        "allowed": np.ones(len(data.items), dtype=bool),
    }
    return RankQuery(**(values | changes))
