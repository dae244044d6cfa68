"""The test vectors of the specification: what a device in any language can prove itself against."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from loopcast_edge.wire import (
    DriftReference,
    Invitation,
    Keys,
    ReferenceColumn,
    SealKey,
    SecretKey,
    Signed,
    Trust,
    WireError,
    decode,
    empty_sketch,
    encode,
    make_delta,
    publish_file,
    seal,
    sign,
    topics,
)
from loopcast_edge.wire.codec import digest_of
from loopcast_edge.wire.keys import domain

from .examples import DAY, EXAMPLES, MANIFEST, NOON
from .trusted import CLOCK, FIRST_SIGNED, NOW, OTHER_TARGETS, SECOND_SIGNED, TARGETS, news, stamp

Json = dict[str, Any] | list[Any]


def everything() -> dict[str, Json]:
    """The content of each file of vectors, by its name."""
    return {
        "messages": messages(),
        "refused": refused(),
        "topics": all_topics(),
        "signature": signature(),
        "enrolment": enrolment(),
        "trust": trust(),
        "file": file(),
        "delta": delta(),
        "sketch": sketch(),
    }


def messages() -> Json:
    """Each message as bytes, and what they say; bytes in hexadecimal."""
    return [
        {
            "name": name,
            "kind": message.__struct_config__.tag,
            "bytes": payload.hex(),
            "says": plain(payload),
        }
        for name, message in EXAMPLES.items()
        for payload in [encode(message)]
    ]


def plain(payload: bytes) -> Any:
    """What a payload says, with bytes in hexadecimal."""
    return msgspec.json.decode(msgspec.json.encode(hexadecimal(msgspec.msgpack.decode(payload))))


def hexadecimal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: hexadecimal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [hexadecimal(each) for each in value]
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def refused() -> Json:
    """What every receiver has to refuse, and why."""
    presence, events = (
        encode(EXAMPLES["presence"]),
        msgspec.msgpack.decode(encode(EXAMPLES["events"])),
    )
    said = msgspec.msgpack.decode(presence)
    cases = {
        "cut short": presence[:-1],
        "more after its end": presence + b"\x00",
        "an unknown field": said | {"more": 1},
        "another version": said | {"v": 2},
        "no version": {"kind": "presence", "online": True, "since": 0},
        "no kind": {"v": 1, "online": True, "since": 0},
        "another kind": said | {"kind": "order"},
        "a field is missing": {"kind": "presence", "v": 1, "online": True},
        "a field of another type": said | {"since": "now"},
        "a number for a truth value": said | {"online": 1},
        "out of range": said | {"since": -1},
        "after the year 9999": said | {"since": 253_402_300_800_000},
        "a length beyond the end": b"\xdf\xff\xff\xff\xff",
        "too long": b"\x00" * 16_385,
    }
    more = {
        "an event of a source that is not named": events | {"events": [[1, "k", 0]]},
        "not a number": events | {"events": [[0, "k", 0, [float("nan"), "eco"], [1.0]]]},
        "an event with fewer values than names": events | {"events": [[0, "k", 0, [1.0], [1.0]]]},
        "an event with one field more": events | {"events": [[0, "k", 0, [], [], "served", 0, 0]]},
    }
    return [
        {"why": why, "kind": kind, "bytes": _bytes(content).hex()}
        for kind, found in (("presence", cases), ("events", more))
        for why, content in found.items()
    ]


def _bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else msgspec.msgpack.encode(content)


def all_topics() -> Json:
    """Every topic, of one device and one file."""
    file, base = digest_of(b"file"), digest_of(b"base")
    channels = (*topics.DOWNWARD, *topics.UPWARD)
    return {
        "device": {channel: topics.device("meter-7", channel) for channel in channels},
        "enrolment": {each: topics.enrolment("0f" * 16, each) for each in ("request", "answer")},
        "keys": topics.KEYS,
        "manifest": topics.manifest(file),
        "index": topics.index(file),
        "chunk": topics.chunk(file, 12),
        "delta_index": topics.index(file, base),
        "delta_chunk": topics.chunk(file, 12, base),
    }


def signature() -> Json:
    """One signature, step by step."""
    key, payload = SecretKey(bytes(range(32))), encode(EXAMPLES["rollback"])
    return {
        "seed": bytes(range(32)).hex(),
        "public": key.public.hex(),
        "key": key.id,
        "payload": payload.hex(),
        "covered": (domain("rollback") + payload).hex(),
        "signature": key.sign(payload).signature.hex(),
        "envelope": encode(sign(EXAMPLES["rollback"], [key])).hex(),
    }


def enrolment() -> Json:
    """An invitation, and an application and its answer, sealed."""
    device, centre = SealKey(bytes(range(32))), SealKey(bytes(range(32, 64)))
    nonces = {"application": bytes(range(24)), "admission": bytes(range(24, 48))}
    sealed = {
        "application": seal(EXAMPLES["application"], device, centre.public, nonces["application"]),
        "admission": seal(EXAMPLES["admission"], centre, device.public, nonces["admission"]),
    }
    return {
        "invitation": str(Invitation("t" * 43, centre.public)),
        "token": "t" * 43,
        "device_secret": bytes(range(32)).hex(),
        "device_public": device.public.hex(),
        "centre_secret": bytes(range(32, 64)).hex(),
        "centre_public": centre.public.hex(),
        "says": {name: encode(EXAMPLES[name]).hex() for name in sealed},
        "sealed": {name: encode(each).hex() for name, each in sealed.items()},
    }


def trust() -> Json:
    """Courses of news about keys and packages, and what a device accepts of them."""
    rotated = news(SECOND_SIGNED, timestamp=stamp(7, of_root=2))
    withdrawn = news(timestamp=stamp(8, withdrawn=(digest_of(encode(MANIFEST)),)))
    good = sign(MANIFEST, [TARGETS])
    cases: list[tuple[str, list[Keys], Signed, int]] = [
        ("signed by the targets key", [news(timestamp=stamp(5))], good, NOW),
        ("signed by another key", [news(timestamp=stamp(5))], sign(MANIFEST, [CLOCK]), NOW),
        ("the targets key was revoked", [news(timestamp=stamp(5)), rotated], good, NOW),
        ("signed by the new key", [rotated], sign(MANIFEST, [OTHER_TARGETS]), NOW),
        ("the time stamp has expired", [news(timestamp=stamp(5))], good, NOON + DAY),
        ("no time stamp came", [], good, NOW),
        ("the package was withdrawn", [withdrawn], good, NOW),
        (
            "the package has expired",
            [news(timestamp=stamp(5))],
            sign(replace(MANIFEST, expires=NOW), [TARGETS]),
            NOW,
        ),
        ("old news after new ones", [rotated, news(timestamp=stamp(5))], good, NOW),
    ]
    return {
        "root": encode(FIRST_SIGNED).hex(),
        "pinned": FIRST_SIGNED.digest,
        "cases": [
            {
                "what": what,
                "keys": [encode(each).hex() for each in keys],
                "manifest": encode(envelope).hex(),
                "now": now,
                "accepted": accepted([encode(each) for each in keys], encode(envelope), now),
            }
            for what, keys, envelope, now in cases
        ],
    }


def accepted(keys: list[bytes], manifest: bytes, now: int) -> bool:
    """Whether a device that knows the first root activates a manifest after some news."""
    known = Trust.pinned(FIRST_SIGNED, FIRST_SIGNED.digest)
    for payload in keys:
        try:
            known = known.renewed(decode(payload, Keys), now)
        except WireError:
            continue
    try:
        known.manifest(decode(manifest, Signed), now)
    except WireError:
        return False
    return True


CONTENT = b"".join(sha256(bytes([n])).digest() for n in range(64))


def file() -> Json:
    """A file in chunks."""
    published = publish_file(CONTENT, chunk_size=512)
    return {
        "content": CONTENT.hex(),
        "index": encode(published.index).hex(),
        "chunks": [encode(chunk).hex() for chunk in published.chunks],
    }


def delta() -> Json:
    """Differences of either form; another zlib may pack them otherwise."""
    changed = bytes(value + (place % 97 == 0) & 255 for place, value in enumerate(CONTENT))
    moved = CONTENT[:700] + b"inserted" + CONTENT[700:]
    return [
        {
            "base": CONTENT.hex(),
            "content": content.hex(),
            "delta": make_delta(CONTENT, content).hex(),
        }
        for content in (changed, moved)
    ]


def sketch() -> Json:
    """A sketch: its bins, its rows, and its bytes."""
    reference = DriftReference(
        digest="00112233445566bb",
        columns=(
            ReferenceColumn(name="load", edges=(0.0, 1.0, 4.0), centre=1.0),
            ReferenceColumn(name="mode", kind="category", known=("eco", "full")),
        ),
        error=ReferenceColumn(name="error", edges=(-1.0, 0.0, 1.0)),
    )
    rows: dict[str, list[float | str | None]] = {
        "load": [-2.0, 0.0, 0.5, 1.0, None, *[2.0] * 40],
        "mode": ["eco", "full", "other", None, "eco", *["eco"] * 40],
        "error": [0.25, -0.25, None, None, 2.0, *np.linspace(-0.5, 0.5, 40).round(4).tolist()],
    }
    found = empty_sketch(reference)
    found.add(rows)
    return {
        "reference": msgspec.to_builtins(reference),
        "rows": rows,
        "counts": [counts.tolist() for counts in found.counts],
        "packed_counts": found.packed_counts.hex(),
        "packed_moments": found.packed_moments.hex(),
    }
