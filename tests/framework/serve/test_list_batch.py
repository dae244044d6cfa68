from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from loopcast.api import Kpi, LogicalModel, RankSchema
from loopcast.deploy.lookup import Serving
from loopcast.serve.answer_files import plain_schema
from loopcast.serve.answers import SegmentAnswers
from loopcast.serve.folded import Folded
from loopcast.serve.list_batch import written_lists
from loopcast.serve.listed import ListAnswers, Listed
from loopcast.serve.places import Places
from loopcast.serve.shadow import Heard
from loopcast.serve.treatment import Said
from loopcast.serve.under_rules import NO_EFFECTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopcast.serve.answer_files import Written

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MODEL = LogicalModel(
    name="shop",
    title="Suggestions",
    owner="shop",
    kpi=Kpi(metric="ndcg", direction="higher"),
    schema=RankSchema(entity="customer", item="product", time="sold", length=2),
)
PLAIN, FEW = Said("served", None), Said("person", "never seen")


def listed(who: Sequence[str], lists: Sequence[Sequence[int] | None], *versions: str) -> Listed:
    """Lists of items by code, None where nobody answers; versions take turns, nobody's is FEW."""
    rows = np.repeat(np.arange(len(lists)), [1 if own is None else len(own) for own in lists])
    places = [own for one in lists for own in ([0] if one is None else range(1, len(one) + 1))]
    items = [own for one in lists for own in ([-1] if one is None else one)]
    return Listed(
        sizes=(len(lists),),
        entity=pa.array([*who, ""], pa.large_string()),
        versions=versions,
        version=np.arange(len(lists)) % len(versions),
        said=(FEW, PLAIN),
        code=np.array([own is not None for own in lists], np.intp),
        found=Places(
            names=pa.array(["tea", "pot", "cup"], pa.large_string()),
            row=rows,
            place=np.array(places, np.int16),
            item=np.array(items),
            score=np.where(np.array(items) < 0, np.nan, 0.5 + rows).astype(np.float32),
        ),
        effects=NO_EFFECTS,
    )


def serving(segment: str, canary: str | None = None) -> Serving:
    share = 0.25 if canary else 0.0
    return Serving(
        logical_model="shop", segment=segment, champion="champ", canary=canary, share=share
    )


BATCH: list[SegmentAnswers[ListAnswers]] = [
    SegmentAnswers(
        segment="acme",
        serving=serving("acme"),
        answers=ListAnswers(listed=listed(["ann", "bob"], [[2, 0], None, [1]], "champ")),
        seconds=0.004,
        heard=Heard(
            answers={"quiet": ListAnswers(listed=listed(["ann", "bob"], [[1], [2], [0]], "quiet"))}
        ),
    ),
    SegmentAnswers(segment="bad", serving=None, reason="off"),
    SegmentAnswers(
        segment="cid",
        serving=serving("cid", canary="new"),
        answers=ListAnswers(listed=listed(["ann", "eve"], [[], [1, 2], [0, 1]], "new", "champ")),
    ),
]


def one_by_one() -> list[Written]:
    return [written_lists([item], MODEL, NOON, table=True) for item in BATCH]


def whole_table(written: Written) -> pa.Table:
    assert isinstance(written.table, Folded)
    return written.table.whole()


def plain(table: pa.Table) -> pa.Table:
    """A table in which no text is coded, and no number is NaN, which equals nothing."""
    written = table.cast(plain_schema(table))
    score = pc.if_else(pc.is_nan(written["score"]), None, written["score"])
    return written.set_column(written.column_names.index("score"), "score", score)


def test_a_batch_is_written_as_its_segments_one_by_one() -> None:
    whole, apart = written_lists(BATCH, MODEL, NOON, table=True), one_by_one()
    tables = [plain(whole_table(each)) for each in apart if each.table is not None]
    assert plain(whole_table(whole)) == pa.concat_tables(tables)
    by = [("segment", "ascending"), ("version", "ascending"), ("key", "ascending")]
    events = pa.concat_tables([each.events for each in apart if each.events is not None])
    assert whole.events is not None
    assert whole.events.sort_by(by) == events.sort_by(by)
    entries = [
        dict(zip(own.keys.to_pylist(), own.values.to_pylist(), strict=True))
        for own in (each.lists for each in (whole, *apart))
        if own is not None
    ]
    assert entries[0] == entries[1] | entries[2] | entries[3]
    assert len(entries[0]) == 3 + 1 + 3


def test_the_table_has_the_places_of_all_but_newcomers() -> None:
    table = whole_table(written_lists(BATCH, MODEL, NOON, table=True))
    assert [field.name for field in table.schema if field.nullable] == [
        "product",
        "score",
        "reason",
    ]
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("ann", 1, "cup", 0.5, "champ", "served", None, "acme"),
        ("ann", 2, "tea", 0.5, "champ", "served", None, "acme"),
        ("bob", 0, None, pytest.approx(np.nan, nan_ok=True), "champ", "person", FEW.reason, "acme"),
        ("ann", 0, None, pytest.approx(np.nan, nan_ok=True), "new", "served", None, "cid"),
        ("eve", 1, "pot", 1.5, "champ", "served", None, "cid"),
        ("eve", 2, "cup", 1.5, "champ", "served", None, "cid"),
    ]


def test_without_a_table_all_else_is_the_same() -> None:
    asked = written_lists(BATCH, MODEL, NOON, table=True)
    unasked = written_lists(BATCH, MODEL, NOON, table=False)
    assert unasked.table is None
    assert unasked.for_people is not None
    assert asked.for_people is not None
    assert plain(unasked.for_people) == plain(asked.for_people)
    assert unasked.for_people["customer"].to_pylist() == ["bob"]
    assert unasked.events == asked.events
    assert unasked.lists is not None
    assert asked.lists is not None
    assert unasked.lists.values == asked.lists.values


def test_the_overview_counts_lists_but_those_of_newcomers() -> None:
    seen = written_lists(BATCH, MODEL, NOON, table=False).seen
    assert seen is not None
    counts = seen.counts.set_index(["segment", "version", "action"])["rows"].to_dict()
    assert counts == {
        ("acme", "champ", "served"): 1, ("acme", "champ", "person"): 1,
        ("cid", "new", "served"): 1, ("cid", "champ", "served"): 1,
    }  # fmt: skip
    assert seen.items == {"cup": 2, "tea": 1, "pot": 1}
    assert seen.values.tolist() == [0.5, 1.5]  # the first places; two lists have none
    assert seen.reasons == {FEW.reason: 1}
    assert seen.segments["middle"].to_dict() == {"acme": 0.5, "cid": 1.5}


def test_events_are_of_each_entity_and_of_who_answered_it() -> None:
    events = written_lists(BATCH, MODEL, NOON, table=True).events
    assert events is not None
    said = [
        (
            row["segment"],
            row["key"],
            row["version"],
            row["role"],
            row["propensity"],
            row["action"],
            dict(row["output_texts"])["items"],
            dict(row["outputs"])["score"],
            row["latency_ms"],
        )
        for row in events.to_pylist()
    ]
    assert said == [
        ("acme", "ann", "champ", "champion", 1.0, "served", "cup\ntea", 0.5, 2.0),
        ("acme", "bob", "champ", "champion", 1.0, "person", None, None, 2.0),
        ("cid", "ann", "new", "canary", 0.25, "served", "", None, 0.0),
        ("cid", "eve", "champ", "champion", 0.75, "served", "pot\ncup", 1.5, 0.0),
        ("acme", "ann", "quiet", "shadow", 1.0, "withheld", "pot", 0.5, 0.0),
        ("acme", "bob", "quiet", "shadow", 1.0, "withheld", "cup", 1.5, 0.0),
    ]


def test_a_batch_without_answers_says_why_there_are_no_lists() -> None:
    written = written_lists(BATCH[1:2], MODEL, NOON, table=True)
    assert (written.table, written.events, written.ruled) == (None, None, None)
    assert written.lists is not None
    [value] = written.lists.values.to_pylist()
    assert value.split(b"\x1e")[2:4] == [b"unanswered", b"off"]
