"""What a state folder says of its device, for people."""

from __future__ import annotations

import msgspec

from loopcast_edge.agent import files
from loopcast_edge.agent.outbox import Outbox
from loopcast_edge.agent.run import STATUS
from loopcast_edge.agent.status import status, text
from loopcast_edge.wire import Assignment, Desired, EdgeEvent, Source, encode

from .. import models
from ..centre import Centre, Package
from .device import Device, noise


def shown(device: Device) -> list[str]:
    state = device.agent.settings.state
    files.write(state / STATUS, msgspec.json.encode(device.agent.report()))
    return text(status(device.agent.settings)).splitlines()


def desire(device: Device, sequence: int, champion: Package, shadow: Package) -> None:
    packages = (
        Assignment(logical_model="demand", segment="", manifest=champion.digest),
        Assignment(logical_model="demand", segment="", manifest=shadow.digest, role="shadow"),
    )
    device.broker.send(
        device.topic("desired"), encode(Desired(sequence=sequence, packages=packages))
    )
    device.run(1)


def test_a_first_package_on_its_way(device: Device, centre: Centre) -> None:
    package = centre.package(model=models.linear([[2.0]], [0.001], padding=noise(2000)))
    retained = package.retained(chunk_size=512)
    for topic, payload in list(retained.items())[:6]:
        device.broker.send(topic, payload)
    device.want(1, package)
    assert shown(device)[-2:] == [
        "demand@: nothing, before nothing",
        f"  {package.digest[:16]} fetching as champion: 4 of {len(retained) - 2} chunks",
    ]


def test_a_shadow_and_one_that_is_to_take_its_place(device: Device, centre: Centre) -> None:
    champion, shadow, next_one = (centre.package(number) for number in (1, 2, 3))
    device.publish(champion, shadow)
    desire(device, 1, champion, shadow)
    assert shown(device)[-1] == (
        f"demand@: {champion.digest[:16]} on trial, before nothing, shadow {shadow.digest[:16]}"
    )
    desire(device, 2, champion, next_one)
    assert shown(device)[-1] == f"  {next_one.digest[:16]} fetching as shadow"


def test_rows_that_became_counts_and_sums(device: Device) -> None:
    folder = device.agent.settings.state
    box = Outbox(folder / "outbox.sqlite", most_rows=100)
    source = Source(logical_model="demand", segment="", version="ab" * 8, outputs=("mean",))
    events = [EdgeEvent(source=0, key="k", time=at, outputs=(1.0,)) for at in range(101)]
    box.add_events(source, events)
    assert shown(device)[1] == "outbox: 92 rows waiting (1 condensed), 0 batches without receipt"
