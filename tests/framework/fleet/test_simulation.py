"""Simulated devices: shared among processes, by certificate at the fleet's own broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopcast.api import ConfigurationError, LoopcastError
from loopcast.fleet.founding import authority_of, broker_of, centre_certificate, found
from loopcast.fleet.keyring import Keyring
from loopcast.fleet.link import FLEET, Link, Outgoing
from loopcast.fleet.publish import key_messages
from loopcast.fleet.simulation import Simulation, _added_up, enrol_simulated, simulate
from loopcast.store.home import Home

from .brokers import secured


@given(st.integers(1, 300), st.integers(1, 9))
def test_every_device_is_in_one_process(devices: int, processes: int) -> None:
    shares = list(Simulation(devices=devices, processes=processes).shares())
    numbers = [n for first, count in shares for n in range(first, first + count)]
    assert numbers == list(range(devices))
    assert max(count for _, count in shares) - min(count for _, count in shares) <= 1


def test_summaries_add_up() -> None:
    parts = [
        {"seconds": 5.0, "devices": 2, "stages": {"running": 2}, "all_running_s": None},
        {"seconds": 6.0, "devices": 3, "stages": {"running": 1, "trial": 2}, "all_running_s": 4.0},
    ]
    assert _added_up(parts) == {
        "seconds": 6.0, "devices": 5, "stages": {"running": 3, "trial": 2}, "all_running_s": 4.0,
    }  # fmt: skip


def test_devices_connect_by_certificates_of_their_own(place: Home, tmp_path: Path) -> None:
    ring = found(place)
    wanted = Simulation(devices=3, processes=1, seconds=3.0, labels=(("ring", "lab"),))
    assert enrol_simulated(place, wanted) == 3
    assert enrol_simulated(place, wanted) == 0
    with secured(tmp_path / "broker", authority_of(place), centre_certificate(place)) as broker:
        url = f"mqtts://localhost:{broker.port}"
        address = broker_of(place, f"mqtts://localhost:{broker.centre}")
        with Link(address, listen=FLEET) as link:
            link.send(key_messages(ring))
            link.send([Outgoing(topic="loopcast/1/device/sim-0/order", payload=b"garbage")])
            summary = simulate(place, ring, url, wanted)
            topics = {message.topic for message in link.received(1.0)}
    assert (summary["devices"], summary["connected"]) == (3, 3)
    assert {f"loopcast/1/device/sim-{number}/presence" for number in range(3)} <= topics
    assert {e.device.labels["ring"] for e in place.catalog.devices().values()} == {"lab"}


def test_a_process_that_fails_is_an_error(place: Home, ring: Keyring) -> None:
    with pytest.raises(LoopcastError, match="failed"):
        simulate(place, ring, "mqtt://localhost:1", Simulation(devices=1, scenario="nonsense"))
    with pytest.raises(ConfigurationError, match="is no broker"):
        simulate(place, ring, "ftp://localhost", Simulation(devices=1))
