from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loopcast_edge.agent.machine import Ended, Place
from loopcast_edge.agent.slots import MODEL, POINTER, Package, Slots

A, B = "a" * 64, "b" * 64


def test_a_place_and_its_packages_are_kept(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "demand@")
    assert slots.place() == Place()
    assert slots.package(A) is None
    slots.put(A, Package(b"manifest", b"model"))
    place = Place(active=A, on_trial=True, ended=(Ended(B, "refused", "expired"),))
    slots.point(place)
    again = Slots(tmp_path / "demand@")
    assert again.place() == place
    assert again.package(A) == Package(b"manifest", b"model")
    assert (again.path(A) / MODEL).read_bytes() == b"model"


def test_packages_in_no_slot_are_deleted(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    slots.clean([A])
    for digest in (A, B):
        slots.put(digest, Package(b"", b""))
    (tmp_path / f"{'c' * 64}.new").mkdir()
    slots.point(Place(active=A))
    slots.clean([A, None])
    assert sorted(path.name for path in tmp_path.iterdir()) == [A, POINTER]


@pytest.mark.parametrize("damage", [b"", b"\x00" * 40, b"\x81\xa6active\x07"])
def test_a_damaged_pointer_is_an_empty_place(tmp_path: Path, damage: bytes) -> None:
    slots = Slots(tmp_path)
    slots.point(Place(active=A))
    (tmp_path / POINTER).write_bytes(damage)
    assert slots.place() == Place()


SWITCHES = """
import sys
from pathlib import Path
from loopcast_edge.agent.machine import Place
from loopcast_edge.agent.slots import Package, Slots
slots = Slots(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(10**9):
    digest = "ab"[number % 2] * 64
    slots.put(digest, Package(b"manifest " + digest.encode(), digest.encode() * 1000))
    slots.point(Place(active=digest))
    slots.clean([digest])
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_process_leaves_a_whole_package_in_the_slot(tmp_path: Path, seed: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SWITCHES, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.15 + 0.0173 * seed)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    slots = Slots(tmp_path)
    active = slots.place().active
    assert active is not None
    package = slots.package(active)
    assert package == Package(b"manifest " + active.encode(), active.encode() * 1000)
