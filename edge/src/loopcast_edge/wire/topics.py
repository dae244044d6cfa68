"""Topics: who publishes what where.

All begin with ``loopcast/1``. A device may read what is for all and what is below its own name, and
may write below its own name: the broker's patterns with ``%u`` say so, since a device's user name
is its own name.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import msgspec

from loopcast_edge.wire.codec import DeviceName, Digest, WireError

ROOT = "loopcast/1"
KEYS = f"{ROOT}/keys"
ENROL = f"{ROOT}/enrol"
"""Below it, at a broker of their own, those speak who are not enrolled yet."""

Upward = Literal[
    "reported", "presence", "up/events", "up/truth", "up/sketch", "up/update", "up/renewal"
]
Aside = Literal["request", "answer"]

DOWNWARD = ("desired", "order", "receipt", "certificate")
"""What a device reads of its own topics."""

UPWARD: tuple[Upward, ...] = (
    "reported",
    "presence",
    "up/events",
    "up/truth",
    "up/sketch",
    "up/update",
    "up/renewal",
)

_UPWARD = re.compile(rf"{ROOT}/device/([^/]+)/({'|'.join(UPWARD)})")

_VISITOR = re.compile(rf"{ENROL}/request/([0-9a-f]{{32}})")


class Origin(NamedTuple):
    """From which device a payload came, and what it is."""

    device: str
    channel: str


def device(name: str, channel: str) -> str:
    """Return the topic of a device.

    Parameters
    ----------
    name
        Of the device; ``+`` for all devices, in a subscription of the centre.
    channel
        One of :data:`DOWNWARD` or :data:`UPWARD`.

    Raises
    ------
    WireError
        When the name could reach another device's topics.

    Examples
    --------
    >>> device("meter-7", "up/events")
    'loopcast/1/device/meter-7/up/events'
    >>> device("meter/7", "desired")
    Traceback (most recent call last):
    ...
    loopcast_edge.wire.codec.WireError: device name 'meter/7': up to 64 letters, digits, - and _
    """
    if name != "+":
        check_device(name)
    return f"{ROOT}/device/{name}/{channel}"


def check_device(name: str) -> str:
    """Return the name of a device, or raise :class:`WireError` where it is none."""
    try:
        return msgspec.convert(name, DeviceName)
    except msgspec.ValidationError:
        raise WireError(f"device name {name[:80]!r}: up to 64 letters, digits, - and _") from None


def origin(topic: str) -> Origin:
    """Return which device a topic is of, and what comes there.

    Raises
    ------
    WireError
        When it is no topic on which devices publish.

    Examples
    --------
    >>> origin("loopcast/1/device/meter-7/up/events")
    Origin(device='meter-7', channel='up/events')
    """
    found = _UPWARD.fullmatch(topic)
    if found is None:
        raise WireError(f"topic {topic[:120]!r}: no topic on which a device publishes")
    return Origin(check_device(found[1]), found[2])


def enrolment(visitor: str, channel: Aside) -> str:
    """Return where somebody who is not enrolled yet asks, or is answered.

    Parameters
    ----------
    visitor
        32 hexadecimal digits, drawn at random and used once; also the client's identifier at the
        broker, whose patterns with ``%c`` keep visitors apart.

    Examples
    --------
    >>> enrolment("ab" * 16, "answer")
    'loopcast/1/enrol/answer/abababababababababababababababab'
    """
    return f"{ENROL}/{channel}/{visitor}"


def visitor(topic: str) -> str:
    """Return who asks on a topic of enrolment.

    Raises
    ------
    WireError
        When it is no such topic.
    """
    found = _VISITOR.fullmatch(topic)
    if found is None:
        raise WireError(f"topic {topic[:120]!r}: no topic on which anybody asks to be enrolled")
    return found[1]


def manifest(digest: str) -> str:
    """Return where the manifest of that digest is."""
    return f"{ROOT}/manifest/{_checked(digest)}"


def index(file: str, base: str | None = None) -> str:
    """Return where the index of a file is, or that of its difference from a base."""
    return f"{_file(file, base)}/index"


def chunk(file: str, number: int, base: str | None = None) -> str:
    """Return where a chunk of a file is, or of its difference from a base.

    Examples
    --------
    >>> chunk("ab" * 32, 3)[-20:]
    'abababababab/chunk/3'
    """
    return f"{_file(file, base)}/chunk/{number}"


def _file(file: str, base: str | None) -> str:
    whole = f"{ROOT}/file/{_checked(file)}"
    return whole if base is None else f"{whole}/from/{_checked(base)}"


def _checked(digest: str) -> str:
    try:
        return msgspec.convert(digest, Digest)
    except msgspec.ValidationError:
        raise WireError(
            f"digest {digest[:80]!r}: expected 64 hexadecimal digits in lower case"
        ) from None
