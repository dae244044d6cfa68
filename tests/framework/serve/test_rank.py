from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import Applicability, RankData, RankSchema
from loopcast.deploy.limits import Limits
from loopcast.deploy.loaded import Opened
from loopcast.deploy.lookup import Serving
from loopcast.deploy.rank_bundle import Names
from loopcast.serve.answers import Posed, Responsible
from loopcast.serve.rank import call, decide

from ..store.builders import NOON

ENTITIES, ITEMS = 6, 4


def posed(pairs: list[tuple[int, int]], share: float, **known: list[str]) -> Posed:
    """Interactions of which versions know some items, the second of them for a share."""
    who, what = np.array(pairs, np.int32).reshape(-1, 2).T
    data = RankData(
        entities=pd.Index([f"c{code}" for code in range(ENTITIES)], dtype="str"),
        items=pd.Index([f"i{code}" for code in range(ITEMS)], dtype="str"),
        entity=who,
        item=what,
        value=np.ones(len(pairs), np.float32),
        time=np.arange(len(pairs)).astype("datetime64[s]"),
        schema=RankSchema(entity="customer", item="product", time="sold", length=2),
    )
    entities = pa.array(data.entities, pa.large_string())
    opened = {
        version: Opened(
            files={},
            model=None,
            names=Names(entities=entities, items=pa.array(items, pa.large_string())),
        )
        for version, items in known.items()
    }
    champion, canary = known
    responsible = Responsible(
        serving=Serving(
            logical_model="shop", segment="", champion=champion, canary=canary, share=share
        ),
        opened=opened,
        limits={version: Limits() for version in known},
    )
    model = SimpleNamespace(applicability=Applicability())
    question: Any = SimpleNamespace(
        rules=None, made=NOON, course=SimpleNamespace(logical_model=model)
    )
    return Posed(question=question, data=data, responsible=responsible)


def expected(data: RankData, entity: int, items: list[str]) -> list[int]:
    """When an entity last chose each item that a version knows, counted among such choices."""
    chosen = [data.items[item] for item in data.item[data.entity == entity]]
    known = [name for name in reversed(chosen) if name in items]
    return [known.index(name) + 1 if name in known else 0 for name in items]


SOME = st.lists(st.sampled_from([f"i{code}" for code in range(ITEMS + 2)]), unique=True, min_size=1)
ALL = st.just([f"i{code}" for code in range(ITEMS)])


@given(
    pairs=st.lists(st.tuples(st.integers(0, ENTITIES - 1), st.integers(0, ITEMS - 1)), max_size=30),
    share=st.sampled_from([0.0, 0.5]),
    known=st.fixed_dictionaries({"a" * 16: ALL | SOME, "b" * 16: ALL | SOME}),
)
def test_a_version_is_told_what_who_asks_chose_of_the_items_it_knows(
    pairs: list[tuple[int, int]], share: float, known: dict[str, list[str]]
) -> None:
    asked = posed(pairs, share, **known)
    for found in call(decide(asked)).calls:
        history = found.query.history
        assert history is not None
        items = known[found.known.version]
        assert history.toarray().tolist() == [
            expected(asked.data, entity, items) for entity in found.wanted
        ]
