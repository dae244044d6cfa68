"""From a version to what a device receives: a model file under a signed manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from loopcast.api import DataError, Package, Version
from loopcast.fleet.keyring import Keyring
from loopcast_edge.wire import (
    Correction,
    DriftReference,
    Golden,
    Interval,
    Manifest,
    Output,
    Profile,
    Recipe,
    Tensor,
    Trial,
    WireError,
    digest_of,
    encode,
)

if TYPE_CHECKING:
    from loopcast.store.home import Home

LIFE = timedelta(days=365)

RUNTIMES: Mapping[str, str] = {"litert": "1.3.0", "tflite_runtime": "2.14.0"}
"""The least version of each runtime that what we write was run in."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a version becomes on a device; see :class:`loopcast_edge.wire.Manifest`.

    Attributes
    ----------
    model
        The ``.tflite`` file.
    """

    model: bytes
    recipe: Recipe
    outputs: tuple[Output, ...]
    golden: tuple[Golden, ...]
    state: Tensor | None = None
    intervals: tuple[Interval, ...] = ()
    profile: Profile | None = None
    reference: DriftReference | None = None
    trial: Trial = field(default_factory=Trial)
    correction: Correction | None = None
    runtimes: Mapping[str, str] = field(default_factory=lambda: dict(RUNTIMES))


def make_package(
    place: Home,
    ring: Keyring,
    version: Version,
    contents: Contents,
    *,
    by: str,
    life: timedelta = LIFE,
    note: str = "",
) -> Package:
    """Sign a version's package under the next number of its logical model and segment.

    Raises
    ------
    NotFoundError
        When the version is not in the catalog, or the targets key not here.
    DataError
        When the contents are not what a manifest may hold.
    """
    model = place.artifacts.put(contents.model)

    def make(sequence: int) -> Package:
        now = datetime.now(UTC)
        manifest = _manifest(version, contents, note, sequence=sequence, now=now, life=life)
        envelope = ring.sign(manifest)
        return Package(
            logical_model=version.logical_model,
            segment=version.segment,
            version=version.id,
            sequence=sequence,
            manifest=envelope.digest,
            envelope=place.artifacts.put(encode(envelope)),
            model=model,
            size=len(contents.model),
            created=now,
            expires=now + life,
        )

    try:
        return place.catalog.add_package(version.logical_model, version.segment, make, by=by)
    except (WireError, ValueError) as error:
        raise DataError(f"version {version.id} cannot be packaged: {error}") from None


def _manifest(
    version: Version,
    contents: Contents,
    note: str,
    *,
    sequence: int,
    now: datetime,
    life: timedelta,
) -> Manifest:
    return Manifest(
        logical_model=version.logical_model,
        segment=version.segment,
        version=version.id,
        sequence=sequence,
        created=_milliseconds(now),
        expires=_milliseconds(now + life),
        runtimes=dict(contents.runtimes),
        file=digest_of(contents.model),
        size=len(contents.model),
        recipe=contents.recipe,
        outputs=contents.outputs,
        golden=contents.golden,
        state=contents.state,
        intervals=contents.intervals,
        profile=contents.profile,
        reference=contents.reference,
        trial=contents.trial,
        correction=contents.correction,
        note=note,
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
