"""A centre in small, and a device of its fleet."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..centre import Centre
from .device import Device


@pytest.fixture
def centre() -> Centre:
    return Centre()


@pytest.fixture
def device(tmp_path: Path, centre: Centre) -> Device:
    return Device(tmp_path, centre)
