"""The feedback on recommendations: what was shown, clicked and bought, by list and item.

Layout: ``logical_model=NAME/DIGEST.parquet``. A delivery is a file of its own, named by its
content, so that any number of processes add feedback, and the same delivery again changes nothing.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from loopcast.api import StoreError
from loopcast.store.files import GRACE, open_folder

FEEDBACK = "feedback"
"""Who tells an outcome that says whether something came of a list, or how much, but not what."""

_MOMENT = pa.timestamp("us", "UTC")
FEEDBACK_SCHEMA = pa.schema(
    [
        pa.field("segment", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("made", _MOMENT, nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("time", _MOMENT, nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)
"""Columns of feedback: segment, key and moment of the event that the list is of; what happened to
which item, when, and the revenue of a purchase."""


class FeedbackLog:
    """The feedback on every ranking.

    Parameters
    ----------
    url
        A folder, or a URL that fsspec knows.
    """

    def __init__(self, url: str) -> None:
        self._folder = open_folder(url)

    def add(self, logical_model: str, rows: pa.Table) -> None:
        """Add a delivery.

        Parameters
        ----------
        rows
            Columns of :data:`FEEDBACK_SCHEMA`.

        Raises
        ------
        StoreError
            When it cannot be written; then nothing is.
        """
        buffer = pa.BufferOutputStream()
        order = [(name, "ascending") for name in FEEDBACK_SCHEMA.names]
        pq.write_table(rows.cast(FEEDBACK_SCHEMA).sort_by(order), buffer, compression="zstd")
        data = bytes(buffer.getvalue())
        name = f"logical_model={logical_model}/{sha256(data).hexdigest()[:32]}.parquet"
        self._folder.write_all({name: data})

    def sweep(self, logical_model: str, older_than: timedelta = GRACE) -> int:
        """Remove temporary files that killed writes left, and count them; as the event log does."""
        return self._folder.sweep(f"logical_model={logical_model}", older_than)

    def read(self, logical_model: str) -> pa.Table:
        """Return all feedback, what was delivered twice once, without an order.

        Raises
        ------
        StoreError
            When a file is damaged.
        """
        folder = f"logical_model={logical_model}"
        files = [self._folder.path(f"{folder}/{name}") for name in self._folder.names(folder)]
        if not files:
            return FEEDBACK_SCHEMA.empty_table()
        try:
            table = ds.dataset(
                files, schema=FEEDBACK_SCHEMA, format="parquet", filesystem=self._folder.filesystem
            ).to_table()
        except (pa.ArrowInvalid, OSError) as error:
            raise StoreError(f"feedback on {logical_model}: {error}; restore the file") from error
        return table.group_by(FEEDBACK_SCHEMA.names, use_threads=False).aggregate([])
