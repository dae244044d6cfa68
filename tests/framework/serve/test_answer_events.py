from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from loopcast.deploy.lookup import Serving
from loopcast.serve.answer_events import batch_events
from loopcast.serve.answers import Answers, SegmentAnswers
from loopcast.serve.shadow import Heard
from loopcast.store.events import EVENT_SCHEMA, event_table

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def answers(version: list[str], inputs: Mapping[str, Any], **changes: Any) -> Answers:
    count = len(version)
    plain: dict[str, Any] = {
        "table": pa.table({}),
        "key": np.array([f"k{row}" for row in range(count)], object),
        "version": np.array(version, dtype=str),
        "action": pd.Series(["served"] * count, dtype="str"),
        "outputs": {"probability": np.linspace(0.0, 1.0, count)},
        "inputs": inputs,
    }
    return Answers(**(plain | changes))


ALONE = Serving(logical_model="m", segment="alone", champion="champ")
DIVIDED = Serving(logical_model="m", segment="divided", champion="champ", canary="new", share=0.25)
BATCH = [
    SegmentAnswers(
        segment="alone",
        serving=ALONE,
        answers=answers(
            ["champ"] * 2,
            {"sex": np.array(["f", None], object)},
            action=pa.array(["served", "flagged"], pa.large_string()),
            explanation={"sex": np.array([0.5, np.nan])},
        ),
        seconds=0.004,
        heard=Heard(answers={"shadow": answers(["shadow"] * 2, {"sex": ["f", "m"]})}),
    ),
    SegmentAnswers(segment="off", serving=None, reason="off"),
    SegmentAnswers(
        segment="divided",
        serving=DIVIDED,
        answers=answers(
            ["new", "champ", "champ"],
            {"sex": np.array([None] * 3, object)},  # no text in it: a number to the log
            labelling=np.array([0.5, 0.25, 1.0]),
        ),
    ),
    SegmentAnswers(
        segment="empty", serving=ALONE, answers=answers([], {"sex": np.array([], object)})
    ),
]


def test_a_batch_has_the_events_of_its_segments_one_by_one() -> None:
    whole = batch_events(BATCH, "m", NOON)
    apart = [batch_events([item], "m", NOON) for item in BATCH]
    assert whole is not None
    assert whole.schema == EVENT_SCHEMA
    assert whole.equals(pa.concat_tables([each for each in apart if each is not None]))
    assert batch_events(BATCH[1:2], "m", NOON) is None


def test_events_say_who_answered_as_what() -> None:
    whole = batch_events(BATCH, "m", NOON)
    assert whole is not None
    row = whole.select(["segment", "version", "role", "propensity", "action"]).to_pylist()
    said = [tuple(each.values()) for each in row]
    assert said == [
        ("alone", "champ", "champion", 1.0, "served"),
        ("alone", "champ", "champion", 1.0, "flagged"),
        ("alone", "shadow", "shadow", 1.0, "withheld"),
        ("alone", "shadow", "shadow", 1.0, "withheld"),
        ("divided", "new", "canary", 0.25, "served"),
        ("divided", "champ", "champion", 0.75, "served"),
        ("divided", "champ", "champion", 0.75, "served"),
    ]
    assert whole["latency_ms"].to_pylist() == [2.0, 2.0, *[0.0] * 5]
    assert whole["labelling"].to_pylist() == [1.0] * 4 + [0.5, 0.25, 1.0]


def test_events_are_those_that_are_made_column_by_column() -> None:
    first = event_table(
        key=["k0", "k1"],
        time=NOON,
        logical_model="m",
        segment="alone",
        version="champ",
        role="champion",
        action=["served", "flagged"],
        outputs={"probability": [0.0, 1.0]},
        inputs={"sex": ["f", None]},
        explanation={"sex": [0.5, np.nan]},
        latency_ms=2.0,
    )
    whole = batch_events(BATCH, "m", NOON)
    assert whole is not None
    assert whole.slice(0, 2).equals(first)
