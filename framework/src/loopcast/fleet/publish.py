"""What the centre tells devices: keys, packages once for all, and what each is to run."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Literal

from loopcast.api import DeviceName, Digest, Package
from loopcast.fleet.keyring import Keyring
from loopcast.fleet.link import Outgoing
from loopcast.fleet.rollout import standing
from loopcast.store.packages import Told
from loopcast.store.rollouts import Course
from loopcast_edge.wire import (
    Assignment,
    Desired,
    Order,
    RollbackOrder,
    Signed,
    decode,
    encode,
    publish_delta,
    publish_file,
    topics,
)

if TYPE_CHECKING:
    from loopcast.store.home import Home
    from loopcast_edge.wire import Published

Place = tuple[str, str]
"""Logical model and segment."""

Ceilings = Mapping[tuple[DeviceName, Place], int]
"""The highest sequence that a device may have accepted, where it was taken back."""

BASES = 3
"""Packages, the newest first, from which the difference is published."""

SUPERSEDING = 2
"""So many newer packages supersede one: then nobody but a device that is told so needs it."""

ORDER_LIFE = timedelta(days=365)

ASKED_SECONDS = 3600
"""How long something that is asked of a device waits for it."""


def key_messages(ring: Keyring, withdrawn: Iterable[Digest] = ()) -> list[Outgoing]:
    """Return what tells devices whom to trust from now on."""
    return [Outgoing(topic=topics.KEYS, payload=encode(ring.news(withdrawn)))]


def order_messages(
    devices: Iterable[DeviceName], do: Literal["report", "retry", "resend"]
) -> list[Outgoing]:
    """Return what asks devices to do something once."""
    order = encode(Order(do=do))
    return [
        Outgoing(
            topic=topics.device(name, "order"), payload=order, retain=False, expires=ASKED_SECONDS
        )
        for name in devices
    ]


def package_messages(
    place: Home, ring: Keyring, package: Package, bases: Sequence[Package] = ()
) -> Iterator[Outgoing]:
    """Yield what a package is published by; the manifest comes last, after all that it names.

    Parameters
    ----------
    bases
        Packages that devices have: the difference from each is published where it is smaller.
    """
    yield from _file_messages(place, package, bases)
    envelope = ring.signed_anew(decode(place.artifacts.get(package.envelope), Signed))
    yield Outgoing(topic=topics.manifest(package.manifest), payload=encode(envelope))


def superseded(packages: Sequence[Package]) -> list[Package]:
    """Return the packages that two newer ones of their logical model and segment supersede.

    Parameters
    ----------
    packages
        All that there are, the oldest first.
    """
    newer, found = Counter[Place](), []
    for package in reversed(packages):
        if newer[place_of(package)] >= SUPERSEDING:
            found.append(package)
        newer[place_of(package)] += 1
    return found


def clearing_messages(
    place: Home, package: Package, bases: Sequence[Package], kept: Collection[Digest]
) -> Iterator[Outgoing]:
    """Yield what takes a package from the broker; the manifest goes before what it names.

    Parameters
    ----------
    bases
        Those that it was published with.
    kept
        Files that other packages have, too: they stay.
    """
    yield Outgoing(topic=topics.manifest(package.manifest), payload=b"")
    if package.model not in kept:
        for message in _file_messages(place, package, bases):
            yield replace(message, payload=b"")


def bases_of(package: Package, packages: Sequence[Package]) -> list[Package]:
    """Return the packages from which the difference to one is published, the newest first.

    Parameters
    ----------
    packages
        All that there are, the oldest first.
    """
    before = (
        each
        for each in reversed(packages)
        if place_of(each) == place_of(package) and each.sequence < package.sequence
    )
    return list(islice(before, BASES))


def _file_messages(place: Home, package: Package, bases: Sequence[Package]) -> Iterator[Outgoing]:
    model = place.artifacts.get(package.model)
    yield from _messages_of(publish_file(model))
    for base in bases:
        if base.model != package.model:
            delta = publish_delta(model, place.artifacts.get(base.model))
            yield from _messages_of(delta) if delta else ()


def _messages_of(file: Published) -> Iterator[Outgoing]:
    index = file.index
    for chunk in file.chunks:
        topic = topics.chunk(index.file, chunk.number, index.base)
        yield Outgoing(topic=topic, payload=encode(chunk))
    yield Outgoing(topic=topics.index(index.file, index.base), payload=encode(index))


def withdrawn(courses: Iterable[Course], packages: Mapping[tuple[Place, int], Package]) -> set[str]:
    """Return the manifests of rollouts that were taken back: they must not be activated any more.

    A package that another rollout has brought, and that was not taken back there, is not among
    them: devices go on running it.
    """
    verdict: defaultdict[str, bool] = defaultdict(lambda: True)
    for course in courses:
        plan = course.plan
        package = packages[(plan.logical_model, plan.segment), plan.sequence]
        verdict[package.manifest] &= standing(course.steps).taken_back
    return {manifest for manifest, gone in verdict.items() if gone}


def ceilings(courses: Iterable[Course]) -> Ceilings:
    """Return how far devices have been before they were taken back."""
    found: defaultdict[tuple[DeviceName, Place], int] = defaultdict(int)
    for course in courses:
        state = standing(course.steps)
        if not state.taken_back:
            continue
        place = (course.plan.logical_model, course.plan.segment)
        for name, member in course.members.items():
            if member.stage <= state.stage:
                found[name, place] = max(found[name, place], course.plan.sequence)
    return dict(found)


class Orders:
    """Signed orders to go back; each is signed once, however many devices get it.

    Parameters
    ----------
    ring
        The keys.
    """

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring
        self._signed: dict[tuple[Digest, int], Signed] = {}

    def to(self, package: Package, below: int) -> Signed:
        """Return the order to go back to a package from those up to ``below``."""
        key = package.manifest, below
        if key not in self._signed:
            self._signed[key] = self._ring.sign(_order(package, below))
        return self._signed[key]


def _order(package: Package, below: int) -> RollbackOrder:
    now = time.time_ns() // 1_000_000
    return RollbackOrder(
        logical_model=package.logical_model,
        segment=package.segment,
        manifest=package.manifest,
        below=below,
        created=now,
        expires=now + ORDER_LIFE // timedelta(milliseconds=1),
        reason="the rollout of a newer package was taken back",
    )


def desired_messages(
    told: Mapping[DeviceName, Told], highest: Ceilings, orders: Orders
) -> Iterator[Outgoing]:
    """Yield what each device is told to run."""
    for name, each in told.items():
        desired = Desired(
            sequence=each.sequence,
            packages=tuple(
                Assignment(
                    logical_model=package.logical_model,
                    segment=package.segment,
                    manifest=package.manifest,
                    role=role,
                )
                for package, role in each.packages
            ),
            rollbacks=tuple(
                orders.to(package, below)
                for package, role in each.packages
                if role == "champion"
                and (below := highest.get((name, place_of(package)), 0)) > package.sequence
            ),
        )
        yield Outgoing(topic=topics.device(name, "desired"), payload=encode(desired))


def place_of(package: Package) -> Place:
    """Return the logical model and segment of a package."""
    return package.logical_model, package.segment
