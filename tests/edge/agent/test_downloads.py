"""How a file comes: by chunks, over power cuts, as a difference."""

from __future__ import annotations

from loopcast_edge.wire import (
    digest_of,
    topics,
)

from .. import models
from ..centre import Centre
from .device import Device, noise


def test_damaged_chunks_are_asked_for_again(device: Device, centre: Centre) -> None:
    package = centre.package(model=models.linear([[2.0]], [0.001], padding=noise(750)))
    retained = package.retained(chunk_size=512)
    name = topics.chunk(package.manifest.file, 2)
    flipped = bytearray(retained[name])
    flipped[-100] ^= 4
    for topic, payload in retained.items():
        device.broker.send(topic, bytes(flipped) if topic == name else payload)
    device.want(1, package)
    state = device.state_of(package)
    assert (state.stage, state.chunks - state.received) == ("fetching", 1)
    device.broker.send(name, b"\xc1 rubbish")
    device.run(100)
    assert device.state_of(package).stage == "fetching"
    device.broker.send(name, retained[name])
    device.run(1)
    assert device.state_of(package).stage == "trial"


def test_a_download_is_taken_up_after_a_power_cut(device: Device, centre: Centre) -> None:
    package = centre.package(model=models.linear([[2.0]], [0.001], padding=noise(5000)))
    retained = package.retained(chunk_size=512)
    chunks = [name for name in retained if "/chunk/" in name]
    for name in retained:
        if name not in chunks[10:]:
            device.broker.send(name, retained[name])
    device.want(1, package)
    before = device.state_of(package)
    assert before.received == 10
    device.power_cut()
    device.broker.asked.clear()
    for name in chunks[10:]:
        device.broker.send(name, retained[name])
    device.run(60)
    assert device.state_of(package).stage == "trial"
    assert not set(chunks[1:10]) & set(device.broker.asked)


def test_the_difference_is_fetched_where_there_is_one(device: Device, centre: Centre) -> None:
    weights = noise(4000)
    old_model = models.linear([[2.0]], [0.001], padding=weights)
    new_model = models.linear([[2.0]], [0.002], padding=weights)
    old, new = centre.package(1, old_model), centre.package(2, new_model)
    device.publish(old)
    device.want(1, old)
    device.publish(new, base=old_model)
    device.broker.asked.clear()
    device.want(2, new)
    assert device.state_of(new).stage == "trial"
    assert topics.chunk(new.manifest.file, 0, digest_of(old_model)) in device.broker.asked
    assert topics.chunk(new.manifest.file, 1) not in device.broker.asked
