"""What the wire costs: bytes and CPU of messages, signatures, differences, sketches and learning.

Beside the batches of events, the same content as JSON from the standard library, which checks
nothing; beside a difference, the whole file deflated; beside a sketch, its counts as deflated JSON;
beside what a fleet learns, least squares on all of its rows at one place.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from loopcast.iterate.federated import learn
from loopcast_edge.wire import (
    Correction,
    DriftReference,
    EdgeEvent,
    EventBatch,
    Holders,
    Keys,
    ReferenceColumn,
    RollbackOrder,
    Root,
    SecretKey,
    Signed,
    Source,
    Timestamp,
    Trust,
    Update,
    decode,
    empty_sketch,
    encode,
    make_delta,
    make_root,
    sign,
    statistics,
    unpack_sketch,
    week_inputs,
)

Row = dict[str, Any]
Floats = NDArray[np.float64]
NOON, HOUR = 1_767_268_800_000, 3_600_000
LATER = NOON + 365 * 24 * HOUR
VERSION = "0" * 16


def run(scale: float) -> list[Row]:
    """Measure; the scale is that of the number of repeats and of devices."""
    repeats = max(5, round(200 * scale))
    return [
        *_batches(repeats),
        _trust(repeats),
        *_deltas(),
        _sketch(repeats),
        _learning(max(20, round(2000 * scale))),
    ]


def _cpu_us(call: Callable[[], object], repeats: int) -> float:
    call()
    start = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - start) / repeats * 1e6


def _batches(repeats: int) -> Iterator[Row]:
    for size in (1, 500):
        batch = _batch(size)
        payload, plain = encode(batch), json.dumps(msgspec.to_builtins(batch)).encode()
        read = _cpu_us(partial(decode, payload, EventBatch), repeats)
        loads = _cpu_us(partial(json.loads, plain), repeats)
        yield {
            "what": f"batch of {size} events",
            "bytes": len(payload),
            "of_json_bytes": len(payload) / len(plain),
            "write_us": _cpu_us(partial(encode, batch), repeats),
            "read_us": read,
            "of_json_cpu": read / loads,
        }


def _batch(size: int) -> EventBatch:
    noise = np.random.default_rng(1)
    source = Source(
        logical_model="demand",
        segment="north",
        version=VERSION,
        inputs=("temperature", "load", "mode"),
        outputs=("mean", "0.05", "0.95"),
    )
    events = (
        EdgeEvent(
            source=0,
            key=f"north|30min|2026-01-01T{number % 24:02d}:00:00Z",
            time=NOON + number * HOUR,
            inputs=(*noise.normal(size=2).tolist(), "eco"),
            outputs=tuple(noise.normal(size=3).tolist()),
            latency_us=180,
        )
        for number in range(size)
    )
    return EventBatch(outbox=VERSION, sequence=1, sources=(source,), events=tuple(events))


def _trust(repeats: int) -> Row:
    """One signature checked, and the news of keys after three rotations."""
    owner, targets, clock = (SecretKey(bytes([n]) * 32) for n in (1, 2, 3))
    roots: list[Root] = []
    for _ in range(4):
        root = make_root(
            root=Holders([owner.public]),
            targets=Holders([targets.public]),
            timestamp=Holders([clock.public]),
            created=NOON,
            expires=LATER,
            previous=roots[-1] if roots else None,
        )
        roots.append(root)
    signed = [sign(root, [owner]) for root in roots]
    stamp = Timestamp(version=1, root=4, created=NOON, expires=LATER)
    news = Keys(roots=tuple(signed), timestamp=sign(stamp, [clock]))
    pinned = Trust.pinned(signed[0], signed[0].digest)
    trust, payload = pinned.renewed(news, NOON), encode(news)
    order = RollbackOrder(
        logical_model="demand",
        segment="",
        manifest="0" * 64,
        below=2,
        created=NOON,
        expires=LATER,
    )
    envelope = encode(sign(order, [targets]))
    return {
        "what": "an order read and verified; news of three rotations",
        "read_us": _cpu_us(lambda: trust.rollback(decode(envelope, Signed), NOON), repeats),
        "news_us": _cpu_us(lambda: pinned.renewed(decode(payload, Keys), NOON), repeats),
    }


def _deltas() -> Iterator[Row]:
    """An int8 model of 14 KB with frozen scales, against the goal of 2.5 KB."""
    noise = np.random.default_rng(3)
    weights = np.clip(noise.normal(0, 30, 14_000), -127, 127)
    some = np.where(noise.random(14_000) < 0.01, noise.normal(0, 30, 14_000), weights)
    each = weights * (1 + noise.normal(0, 0.01, 14_000))
    base = _int8(weights)
    for what, changed in (("1 % of coefficients", some), ("each coefficient by 1 %", each)):
        content = _int8(changed)
        delta = make_delta(base, content)
        yield {
            "what": f"difference of {what}",
            "bytes": len(delta),
            "of_goal": len(delta) / 2560,
            "of_deflated_file": len(delta) / len(zlib.compress(content, 9)),
            "write_us": _cpu_us(partial(make_delta, base, content), 5),
        }


def _int8(weights: Floats) -> bytes:
    whole: NDArray[np.int8] = np.clip(np.rint(weights), -127, 127).astype(np.int8)
    return whole.tobytes()


def _sketch(repeats: int) -> Row:
    """A day of 48 rows of ten numbers."""
    noise = np.random.default_rng(4)
    edges = tuple(np.linspace(-3, 3, 61).tolist())
    columns = tuple(ReferenceColumn(name=f"x{n}", edges=edges) for n in range(10))
    reference = DriftReference(digest=VERSION, columns=columns)
    sketch = empty_sketch(reference)
    sketch.add({column.name: noise.normal(size=48).tolist() for column in columns})
    packed = sketch.packed_counts, sketch.packed_moments
    plain = json.dumps([*(c.tolist() for c in sketch.counts), sketch.moments.tolist()]).encode()
    row = {column.name: [0.5] for column in columns}
    return {
        "what": "sketch of a day, ten numbers",
        "bytes": sum(map(len, packed)),
        "of_json_bytes": sum(map(len, packed)) / len(zlib.compress(plain, 9)),
        "write_us": _cpu_us(lambda: sketch.add(row), repeats),
        "read_us": _cpu_us(lambda: unpack_sketch(reference, *packed), repeats),
    }


def _learning(devices: int) -> Row:
    """What devices with a week of hours each learned together, against all rows at one place."""
    noise = np.random.default_rng(5)
    correction = Correction(zone="Europe/Paris", clip=50.0)
    moments = [NOON + hour * HOUR for hour in range(168)]
    x = week_inputs(correction, moments)
    true = noise.normal(size=x.shape[1])
    residuals = x @ true + noise.normal(size=(devices, 168))
    told = {f"d{n}": [_update(correction, moments, r)] for n, r in enumerate(residuals)}
    payloads = [encode(updates[0]) for updates in told.values()]
    start = time.process_time()
    learned = learn(told, correction)
    solved = time.process_time() - start
    start = time.process_time()
    pooled, *_ = np.linalg.lstsq(np.tile(x, (devices, 1)), residuals.ravel(), rcond=None)
    at_one_place = time.process_time() - start
    return {
        "what": f"what {devices:,} devices learned in a week",
        "bytes": len(payloads[0]),
        "of_rows_bytes": len(payloads[0]) / (168 * 16),
        "cpu_s": solved,
        "of_pooled_cpu": solved / at_one_place,
        "off_pooled": float(np.abs(np.array(learned.correction.coef) - pooled).max()),
        "gain": learned.gain,
    }


def _update(correction: Correction, moments: list[int], residuals: Floats) -> Update:
    sums = statistics(correction, moments, residuals.tolist())
    return Update(
        outbox=VERSION,
        sequence=1,
        logical_model="demand",
        segment="",
        version=VERSION,
        zone=correction.zone,
        clip=correction.clip,
        inputs=correction.inputs,
        n=sums.n,
        gram=sums.triangle,
        cross=tuple(sums.cross.tolist()),
        squares=sums.squares,
    )
