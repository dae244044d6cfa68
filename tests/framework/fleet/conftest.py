"""A home with a version and the keys of a fleet, and a broker for its devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from loopcast.api import Device, Package, Rollout
from loopcast.fleet import rolling
from loopcast.fleet.keyring import Keyring, make_keys
from loopcast.fleet.packages import Contents, make_package
from loopcast.store.home import Home, open_home
from loopcast_edge.wire import (
    EdgeEvent,
    EventBatch,
    Golden,
    Measurement,
    Output,
    Recipe,
    Source,
    Tensor,
    recipe,
)

from ..store.builders import NOON, logical_model, registration, version
from .brokers import Broker, plain
from .fake import named

OUTBOX = "0" * 16


def contents(number: int) -> Contents:
    """A model file that no runtime reads, which the fake devices do not mind."""
    return Contents(
        model=np.random.default_rng(number).bytes(40_000),
        recipe=Recipe(
            step_seconds=3600,
            measurements=(Measurement(name="age"),),
            steps=(recipe.Number(name="age_years", of="age"),),
            features=("age_years",),
        ),
        outputs=(Output(name="probability"),),
        golden=(
            Golden(features=Tensor.of(np.ones((1, 1))), output=Tensor.of(np.full((1, 1), 0.5))),
        ),
    )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    home = open_home(tmp_path / "home")
    home.catalog.put_logical_model(logical_model())
    home.catalog.register([registration(version(number)) for number in (1, 2, 3)])
    yield home
    home.catalog.close()


@pytest.fixture
def ring(place: Home) -> Keyring:
    return make_keys(place.folder / "fleet" / "keys")


@pytest.fixture
def package(place: Home, ring: Keyring) -> Callable[[int], Package]:
    """Makes the package of a version."""
    return lambda number: make_package(place, ring, version(number), contents(number), by="ann")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with plain(tmp_path / "broker") as found:
        yield found


def enrol(place: Home, count: int) -> tuple[str, ...]:
    names = named(count)
    place.catalog.enrol([Device(name=name, enrolled=NOON) for name in names], by="ann")
    return names


def rollout(name: str, sequence: int, **fields: object) -> Rollout:
    plain: dict[str, object] = {
        "name": name, "logical_model": "demand", "segment": "", "sequence": sequence,
        "cohorts": (0.5, 1.0), "deadline_hours": 1.0,
    }  # fmt: skip
    return Rollout(**plain | fields)  # type: ignore[arg-type]


def begin(place: Home, name: str, sequence: int, **fields: object) -> None:
    rolling.begin(place.catalog, rollout(name, sequence, **fields), by="ann", reason="r")


@pytest.fixture
def first(place: Home, package: Callable[[int], Package]) -> tuple[str, ...]:
    """Six devices, a first package that is on its way, and a second one."""
    names = enrol(place, 6)
    package(1)
    package(2)
    begin(place, "first", 1, test=None)
    return names


def events(sequence: int, count: int, **fields: object) -> EventBatch:
    """So many predictions of the first version."""
    source = Source(
        logical_model="demand", segment="", version=version(1).id, inputs=("age",),
        outputs=("probability",),
    )  # fmt: skip
    noon = 1_767_268_800_000
    made = tuple(
        EdgeEvent(source=0, key=f"{sequence}-{i}", time=noon + i, inputs=(40.0,), outputs=(0.5,),
                  latency_us=1500)
        for i in range(count)
    )  # fmt: skip
    plain: dict[str, object] = {"sources": (source,), "events": made}
    return EventBatch(outbox=OUTBOX, sequence=sequence, **plain | fields)  # type: ignore[arg-type]
