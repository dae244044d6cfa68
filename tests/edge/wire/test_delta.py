from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast_edge.wire import WireError, apply_delta, make_delta


@given(st.binary(max_size=2000), st.binary(max_size=2000))
def test_a_difference_makes_the_file(base: bytes, content: bytes) -> None:
    assert apply_delta(base, make_delta(base, content), len(content)) == content


@given(st.binary(min_size=100, max_size=1000), st.data())
def test_what_is_inserted_or_left_out_costs_little(base: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(base)))
    content = base[:place] + b"something new" + base[place + 30 :]
    delta = make_delta(base, content)
    assert apply_delta(base, delta, len(content)) == content
    assert len(delta) < 80


@pytest.mark.parametrize("change", ["one in a hundred", "each by one in a hundred"])
def test_an_int8_model_that_changes_by_a_hundredth_costs_little(change: str) -> None:
    """The goal: 2.5 KB, for the 14 KB of 48 half-hourly models with frozen scales."""
    random = np.random.default_rng(3)
    weights = np.clip(random.normal(0, 30, 14_000), -127, 127)
    if change == "one in a hundred":
        changed = np.where(random.random(14_000) < 0.01, random.normal(0, 30, 14_000), weights)
    else:
        changed = weights * (1 + random.normal(0, 0.01, 14_000))
    base, content = (
        np.clip(np.rint(w), -127, 127).astype(np.int8).tobytes() for w in (weights, changed)
    )
    delta = make_delta(base, content)
    assert apply_delta(base, delta, len(content)) == content
    assert len(delta) <= 2560


BASE = bytes(range(256)) * 4
CONTENT = BASE[:500] + b"new" + BASE[503:]
DELTA = make_delta(BASE, CONTENT)


@given(st.integers(0, 8 * len(DELTA) - 1), st.integers(0, 2000))
def test_a_damaged_difference_is_refused_or_makes_so_many_bytes(bit: int, size: int) -> None:
    damaged = bytearray(DELTA)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        assert len(apply_delta(BASE, bytes(damaged), size)) == size
    except WireError:
        return


@pytest.mark.parametrize("delta", [b"", b"\x00", b"\x01", b"\x02abc", DELTA[:-1], DELTA + b"\x00"])
def test_what_is_no_difference_is_refused(delta: bytes) -> None:
    with pytest.raises(WireError, match="delta"):
        apply_delta(BASE, delta, len(CONTENT))


def test_no_more_is_made_than_was_said() -> None:
    bomb = b"\x01" + zlib.compress(bytes(50_000_000), 9)
    tracemalloc.start()
    with pytest.raises(WireError, match="other than the 1000 bytes"):
        apply_delta(b"", bomb, 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
