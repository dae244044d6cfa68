from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from msgspec.structs import replace
from numpy.typing import NDArray

from loopcast_edge.wire import Golden, Interval, Output, Profile, ReferenceColumn, Tensor, encode
from loopcast_edge.wire.recipe import Chosen

from .examples import LISTS, MANIFEST, tensor


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=4, max_side=5)))
def test_a_tensor_is_the_array_bit_for_bit(array: NDArray[np.float32]) -> None:
    found = Tensor.of(array).array()
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


def test_a_tensor_has_the_bytes_of_its_shape() -> None:
    with pytest.raises(ValueError, match=r"4 bytes are no float32 of shape \(2,\)"):
        Tensor(shape=(2,), data=bytes(4))


GOLDEN = MANIFEST.golden[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"expires": MANIFEST.created}, "not after it was created"),
        (
            {"outputs": tuple(Output(name=f"item {place}") for place in range(511))},
            "513 outputs are of one series and interval, with their bounds; an event has space",
        ),
        ({"outputs": MANIFEST.outputs * 2}, "do not have 5 features and 2 outputs"),
        ({"golden": (replace(GOLDEN, features=tensor([1.0], [2.0])),)}, "5 features"),
        ({"state": tensor([0.0])}, "have a state"),
        ({"intervals": (Interval(coverage=0.9, below=(), above=(1.0,)),)}, "half-width"),
        ({"outputs": (Output(name="a", place_in="now"),)}, "no step 'now' of the recipe knows"),
        ({"outputs": (Output(name="a", place_in="mode_code"),)}, "a is a place, and has no bounds"),
        (
            {"outputs": (Output(name="a", place_in="mode_code", minimum=-1.0, maximum=2.0),)},
            "a: places are within -1 and 1",
        ),
        ({"outputs": (Output(name="a", beside="b"),)}, "a is beside 'b', which is no place"),
        ({"profile": Profile(zone="UTC", values=tensor([1.0, 2.0]))}, "value for each of 1"),
    ],
)
def test_the_parts_of_a_manifest_fit_together(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(MANIFEST, **changes)


def test_no_item_of_a_list_has_a_line_break() -> None:
    lines = (Chosen(name="chosen", of="chosen", known=("Heat", "Alien\n2", "Ran")),)
    with pytest.raises(ValueError, match="item 1: a text of chosen has a line break"):
        replace(LISTS, recipe=replace(LISTS.recipe, steps=lines))


def test_who_knows_no_lists_still_reads_what_is_none() -> None:
    """A field that was added is left out where it says nothing."""
    assert b"place_in" in encode(LISTS)
    assert b"beside" in encode(LISTS)
    assert b"place_in" not in encode(MANIFEST)
    assert b"beside" not in encode(MANIFEST)


def test_golden_rows_have_answers() -> None:
    with pytest.raises(ValueError, match="2 golden rows have 1 answers"):
        Golden(features=tensor([1.0], [2.0]), output=tensor([1.0]))
    with pytest.raises(ValueError, match="goes in and comes out"):
        Golden(features=tensor([1.0]), output=tensor([1.0]), state=tensor([1.0]))


def test_bins_are_of_a_number_or_of_texts() -> None:
    with pytest.raises(ValueError, match="edges do not ascend"):
        ReferenceColumn(name="a", edges=(1.0, 1.0))
    with pytest.raises(ValueError, match="a number has edges, and a category known texts"):
        ReferenceColumn(name="a", known=("x",))
    with pytest.raises(ValueError, match="a number has edges"):
        ReferenceColumn(name="a", kind="category", edges=(1.0,))


def test_a_small_manifest_is_small() -> None:
    small = replace(MANIFEST, profile=None, reference=None, intervals=(), correction=None)
    assert len(encode(small)) < 1600
