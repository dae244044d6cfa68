"""Servers that the tests start themselves: where they are, and on which port."""

from __future__ import annotations

import shutil
import socket

import pytest


def mosquitto() -> str:
    """The program; the test is skipped where it is not installed."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        pytest.skip("Mosquitto is not installed: apt-get install mosquitto")
    return program


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
