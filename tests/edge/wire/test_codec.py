from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loopcast_edge.wire import (
    Condensed,
    Desired,
    EventBatch,
    Message,
    Order,
    Presence,
    Receipt,
    Reported,
    RollbackOrder,
    Signed,
    Timestamp,
    TruthBatch,
    WireError,
    decode,
    encode,
)

from .examples import EXAMPLES
from .strategies import everything

NOT_A_NUMBER = Condensed(source=0, start=0, end=0, count=1, sums=(float("nan"),))
ANY = pytest.mark.parametrize("name", EXAMPLES)


def plain(name: str) -> dict[str, Any]:
    """The map that is sent."""
    found: dict[str, Any] = msgspec.msgpack.decode(encode(EXAMPLES[name]))
    return found


def refusal(content: object, kind: type[Message]) -> str:
    with pytest.raises(WireError) as caught:
        decode(msgspec.msgpack.encode(content), kind)
    return str(caught.value)


@ANY
def test_a_message_comes_back_as_it_was_sent(name: str) -> None:
    message = EXAMPLES[name]
    assert decode(encode(message), type(message)) == message


@pytest.mark.parametrize(
    "kind", [Desired, Order, Presence, Receipt, Reported, RollbackOrder, Signed, Timestamp]
)
def test_whatever_a_kind_allows_comes_back_as_it_was_sent(kind: type[Message]) -> None:
    @given(everything(kind))
    def comes_back(message: Message) -> None:
        assert decode(encode(message), kind) == message

    comes_back()


@ANY
def test_an_unknown_field_is_refused(name: str) -> None:
    assert "unknown field `more`" in refusal(plain(name) | {"more": 1}, type(EXAMPLES[name]))


@ANY
@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused(name: str, version: object) -> None:
    refused = refusal(plain(name) | {"v": version}, type(EXAMPLES[name]))
    assert "version" in refused or "`$.v`" in refused


@ANY
@pytest.mark.parametrize("field", ["v", "kind"])
def test_a_message_says_its_kind_and_version(name: str, field: str) -> None:
    content = plain(name)
    del content[field]
    assert f"missing required field `{field}`" in refusal(content, type(EXAMPLES[name]))


@ANY
def test_a_field_of_another_type_is_refused(name: str) -> None:
    content = plain(name)
    for field in content.keys() - {"v", "kind"}:
        wrong = [1] if field == "runtimes" else {"wrong": 1}
        assert f"`$.{field}" in refusal(content | {field: wrong}, type(EXAMPLES[name]))


@ANY
def test_a_message_of_another_kind_is_refused(name: str) -> None:
    other = Order if name != "order" else Presence
    assert "came instead" in refusal(plain(name), other)


@ANY
def test_what_is_cut_short_is_refused(name: str) -> None:
    payload, kind = encode(EXAMPLES[name]), type(EXAMPLES[name])
    for length in range(0, len(payload), max(1, len(payload) // 100)):
        with pytest.raises(WireError):
            decode(payload[:length], kind)
    with pytest.raises(WireError, match="trailing"):
        decode(payload + b"\x00", kind)


@ANY
def test_what_is_too_long_is_refused_unread(name: str) -> None:
    kind = type(EXAMPLES[name])
    with pytest.raises(WireError, match=f"at most {kind.most_bytes} are accepted"):
        decode(bytes(kind.most_bytes + 1), kind)


def test_a_message_that_would_be_refused_is_not_sent() -> None:
    with pytest.raises(WireError, match="since"):
        encode(Presence(online=True, since=-1))
    with pytest.raises(WireError, match="Expected `float`"):
        encode(replace(EXAMPLES["truth"], condensed=(NOT_A_NUMBER,)))
    with pytest.raises(WireError, match="at most 270336"):
        encode(Signed(payload=bytes(300_000), signatures=()))


def test_numbers_of_numpy_are_refused_with_a_sentence() -> None:
    import numpy as np

    with pytest.raises(WireError, match=r"presence: .*int64"):
        encode(Presence(online=True, since=np.int64(3)))  # type: ignore[arg-type]


def test_an_event_has_a_value_for_each_name_of_its_source() -> None:
    content = plain("events")
    content["events"][0][3] = [1.0]
    assert "event 0 has (1, 1) inputs and outputs" in refusal(content, EventBatch)
    content = plain("events")
    content["events"][1][0] = 9
    assert "event 1 is of number 9" in refusal(content, EventBatch)


def test_an_outcome_has_a_subject() -> None:
    content = plain("truth")
    content["outcomes"][0][0] = 2
    assert "outcome 0 is of number 2" in refusal(content, TruthBatch)


def test_one_champion_of_a_segment() -> None:
    content = plain("desired")
    content["packages"][1]["role"] = "champion"
    assert "two champions" in refusal(content, Desired)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        decode(payload, Reported)
