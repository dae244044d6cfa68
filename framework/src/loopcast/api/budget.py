"""What a model may take on a device."""

from __future__ import annotations

from typing import Annotated

import msgspec

from loopcast.api.record import Record


class DeviceBudget(Record, frozen=True):
    """What a model may take on a device.

    Attributes
    ----------
    bytes
        Size of its file.
    error
        Largest difference of an answer from the model's own, as a share of the largest answer.
    microseconds
        CPU time of a call with one row, as measured where the file is made.
    """

    bytes: Annotated[int, msgspec.Meta(gt=0)] | None = None
    error: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 1e-3
    microseconds: Annotated[float, msgspec.Meta(gt=0.0)] | None = None

    @property
    def words(self) -> str:
        """The budget for people."""
        parts = [f"an error of {self.error:g}"]
        parts += [f"{self.bytes:,} bytes"] if self.bytes is not None else []
        parts += [f"{self.microseconds:g} µs a row"] if self.microseconds is not None else []
        return " and ".join(parts)
