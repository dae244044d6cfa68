"""What bandits have counted: a file for each logical model and day of impressions.

A file says which events and outcomes it counts, and how far each bandit had come. Where these
change, its day is counted again, and no other. What bandits know is the sum of their days, so that
a count that is killed, or done twice, leaves the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from loopcast.api import NotFoundError
from loopcast.store.files import open_folder

if TYPE_CHECKING:
    from loopcast.store.home import Home

_SOURCE = b"loopcast.source"
_COUNTS = ("outcomes", "successes", "failures")
_MOMENT = pa.timestamp("us", "UTC")


@dataclass(frozen=True, eq=False, kw_only=True)
class Tally:
    """What bandits have counted of the impressions of one day.

    Attributes
    ----------
    source
        Names the events and outcomes that it counts.
    bandits
        The salt of the experiment of each, which no two have in common.
    until : ndarray, shape (bandits,), datetime64[us]
        Impressions of the day before this moment in UTC are counted, later ones are not yet.
    outcomes : ndarray, shape (bandits, arms), int64
        How many outcomes each arm had.
    successes, failures : ndarray, shape (bandits, arms)
        The same, each discounted by how many outcomes of the day came after it.
    """

    source: str
    bandits: tuple[str, ...]
    until: NDArray[np.datetime64]
    outcomes: NDArray[np.int64]
    successes: NDArray[np.float64]
    failures: NDArray[np.float64]

    def of(self, bandits: Sequence[str], arms: int) -> Tally:
        """Return the tally of some bandits, in their order and with so many arms.

        Those that it does not have are counted until no time (NaT), and have nothing.
        """
        place = pc.index_in(pa.array(bandits), value_set=pa.array(self.bandits, pa.string()))
        row = place.fill_null(-1).to_numpy()
        absent = row < 0
        return Tally(
            source=self.source,
            bandits=tuple(bandits),
            until=np.where(absent, np.datetime64("NaT"), self.until[row]),
            outcomes=_laid(self.outcomes, row, arms),
            successes=_laid(self.successes, row, arms),
            failures=_laid(self.failures, row, arms),
        )


class Tallies:
    """The tallies of every logical model.

    Parameters
    ----------
    url
        A folder, or a URL that fsspec knows.
    """

    def __init__(self, url: str) -> None:
        self._folder = open_folder(url)

    def put(self, logical_model: str, tallies: Mapping[date, Tally]) -> None:
        """Store the tallies of some days, each in place of an earlier one."""
        self._folder.write_all({_name(logical_model, d): _encoded(t) for d, t in tallies.items()})

    def read(self, logical_model: str, day: date) -> Tally | None:
        """Return the tally of a day; ``None`` where there is none, or its file is damaged."""
        try:
            return _decoded(self._folder.read(_name(logical_model, day)))
        except (NotFoundError, pa.ArrowInvalid, KeyError, OSError):
            return None


def tallies_of(home: Home) -> Tallies:
    """Return the tallies of a home: they are beside its event log."""
    return Tallies(f"{home.events_url.rstrip('/')}-bandits")


def _laid(values: NDArray[Any], row: NDArray[np.intp], arms: int) -> NDArray[Any]:
    """Return some rows with so many columns; zeros where the row is −1 or there is no column."""
    found = np.zeros((len(row), arms), values.dtype)
    columns = values[row, :arms]
    found[:, : columns.shape[1]] = np.where(row[:, None] < 0, 0, columns)
    return found


def _name(logical_model: str, day: date) -> str:
    return f"logical_model={logical_model}/{day.isoformat()}.arrow"


def _encoded(tally: Tally) -> bytes:
    """Encode a tally as an Arrow file: a row for each bandit."""
    columns = {
        "bandit": pa.array(tally.bandits, pa.string()),
        "until": pa.array(tally.until).cast(_MOMENT),
    }
    for name in _COUNTS:
        values = getattr(tally, name)
        columns[name] = pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1])
    batch = pa.RecordBatch.from_pydict(columns, metadata={_SOURCE: tally.source.encode()})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _decoded(content: bytes) -> Tally:
    rows = pa.ipc.open_file(pa.BufferReader(content)).read_all().combine_chunks()
    counts = {name: rows[name].combine_chunks() for name in _COUNTS}
    return Tally(
        source=rows.schema.metadata[_SOURCE].decode(),
        bandits=tuple(rows["bandit"].to_pylist()),
        until=rows["until"].to_numpy(),
        **{
            name: found.flatten().to_numpy().reshape(len(found), found.type.list_size)
            for name, found in counts.items()
        },
    )
