"""Which devices a rollout reaches, and at which stage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from hashlib import sha256

from loopcast.api import Device, DeviceName, Rollout
from loopcast.api.fleet import RING


def targets(plan: Rollout, devices: Iterable[Device]) -> list[Device]:
    """Return the devices that have the labels that a rollout selects by, and still take part."""
    return [
        device
        for device in devices
        if device.revoked is None and plan.select.items() <= device.labels.items()
    ]


def stages(plan: Rollout, devices: Iterable[Device]) -> dict[DeviceName, int]:
    """Return the stage at which each device takes part, counted from 0.

    Shares are taken in an order that a hash of rollout and device makes, so that everyone
    computes the same stages, and no device is always the first.
    """
    chosen = targets(plan, devices)
    return _by_ring(plan, chosen) if plan.rings else _by_share(plan, chosen)


def stage_count(plan: Rollout) -> int:
    """Return how many stages a rollout has; the last of rings is that of all others."""
    return len(plan.cohorts) or len(plan.rings) + 1


def reached(members: Mapping[DeviceName, int], stage: int) -> list[DeviceName]:
    """Return the devices of a stage and those before it."""
    return [device for device, own in members.items() if own <= stage]


def _by_ring(plan: Rollout, devices: Iterable[Device]) -> dict[DeviceName, int]:
    place = {ring: stage for stage, ring in enumerate(plan.rings)}
    return {d.name: place.get(d.labels.get(RING, ""), len(place)) for d in devices}


def _by_share(plan: Rollout, devices: Iterable[Device]) -> dict[DeviceName, int]:
    order = sorted((device.name for device in devices), key=lambda name: _drawn(plan.name, name))
    ends = [math.ceil(share * len(order)) for share in plan.cohorts]
    return {
        name: next(stage for stage, end in enumerate(ends) if position < end)
        for position, name in enumerate(order)
    }


def _drawn(rollout: str, device: DeviceName) -> bytes:
    return sha256(f"{rollout}\x1f{device}".encode()).digest()
