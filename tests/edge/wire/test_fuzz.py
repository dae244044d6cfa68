"""Whatever bytes come in, a decoder raises WireError or returns a message, and stays small."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopcast_edge.wire import Message, WireError, decode, encode
from loopcast_edge.wire.codec import kind_of

from .examples import EXAMPLES

PAYLOADS = {name: encode(message) for name, message in EXAMPLES.items()}
ANY = pytest.mark.parametrize("name", EXAMPLES)

# Headers of MessagePack that claim four billion elements or bytes, and some that nest or end.
CLAIMS = [bytes.fromhex(text) for text in ("ddffffffff", "dfffffffff", "c6ffffffff", "dbffffffff")]
ODD = [*CLAIMS, b"\xc1", b"\xc9\xff\xff\xff\xff\x00", b"\x91" * 5000, b"\x81" * 5000, b"\xff" * 9]


def refused_or_read(payload: bytes, kind: type[Message]) -> None:
    sentences = list[str]()
    for read in (lambda: decode(payload, kind), lambda: kind_of(payload)):
        try:
            read()
        except WireError as refused:
            sentences.append(str(refused))
    assert all(len(sentence) < 1000 for sentence in sentences)


@ANY
@settings(max_examples=60)
@given(data=st.data())
def test_changed_bytes_are_refused_or_read(name: str, data: st.DataObject) -> None:
    payload = bytearray(PAYLOADS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(payload)))
        piece = data.draw(st.one_of(st.binary(max_size=9), st.sampled_from(ODD)))
        payload[place : place + data.draw(st.integers(0, 9))] = piece
    refused_or_read(bytes(payload), type(EXAMPLES[name]))


@ANY
def test_each_flipped_bit_is_refused_or_read(name: str) -> None:
    payload = PAYLOADS[name]
    for bit in range(0, 8 * len(payload), 1 + len(payload) // 300):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        refused_or_read(bytes(flipped), type(EXAMPLES[name]))


@settings(max_examples=300)
@given(st.binary(max_size=300), st.sampled_from(sorted(EXAMPLES)))
def test_any_bytes_are_refused(payload: bytes, name: str) -> None:
    with pytest.raises(WireError):
        decode(payload, type(EXAMPLES[name]))


def claims(payload: bytes) -> Iterator[bytes]:
    """The payload with a length of four billion in each place."""
    for place in range(0, len(payload), 1 + len(payload) // 200):
        for claim in CLAIMS:
            yield payload[:place] + claim + payload[place + 1 :]


@ANY
def test_a_claimed_length_is_not_believed(name: str) -> None:
    kind = type(EXAMPLES[name])
    tracemalloc.start()
    for payload in claims(PAYLOADS[name]):
        refused_or_read(payload, kind)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_payload_at_its_limit_takes_a_bounded_amount_of_memory() -> None:
    """The worst that is well formed: elements of one byte, of which each becomes an object."""
    kind = type(EXAMPLES["truth"])
    header = bytes.fromhex("86a46b696e64a57472757468a17601a66f7574626f78b0") + b"0" * 16
    header += b"\xa8sequence\x01\xa8subjects\x90\xa8outcomes"
    length = kind.most_bytes - len(header) - 5
    payload = header + b"\xdd" + length.to_bytes(4, "big") + b"\x90" * length
    tracemalloc.start()
    with pytest.raises(WireError):
        decode(payload, kind)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * kind.most_bytes
