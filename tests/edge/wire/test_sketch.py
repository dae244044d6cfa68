from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast_edge.wire import (
    DaySketch,
    DriftReference,
    ReferenceColumn,
    SketchDay,
    WireError,
    empty_sketch,
    encode,
    unpack_sketch,
)

from .examples import EXAMPLES

EDGES = tuple(float(edge) for edge in np.linspace(-3, 3, 61))
REFERENCE = DriftReference(
    digest="00112233445566bb",
    columns=(
        ReferenceColumn(name="load", edges=(0.0, 1.0, 4.0), centre=1.0),
        ReferenceColumn(name="output.mean", edges=EDGES),
        ReferenceColumn(name="mode", kind="category", known=("eco", "full")),
    ),
    error=ReferenceColumn(name="error", edges=(-1.0, 0.0, 1.0)),
)
NUMBERS = st.one_of(st.none(), st.floats(-1e30, 1e30), st.just(float("nan")))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "load": NUMBERS,
            "output.mean": NUMBERS,
            "mode": st.sampled_from(["eco", "full", "other", None]),
            "error": NUMBERS,
        }
    ),
    max_size=30,
)


def counted(rows: list[dict[str, float | str | None]]) -> DaySketch:
    sketch = empty_sketch(REFERENCE)
    names = [column.name for column in REFERENCE.counted]
    sketch.add({name: [row[name] for row in rows] for name in names})
    return sketch


@given(ROWS)
def test_a_sketch_comes_back_as_it_was_sent(rows: list[dict[str, float | str | None]]) -> None:
    sketch = counted(rows)
    found = unpack_sketch(REFERENCE, sketch.packed_counts, sketch.packed_moments)
    assert [c.tolist() for c in found.counts] == [c.tolist() for c in sketch.counts]
    with np.errstate(over="ignore"):
        assert found.moments.tolist() == sketch.moments.astype(np.float32).tolist()


@given(st.lists(st.integers(0, 2**40), min_size=63, max_size=63))
def test_any_counts_come_back(counts: list[int]) -> None:
    reference = DriftReference(digest="0" * 16, columns=(ReferenceColumn(name="x", edges=EDGES),))
    small = [count >> 20 if max(counts) > 2**30 else count for count in counts]
    sketch = DaySketch(reference, [np.array(small)], empty_sketch(reference).moments)
    packed = sketch.packed_counts
    assert unpack_sketch(reference, packed, sketch.packed_moments).counts[0].tolist() == small


@given(ROWS, ROWS)
def test_the_sketches_of_parts_add_up_to_that_of_all(
    one: list[dict[str, float | str | None]], two: list[dict[str, float | str | None]]
) -> None:
    together = counted([*one, *two])
    added = counted(one) + counted(two)
    assert [c.tolist() for c in added.counts] == [c.tolist() for c in together.counts]
    np.testing.assert_allclose(added.moments[:, 2:], together.moments[:, 2:])
    np.testing.assert_allclose(added.moments[:, 1], together.moments[:, 1], rtol=1e-12)


def test_every_row_falls_into_one_bin() -> None:
    sketch = empty_sketch(REFERENCE)
    values = [-1.0, 0.0, 0.5, 1.0, 4.0, 4.5, float("inf"), None]
    sketch.add({"load": values, "mode": ["eco", None, "x"]})
    assert sketch.counts[0].tolist() == [2, 2, 1, 1, 2]  # infinite is missing
    assert sketch.counts[2].tolist() == [1, 0, 1, 1]
    assert sketch.counts[1].sum() == sketch.counts[3].sum() == 0
    assert sketch.moments[0].tolist() == [3.0, 26.5, -1.0, 4.5]


def test_a_day_of_half_hours_takes_a_few_hundred_bytes() -> None:
    random = np.random.default_rng(1)
    columns = tuple(ReferenceColumn(name=f"x{n}", edges=EDGES) for n in range(10))
    reference = DriftReference(digest="0" * 16, columns=columns)
    sketch = empty_sketch(reference)
    sketch.add({column.name: random.normal(size=48).tolist() for column in columns})
    assert len(sketch.packed_counts) <= 16 * 10
    example = EXAMPLES["sketch"]
    assert isinstance(example, SketchDay)
    around = len(encode(example)) - len(example.counts) - len(example.moments)
    total = around + len(sketch.packed_counts) + len(sketch.packed_moments)
    assert total <= 600


def test_sketches_of_other_bins_do_not_add_up() -> None:
    other = DriftReference(digest="1" * 16, columns=REFERENCE.columns)
    with pytest.raises(WireError, match="do not add up"):
        _ = empty_sketch(REFERENCE) + empty_sketch(other)


PACKED = counted([{"load": 1.0, "output.mean": 0.0, "mode": "eco", "error": None}] * 9)


@given(st.binary(max_size=60))
def test_other_bytes_are_refused_or_counts_in_these_bins(content: bytes) -> None:
    try:
        found = unpack_sketch(REFERENCE, content, PACKED.packed_moments)
    except WireError:
        return
    assert [len(counts) for counts in found.counts] == [5, 63, 4, 5]
    assert all((counts >= 0).all() for counts in found.counts)


@pytest.mark.parametrize(
    ("counts", "moments", "message"),
    [
        (PACKED.packed_counts[:-1], PACKED.packed_moments, "fewer counts"),
        (PACKED.packed_counts + b"\x00", PACKED.packed_moments, "more counts"),
        (b"", PACKED.packed_moments, "fewer counts"),
        (PACKED.packed_counts, PACKED.packed_moments[:-1], "47 bytes of moments; expected 48"),
        (PACKED.packed_counts, b"\xff" * 48, "a moment is no number"),
    ],
)
def test_what_is_no_sketch_is_refused(counts: bytes, moments: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        unpack_sketch(REFERENCE, counts, moments)


def test_numbers_come_before_categories() -> None:
    with pytest.raises(ValueError, match="a number comes after a category"):
        DriftReference(digest="0" * 16, columns=tuple(reversed(REFERENCE.columns)))
    with pytest.raises(ValueError, match="errors are numbers"):
        DriftReference(
            digest="0" * 16,
            columns=(),
            error=ReferenceColumn(name="e", kind="category", known=("a",)),
        )
