"""The centre in small: keys, signed packages, and what it publishes of them."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import numpy as np

from loopcast_edge.wire import (
    Desired,
    Golden,
    Holders,
    Keys,
    Manifest,
    Measurement,
    Output,
    Recipe,
    RollbackOrder,
    SecretKey,
    Signed,
    Tensor,
    Timestamp,
    Trial,
    digest_of,
    encode,
    make_root,
    publish_delta,
    publish_file,
    recipe,
    sign,
    topics,
)

from . import models

HOUR_MS = 3_600_000
STEP_S = 60
LOAD = Recipe(
    step_seconds=STEP_S,
    measurements=(
        Measurement(name="temperature", minimum=-50.0, maximum=60.0),
        Measurement(name="load", required=False),
    ),
    steps=(recipe.Number(name="t", of="temperature"),),
    features=("t",),
    target="load",
)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Package(msgspec.Struct, frozen=True):
    """A signed package."""

    manifest: Manifest
    envelope: Signed
    model: bytes

    @property
    def digest(self) -> str:
        return self.envelope.digest

    def retained(self, base: bytes | None = None, chunk_size: int = 16_384) -> dict[str, bytes]:
        """What is published of it, by topic."""
        file = publish_file(self.model, chunk_size)
        found = {topics.manifest(self.digest): encode(self.envelope)}
        found[topics.index(file.index.file)] = encode(file.index)
        for chunk in file.chunks:
            found[topics.chunk(file.index.file, chunk.number)] = encode(chunk)
        delta = None if base is None else publish_delta(self.model, base)
        if delta is not None:
            found[topics.index(delta.index.file, delta.index.base)] = encode(delta.index)
            for chunk in delta.chunks:
                name = topics.chunk(delta.index.file, chunk.number, delta.index.base)
                found[name] = encode(chunk)
        return found


class Centre:
    """Holds the keys, and signs."""

    def __init__(self) -> None:
        self.root_key, self.targets, self.stamp = (SecretKey(bytes([n] * 32)) for n in (1, 2, 3))
        created = now_ms() - HOUR_MS
        self.root = sign(
            make_root(
                root=Holders([self.root_key.public]),
                targets=Holders([self.targets.public]),
                timestamp=Holders([self.stamp.public]),
                created=created,
                expires=created + 1000 * 24 * HOUR_MS,
            ),
            [self.root_key],
        )

    def keys(self, version: int = 1, expires_in_ms: int = 24 * HOUR_MS, **fields: Any) -> bytes:
        stamp = Timestamp(
            version=version,
            created=now_ms() - HOUR_MS,
            expires=now_ms() + expires_in_ms,
            root=1,
            **fields,
        )
        return encode(Keys(roots=(self.root,), timestamp=sign(stamp, [self.stamp])))

    def package(
        self,
        sequence: int = 1,
        model: bytes | None = None,
        *,
        expected: float | None = None,
        key: SecretKey | None = None,
        **fields: Any,
    ) -> Package:
        """A package whose model says twice the temperature, plus its sequence / 1000."""
        bias = sequence / 1000
        content = model or models.linear([[2.0]], [bias])
        answer = 2.0 + bias if expected is None else expected
        golden = Golden(
            features=Tensor.of(np.ones((1, 1), np.float32)),
            output=Tensor.of(np.full((1, 1), answer, np.float32)),
        )
        manifest = Manifest(
            **{
                "logical_model": "demand",
                "segment": "",
                "version": f"{sequence:016x}",
                "sequence": sequence,
                "created": now_ms() - HOUR_MS,
                "expires": now_ms() + 24 * HOUR_MS,
                "runtimes": {"litert": "1.0.0", "tflite_runtime": "2.10.0"},
                "file": digest_of(content),
                "size": len(content),
                "recipe": LOAD,
                "outputs": (Output(name="mean", series="demand"),),
                "golden": (golden,),
                "trial": Trial(seconds=0, predictions=2),
                **fields,
            }
        )
        return Package(manifest, sign(manifest, [key or self.targets]), content)

    def rollback(self, package: Package, below: int, **fields: Any) -> Signed:
        order = RollbackOrder(
            **{
                "logical_model": "demand",
                "segment": "",
                "manifest": package.digest,
                "below": below,
                "created": now_ms() - HOUR_MS,
                "expires": now_ms() + HOUR_MS,
                **fields,
            }
        )
        return sign(order, [self.targets])


def desired(
    sequence: int,
    champion: Package | None,
    shadow: Package | None = None,
    rollbacks: tuple[Signed, ...] = (),
) -> bytes:
    both = {"champion": champion, "shadow": shadow}
    packages = tuple(
        {
            "logical_model": each.manifest.logical_model,
            "segment": each.manifest.segment,
            "manifest": each.digest,
            "role": role,
        }
        for role, each in both.items()
        if each is not None
    )
    message = msgspec.convert(
        {"kind": "desired", "sequence": sequence, "packages": packages}, Desired
    )
    return encode(msgspec.structs.replace(message, rollbacks=rollbacks))
