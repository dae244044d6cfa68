"""The file of what was measured lately, and of states of models, by which a device goes on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from loopcast_edge.agent import files
from loopcast_edge.agent.carried import Kept
from loopcast_edge.agent.readings import Readings

LOG = logging.getLogger(__name__)
READINGS = "readings"

States = Mapping[str, Mapping[str, Kept]]
"""States of models by place and package."""


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    readings: bytes
    states: dict[str, dict[str, Kept]]


def write(folder: Path, readings: Readings, states: dict[str, dict[str, Kept]]) -> None:
    """Replace the file in a state folder."""
    kept = _Kept(readings=readings.dump(), states=states)
    files.write(folder / READINGS, msgspec.msgpack.encode(kept))


def read(folder: Path, readings: Readings) -> States:
    """Take in what was measured before; return what models with a state had come to."""
    try:
        kept = msgspec.msgpack.decode((folder / READINGS).read_bytes(), type=_Kept)
        readings.restore(kept.readings)
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        LOG.warning("%s: forgotten, since it is damaged: %s", READINGS, error)
        return {}
    return kept.states
