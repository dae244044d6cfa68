"""`loopcast fleet learn`: from what devices have sent to a package that corrects."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from loopcast.api import DataError, Device, Package
from loopcast.fleet import intake, rolling
from loopcast.fleet.founding import found, keys_folder
from loopcast.fleet.keyring import read_keys
from loopcast.fleet.link import Incoming
from loopcast.fleet.packages import make_package
from loopcast.iterate.federated import learn_from_fleet, manifest_of
from loopcast.store.home import Home, open_home
from loopcast_edge.wire import Correction, Update, encode, statistics, topics, week_inputs

from ..fleet.conftest import contents, rollout
from ..fleet.fake import named
from ..store.builders import NOON, logical_model, registration, version
from .test_fleet import told

LEARNING = Correction(zone="Europe/Paris", day=1, week=0, clip=5.0)
TRUE = np.array([0.5, -0.25, 0.75])
START = 1_767_268_800_000


@pytest.fixture
def place(loopcast_home: Path) -> Home:
    home = open_home(loopcast_home)
    home.catalog.put_logical_model(logical_model())
    home.catalog.register([registration(version(1))])
    return home


@pytest.fixture
def package(place: Home) -> Package:
    """A package that lets devices learn, on its way to four devices."""
    ring = found(place)
    place.catalog.enrol([Device(name=name, enrolled=NOON) for name in named(4)], by="ann")
    learning = replace(contents(1), correction=LEARNING)
    made = make_package(place, ring, version(1), learning, by="ann")
    rolling.begin(place.catalog, rollout("first", 1, test=None), by="ann", reason="r")
    return made


def send(
    place: Home, device: str, seed: int, true: NDArray[np.float64] = TRUE, sequence: int = 1
) -> None:
    """Bring what a device learned to the centre, as it comes from the broker."""
    random = np.random.default_rng(seed)
    moments = [START + int(hour) * 3_600_000 for hour in random.integers(0, 500, 100)]
    residuals = week_inputs(LEARNING, moments) @ true + random.normal(0.0, 0.2, 100)
    sums = statistics(LEARNING, moments, residuals.tolist())
    update = Update(
        outbox="0" * 16,
        sequence=1,
        logical_model="demand",
        segment="",
        version=version(1).id,
        zone=LEARNING.zone,
        clip=LEARNING.clip,
        inputs=LEARNING.inputs,
        n=sums.n,
        gram=sums.triangle,
        cross=tuple(sums.cross.tolist()),
        squares=sums.squares,
    )
    message = Incoming(topic=topics.device(device, "up/update"), payload=encode(update))
    place.catalog.put_uplinks([intake.uplink_of(message, NOON)])


def test_what_devices_learned_becomes_the_next_package(place: Home, package: Package) -> None:
    for seed, device in enumerate(named(4)):
        send(place, device, seed)
        send(place, device, seed)  # it came twice, and counts once
    shown = told("learn", "-m", "demand").output
    assert shown.startswith("400 outcomes of 4 devices: one +0.")
    answer = json.loads(told("learn", "-m", "demand", "--publish", "ann", "--json").output)
    assert answer["learned"]["rows"] == 400
    assert answer["learned"]["gain"] > 0.8
    assert answer["package"]["sequence"] == 2
    [old, new] = open_home(place.folder).catalog.packages("demand", "")
    assert (new.model, new.version) == (old.model, old.version)
    before, after = manifest_of(place, old), manifest_of(place, new)
    assert after.correction is not None
    np.testing.assert_allclose(after.correction.coef, TRUE, atol=0.1)
    assert (after.recipe, after.golden, after.trial) == (before.recipe, before.golden, before.trial)


def test_devices_that_were_not_told_to_run_it_are_not_heard(place: Home, package: Package) -> None:
    for seed, device in enumerate(named(3)):
        send(place, device, seed)
    place.catalog.enrol([Device(name="stranger", enrolled=NOON)], by="ann")
    send(place, "stranger", 9, true=TRUE + 4.0)
    assert learn_from_fleet(place, package).devices == 3


def test_a_correction_that_helps_no_other_device_is_not_published(
    place: Home, package: Package
) -> None:
    for seed, (device, sign) in enumerate(zip(named(4), (1, -1, 1, -1), strict=True)):
        send(place, device, seed, true=sign * TRUE)
    assert re.search(r"-\d+\.\d% less by what the others", told("learn", "-m", "demand").output)
    with pytest.raises(DataError, match="is not published"):
        told("learn", "-m", "demand", "--publish", "ann")
    assert len(open_home(place.folder).catalog.packages("demand", "")) == 1


def test_a_correction_that_harms_the_median_device_is_not_published(
    place: Home, package: Package
) -> None:
    for seed, (device, constant) in enumerate(zip(named(4), (0.0, 0.3, 4.0, 4.5), strict=True)):
        send(place, device, seed, true=constant * np.eye(3)[0])
    learned = learn_from_fleet(place, package)
    assert learned.gain > 0.1
    assert learned.median_gain < 0.0
    with pytest.raises(DataError, match=r"and -\d+\.\d% from the median one: it is not published"):
        told("learn", "-m", "demand", "--publish", "ann")


def test_a_liar_is_named_and_not_heard(place: Home, package: Package) -> None:
    for seed, device in enumerate(named(3)):
        send(place, device, seed)
    send(place, named(4)[3], 9, true=np.array([50.0, 0.0, 0.0]))
    shown = told("learn", "-m", "demand").output
    assert shown.startswith("300 outcomes of 3 devices: one +0.")
    assert re.search(named(4)[3] + r" is left out: its residuals pull [34]\.\d+ away", shown)


def test_what_is_missing_is_one_sentence(place: Home, package: Package) -> None:
    with pytest.raises(DataError, match="0 devices sent what can be learned from"):
        told("learn", "-m", "demand")
    plain = make_package(place, read_keys(keys_folder(place)), version(1), contents(2), by="ann")
    with pytest.raises(DataError, match="package 2 of demand does not let devices learn"):
        learn_from_fleet(place, plain)
