"""What is sealed can be read by its receiver alone, and comes from its sender alone."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast_edge.wire import (
    Application,
    Invitation,
    SealKey,
    WireError,
    decode,
    encode,
    read_invitation,
    seal,
    unseal,
)
from loopcast_edge.wire.enrolment import Sealed

from .examples import EXAMPLES

CENTRE, DEVICE, OTHER = (SealKey(bytes([number]) * 32) for number in (1, 2, 3))
APPLICATION = EXAMPLES["application"]


def test_only_who_it_was_sealed_to_reads_it() -> None:
    sealed = seal(APPLICATION, DEVICE, CENTRE.public)
    assert decode(unseal(sealed, CENTRE, DEVICE.public), Application) == APPLICATION
    assert b"t" * 43 not in encode(sealed)
    for own, sender in ((OTHER, DEVICE), (CENTRE, OTHER)):
        with pytest.raises(WireError, match="another key"):
            unseal(sealed, own, sender.public)


def test_who_seals_in_another_s_name_is_found_out() -> None:
    forged = Sealed(sender=CENTRE.public, box=seal(APPLICATION, OTHER, DEVICE.public).box)
    with pytest.raises(WireError, match="another key"):
        unseal(forged, DEVICE, CENTRE.public)


def test_the_same_said_twice_looks_different() -> None:
    assert seal(APPLICATION, DEVICE, CENTRE.public) != seal(APPLICATION, DEVICE, CENTRE.public)


@given(st.integers(0), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    sealed = seal(APPLICATION, DEVICE, CENTRE.public)
    box = bytearray(sealed.box)
    box[place % len(box)] ^= change
    with pytest.raises(WireError):
        unseal(Sealed(sender=sealed.sender, box=bytes(box)), CENTRE, DEVICE.public)


@given(st.binary(max_size=80))
def test_whatever_comes_is_refused_by_the_one_error(box: bytes) -> None:
    with pytest.raises(WireError):
        unseal(Sealed(sender=bytes(32), box=box), CENTRE, bytes(32))


TOKENS = st.text(string.ascii_letters + string.digits + "-_", min_size=22, max_size=86)


@given(TOKENS, st.binary(min_size=32, max_size=32))
def test_an_invitation_is_read_as_it_was_written(token: str, key: bytes) -> None:
    assert read_invitation(f"  {Invitation(token, key)}\n") == Invitation(token, key)


@pytest.mark.parametrize(
    "text", ["", ".", "t" * 43, "t" * 43 + ".", "t" * 43 + "." + "é" * 43, "." + "A" * 43,
             "t" * 43 + "." + "A" * 42, "t t" * 20 + "." + "A" * 43]
)  # fmt: skip
def test_what_is_no_invitation_is_not_repeated(text: str) -> None:
    with pytest.raises(WireError, match="this is no invitation: expected TOKEN") as refused:
        read_invitation(text)
    assert "ttt" not in str(refused.value)


def test_a_token_is_in_no_log() -> None:
    assert "ttt" not in repr([APPLICATION, Invitation("t" * 43, bytes(32))])
