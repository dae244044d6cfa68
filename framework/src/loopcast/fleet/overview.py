"""How a fleet and its rollouts stand, for the terminal and the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from loopcast.api import DeviceName, Observed, Package, Rollout, RolloutStep, VersionId, place_name
from loopcast.api.fleet import HEALTHS
from loopcast.fleet.days import FleetDay, fleet_days
from loopcast.fleet.observing import report_of
from loopcast.fleet.rolling import packages_of, seen
from loopcast.fleet.rollout import Phase, standing
from loopcast_edge.wire import Errors, PackageState

if TYPE_CHECKING:
    from loopcast.store.catalog import Catalog
    from loopcast.store.devices import Enrolled
    from loopcast.store.rollouts import Course


_ENDS = ("complete", "stop")
"""Steps by which a rollout ends by rule."""


@dataclass(frozen=True, kw_only=True)
class StageView:
    """A stage of a rollout.

    Attributes
    ----------
    devices
        Of this stage alone.
    reached
        Whether they were told to run the package.
    """

    devices: int
    reached: bool


@dataclass(frozen=True, kw_only=True)
class RolloutView:
    """How a rollout stands.

    Attributes
    ----------
    version
        That its package was made of.
    healthy, failed, waiting
        Devices that it has reached: now, or when it ended by rule.
    ratio
        Their mean absolute error, as a share of the champion's, now or when it ended by rule;
        ``None`` where no errors were compared.
    """

    plan: Rollout
    version: VersionId
    phase: Phase
    stages: tuple[StageView, ...]
    healthy: int
    failed: int
    waiting: int
    ratio: float | None
    steps: tuple[RolloutStep, ...]

    @property
    def place(self) -> str:
        """Logical model and segment."""
        return place_name(self.plan.logical_model, self.plan.segment)


@dataclass(frozen=True, kw_only=True)
class RunView:
    """What a device does with one package.

    Attributes
    ----------
    place
        Logical model and segment.
    sequence
        Number of the package; ``None`` for one that the catalog does not know.
    error
        Mean absolute error of its own outcomes; ``None`` where there are none.
    before
        That of the package it is compared with, on the same outcomes.
    """

    place: str
    sequence: int | None
    role: str
    stage: str
    reason: str
    predictions: int
    fallbacks: int
    error: float | None
    before: float | None


@dataclass(frozen=True, kw_only=True)
class DeviceView:
    """What is known of a device.

    Attributes
    ----------
    pending
        Batches that it has not been told are stored.
    told
        Whether what it is to run was published.
    """

    name: DeviceName
    labels: Mapping[str, str]
    online: bool | None
    seen: datetime | None
    revoked: bool
    told: bool
    pending: int
    runs: tuple[RunView, ...]


@dataclass(frozen=True, kw_only=True)
class FleetView:
    """A fleet at one moment."""

    devices: tuple[DeviceView, ...]
    rollouts: tuple[RolloutView, ...]
    days: tuple[FleetDay, ...] = ()


def overview(catalog: Catalog) -> FleetView:
    """Return how a fleet and all its rollouts stand, the newest rollout first."""
    known = {package.manifest: package for package in catalog.packages()}
    devices = (_device(each, known) for each in catalog.devices().values())
    courses = reversed(catalog.rollouts())
    return FleetView(
        devices=tuple(devices),
        rollouts=tuple(rollout_view(catalog, each) for each in courses),
        days=tuple(fleet_days(catalog)),
    )


def rollout_view(catalog: Catalog, course: Course) -> RolloutView:
    """Return how a rollout stands."""
    packages, state = packages_of(catalog, course.plan), standing(course.steps)
    ended = next((s.evidence for s in reversed(course.steps) if s.act in _ENDS), None)
    now = ended or _now(seen(course, packages, catalog.devices(course.members)))
    sizes = Counter(member.stage for member in course.members.values())
    return RolloutView(
        plan=course.plan,
        version=packages[course.plan.sequence].version,
        phase=state.phase,
        stages=tuple(
            StageView(devices=sizes[stage], reached=stage <= state.stage) for stage in sorted(sizes)
        ),
        healthy=round(now["healthy"]),
        failed=round(now["failed"]),
        waiting=round(now["waiting"]),
        ratio=now.get("ratio"),
        steps=course.steps,
    )


def _now(observed: Sequence[Observed]) -> dict[str, float]:
    """Return what a step would have among its evidence now."""
    health = Counter(each.health for each in observed)
    counts = {name: float(health[name]) for name in HEALTHS}
    compared = [each for each in observed if each.pairs]
    before = sum(each.champion_error for each in compared)
    ratio = {"ratio": sum(each.error for each in compared) / before} if before else {}
    return counts | ratio


def _device(enrolled: Enrolled, known: Mapping[str, Package]) -> DeviceView:
    device, state, report = enrolled.device, enrolled.state, report_of(enrolled.state)
    return DeviceView(
        name=device.name,
        labels=device.labels,
        online=state.online if state else None,
        seen=state.seen if state else None,
        revoked=device.revoked is not None,
        told=enrolled.desired == enrolled.published,
        pending=report.pending if report else 0,
        runs=tuple(_run(each, known) for each in report.packages) if report else (),
    )


def _run(state: PackageState, known: Mapping[str, Package]) -> RunView:
    package = known.get(state.manifest)
    return RunView(
        place=place_name(state.logical_model, state.segment),
        sequence=package.sequence if package else None,
        role=state.role,
        stage=state.stage,
        reason=state.reason,
        predictions=state.predictions,
        fallbacks=state.fallbacks,
        error=_mean(state.paired.mine if state.paired else state.errors),
        before=_mean(state.paired.others) if state.paired else None,
    )


def _mean(errors: Errors) -> float | None:
    return errors.absolute / errors.n if errors.n else None
