"""The lists of devices as `loopcast.serve` writes those of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from loopcast.api import DataError
from loopcast.deploy.export.tflite.list_names import BEST, items_among

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from loopcast_edge.wire import DriftReference

SEPARATORS = "\n\x1e"
"""No name of an item has one of these; see `loopcast.serve.rank`."""


def as_served(outputs: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Return the outputs of a ranking's events as `serve` writes them.

    Parameters
    ----------
    outputs
        As a device names them: the items and scores of all places, missing where there is none.

    Returns
    -------
    dict
        ``items``, an item a line, missing where there is none at all; and ``score``, of the first.

    Raises
    ------
    DataError
        Where an item is no text, or none that a list by lines can hold.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = items_among(outputs)
    if not names or BEST not in outputs:
        raise DataError(f"a ranking says items and scores, not {', '.join(outputs) or 'nothing'}")
    items = [_texts(name, outputs[name]) for name in names]
    lines = pc.binary_join_element_wise(*items, pa.scalar("\n"), null_handling="skip")
    nothing = pc.equal(lines, "")
    return {
        "items": pc.if_else(nothing, pa.scalar(None, pa.string()), lines),
        "score": outputs[BEST].cast(pa.float64()),
    }


def _texts(name: str, values: pa.Array) -> pa.Array:
    """Return the items of one place, which may be missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_string(values.type) or pa.types.is_null(values.type)):
        raise DataError(
            f"{name} is a number; a package that is published anew says the names of items"
        )
    texts = values.cast(pa.string())
    if any(pc.any(pc.match_substring(texts, mark)).as_py() for mark in SEPARATORS):
        raise DataError(f"{name} has a line break or a record separator in its name")
    return texts


def as_named(reference: DriftReference) -> DriftReference:
    """Return the bins of a ranking under the name that its best score has on devices."""
    columns = tuple(
        replace(each, name=f"output.{BEST}") if each.name == "output.score" else each
        for each in reference.columns
    )
    return replace(reference, columns=columns)
