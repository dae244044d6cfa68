"""Code that is given back is there again when it is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from loopcast_edge.agent.resident import code, give_back
from loopcast_edge.agent.runtime import PROBE, Model

from ..resident import memory_mb

HEAD = "7f00-7f10 {} 0 00:01 7{}"


def test_code_is_given_back_and_comes_again() -> None:
    model = Model(PROBE.read_bytes())
    ones = np.ones((3, 1), np.float32)
    before = memory_mb("self")
    given = give_back()
    assert given > 2**20
    assert memory_mb("self")["Rss"] < before["Rss"]
    output, _ = model.predict(ones)
    assert output.tolist() == [[2.0]] * 3
    assert Model(PROBE.read_bytes()).predict(ones)[0].tolist() == [[2.0]] * 3


def test_the_code_of_this_process_is_that_of_files() -> None:
    """The kernel says in another way which mappings are code, and of which files."""
    expected = {
        tuple(int(bound, 16) for bound in line.split()[0].split("-"))
        for line in Path("/proc/self/maps").read_text().splitlines()
        if " r-xp " in line and "/" in line
    }
    with Path("/proc/self/smaps").open() as lines:
        found = {(start, end) for start, end, _ in code(lines)}
    assert found
    assert found <= expected


def test_what_was_written_to_or_is_of_no_file_stays() -> None:
    clean, written = ["Rss: 8 kB", "Anonymous: 0 kB"], ["Rss: 8 kB", "Anonymous: 4 kB"]
    for head in (
        HEAD.format("rw-p", " /lib/libm.so"),
        HEAD.format("r--p", " /lib/libm.so"),
        HEAD.format("r-xp", ""),
        HEAD.format("r-xp", " [vdso]"),
    ):
        assert not list(code([head, *clean]))
    of_file = HEAD.format("r-xp", " /opt/a folder/libm.so (deleted)")
    assert not list(code([of_file, *written]))
    assert list(code([of_file, *clean])) == [(0x7F00, 0x7F10, 8192)]
