"""A package on the device: whole, of the right runtime, right in its golden vectors, and loaded."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from math import inf
from typing import NamedTuple, Optional

import numpy as np

from loopcast_edge.agent.clock import zone_of
from loopcast_edge.agent.errors import ModelError
from loopcast_edge.agent.features import Features
from loopcast_edge.agent.readings import Readings
from loopcast_edge.agent.runtime import Floats, Model, runtime
from loopcast_edge.agent.slots import Package
from loopcast_edge.wire import Golden, Manifest, Output, Signed, WireError, decode

RUNTIME_NAMES = {"ai-edge-litert": "litert", "tflite-runtime": "tflite_runtime"}
"""What manifests call the runtimes."""

MOST_MISSED = 100
"""Intervals without a call that a model with a state makes good from what was measured."""


class Loaded(NamedTuple):
    """A package that can predict."""

    digest: str
    manifest: Manifest
    model: Model
    features: Features

    @property
    def by_interval(self) -> bool:
        """Whether it answers for intervals, as a forecast does; all others answer requests."""
        return any(output.series for output in self.manifest.outputs)


def load(package: Package, digest: str, readings: Readings) -> Loaded:
    """Load a package that was verified before, and is still the same.

    Raises
    ------
    ModelError
        If it has changed since on the disk, or its model cannot be loaded.
    """
    manifest = whole(package, digest)
    model = Model(package.model)
    if model.width != len(manifest.recipe.columns):
        raise ModelError(
            f"the model reads {model.width} features, and its recipe makes "
            f"{len(manifest.recipe.columns)}"
        )
    earlier = 0 if manifest.state is None else MOST_MISSED
    features = Features(manifest.recipe, readings, earlier, _believed(manifest.outputs))
    return Loaded(digest, manifest, model, features)


def _believed(outputs: Sequence[Output]) -> tuple[float, float]:
    """Return what the target of a recipe may be: what answers about it may be."""
    about = [output for output in outputs if output.series]
    lowest = (-inf if output.minimum is None else output.minimum for output in about)
    highest = (inf if output.maximum is None else output.maximum for output in about)
    return min(lowest, default=-inf), max(highest, default=inf)


def whole(package: Package, digest: str) -> Manifest:
    """Return the manifest of a package whose digests are all right.

    Signatures were checked when it came; that it is the same says its digest.

    Raises
    ------
    ModelError
        If the manifest or the file is damaged.
    """
    try:
        envelope = decode(package.envelope, Signed)
        manifest = decode(envelope.payload, Manifest)
    except WireError as error:
        raise ModelError(f"the manifest {digest[:16]} is damaged: {error}") from None
    if envelope.digest != digest or sha256(package.model).hexdigest() != manifest.file:
        raise ModelError(f"the package {digest[:16]} is damaged")
    return manifest


def unfit(manifest: Manifest) -> Optional[str]:
    """Return why a package cannot run on this device, or ``None`` if it can."""
    found = runtime()
    name = RUNTIME_NAMES[found.name]
    least = manifest.runtimes.get(name)
    if least is None:
        return f"it runs on {', '.join(sorted(manifest.runtimes))}; here is {name}"
    if _numbers(found.version) < _numbers(least):
        return f"it needs {name} {least}; here is {found.version}"
    return _unknown_zone(manifest)


def _unknown_zone(manifest: Manifest) -> Optional[str]:
    """Return that this device does not know a zone of the package, if so."""
    zoned = (manifest.recipe, manifest.profile, manifest.correction)
    try:
        for each in zoned:
            if each is not None:
                zone_of(each.zone)
    except ModelError as error:
        return str(error)
    return None


def runtime_name() -> str:
    """Return name and version of this device's runtime, as manifests call it."""
    return f"{RUNTIME_NAMES[runtime().name]} {runtime().version}"


def wrong(manifest: Manifest, model: Model) -> Optional[str]:
    """Return how a model misses its golden vectors, or ``None`` if it does not.

    Raises
    ------
    ModelError
        If it fails on them.
    """
    for number, golden in enumerate(manifest.golden):
        state = None if golden.state is None else golden.state.array()
        output, next_state = model.predict(golden.features.array(), state)
        reason = _off("output", output, golden.output.array(), golden)
        if reason is None and golden.next_state is not None:
            reason = _off("next state", next_state, golden.next_state.array(), golden)
        if reason is not None:
            return f"golden vectors {number}: {reason}"
    return None


def _off(what: str, found: Optional[Floats], expected: Floats, golden: Golden) -> Optional[str]:
    """Return how far an answer is off, or ``None`` if it is near enough."""
    if found is None or found.shape != expected.shape:
        shape = None if found is None else found.shape
        return f"the {what} has shape {shape}, and {expected.shape} is expected"
    allowed = golden.absolute + golden.relative * np.abs(expected)
    beyond = ~(np.abs(found - expected) <= allowed)
    if not beyond.any():
        return None
    row, column = map(int, np.argwhere(beyond)[0])
    return (
        f"{what} {column} of row {row} is {found[row, column]:g}, and {expected[row, column]:g} "
        f"is expected"
    )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with."""
    parts = []
    for part in version.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)
