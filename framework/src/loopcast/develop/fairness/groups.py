"""Groups of judged rows: by one attribute, or by several at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from loopcast.api import DataError, NotFoundError

if TYPE_CHECKING:
    import pandas as pd

    from loopcast.api import Judged, Rows, ScoreData, ScoreSchema

Aim = Literal["selection", "opportunity"]
"""What is made even: the share of favourable decisions, or that among the deserving."""

CROSS = " × "
"""Stands between the attributes of groups by several at once, and between their values."""

MOST_GROUPS = 50
"""Attributes that tell more groups apart, as keys do, are no groups of people."""


def declared(schema: ScoreSchema) -> tuple[str, ...]:
    """Return the attributes by which fairness is measured, used by the model or not."""
    return tuple(name for name, feature in schema.features.items() if feature.protected)


def ways(attributes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield each attribute, then each pair of them.

    Source: J. Buolamwini and T. Gebru (2018), Gender shades, FAT*: what is fair by two attributes
    may not be where they meet.
    """
    yield from ((name,) for name in attributes)
    yield from combinations(attributes, 2)


def attributes_to_learn_by(data: ScoreData, attributes: Sequence[str], what: str) -> pd.DataFrame:
    """Return attributes of training rows.

    Parameters
    ----------
    what
        Is done by them, for messages.

    Raises
    ------
    DataError
        Where there is no such attribute, or none is named.
    """
    frame = data.attributes
    absent = [name for name in attributes if frame is None or name not in frame.columns]
    if absent or not attributes or frame is None:
        has = "none" if frame is None else ", ".join(map(str, frame.columns))
        raise DataError(
            f"{what} by {absent[0] if absent else 'no attribute'!r}: expected one that the "
            f"schema declares as protected (there are: {has})"
        )
    return frame[list(attributes)]


def groups_of(judged: Judged, attributes: Sequence[str]) -> dict[str, Rows]:
    """Return the judged rows of each group that has some; rows of an unknown attribute are in none.

    Raises
    ------
    NotFoundError
        Where rows were not judged by an attribute.
    """
    unknown = [name for name in attributes if name not in judged.attributes]
    if unknown:
        known = ", ".join(judged.attributes) or "none"
        raise NotFoundError(
            f"rows were not judged by {unknown[0]!r} (known: {known}); declare it in the schema as "
            "protected, and train again"
        )
    columns = [judged.attributes[name] for name in attributes]
    codes = np.array([column.codes for column in columns], np.int64)
    known_rows = np.flatnonzero(judged.overall & (codes >= 0).all(axis=0))
    place = np.ravel_multi_index(
        tuple(codes[:, known_rows]), tuple(max(len(c.categories), 1) for c in columns)
    )
    return dict(_parts(known_rows, place, _names(columns)))


def _names(columns: Sequence[Iterable[object]]) -> list[str]:
    names = [""]
    for column in columns:
        values = [str(value) for value in column.categories]  # type: ignore[attr-defined]
        names = [
            f"{before}{CROSS}{value}" if before else value for before in names for value in values
        ]
    return names


def _parts(rows: Rows, place: NDArray[np.intp], names: Sequence[str]) -> Iterator[tuple[str, Rows]]:
    order = np.argsort(place, kind="stable")
    present, starts = np.unique(place[order], return_index=True)
    for number, part in zip(present, np.split(rows[order], starts[1:]), strict=True):
        yield names[number], part
