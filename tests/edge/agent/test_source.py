"""A line of JSON is a measurement that can be stored and told, or refused in a sentence."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast_edge.agent import events
from loopcast_edge.agent.source import parsed

NAMES = st.sampled_from(["time", "key", "outcome", "temperature"])
NUMBERS = st.one_of(
    st.integers(), st.integers(min_value=10**18), st.floats(), st.just(10**400), st.just(2**53)
)
TIMES = st.sampled_from(
    ["2026-06-01T10:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00+23:59", "now"]
)
TEXTS = st.text(st.characters(), max_size=5)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, TIMES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=2)),
    max_leaves=5,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_line_can_be_stored_and_told_or_is_refused(content: dict[str, Any]) -> None:
    with suppress(ValueError):
        line = parsed(json.dumps(content))
        time = line.pop("time", 0)
        assert all(isinstance(value, (float, str, tuple)) for value in line.values())
        assert events.key("demand", 60, time // 60_000)
        assert msgspec.msgpack.encode(line)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 20_000 + "1" + "}" * 20_000, "nested too deeply"),
        ('{"load": 1' + "0" * 400 + "}", "load: too large for a number"),
        (r'{"key": "half \ud83d"}', "key: .* is no text"),
        (r'{"chosen": ["\udc00"]}', "chosen: .* is no text"),
        ('{"time": 9007199254740992}', "time: 9007199254740992 is neither"),
        ('{"time": "9999-12-31T00:00:00Z"}', "time: '9999-12-31T00:00:00Z' is neither"),
        ('{"time": "2026-06-01T10:00:00"}', "with its offset"),
        ("5", "expected an object"),
    ],
)
def test_why_a_line_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parsed(text)
