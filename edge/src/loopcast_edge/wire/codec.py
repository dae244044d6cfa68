"""Encode and decode messages: MessagePack, strict, tagged, versioned, limited in size.

A message is a map that says its ``kind`` and the version ``v`` of the protocol beside its fields.
What is unknown, missing, of another type, out of range or too long is refused with a
:class:`WireError`, and nothing else is ever raised for whatever bytes come in.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from typing import Annotated, ClassVar, Literal, TypeVar

import msgspec

VERSION = 1

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,62}\Z")]
Text = Annotated[str, msgspec.Meta(max_length=120)]
Segment = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.\-]{0,119})?\Z")]
Hex16 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}\Z")]
VersionId = Hex16
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""A SHA-256 in hexadecimal."""

DeviceName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_\-]{0,63}\Z")]
Column = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
"""The name of a measurement, a feature, an input or an output."""

Sentence = Annotated[str, msgspec.Meta(max_length=400)]
LATEST = 253_402_300_799_999
"""The last millisecond of the year 9999, after which few programs can tell a date."""

Time = Annotated[int, msgspec.Meta(ge=0, le=LATEST)]
"""Milliseconds since 1970-01-01 in UTC, leap seconds not counted."""

Day = Annotated[int, msgspec.Meta(ge=0, le=LATEST // 86_400_000)]
"""Days since 1970-01-01 in UTC."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Ordinal = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Finite = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""A number; what is missing is nil, never NaN."""

Squared = Annotated[float, msgspec.Meta(ge=0.0, le=sys.float_info.max)]


class WireError(Exception):
    """What came over the wire, or was to go over it, is not what the protocol allows."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a message: a map of its fields, unknown ones refused."""


class Message(Part, frozen=True, kw_only=True, tag_field="kind"):
    """What is sent as a payload of its own.

    Attributes
    ----------
    v
        Version of the protocol.
    most_bytes
        Longer payloads of this kind are refused unread.
    """

    most_bytes: ClassVar[int] = 16_384

    v: Literal[1] = 1


class _Header(msgspec.Struct, frozen=True):
    """What every message has, whatever its kind and version."""

    kind: str
    v: int


Sent = TypeVar("Sent", bound=Message)


def encode(message: Message) -> bytes:
    """Return a message as bytes.

    Raises
    ------
    WireError
        When it is not what :func:`decode` accepts.

    Examples
    --------
    >>> class Ping(Message, frozen=True, tag="ping"):
    ...     at: Time
    >>> encode(Ping(at=5)).hex()
    '83a46b696e64a470696e67a2617405a17601'
    >>> decode(encode(Ping(at=5)), Ping)
    Ping(at=5, v=1)
    """
    try:
        payload = msgspec.msgpack.encode(message)
    except (TypeError, OverflowError, UnicodeEncodeError) as error:
        raise WireError(f"{_kind(type(message))}: {error}") from None
    decode(payload, type(message))
    return payload


def decode(payload: bytes, kind: type[Sent]) -> Sent:
    """Return the message that a payload holds.

    Parameters
    ----------
    payload
        As it came.
    kind
        The message that is expected.

    Raises
    ------
    WireError
        When it is longer than its kind may be, damaged, of another kind or version, or when a field
        is unknown, missing, of another type or out of range.
    """
    if len(payload) > kind.most_bytes:
        raise WireError(
            f"{_kind(kind)}: {len(payload)} bytes; at most {kind.most_bytes} are accepted"
        )
    try:
        _check_header(msgspec.msgpack.decode(payload, type=_Header), kind)
        return msgspec.msgpack.decode(payload, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"{_kind(kind)}: {error}") from None


def kind_of(payload: bytes) -> str:
    """Return the kind that a payload says it is of.

    Raises
    ------
    WireError
        When it is no message.
    """
    try:
        return msgspec.msgpack.decode(payload, type=_Header).kind
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"no message: {error}") from None


def _check_header(header: _Header, kind: type[Message]) -> None:
    if header.kind != _kind(kind):
        raise WireError(f"{_kind(kind)}: a message of kind {header.kind[:40]!r} came instead")
    if header.v != VERSION:
        raise WireError(
            f"{_kind(kind)}: version {header.v} of the protocol; this program speaks {VERSION}"
        )


def _kind(kind: type[Message]) -> str:
    return str(kind.__struct_config__.tag)


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal.

    Examples
    --------
    >>> digest_of(b"")[:16]
    'e3b0c44298fc1c14'
    """
    return sha256(content).hexdigest()
