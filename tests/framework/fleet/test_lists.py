"""Lists of devices are written as the centre's own."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loopcast.api import DataError, RankSchema
from loopcast.deploy.export.tflite.list_names import list_names
from loopcast.fleet import intake
from loopcast.fleet.link import Incoming
from loopcast.fleet.lists import as_named, as_served
from loopcast.serve.lists import lines
from loopcast.store.home import Home
from loopcast_edge.wire import DriftReference, EdgeEvent, ReferenceColumn, encode, topics

from ..store.builders import logical_model, version
from .conftest import OUTBOX, events

NAMES = list_names(3)


def event(*items: str | float, action: str = "served", best: float = 0.5) -> EdgeEvent:
    """A list of three places, of which the last may be of no item."""
    empty = (None,) * (3 - len(items))
    scores = [best / (place + 1) for place in range(len(items))]
    outputs = (*items, *empty, *scores, *empty)
    return EdgeEvent(source=0, key="ann", time=0, outputs=outputs, action=action)  # type: ignore[arg-type]


@given(st.lists(st.lists(st.sampled_from(["Heat", "Seven, or Se7en", "Ran"]), max_size=3)))
def test_a_list_is_what_serve_writes(rows: list[list[str]]) -> None:
    names = ["Heat", "Ran", "Seven, or Se7en"]
    codes = np.array([names.index(item) for row in rows for item in row], np.int32)
    counts = np.array([len(row) for row in rows], np.intp)
    missing = np.zeros(len(rows), np.bool_)
    written = lines(pa.array(names, pa.large_string()), codes, counts, missing).to_pylist()
    found = as_served(NAMES, [event(*row) for row in rows])
    assert [items for items, _ in found] == written
    assert [score for _, score in found] == [0.5 if row else None for row in rows]


def test_who_was_not_answered_has_no_list() -> None:
    actions = ("served", "fallback", "refused", "withheld")
    found = as_served(NAMES, [event(action=action) for action in actions])
    assert [items for items, _ in found] == ["", "", None, None]
    assert as_served(NAMES, [event("Ran", action="withheld")]) == [("Ran", 0.5)]


@pytest.mark.parametrize(
    ("names", "item", "reason"),
    [
        (NAMES, 2691.0, "the list of 'ann' holds numbers; a package that is published anew"),
        (NAMES, "Heat\nRan", "an item of 'ann' has a line break"),
        (NAMES, "Heat\x1eRan", "or a record separator in it"),
        (("points",), "Ran", "a ranking says items and scores, not points"),
        ((), "Ran", "not nothing"),
    ],
)
def test_what_is_no_list_is_refused(names: tuple[str, ...], item: str | float, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        as_served(names, [event("Heat", item)])


def test_lists_come_into_the_log_and_one_that_is_none_stops_no_other(
    place: Home, first: tuple[str, ...]
) -> None:
    schema = RankSchema(entity="person", item="film", time="at", length=3)
    place.catalog.put_logical_model(replace(logical_model(), schema=schema))
    lists = (event("Heat", "Ran"), event(), event(action="refused"))
    plain = events(1, 0)
    source = replace(plain.sources[0], inputs=(), outputs=NAMES)
    batches = [
        replace(plain, sources=(source,), sequence=number, events=each)
        for number, each in enumerate((lists, (event(2691.0),)), 1)
    ]
    topic, at = topics.device(first[0], "up/events"), datetime.now(UTC)
    messages = [Incoming(topic=topic, payload=encode(each)) for each in batches]
    place.catalog.put_uplinks([intake.uplink_of(each, at) for each in messages])
    assert intake.take_in(place) == 2
    assert [each.batch for each in place.catalog.kept_uplinks("refused")] == [f"{OUTBOX}/2"]
    found = place.events.read("demand").to_pylist()
    assert [dict(each["output_texts"]) for each in found] == [
        {"items": "Heat\nRan"}, {"items": ""}, {"items": None},
    ]  # fmt: skip
    assert [dict(each["outputs"]) for each in found] == [
        {"score": 0.5}, {"score": None}, {"score": None},
    ]  # fmt: skip
    assert {each["version"] for each in found} == {version(1).id}


def test_devices_count_the_best_score_under_the_name_that_they_give_it() -> None:
    column = ReferenceColumn(name="output.score", edges=(1.0,))
    reference = DriftReference(digest="ab" * 8, columns=(column,))
    named = as_named(reference)
    assert [each.name for each in named.columns] == ["output.score 1"]
    assert replace(named, columns=(column,)) == reference
